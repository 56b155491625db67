//! The API about payments.
