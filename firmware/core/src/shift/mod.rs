//! Time at work: every clock event is accepted, overlaps are flagged (L8).

use serde::{Deserialize, Serialize};

use crate::entry::{Entity, Entry, Versioned};
use crate::id::ShiftId;
use crate::record::{Record, RecordError, v1};

/// Somebody's time at work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shift {
    /// Names it.
    pub id: ShiftId,
    /// Number of changes so far, starting at 1.
    pub version: u32,
}

impl Record for Shift {
    const VERSION: u8 = 1;

    fn from_version(version: u8, body: &[u8]) -> Result<Self, RecordError> {
        v1(version, body)
    }
}

impl Versioned for Shift {
    const ENTITY: Entity = Entity::Shift;

    fn into_entry(self) -> Entry {
        Entry::Shift(self)
    }
}

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {}
