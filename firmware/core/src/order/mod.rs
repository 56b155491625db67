//! The order: opened, changed, sent to the kitchen, and closed or voided.
//!
//! An order is its history: a sequence of [`Recorded`] changes that is only ever appended to. [`Order`] is what
//! replaying that history gives, so any earlier version can be shown again exactly as it was answered.
//!
//! ```text
//!            send            kitchen      kitchen
//!  pending ───────▶ confirmed ─────▶ preparing ─────▶ ready
//!     │                 │                │              │
//!     └────────close────┴───────┬────────┴──────────────┘──▶ completed
//!                              void ───────────────────────▶ voided
//! ```

mod change;
mod decide;
mod journal;
mod refund;
mod tender;

pub use change::{
    Change, Discount, Header, HeaderPatch, Line, LineChange, Modification, Modifier, Opened, OrderType, Pricing,
    Recorded, Reduction, Refund, RefundLine, Tender, TenderKind, TenderState,
};
pub use decide::{Action, ActionKind, Decision, Expected, decide, open, replace_tender, settle_tender};
pub use journal::{JournalAccount, JournalLine, journal};
pub use refund::RefundWish;
pub(crate) use tender::member_of;
pub use tender::{Means, TenderWish, Terms};

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::id::{DeviceId, LineId, OrderId};
use crate::money::{Money, TaxRule};
use crate::quantity::Quantity;
use crate::text::{Name, Note};
use crate::time::Timestamp;

/// An order as its history leaves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Valid across stores.
    pub id: OrderId,
    /// The terminal's own name for the order, if it gave one that is no UUID.
    pub client_id: Option<Name>,
    /// What is printed on the check; it never changes.
    pub number: OrderNumber,
    /// The terminal that opened it.
    pub opened_by: DeviceId,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When it last changed; strictly increases with [`Order::version`].
    pub updated_at: Timestamp,
    /// When it was closed or voided.
    pub ended_at: Option<Timestamp>,
    /// Table, kind, customer, notes.
    pub header: Header,
    /// What was ordered, in the order it was added.
    pub lines: Vec<OrderLine>,
    /// The tax rule in force when it was opened.
    pub tax_rule: TaxRule,
    /// Payments applied.
    pub tenders: Vec<Tender>,
    /// Money given back.
    pub refunds: Vec<Refund>,
    /// Where it stands.
    pub status: Status,
    /// Why it was voided.
    pub void_reason: Option<Note>,
    /// Number of changes so far, starting at 1: the optimistic lock.
    pub version: u32,
    /// What it costs.
    pub totals: Totals,
}

/// A line and how much of it the kitchen knows about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderLine {
    /// What was ordered.
    pub line: Line,
    /// How much of it was sent to the kitchen.
    pub sent: Quantity,
}

impl OrderLine {
    /// Whether the kitchen knows about all of it.
    pub fn is_sent(&self) -> bool {
        self.sent >= self.line.quantity
    }
}

/// The sums of an order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// The sum of the lines.
    pub subtotal: Money,
    /// The tax on or in them.
    pub tax: Money,
    /// What is to be paid.
    pub total: Money,
}

/// Where an order stands. The order of the variants is the order of progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Open; the kitchen knows nothing of it.
    Pending,
    /// Sent to the kitchen.
    Confirmed,
    /// The kitchen works on it.
    Preparing,
    /// The kitchen is done.
    Ready,
    /// Paid and over.
    Completed,
    /// Cancelled and over.
    Voided,
}

impl Status {
    /// Every status, in order of progress.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Confirmed, Self::Preparing, Self::Ready, Self::Completed, Self::Voided];

    /// Whether the order can still change.
    pub const fn is_open(self) -> bool {
        match self {
            Self::Pending | Self::Confirmed | Self::Preparing | Self::Ready => true,
            Self::Completed | Self::Voided => false,
        }
    }

