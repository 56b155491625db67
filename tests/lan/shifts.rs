//! The API about shifts.
