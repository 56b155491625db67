//! What can end the start, in words for whoever stands before the box.

use std::fmt;
use std::io;

use nix::errno::Errno;

use crate::cmdline::CmdlineError;
use crate::gpt::GptError;

/// Why the box could not start. Shown once, on the console.
#[derive(Debug)]
pub enum Failure {
    /// A file system of the kernel could not be mounted.
    Mount { path: &'static str, source: Errno },
    /// The kernel command line could not be read.
    CmdlineUnreadable(io::Error),
    /// The kernel command line does not name a root.
    Cmdline(CmdlineError),
    /// No partition with the slot's label appeared.
    NoDisk { label: &'static str, waited_s: u64, seen: String, unloaded: String },
    /// Partitions have the slot's label, but none holds the root the command line asks for.
    NoMatch { label: &'static str, rejected: String },
    /// The kernel did not set up the verified device.
    Verity { step: &'static str, source: io::Error },
    /// The verified device did not appear.
    NoVerityNode { node: String },
    /// The root could not be mounted.
    Root { device: String, source: Errno },
    /// The disk does not tell the GUID of its data partition, which is this box's id.
    DataGuid { disk: String, source: GptError },
    /// No random number was to be had.
    Random(io::Error),
    /// The root could not be made the root of all processes.
    Switch { step: &'static str, source: Errno },
    /// systemd did not start.
    Init(Errno),
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mount { path, source } => write!(out, "{path} could not be mounted: {}.", source.desc()),
            Self::CmdlineUnreadable(source) => write!(out, "the kernel command line could not be read: {source}."),
            Self::Cmdline(source) => {
                write!(out, "the kernel command line is not usable: {source}. Write the image to the disk again.")
            }
            Self::NoDisk { label, waited_s, seen, unloaded } => {
                write!(out, "no disk with a partition named {label} was found in {waited_s} s. Seen: {seen}.")?;
                if !unloaded.is_empty() {
                    write!(out, " Drivers not loaded: {unloaded}.")?;
                }
                write!(out, " Check the disk and its cable.")
            }
            Self::NoMatch { label, rejected } => write!(
                out,
                "the system in {label} is damaged or is not the one that was started: {rejected}. If this stays, write \
                 the image to the disk again."
            ),
            Self::Verity { step, source } => {
                write!(out, "the system could not be set up for verification ({step}): {source}.")
            }
            Self::NoVerityNode { node } => write!(out, "the verified system did not appear as {node}."),
            Self::Root { device, source } => {
                write!(out, "the verified system on {device} could not be mounted: {}.", source.desc())
            }
            Self::DataGuid { disk, source } => {
                write!(out, "the data partition of {disk} could not be identified: {source}. Check the disk.")
            }
            Self::Random(source) => write!(out, "no random number for a new box: {source}."),
            Self::Switch { step, source } => {
                write!(out, "the verified system could not be entered ({step}): {}.", source.desc())
            }
            Self::Init(source) => write!(out, "systemd could not be started: {}.", source.desc()),
        }
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_disk_is_told_with_what_was_seen_and_what_to_do() {
        let failure = Failure::NoDisk {
            label: "storebox-root-a",
            waited_s: 30,
            seen: "sda1 (EFI)".into(),
            unloaded: String::new(),
        };
        assert_eq!(
            failure.to_string(),
            "no disk with a partition named storebox-root-a was found in 30 s. Seen: sda1 (EFI). Check the disk and its cable."
        );
    }
}
