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
mod audit;
mod bad_input;
mod cache;
mod card_data;
mod catalogue;
mod clock;
mod config;
mod connections;
mod contract;
mod customers;
mod devices;
mod disk;
mod durability;
mod events;
mod fields;
mod friday_night;
mod handed_over;
mod idempotency;
mod kitchen;
mod limits;
mod orders;
mod pairing;
mod payments;
mod people;
mod permissions;
mod refunds;
mod reports;
mod screen;
mod shifts;
mod shutdown;
mod startup;
mod stock;
mod stream;
mod terminal_script;
mod tokens;
mod transitions;
