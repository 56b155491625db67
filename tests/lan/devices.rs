//! The API about devices.
