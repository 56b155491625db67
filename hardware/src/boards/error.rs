//! What can be wrong with a board's file.

use super::Board;

/// Why there are no facts. Nothing was changed; the same file gives the same error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// There is no board of this name.
    NoSuchBoard {
        /// What was asked for.
        name: String,
    },
    /// A file is not TOML, or says what no file may say, or without a reason.
    Syntax {
        /// The file, without its ending.
        file: &'static str,
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        what: String,
    },
    /// A file inherits one that is not there or that inherits, too.
    Inherits {
        /// The file, without its ending.
        file: &'static str,
        /// The line, from 1.
        line: usize,
        /// What it would inherit.
        name: String,
    },
    /// A fact every board has is missing.
    Missing {
        /// The file, without its ending.
        file: &'static str,
        /// The fact.
        key: &'static str,
    },
    /// A list has the same member twice: a file repeats what it inherits.
    Twice {
        /// The file, without its ending.
        file: &'static str,
        /// The list.
        key: &'static str,
        /// The member.
        name: String,
    },
}

impl std::fmt::Display for Error {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoSuchBoard { name } => write!(formatter, "no board `{name}`; there are {}", Board::NAMES.join(", ")),
            Self::Syntax { file, line, what } => write!(formatter, "{file}.toml, line {line}: {what}"),
            Self::Inherits { file, line, name } => write!(
                formatter,
                "{file}.toml, line {line}: cannot inherit `{name}`: no such file, or it inherits itself"
            ),
            Self::Missing { file, key } => {
                write!(formatter, "{file}.toml: {key} is neither here nor in what it inherits")
            }
            Self::Twice { file, key, name } => write!(formatter, "{file}.toml: `{name}` is named twice in {key}"),
        }
    }
}

impl std::error::Error for Error {}
