//! The reference cloud as strangers see it: with curl and OpenSSL, which know nothing of us.
//!
//! `STOREBOX_CLOUD` names its program and `STOREBOX_POSTGRES` the folder of PostgreSQL's; `tests/run cloud` sets both. The rows of the requirements that a test proves stand at
//! the beginning of its name.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and wait in real time"
)]

mod alerts;
mod cluster;
mod enrolment;
mod instances;
mod pages;
mod receivers;
mod reference;
mod stranger;
