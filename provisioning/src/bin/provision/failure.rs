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

/// The command line is wrong (EX_USAGE of sysexits.h).
pub const USAGE: u8 = 64;
/// A file that was given is wrong (EX_DATAERR).
pub const DATA: u8 = 65;
/// It could not be done (EX_SOFTWARE).
pub const FAULT: u8 = 70;

impl Failure {
    /// Something went wrong; `message` says what was attempted, and what to do when that is known.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), source: None, code: FAULT }
    }

    /// The command line was not understood.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { code: USAGE, ..Self::new(message) }
    }

    /// A file that was given is wrong.
    pub fn data(message: impl Into<String>) -> Self {
        Self { code: DATA, ..Self::new(message) }
    }

    /// The same with the error that caused it.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The exit code.
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
