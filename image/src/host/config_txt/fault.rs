//! What can keep the firmware from starting a board.

use std::fmt;

/// A reason why the firmware would not start the board, or not as intended. Lines count from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A line is longer than the firmware reads.
    LongLine(usize),
    /// A section whose filter is not known.
    Section(usize, String),
    /// A setting that is not known.
    Key(usize, String),
    /// A setting with a value it cannot have.
    Value(usize, String),
    /// A file is not there.
    Missing(String),
    /// A file is there, but not what it should be.
    Unreadable(String),
    /// A file of the vendor's was built on the first day, or on none that it says, and has to be from the second on.
    OldFirmware(String, Option<String>, String),
    /// A file is too large to be read from NVMe by every firmware we start with.
    Large(String),
    /// The processor would run in 32-bit mode.
    Word32,
    /// The board comes with several chips, and only one of them would start.
    OneDeviceTree,
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LongLine(line) => write!(out, "config.txt, line {line}: longer than the firmware reads"),
            Self::Section(line, name) => write!(out, "config.txt, line {line}: unknown section [{name}]"),
            Self::Key(line, key) => write!(out, "config.txt, line {line}: unknown setting {key}"),
            Self::Value(line, key) => write!(out, "config.txt, line {line}: {key} cannot have this value"),
            Self::Missing(name) => write!(out, "{name} is missing"),
            Self::Unreadable(name) => write!(out, "{name} is not what it should be"),
            Self::OldFirmware(name, Some(built), day) => {
                write!(out, "{name} was built on {built}; it must be of {day} or later")
            }
            Self::OldFirmware(name, None, day) => {
                write!(out, "{name} does not say when it was built; it must be of {day} or later")
            }
            Self::Large(name) => write!(out, "{name} is too large to be read from NVMe by older firmware"),
            Self::Word32 => out.write_str("config.txt starts the processor in 32-bit mode"),
            Self::OneDeviceTree => {
                out.write_str("config.txt must leave the device tree to the firmware, by the kernel's names")
            }
        }
    }
}
