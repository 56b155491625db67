//! What still has to reach the cloud: references to changes, by urgency.

use serde::{Deserialize, Serialize};

use crate::entry::EntryRef;
use crate::id::OrderId;
use crate::record::{Record, RecordError, v1};

/// How urgent a change is. The order of the variants is the order of sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// At once: orders, payments, clock events.
    Critical = 0,
    /// Within five minutes: stock, the kitchen, customers.
    High = 1,
    /// Within the hour: employees, the audit log.
    Normal = 2,
    /// Once a day: statistics and reports.
    Low = 3,
}

/// A change that has not reached the cloud. Stored under (lane, number of its event).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OutboxEntry {
    /// One change of an order's history.
    Order {
        /// Which order.
        id: OrderId,
        /// The version the change made.
        version: u32,
    },
    /// One version of an entry.
    Entry(EntryRef),
}

impl OutboxEntry {
    /// How urgent it is.
    pub const fn lane(&self) -> Lane {
        match self {
            Self::Order { .. } => Lane::Critical,
            Self::Entry(entry) => entry.entity.lane(),
        }
    }
}

impl Record for OutboxEntry {
    const VERSION: u8 = 1;

    fn from_version(version: u8, body: &[u8]) -> Result<Self, RecordError> {
        v1(version, body)
    }
}

/// Where a record stands on its way to the cloud (L3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SyncStatus {
    /// Not sent yet.
    Pending,
    /// The cloud has it.
    Synced,
    /// The cloud has something else; somebody has to look.
    Conflict,
    /// The cloud refused it.
    Error,
}
