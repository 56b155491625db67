//! What can go wrong with the store, by what to do about it.

use std::fmt;
use std::io;

use redb::{CommitError, DatabaseError, StorageError, TableError, TransactionError};
use storebox_core::record::RecordError;

/// The store cannot be opened, or has failed.
#[derive(Debug)]
pub enum StoreError {
    /// Another program has it open.
    InUse,
    /// The file is no store of this product.
    Foreign,
    /// A newer release wrote it.
    Newer {
        /// Its layout.
        found: u32,
        /// The newest layout this program knows.
        known: u32,
    },
    /// One of the records everything depends on cannot be read.
    Record(RecordError),
    /// The database reports an error.
    Database(Box<redb::Error>),
    /// The medium reports an error.
    Io(io::Error),
}

impl StoreError {
    /// Whether the database failed earlier and refuses everything until it is opened again.
    pub(super) fn is_latched(&self) -> bool {
        match self {
            Self::Database(error) => matches!(**error, redb::Error::PreviousIo | redb::Error::DatabaseClosed),
            Self::InUse | Self::Foreign | Self::Newer { .. } | Self::Record(_) | Self::Io(_) => false,
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse => {
                f.write_str("another storeboxd has it open; stop that one, or give this one another state_dir")
            }
            Self::Foreign => f.write_str(
                "it is not a store of this product, or it was cut short; it was left as it is. Put the right file back \
                 or move this one away",
            ),
            Self::Newer { found, known } => write!(
                f,
                "a newer release wrote it (layout {found}, this program knows up to {known}); it was left as it is. Start \
                 the newer release"
            ),
            Self::Record(_) => f.write_str("a record that everything depends on cannot be read"),
            Self::Database(_) => f.write_str("the database reports an error"),
            Self::Io(_) => f.write_str("the disk reports an error"),
        }
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::InUse | Self::Foreign | Self::Newer { .. } => None,
            Self::Record(error) => Some(error),
            Self::Database(error) => Some(error),
            Self::Io(error) => Some(error),
        }
    }
}

impl From<RecordError> for StoreError {
    fn from(error: RecordError) -> Self {
        Self::Record(error)
    }
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ResourceBusy => Self::InUse,
            _ => Self::Io(error),
        }
    }
}

macro_rules! from_redb {
    ($($error:ty),*) => {$(
        impl From<$error> for StoreError {
            fn from(error: $error) -> Self {
                Self::Database(Box::new(error.into()))
            }
        }
    )*};
}

from_redb!(CommitError, DatabaseError, StorageError, TableError, TransactionError);

/// Why a command got no decision. Nothing of it was written unless it says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubmitError {
    /// Too many commands wait; come back.
    Busy,
    /// The disk is full; come back when there is room.
    Full,
    /// The store is stopping or has failed.
    Stopped,
    /// The decision takes too long. The command may still be carried out: ask again with the same key.
    TooSlow,
}

/// Why something could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// The database failed and is being opened again, or has failed for good.
    Unavailable,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable => f.write_str("the store cannot be read right now"),
        }
    }
}

impl std::error::Error for ReadError {}
