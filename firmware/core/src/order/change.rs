//! The changes an order's history is made of, as they are recorded.

use serde::{Deserialize, Serialize};

use crate::id::{DeviceId, EmployeeId, LineId, TenderId};
use crate::money::{Money, TaxRule};
use crate::order::{OrderNumber, Status};
use crate::payment::LastFour;
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
    /// By whom, if somebody was signed in.
    pub staff: Option<EmployeeId>,
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
    /// The kitchen went on: the order is preparing or ready.
    Progressed(Status),
    /// Some of it was paid.
    Tendered(Tender),
    /// What became of a payment.
    Settled {
        /// Which payment.
        tender: TenderId,
        /// What it is now.
        state: TenderState,
        /// Why, if somebody decided it.
        reason: Option<Note>,
    },
    /// Money was given back.
    Refunded(Refund),
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
    /// Why; needed to take off what the kitchen knows of.
    pub reason: Option<Note>,
}

impl Modification {
    /// Whether nothing changes; a reason alone changes nothing.
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
    /// Whose word the price is.
    pub pricing: Pricing,
    /// The tax on or in it.
    pub tax: TaxRule,
    /// What a promotion takes off.
    pub discount: Option<Discount>,
    /// The category it is counted under.
    pub category: Option<Name>,
    /// The station that makes it; none if nobody has to.
    pub station: Option<Name>,
    /// Its stock is counted.
    pub stocked: bool,
}

/// Whose word a price is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Pricing {
    /// The item is not in the catalogue: name and price are the terminal's word.
    OpenItem,
    /// The catalogue's.
    Catalogue,
    /// The terminal's, which differs from the catalogue's.
    Override {
        /// What the catalogue said.
        listed: Money,
    },
}

/// What a promotion takes off a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discount {
    /// Which promotion.
    pub promotion: Name,
    /// Its name as printed.
    pub name: Name,
    /// How much.
    pub reduction: Reduction,
}

/// How much a promotion takes off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reduction {
    /// Parts per million of the price.
    Share {
        /// 25 % is 250 000.
        ppm: u32,
    },
    /// So much off the price of one, which does not go below nothing.
    Amount(Money),
    /// Of every `of` whole pieces the last `free` cost nothing.
    Free {
        /// How many are free.
        free: u32,
        /// Of how many.
        of: u32,
    },
}

impl Line {
    /// The price of one with its modifiers, or `None` if it cannot be represented.
    pub fn price(&self) -> Option<Money> {
        let modifiers = Money::sum(self.modifiers.iter().map(|modifier| Some(modifier.price)))?;
        self.unit_price.checked_add(modifiers)
    }

    /// The price of the line before any discount, or `None` if it cannot be represented.
    pub fn gross(&self) -> Option<Money> {
        self.price()?.times(self.quantity)
    }

    /// What the discount takes off, or `None` if it cannot be represented.
    pub fn reduced_by(&self) -> Option<Money> {
        let Some(discount) = &self.discount else { return Some(Money::ZERO) };
        match discount.reduction {
            Reduction::Share { ppm } => self.gross()?.share(ppm.min(1_000_000)),
            Reduction::Amount(off) => self.price()?.min(off).times(self.quantity),
            Reduction::Free { free, of } => {
                let groups = self.quantity.whole().checked_div(u64::from(of)).unwrap_or(0);
                let pieces = groups.checked_mul(u64::from(free.min(of)))?;
                self.price()?.times(Quantity::pieces(pieces)?)
            }
        }
    }

    /// The price of the line, or `None` if it cannot be represented.
    pub fn total(&self) -> Option<Money> {
        self.gross()?.checked_sub(self.reduced_by()?)
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tender {
    /// Names the payment across boxes.
    pub id: TenderId,
    /// How it was paid.
    pub kind: TenderKind,
    /// What it pays of the order.
    pub amount: Money,
    /// What the guest handed over, or was charged: amount, rounding, tip and change together.
    pub tendered: Money,
    /// What the guest got back.
    pub change: Money,
    /// What the guest gave on top for the staff; not part of `amount`.
    pub tip: Money,
    /// What rounding cash to the smallest coin adds to (or, below zero, takes from) `amount` in the drawer.
    pub rounding: Money,
    /// Slip of a card terminal, number of a gift card, card payment.
    pub reference: Option<Name>,
    /// The last digits of the card, for receipts.
    pub last_four: Option<LastFour>,
    /// How many points it took, by the word of the terminal.
    pub points: Option<u32>,
    /// Somebody has to sign for it.
    pub signature_required: bool,
    /// What became of it.
    pub state: TenderState,
}

/// How something was paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TenderKind {
    /// Notes and coins.
    Cash,
    /// A card the processor has a token for.
    CardToken,
    /// A card that is new to the store.
    Card,
    /// A stand-alone card terminal; its slip is the reference.
    Terminal,
    /// A gift card.
    GiftCard,
    /// Loyalty points.
    Loyalty,
}

impl Tender {
    /// What comes in by it: into the drawer, or off a card.
    pub fn received(&self) -> Option<Money> {
        self.tendered.checked_sub(self.change)
    }
}

impl TenderState {
    /// Whether it pays for anything.
    pub const fn counts(self) -> bool {
        match self {
            Self::Captured | Self::Queued => true,
            Self::Declined | Self::Voided => false,
        }
    }

    /// The word used on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Captured => "captured",
            Self::Queued => "queued",
            Self::Declined => "declined",
            Self::Voided => "voided",
        }
    }
}

impl TenderKind {
    /// The word used on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cash => "cash",
            Self::CardToken => "card_token",
            Self::Card => "card",
            Self::Terminal => "terminal",
            Self::GiftCard => "gift_card",
            Self::Loyalty => "loyalty",
        }
    }

    /// Whether it waits for the cloud.
    pub const fn is_queued(self) -> bool {
        match self {
            Self::CardToken | Self::Card => true,
            Self::Cash | Self::Terminal | Self::GiftCard | Self::Loyalty => false,
        }
    }
}

/// What became of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TenderState {
    /// The money is there.
    Captured,
    /// It waits for the cloud; the sale counts as paid.
    Queued,
    /// The processor declined it after the sale; somebody has to look after it.
    Declined,
    /// It was taken back.
    Voided,
}

/// Money given back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    /// Names it across boxes.
    pub id: TenderId,
    /// What is brought back; nothing if only money is given.
    pub lines: Vec<RefundLine>,
    /// What is given back, tax included.
    pub amount: Money,
    /// The tax in it.
    pub tax: Money,
    /// How it is given back.
    pub kind: TenderKind,
    /// The payment it takes back, if it is of one.
    pub tender: Option<TenderId>,
    /// What rounding cash to the smallest coin adds to (or, below zero, takes from) `amount`.
    pub rounding: Money,
    /// Slip of a card terminal, number of a gift card.
    pub reference: Option<Name>,
    /// Whether what is brought back can be sold again.
    pub restock: bool,
    /// Why.
    pub reason: Note,
}

/// Something that is brought back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundLine {
    /// Which line.
    pub line: LineId,
    /// How much of it.
    pub quantity: Quantity,
}
