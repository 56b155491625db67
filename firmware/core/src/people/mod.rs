//! People: who works here and what they may do, who buys here (L10, L13).

mod role;

pub use role::{Permission, Role, Staff};

use serde::{Deserialize, Serialize};

use crate::entry::{Entity, Entry, Versioned};
use crate::id::{CustomerId, EmployeeId};
use crate::record::{Record, RecordError, v1};

/// Somebody who works here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Employee {
    /// Names them.
    pub id: EmployeeId,
    /// Number of changes so far, starting at 1.
    pub version: u32,
}

/// Somebody who buys here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Customer {
    /// Names them.
    pub id: CustomerId,
    /// Number of changes so far, starting at 1.
    pub version: u32,
}

impl Record for Employee {
    const VERSION: u8 = 1;

    fn from_version(version: u8, body: &[u8]) -> Result<Self, RecordError> {
        v1(version, body)
    }
}

impl Versioned for Employee {
    const ENTITY: Entity = Entity::Employee;

    fn into_entry(self) -> Entry {
        Entry::Employee(self)
    }
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

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {}
