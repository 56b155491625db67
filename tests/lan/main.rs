//! The box as terminals on the LAN see it: the real binary, real TLS, real files, real kills.
//!
//! The rows of the requirements that a test proves stand at the beginning of its name or in its comment.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and measure real time"
)]

mod addresses;
mod bad_input;
mod clock;
mod connections;
mod contract;
mod disk;
mod durability;
mod events;
mod fields;
mod handed_over;
mod idempotency;
mod limits;
mod orders;
mod pairing;
mod screen;
mod shutdown;
mod startup;
mod stream;
mod terminal_script;
mod tokens;
mod transitions;
