//! Records other than orders: each is kept as it was at every version, so that a repeated request is answered exactly
//! as the first one was.

use serde::{Deserialize, Serialize};

use crate::kitchen::Ticket;
use crate::outbox::Lane;
use crate::payment::CardPayment;
use crate::people::{Customer, Employee};
use crate::record::{Record, RecordError, decode};
use crate::report::{DayClose, DrawerMovement};
use crate::shift::Shift;
use crate::stock::Movement;
use crate::text::Text;

/// What kind of record an entry is. The number is part of its key on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entity {
    /// What a station of the kitchen has to make.
    Ticket = 1,
    /// A card payment that waits for the cloud.
    CardPayment = 2,
    /// A change of stock.
    Movement = 3,
    /// Somebody's time at work.
    Shift = 4,
    /// Somebody who works here.
    Employee = 5,
    /// Somebody who buys here.
    Customer = 6,
    /// The end of a business day.
    DayClose = 7,
    /// Cash put into the drawer or taken out.
    DrawerMovement = 8,
}

impl Entity {
    /// The entity's name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ticket => "ticket",
            Self::CardPayment => "card_payment",
            Self::Movement => "inventory",
            Self::Shift => "shift",
            Self::Employee => "employee",
            Self::Customer => "customer",
            Self::DayClose => "day",
            Self::DrawerMovement => "drawer",
        }
    }

    /// How urgently the cloud has to know (U2).
    pub const fn lane(self) -> Lane {
        match self {
            Self::CardPayment | Self::Shift => Lane::Critical,
            Self::Ticket | Self::Movement | Self::Customer => Lane::High,
            Self::Employee => Lane::Normal,
            Self::DayClose | Self::DrawerMovement => Lane::Low,
        }
    }
}

/// An entry as it is at one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// What a station of the kitchen has to make.
    Ticket(Ticket),
    /// A card payment that waits for the cloud.
    CardPayment(CardPayment),
    /// A change of stock.
    Movement(Movement),
    /// Somebody's time at work.
    Shift(Shift),
    /// Somebody who works here.
    Employee(Employee),
    /// Somebody who buys here.
    Customer(Customer),
    /// The end of a business day.
    DayClose(DayClose),
    /// Cash put into the drawer or taken out.
    DrawerMovement(DrawerMovement),
}

/// Which version of which entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct EntryRef {
    /// What kind of record.
    pub entity: Entity,
    /// Its id.
    pub id: [u8; 16],
    /// Number of changes so far, starting at 1.
    pub version: u32,
}

impl Entry {
    /// Reads the bytes of an entity's record.
    ///
    /// # Errors
    /// [`RecordError`]; the row is to be set aside, everything else can go on.
    pub fn decode(entity: Entity, bytes: &[u8]) -> Result<Self, RecordError> {
        match entity {
            Entity::Ticket => decode(bytes).map(Self::Ticket),
            Entity::CardPayment => decode(bytes).map(Self::CardPayment),
            Entity::Movement => decode(bytes).map(Self::Movement),
            Entity::Shift => decode(bytes).map(Self::Shift),
            Entity::Employee => decode(bytes).map(Self::Employee),
            Entity::Customer => decode(bytes).map(Self::Customer),
            Entity::DayClose => decode(bytes).map(Self::DayClose),
            Entity::DrawerMovement => decode(bytes).map(Self::DrawerMovement),
        }
    }

    /// Which version of which entry it is.
    pub const fn reference(&self) -> EntryRef {
        match self {
            Self::Ticket(ticket) => reference(Entity::Ticket, ticket.id.to_bytes(), ticket.version),
            Self::CardPayment(payment) => reference(Entity::CardPayment, payment.id.to_bytes(), payment.version),
            Self::Movement(movement) => reference(Entity::Movement, movement.id.to_bytes(), 1),
            Self::Shift(shift) => reference(Entity::Shift, shift.id.to_bytes(), shift.version),
            Self::Employee(employee) => reference(Entity::Employee, employee.id.to_bytes(), employee.version),
            Self::Customer(customer) => reference(Entity::Customer, customer.id.to_bytes(), customer.version),
            Self::DayClose(close) => reference(Entity::DayClose, close.id.to_bytes(), 1),
            Self::DrawerMovement(movement) => reference(Entity::DrawerMovement, movement.id.to_bytes(), 1),
        }
    }
}

const fn reference(entity: Entity, id: [u8; 16], version: u32) -> EntryRef {
    EntryRef { entity, id, version }
}

/// A type that is kept as an entry.
pub trait Versioned: Record + Clone {
    /// What kind of record it is.
    const ENTITY: Entity;

    /// It, among all entries.
    fn into_entry(self) -> Entry;
}

/// What happened to an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryEvent {
    /// To which entry, and what version that made.
    pub entry: EntryRef,
    /// The kind's name on the wire: entity, full stop, what happened.
    pub kind: Text<32>,
}
