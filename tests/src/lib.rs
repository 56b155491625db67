//! What the tests and benchmarks share: the real box as a process, and terminals that talk to it as a till would.
//!
//! | to | take |
//! |---|---|
//! | open a store with a till in one line | [`Shop`] |
//! | start, kill, stop and restart the real binary | [`RunningBox`] from a [`BoxConfig`] |
//! | pair and send requests over one kept TLS connection | [`Terminal`] |
//! | send half a request, or bytes that are no request | [`Raw`] |
//! | read the event stream | [`EventStream`] |
//! | turn a box's clock | [`FakeClock`] |
//! | say what an answer must be | [`Answer`] |
//!
//! Everything fails by panicking with what was asked, what came back and the end of the box's log: these are
//! tests' hands, not a library for the product.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a harness fails by panicking, and measures real time"
)]

pub mod answer;
pub mod clock;
pub mod config;
pub mod folder;
pub mod link;
pub mod pairing;
pub mod random;
pub mod raw;
pub mod running_box;
pub mod sample;
pub mod shop;
pub mod staff;
pub mod stream;
pub mod terminal;
pub mod trust;

pub use answer::Answer;
pub use clock::FakeClock;
pub use config::BoxConfig;
pub use folder::Folder;
pub use link::{Broken, Door, Link};
pub use pairing::Pairing;
pub use random::Random;
pub use raw::Raw;
pub use running_box::{RunningBox, Stopped};
pub use shop::{Shop, all_orders, of};
pub use staff::{OWNER_PIN, STAFF_PIN};
pub use stream::{EventStream, Next, StreamEvent};
pub use terminal::Terminal;
pub use trust::{Key, Trust};

/// How much of something to do: what `tests/run` says, else the size of the short form.
pub fn size(variable: &str, short: u32) -> u32 {
    match std::env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable} must be a number, not {text:?}")),
        Err(_) => short,
    }
}
