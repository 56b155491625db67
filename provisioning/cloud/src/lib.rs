//! The reference cloud: claims, the EST authority, registration, the fleet.
//!
//! It shows a cloud's team what the protocol asks for, and is enough for a chain of stores. All it knows is in its
//! database; what it decides is in [`fleet`], without input or output.

pub mod api;
pub mod authority;
pub mod clock;
pub mod database;
pub mod delivery;
pub mod fleet;
pub mod server;
pub mod tls;
pub mod watch;
