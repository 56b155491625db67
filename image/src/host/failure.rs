//! How the command ends when it cannot do what it was asked.

use std::error::Error;
use std::fmt;

/// What was being done and could not be, with the errors below it and the exit code of the command.
#[derive(Debug)]
pub struct Failure {
    message: String,
    source: Option<Box<dyn Error + Send + Sync>>,
    code: u8,
}

/// Exit code of a command that was asked for something it does not understand (`sysexits.h`).
const USAGE: u8 = 64;
/// Exit code of a command that failed.
const FAULT: u8 = 1;
/// Exit code of a command that worked, but on other packages than the tree's locks name.
const RELOCKED: u8 = 3;

impl Failure {
    /// Something went wrong; `message` says what was attempted, and what to do when that is known.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), source: None, code: FAULT }
    }

    /// The command line was not understood.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { code: USAGE, ..Self::new(message) }
    }

    /// What was made does not prove anything, because the locks were resolved anew for it.
    pub fn relocked(message: impl Into<String>) -> Self {
        Self { code: RELOCKED, ..Self::new(message) }
    }

    /// The same with the error that caused it.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The exit code: 64 for usage, 3 for relocked, else 1.
    pub fn code(&self) -> u8 {
        self.code
    }
}

impl fmt::Display for Failure {
    /// The message; with `{:#}` followed by its causes.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)?;
        if out.alternate() {
            let mut cause = self.source();
            while let Some(error) = cause {
                write!(out, ": {error}")?;
                cause = error.source();
            }
        }
        Ok(())
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

impl From<lexopt::Error> for Failure {
    fn from(error: lexopt::Error) -> Self {
        Self::usage(error.to_string())
    }
}

/// Says what was being attempted when a result is an error.
pub trait OrFail<T> {
    /// The value, or a failure with the message `what` makes and this error as its cause.
    ///
    /// # Errors
    /// When the result is one.
    fn or_fail(self, what: impl FnOnce() -> String) -> Result<T, Failure>;
}

impl<T, E: Into<Box<dyn Error + Send + Sync>>> OrFail<T> for Result<T, E> {
    fn or_fail(self, what: impl FnOnce() -> String) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(what()).because(error))
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn the_causes_follow_the_message() {
        let result: Result<(), _> = Err(io::Error::other("disk gone")).or_fail(|| "reading the lock".into());
        let outer = Failure::new("building").because(result.unwrap_err());
        assert_eq!(outer.to_string(), "building");
        assert_eq!(format!("{outer:#}"), "building: reading the lock: disk gone");
        assert_eq!((outer.code(), Failure::usage("?").code(), Failure::relocked("!").code()), (1, 64, 3));
    }
}
