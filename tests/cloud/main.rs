//! The reference cloud: with curl and OpenSSL, which know nothing of us, and with the real box.
//!
//! `STOREBOX_CLOUD` names its program, `STOREBOX_BIN` the box's; `tests/run cloud` sets them. The rows of the requirements that a test proves stand at
//! the beginning of its name.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod boxes;
mod document;
mod enrolment;
mod installed;
mod peer;
mod problems;
mod proxy;
mod reference;
mod strangers;
mod wire;
