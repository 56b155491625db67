//! The API about reports.
