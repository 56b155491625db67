//! The images as machines and whoever takes them apart see them: started in emulators, cut off, damaged, hung, scanned.
//!
//! `STOREBOX_IMAGE` names the built command `image`, `STOREBOX_IMAGES` the folder with the built images of the boards,
//! `STOREBOX_CLOUD` the reference cloud; `tests/run image` sets them. The rows of the requirements that a test proves stand
//! at the beginning of its name or in its comment.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and measure real time"
)]

mod arm;
mod arm64;
mod clock;
mod crashes;
mod damage;
mod debugger;
mod disk;
mod drivers;
mod encryption;
mod lan;
mod machine;
mod ports;
mod power_cuts;
mod provisioning;
mod qmp;
mod raspberry_pi;
mod root;
mod scan;
mod tools;

/// Whether the full form was asked for.
pub fn full() -> bool {
    std::env::var_os("STOREBOX_FULL").is_some()
}
