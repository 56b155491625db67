//! The changes an order's history is made of, as they are recorded.

use serde::{Deserialize, Serialize};

use crate::id::{DeviceId, LineId, TenderId};
use crate::money::{Money, TaxRule};
use crate::order::OrderNumber;
use crate::quantity::Quantity;
use crate::record::{Record, RecordError, v1};
use crate::text::{Name, Note};
use crate::time::Hlc;

/// One entry of an order's history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// When, by the clock that orders everything.
    pub at: Hlc,
    /// By which terminal.
    pub device: DeviceId,
    /// What.
    pub change: Change,
}

impl Record for Recorded {
    const VERSION: u8 = 1;

    fn from_version(version: u8, body: &[u8]) -> Result<Self, RecordError> {
        v1(version, body)
    }
}

/// What happened to an order. Every value that was used is held here: replaying needs nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// It came to be.
    Opened(Opened),
    /// Lines or header changed.
    Modified(Modification),
    /// Everything not yet sent went to the kitchen.
    SentToKitchen,
    /// It was paid and is over.
    Closed {
        /// The payments that closed it.
        tenders: Vec<Tender>,
    },
    /// It was cancelled and is over.
    Voided {
        /// Why.
        reason: Option<Note>,
    },
}

/// The opening of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// The printed number.
    pub number: OrderNumber,
    /// The terminal's own name for it.
    pub client_id: Option<Name>,
    /// Table, kind, customer, notes.
    pub header: Header,
    /// The first lines.
    pub lines: Vec<Line>,
    /// The tax rule in force.
    pub tax_rule: TaxRule,
}

/// What is said about an order as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The table, as the terminal names it.
    pub table_id: Option<Name>,
    /// How the guest takes it.
    pub order_type: OrderType,
    /// The customer, as the terminal names them.
    pub customer_id: Option<Name>,
    /// For whoever serves it.
    pub notes: Option<Note>,
}

/// How the guest takes an order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderType {
    /// Over the counter.
    #[default]
    Counter,
    /// At a table.
    DineIn,
    /// To go.
    Takeaway,
    /// Brought to the guest.
    Delivery,
}

/// Changes of a header; `None` leaves a field alone, `Some(None)` clears it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeaderPatch {
    /// The table.
    pub table_id: Option<Option<Name>>,
    /// How the guest takes it.
    pub order_type: Option<OrderType>,
    /// The customer.
    pub customer_id: Option<Option<Name>>,
    /// The notes.
    pub notes: Option<Option<Note>>,
}

impl HeaderPatch {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn apply_to(&self, header: &mut Header) {
        if let Some(table_id) = &self.table_id {
            header.table_id.clone_from(table_id);
        }
        if let Some(order_type) = self.order_type {
            header.order_type = order_type;
        }
        if let Some(customer_id) = &self.customer_id {
            header.customer_id.clone_from(customer_id);
        }
        if let Some(notes) = &self.notes {
            header.notes.clone_from(notes);
        }
    }
}

/// A change of lines and header. Lines are added and quantities move by differences, so that two such changes
/// can be merged whichever comes first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Modification {
    /// Header fields.
    pub header: HeaderPatch,
    /// New lines.
    pub added: Vec<Line>,
    /// Changed lines.
    pub changed: Vec<LineChange>,
    /// Lines taken off.
    pub removed: Vec<LineId>,
}

impl Modification {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.header.is_empty() && self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty()
    }
}

/// A change of one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineChange {
    /// Which line.
    pub id: LineId,
    /// How much more or less of it; a line that comes to nothing is taken off.
    pub quantity_delta: Quantity,
    /// New notes (`Some(None)` clears them).
    pub notes: Option<Option<Note>>,
}

/// Something ordered, with the price that was agreed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Names the line within its order and across boxes.
    pub id: LineId,
    /// The item, as the terminal names it.
    pub item_id: Name,
    /// The item's name as printed.
    pub name: Name,
    /// How much of it.
    pub quantity: Quantity,
    /// The price of one, without modifiers.
    pub unit_price: Money,
    /// Additions and omissions.
    pub modifiers: Vec<Modifier>,
    /// For the kitchen.
    pub notes: Option<Note>,
    /// The item was not in the catalogue: name and price are the terminal's word.
    pub open_item: bool,
}

impl Line {
    /// The price of one with its modifiers, or `None` if it cannot be represented.
    pub fn price(&self) -> Option<Money> {
        let modifiers = Money::sum(self.modifiers.iter().map(|modifier| Some(modifier.price)))?;
        self.unit_price.checked_add(modifiers)
    }

    /// The price of the line, or `None` if it cannot be represented.
    pub fn total(&self) -> Option<Money> {
        self.price()?.times(self.quantity)
    }
}

/// An addition to or omission from an item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Modifier {
    /// The modifier, as the terminal names it.
    pub id: Option<Name>,
    /// Its name as printed.
    pub name: Name,
    /// What it adds to the price of one; an omission may lower it.
    pub price: Money,
}

/// A payment applied to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tender {
    /// Names the payment across boxes.
    pub id: TenderId,
    /// How it was paid.
    pub kind: TenderKind,
    /// What it pays of the order.
    pub amount: Money,
    /// What the guest handed over.
    pub tendered: Money,
    /// What the guest got back.
    pub change: Money,
}

/// How something was paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TenderKind {
    /// Notes and coins.
    Cash,
}
