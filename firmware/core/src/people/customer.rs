//! People who buy here.

use serde::{Deserialize, Serialize};

use crate::entry::{Entity, Entry, Versioned};
use crate::id::CustomerId;
use crate::record::{Record, RecordError, v1};

/// Somebody who buys here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Customer {
    /// Names them.
    pub id: CustomerId,
    /// Number of changes so far, starting at 1.
    pub version: u32,
}

impl Record for Customer {
    const VERSION: u8 = 1;

    fn from_version(version: u8, body: &[u8]) -> Result<Self, RecordError> {
        v1(version, body)
    }
}

impl Versioned for Customer {
    const ENTITY: Entity = Entity::Customer;

    fn into_entry(self) -> Entry {
        Entry::Customer(self)
    }
}
