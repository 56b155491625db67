//! The kitchen: tickets by station, from the order to the table (L5).

use serde::{Deserialize, Serialize};

use crate::entry::{Entity, Entry, Versioned};
use crate::id::TicketId;
use crate::record::{Record, RecordError, v1};

/// What a station of the kitchen has to make of one order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// Names it.
    pub id: TicketId,
    /// Number of changes so far, starting at 1.
    pub version: u32,
}

impl Record for Ticket {
    const VERSION: u8 = 1;

    fn from_version(version: u8, body: &[u8]) -> Result<Self, RecordError> {
        v1(version, body)
    }
}

impl Versioned for Ticket {
    const ENTITY: Entity = Entity::Ticket;

    fn into_entry(self) -> Entry {
        Entry::Ticket(self)
    }
}

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {}
