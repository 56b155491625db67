//! The API about kitchen.
