//! Time at work: every clock event is accepted, overlaps are flagged (L8).
//!
//! Events may come late and out of order, from tills that could not reach the box. Whatever comes is kept; the flag of
//! a shift says at any time whether it overlaps another one of the same person, so a late event may also clear it.

mod clock;

pub use clock::{Accepted, ClockEvent, accept, event_time};

use serde::{Deserialize, Serialize};

use crate::entry::{Entity, Entry, Versioned};
use crate::id::{DeviceId, EmployeeId, ShiftId};
use crate::record::{Record, RecordError, v1};
use crate::text::Note;
use crate::time::Timestamp;

/// Somebody's time at work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shift {
    /// Names it.
    pub id: ShiftId,
    /// Number of changes so far, starting at 1.
    pub version: u32,
    /// Whose.
    pub employee: EmployeeId,
    /// Its beginning; none if nobody clocked in.
    pub clock_in: Option<Stamp>,
    /// Its end; none as long as nobody clocked out.
    pub clock_out: Option<Stamp>,
    /// It overlaps another shift of the same person.
    pub overlaps: bool,
    /// What was said about it.
    pub notes: Option<Note>,
}

/// One clock event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// When somebody came or went.
    pub at: Timestamp,
    /// When the box learned of it.
    pub noted_at: Timestamp,
    /// At which terminal.
    pub device: DeviceId,
    /// Who was signed in there, if anybody: themselves, or a manager.
    pub by: Option<EmployeeId>,
}

impl Shift {
    /// The moment it is listed under: its beginning, or its end if that is all there is.
    pub fn listed_at(&self) -> Timestamp {
        let stamp = self.clock_in.as_ref().or(self.clock_out.as_ref());
        stamp.map_or(Timestamp::EPOCH, |stamp| stamp.at)
    }

    /// Whether the person is still in.
    pub const fn is_open(&self) -> bool {
        self.clock_out.is_none()
    }

    /// Whether a manager should look at it.
    pub const fn is_flagged(&self) -> bool {
        self.overlaps || self.clock_in.is_none()
    }
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
pub enum Command {
    /// Somebody came or went.
    Clock {
        /// The id of the shift, should this begin one.
        id: ShiftId,
        /// Who.
        employee: EmployeeId,
        /// They gave their own PIN with it.
        proven: bool,
        /// Came or went.
        event: ClockEvent,
        /// When, if it was not now.
        at: Option<Timestamp>,
        /// What is to be said about it.
        notes: Option<Note>,
    },
}
