//! The reference cloud as strangers see it: with curl and OpenSSL, which know nothing of us.
//!
//! `STOREBOX_CLOUD` names its program; `tests/run cloud` sets it. The rows of the requirements that a test proves stand at
//! the beginning of its name.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod enrolment;
mod reference;