    /// The word used on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Confirmed => "confirmed",
            Self::Preparing => "preparing",
            Self::Ready => "ready",
            Self::Completed => "completed",
            Self::Voided => "voided",
        }
    }
}

/// How much of an order is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentStatus {
    /// Nothing.
    Unpaid,
    /// Some of it.
    Partial,
    /// All of it.
    Paid,
    /// Paid and given back.
    Refunded,
}

/// The number printed on the check: the register's prefix and a serial number, `A-0042`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OrderNumber {
    /// Which register's block of numbers it is from.
    pub register: Name,
    /// Counts the orders of that register from 1.
    pub serial: u32,
}

impl fmt::Display for OrderNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:04}", self.register, self.serial)
    }
}

/// A stored history that cannot be replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrokenHistory {
    /// The first change does not open the order, or a later one opens it again.
    Disordered,
    /// The sums cannot be represented.
    Overflow,
}

impl fmt::Display for BrokenHistory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disordered => f.write_str("the order's history does not begin with its opening"),
            Self::Overflow => f.write_str("the order's sums cannot be represented"),
        }
    }
}

impl core::error::Error for BrokenHistory {}

impl Order {
    /// The order as it was opened.
    ///
    /// # Errors
    /// [`BrokenHistory`] if the change opens nothing or its sums overflow.
    pub fn opened(id: OrderId, first: &Recorded) -> Result<Self, BrokenHistory> {
        let Change::Opened(opened) = &first.change else {
            return Err(BrokenHistory::Disordered);
        };
        let mut order = Self {
            id,
            client_id: opened.client_id.clone(),
            number: opened.number.clone(),
            opened_by: first.device,
            opened_at: first.at.wall,
            updated_at: first.at.wall,
            ended_at: None,
            header: opened.header.clone(),
            lines: opened.lines.iter().cloned().map(unsent).collect(),
            tax_rule: opened.tax_rule,
            tenders: Vec::new(),
            refunds: Vec::new(),
            status: Status::Pending,
            void_reason: None,
            version: 1,
            totals: Totals::default(),
        };
        order.totals = order.count().ok_or(BrokenHistory::Overflow)?;
        Ok(order)
    }

    /// Applies the next change of the history. What names a line that is gone is passed over: a fact that was
    /// recorded is never refused.
    ///
    /// # Errors
    /// [`BrokenHistory`] if the change opens the order again or its sums overflow; the order is then unusable.
    pub fn apply(&mut self, recorded: &Recorded) -> Result<(), BrokenHistory> {
        match &recorded.change {
            Change::Opened(_) => return Err(BrokenHistory::Disordered),
            Change::Modified(modification) => self.modify(modification).ok_or(BrokenHistory::Overflow)?,
            Change::SentToKitchen => {
                for line in &mut self.lines {
                    line.sent = line.line.quantity;
                }
                self.status = self.status.max(Status::Confirmed);
            }
            Change::Closed { tenders } => {
                self.tenders.extend_from_slice(tenders);
                self.status = Status::Completed;
            }
            Change::Voided { reason } => {
                self.void_reason.clone_from(reason);
                self.status = Status::Voided;
            }
            // The furthest wins: a late word of the kitchen changes nothing.
            Change::Progressed(status) => self.status = self.status.max(*status),
            Change::Tendered(tender) => self.tenders.push(tender.clone()),
            Change::Settled { tender, state, reason: _ } => {
                if let Some(tender) = self.tenders.iter_mut().find(|other| other.id == *tender) {
                    tender.state = *state;
                }
            }
            Change::Refunded(refund) => self.refunds.push(refund.clone()),
        }
        self.version = self.version.saturating_add(1);
        self.updated_at = recorded.at.wall.max(self.updated_at.plus_millis(1));
        if !self.status.is_open() && self.ended_at.is_none() {
            self.ended_at = Some(self.updated_at);
        }
        self.totals = self.count().ok_or(BrokenHistory::Overflow)?;
        Ok(())
    }

