//! The API about audit.
