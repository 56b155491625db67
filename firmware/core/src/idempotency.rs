//! One request, one effect: what is remembered about a request that carried a key (L2).

use serde::{Deserialize, Serialize};

use crate::catalogue::Loaded;
use crate::entry::EntryRef;
use crate::id::{ConflictId, DeviceId, OrderId};
use crate::record::{Record, RecordError, v1};
use crate::time::Timestamp;

/// SHA-256 of a request's body in canonical form.
pub type Fingerprint = [u8; 32];

/// The key of a request, unique within one method and path of this store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestKey {
    /// The key the terminal chose. It comes first in the stored key: terminals choose time-ordered keys (ULID),
    /// and neighbours on disk cost half of what scattered ones do.
    pub key: String,
    /// First bytes of SHA-256 over method and path.
    pub scope: [u8; 8],
    /// What the request said.
    pub fingerprint: Fingerprint,
}

impl RequestKey {
    /// The bytes to store it under.
    pub fn to_bytes(&self) -> Vec<u8> {
        [self.key.as_bytes(), &self.scope].concat()
    }
}

/// What became of a request with a key. It leads to the record, so that the original answer can be given again
/// for as long as the record exists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    /// What the request said.
    pub fingerprint: Fingerprint,
    /// Who sent it first.
    pub device: DeviceId,
    /// When.
    pub at: Timestamp,
    /// What came of it.
    pub result: RememberedResult,
}

impl Record for Remembered {
    const VERSION: u8 = 1;

    fn from_version(version: u8, body: &[u8]) -> Result<Self, RecordError> {
        v1(version, body)
    }
}

/// What came of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RememberedResult {
    /// It opened an order.
    Opened(OrderId),
    /// It left an order at this version.
    Left {
        /// Which order.
        id: OrderId,
        /// The version it was answered with.
        version: u32,
    },
    /// It was refused, and the refusal kept.
    Refused(ConflictId),
    /// It made an entry, or left it at this version.
    Entry(EntryRef),
    /// It changed the catalogue.
    Loaded(Loaded),
    /// It left an entry that was there at this version, which may still be the first.
    EntryLeft(EntryRef),
    /// It was done, and left nothing to show.
    Done,
}