    /// The payments that count: neither declined nor taken back.
    pub fn counted_tenders(&self) -> impl Iterator<Item = &Tender> {
        self.tenders.iter().filter(|tender| tender.state.counts())
    }

    /// What was paid so far.
    pub fn paid(&self) -> Option<Money> {
        Money::sum(self.counted_tenders().map(|tender| Some(tender.amount)))
    }

    /// What is still to be paid.
    pub fn due(&self) -> Option<Money> {
        self.totals.total.checked_sub(self.paid()?).map(|due| due.max(Money::ZERO))
    }

    /// What was given back so far.
    pub fn refunded(&self) -> Option<Money> {
        Money::sum(self.refunds.iter().map(|refund| Some(refund.amount)))
    }

    /// How much of the order is paid.
    pub fn payment_status(&self) -> PaymentStatus {
        let paid = self.paid().unwrap_or_default();
        let refunded = self.refunded().unwrap_or_default();
        let completed = self.status == Status::Completed;
        if refunded > Money::ZERO && refunded >= paid {
            PaymentStatus::Refunded
        } else if (completed || paid > Money::ZERO) && paid >= self.totals.total {
            PaymentStatus::Paid
        } else if paid > Money::ZERO {
            PaymentStatus::Partial
        } else {
            PaymentStatus::Unpaid
        }
    }

    /// Whether some line, or some of a line, was not sent to the kitchen yet.
    pub fn has_unsent(&self) -> bool {
        self.lines.iter().any(|line| !line.is_sent())
    }

    /// Whether the kitchen knows about some of it.
    pub fn has_sent(&self) -> bool {
        self.lines.iter().any(|line| line.sent.is_positive())
    }

    /// The line of that id.
    pub fn line(&self, id: LineId) -> Option<&OrderLine> {
        self.lines.iter().find(|line| line.line.id == id)
    }

    fn modify(&mut self, modification: &Modification) -> Option<()> {
        modification.header.apply_to(&mut self.header);
        for change in &modification.changed {
            let Some(line) = self.lines.iter_mut().find(|line| line.line.id == change.id) else {
                continue;
            };
            line.line.quantity = line.line.quantity.checked_add(change.quantity_delta)?;
            line.sent = line.sent.min(line.line.quantity);
            if let Some(notes) = &change.notes {
                line.line.notes = notes.clone();
            }
        }
        self.lines.retain(|line| line.line.quantity.is_positive() && !modification.removed.contains(&line.line.id));
        self.lines.extend(modification.added.iter().cloned().map(unsent));
        Some(())
    }

    fn count(&self) -> Option<Totals> {
        Totals::of(self.lines.iter().map(|line| (line.line.total(), line.line.tax)))
    }
}

impl Totals {
    /// The sums of lines, each with its price and its tax.
    fn of(lines: impl Iterator<Item = (Option<Money>, TaxRule)>) -> Option<Self> {
        let mut totals = Self::default();
        // One sum for every tax rule: rounding once for each is what tax offices expect of a check.
        let mut taxed: Vec<(TaxRule, Money)> = Vec::new();
        for (price, tax) in lines {
            let price = price?;
            totals.subtotal = totals.subtotal.checked_add(price)?;
            match taxed.iter_mut().find(|(rule, _)| *rule == tax) {
                Some((_, sum)) => *sum = sum.checked_add(price)?,
                None => taxed.push((tax, price)),
            }
        }
        totals.total = totals.subtotal;
        for (rule, sum) in taxed {
            let tax = rule.tax_on(sum)?;
            totals.tax = totals.tax.checked_add(tax)?;
            if !rule.included {
                totals.total = totals.total.checked_add(tax)?;
            }
        }
        Some(totals)
    }
}

fn unsent(line: Line) -> OrderLine {
    OrderLine { line, sent: Quantity::default() }
}
