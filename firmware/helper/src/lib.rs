//! What of the store box needs root.
//!
//! `storebox-helper` carries out a closed set of verbs for the daemon, which itself may do nothing: it is started by
//! its socket, answers one request per connection and leaves when nobody asks. `storebox-data` runs once, early in
//! the boot, and makes, grows, unlocks, checks and mounts the partition that keeps everything.
//!
//! What decides is apart from what touches the machine: [`protocol`], [`firewall::rules`], [`data::plan`] and
//! [`content`] are pure, and everything else reaches the machine through [`machine::Machine`] and below a
//! [`files::Root`], so that a test has both.

pub mod bounded;
pub mod client;
pub mod clock;
pub mod content;
pub mod data;
pub mod disk;
pub mod files;
pub mod firewall;
pub mod frame;
pub mod gpt;
pub mod limits;
pub mod logging;
pub mod machine;
pub mod program;
pub mod protocol;
pub mod server;
pub mod verbs;
