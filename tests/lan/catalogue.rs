//! The API about catalogue.
