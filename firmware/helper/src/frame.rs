//! One message on a stream: four bytes of length, big-endian, then so many bytes.

use std::fmt;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;

use crate::clock::Deadline;
use crate::limits::FRAME_BYTES_MAX;

/// Reads one message, all of it by `deadline`.
///
/// # Errors
/// [`FrameError`]. The stream is of no further use for reading.
pub fn read(stream: &mut UnixStream, deadline: Deadline) -> Result<Vec<u8>, FrameError> {
    let mut header = [0; 4];
    fill(stream, &mut header, deadline)?;
    let mut body = vec![0; length(header)?];
    fill(stream, &mut body, deadline)?;
    Ok(body)
}

/// Writes one message, all of it by `deadline`.
///
/// # Errors
/// [`FrameError`]. Part of the message may have been written.
pub fn write(stream: &mut UnixStream, body: &[u8], deadline: Deadline) -> Result<(), FrameError> {
    let length = u32::try_from(body.len()).ok().filter(|_| body.len() <= FRAME_BYTES_MAX);
    let header = length.ok_or(FrameError::TooLong)?.to_be_bytes();
    let message = [&header, body].concat();
    let mut rest = message.as_slice();
    while !rest.is_empty() {
        stream.set_write_timeout(Some(deadline.left().ok_or(FrameError::TooSlow)?))?;
        match stream.write(rest) {
            Ok(written) => rest = rest.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// The length that a header announces.
fn length(header: [u8; 4]) -> Result<usize, FrameError> {
    let length = usize::try_from(u32::from_be_bytes(header)).unwrap_or(usize::MAX);
    if length <= FRAME_BYTES_MAX { Ok(length) } else { Err(FrameError::TooLong) }
}

/// Reads until `buffer` is full. A peer that sends a byte now and then gets no more time than one that sends none.
fn fill(stream: &mut UnixStream, buffer: &mut [u8], deadline: Deadline) -> Result<(), FrameError> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        stream.set_read_timeout(Some(deadline.left().ok_or(FrameError::TooSlow)?))?;
        match stream.read(rest) {
            Ok(0) => return Err(FrameError::Ended),
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// No message.
#[derive(Debug)]
pub enum FrameError {
    /// It is longer than any of ours.
    TooLong,
    /// It did not come, or was not taken, in time.
    TooSlow,
    /// The other end closed before it was whole.
    Ended,
    /// The stream failed.
    Stream(io::Error),
}

impl From<io::Error> for FrameError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // What a read with a time limit says when it has run out; which of the two depends on the system.
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Self::TooSlow,
            _ => Self::Stream(error),
        }
    }
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "the message is longer than {FRAME_BYTES_MAX} bytes"),
            Self::TooSlow => f.write_str("the other end is too slow"),
            Self::Ended => f.write_str("the other end closed before the message was whole"),
            Self::Stream(error) => write!(f, "the connection failed: {error}"),
        }
    }
}

impl std::error::Error for FrameError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Stream(error) => Some(error),
            Self::TooLong | Self::TooSlow | Self::Ended => None,
        }
    }
}
