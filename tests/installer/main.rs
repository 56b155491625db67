//! The installer's command `provision` as installers use it: the program itself, on cards that are files behind loop
//! devices, with programs that know nothing of us to read what it wrote.
//!
//! `STOREBOX_PROVISION` names the program; `tests/run installer` sets it. Loop devices need root. Every test makes, uses
//! and removes devices and folders of its own, and never names a disk of this machine except to be refused.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod boxes;
mod card;
mod claim;
mod flash;
mod imager;
mod liar;
mod program;
mod site;
