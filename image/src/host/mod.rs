//! The command `image`: everything from package locks to a disk image and a machine that boots it.

pub mod build;
pub mod cache;
pub mod clock;
pub mod command;
pub mod config_txt;
mod cpio;
pub mod disk;
pub mod failure;
pub mod files;
pub mod kernel;
mod kernel_module;
pub mod machine;
pub mod modules;
pub mod packages;
pub mod programs;
pub mod progress;
pub mod raspberry_pi;
pub mod root;
pub mod sandbox;
pub mod sbom;
pub mod source;
pub mod sources;
pub mod toolroot;
mod trim;
mod uefi;
pub mod verity;

pub use crate::gpt;
