//! Records as they lie on disk: `[version][postcard body]`.
//!
//! Once released, a record's bytes are read for ever. A new version is a new type with the next number; the old
//! type stays, and [`Record::from_version`] turns it into today's. Examples of every version are kept as bytes
//! in `firmware/core/tests/frozen`.

use core::fmt;

use serde::{Deserialize, Serialize};

/// A type that is written to disk or to the cloud.
pub trait Record: Sized + Serialize {
    /// The version that is written today.
    const VERSION: u8;

    /// Reads the body of any version ever released.
    ///
    /// # Errors
    /// [`RecordError`]: the bytes are not such a record, or a newer program wrote them.
    fn from_version(version: u8, body: &[u8]) -> Result<Self, RecordError>;
}

/// The bytes of a record in today's version.
///
/// # Errors
/// [`RecordError::Malformed`] if the value cannot be represented, which no type of ours allows.
pub fn encode<R: Record>(record: &R) -> Result<Vec<u8>, RecordError> {
    postcard::to_extend(record, vec![R::VERSION]).map_err(|_| RecordError::Malformed)
}

/// The record in these bytes, whatever version they are.
///
/// # Errors
/// [`RecordError`]; the row is to be set aside, everything else can go on.
pub fn decode<R: Record>(bytes: &[u8]) -> Result<R, RecordError> {
    let (version, body) = version_and_body(bytes)?;
    R::from_version(version, body)
}

/// A record's version and its body.
///
/// # Errors
/// [`RecordError::Empty`].
pub fn version_and_body(bytes: &[u8]) -> Result<(u8, &[u8]), RecordError> {
    let (version, body) = bytes.split_first().ok_or(RecordError::Empty)?;
    Ok((*version, body))
}

/// Reads a body that has only ever had version 1.
///
/// # Errors
/// [`RecordError`] as for [`decode`].
pub fn v1<'de, R: Deserialize<'de>>(version: u8, body: &'de [u8]) -> Result<R, RecordError> {
    match version {
        1 => whole(body),
        other => Err(RecordError::Unknown { version: other }),
    }
}

/// Reads a postcard body to its last byte: bytes left over mean that it is something else.
///
/// # Errors
/// [`RecordError::Malformed`].
pub fn whole<'de, T: Deserialize<'de>>(body: &'de [u8]) -> Result<T, RecordError> {
    match postcard::take_from_bytes(body) {
        Ok((record, [])) => Ok(record),
        Ok((_, [..])) | Err(_) => Err(RecordError::Malformed),
    }
}

/// Bytes that are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordError {
    /// There are none.
    Empty,
    /// Their version is not one this program knows.
    Unknown {
        /// The version found.
        version: u8,
    },
    /// They do not decode.
    Malformed,
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the record is empty"),
            Self::Unknown { version } => {
                write!(f, "the record has version {version}, which this program does not know")
            }
            Self::Malformed => f.write_str("the record does not decode"),
        }
    }
}

impl core::error::Error for RecordError {}
