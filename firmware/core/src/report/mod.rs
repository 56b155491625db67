//! Reports: totals of the day, counted with every sale (L12).

use serde::{Deserialize, Serialize};

use crate::entry::{Entity, Entry, Versioned};
use crate::id::DayCloseId;
use crate::record::{Record, RecordError, v1};

/// The end of a business day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayClose {
    /// Names it.
    pub id: DayCloseId,
    /// Number of changes so far, starting at 1.
    pub version: u32,
}

impl Record for DayClose {
    const VERSION: u8 = 1;

    fn from_version(version: u8, body: &[u8]) -> Result<Self, RecordError> {
        v1(version, body)
    }
}

impl Versioned for DayClose {
    const ENTITY: Entity = Entity::DayClose;

    fn into_entry(self) -> Entry {
        Entry::DayClose(self)
    }
}

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {}
