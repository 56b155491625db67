//! Stock: signed movements that sum (L9).

use serde::{Deserialize, Serialize};

use crate::entry::{Entity, Entry, Versioned};
use crate::id::MovementId;
use crate::record::{Record, RecordError, v1};

/// A change of stock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Movement {
    /// Names it.
    pub id: MovementId,
    /// Number of changes so far, starting at 1.
    pub version: u32,
}

impl Record for Movement {
    const VERSION: u8 = 1;

    fn from_version(version: u8, body: &[u8]) -> Result<Self, RecordError> {
        v1(version, body)
    }
}

impl Versioned for Movement {
    const ENTITY: Entity = Entity::Movement;

    fn into_entry(self) -> Entry {
        Entry::Movement(self)
    }
}

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {}
