//! How the daemon asks: one connection per request. It blocks; a program that serves others calls it on a thread of
//! its own.

use std::fmt;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use crate::clock::Deadline;
use crate::frame::{self, FrameError};
use crate::limits::{ANSWER_TIME_MAX, TRANSFER_TIME_MAX};
use crate::protocol::{Answer, Refusal, Reply, Request, SOCKET, decode, encode};

/// Where to ask.
#[derive(Clone, Debug)]
pub struct Client {
    socket: PathBuf,
}

impl Default for Client {
    fn default() -> Self {
        Self::at(Path::new(SOCKET))
    }
}

impl Client {
    /// Asks at another socket than [`SOCKET`].
    pub fn at(socket: &Path) -> Self {
        Self { socket: socket.to_owned() }
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// [`AskError::Refused`]: the helper says why, nothing is left half done. Otherwise there is no answer, and the
    /// request may or may not have been carried out; every one may be repeated.
    pub fn ask(&self, request: &Request) -> Result<Reply, AskError> {
        let mut stream = UnixStream::connect(&self.socket).map_err(AskError::Unreachable)?;
        let body = encode(request).map_err(AskError::Refused)?;
        frame::write(&mut stream, &body, Deadline::after(TRANSFER_TIME_MAX)).map_err(AskError::Broken)?;
        let body = frame::read(&mut stream, Deadline::after(ANSWER_TIME_MAX)).map_err(AskError::Broken)?;
        let answer: Answer = decode(&body).map_err(|_| AskError::NotUnderstood)?;
        answer.map_err(AskError::Refused)
    }
}

/// It was not done, or nobody knows.
#[derive(Debug)]
pub enum AskError {
    /// Nobody listens: this is no image, or the socket unit failed.
    Unreachable(io::Error),
    /// The connection ended without an answer.
    Broken(FrameError),
    /// The answer is not of this version.
    NotUnderstood,
    /// The helper says no.
    Refused(Refusal),
}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(error) => write!(f, "the helper cannot be reached: {error}"),
            Self::Broken(error) => write!(f, "the helper did not answer: {error}"),
            Self::NotUnderstood => f.write_str("the helper's answer is not understood"),
            Self::Refused(refusal) => write!(f, "the helper refuses: {refusal}"),
        }
    }
}

impl std::error::Error for AskError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreachable(error) => Some(error),
            Self::Broken(error) => Some(error),
            Self::Refused(refusal) => Some(refusal),
            Self::NotUnderstood => None,
        }
    }
}
