//! The API about stock.
