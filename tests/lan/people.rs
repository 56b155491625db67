//! The API about people.
