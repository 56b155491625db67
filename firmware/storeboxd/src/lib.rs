//! The daemon of the store box: everything that touches a disk, a socket or a clock.
//!
//! | module | what it holds |
//! |---|---|
//! | [`daemon`] | the box from start to drain |
//! | [`config`] | the configuration: the file, what an admin changed, and the options there are |
//! | [`store`] | what is kept, and the one writer |
//! | [`lan`] | what terminals reach |
//! | [`inherited`] | the listener a service manager hands over |
//! | [`screen_status`] | what the screen is told |
//! | [`uplink`] | the box and its cloud |
//! | [`upkeep`] | what keeps the box from filling up |
//! | [`watchdog`] | signs of life for the service manager |
//! | [`clock`], [`entropy`], `files`, `keys`, [`logging`] | time, randomness, small files, private keys and log lines, each in one place |

pub mod clock;
pub mod config;
pub mod daemon;
pub mod entropy;
mod files;
pub mod inherited;
mod keys;
pub mod lan;
pub mod logging;
pub mod screen_status;
pub mod store;
pub mod upkeep;
pub mod uplink;
pub mod watchdog;
