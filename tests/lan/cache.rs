//! The API about cache.
