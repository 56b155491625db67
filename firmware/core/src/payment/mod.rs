//! Payments: what may be taken while the cloud is away, and what waits for it (L6, L7).

use serde::{Deserialize, Serialize};

use crate::entry::{Entity, Entry, Versioned};
use crate::id::CardPaymentId;
use crate::record::{Record, RecordError, v1};

/// A card payment that waits for the cloud.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardPayment {
    /// Names it.
    pub id: CardPaymentId,
    /// Number of changes so far, starting at 1.
    pub version: u32,
}

impl Record for CardPayment {
    const VERSION: u8 = 1;

    fn from_version(version: u8, body: &[u8]) -> Result<Self, RecordError> {
        v1(version, body)
    }
}

impl Versioned for CardPayment {
    const ENTITY: Entity = Entity::CardPayment;

    fn into_entry(self) -> Entry {
        Entry::CardPayment(self)
    }
}

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {}
