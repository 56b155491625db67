//! The reference cloud: with curl and OpenSSL, which know nothing of us, and with the real box.
//!
//! `STOREBOX_CLOUD` names its program, `STOREBOX_BIN` the box's, `STOREBOX_POSTGRES` the folder of PostgreSQL's,
//! `STOREBOX_LIBEST` that of Cisco's EST server, `SCHEMATHESIS` the command; `tests/run cloud` sets them. The rows of the
//! requirements that a test proves stand at the beginning of its name.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and wait in real time"
)]

mod alerts;
mod boxes;
mod cluster;
mod document;
mod enrolment;
mod installed;
mod instances;
mod libest;
mod pages;
mod peer;
mod problems;
mod proxy;
mod receivers;
mod reference;
mod stranger;
mod wire;
