//! The drawer, and the end of a business day.

use serde::{Deserialize, Serialize};

use super::sums::{Sum, Sums, Total, tender_word};
use crate::command::{Actor, Rejection};
use crate::day::Day;
use crate::entry::{Entity, Entry, Versioned};
use crate::id::{DayCloseId, DeviceId, DrawerMovementId, EmployeeId};
use crate::money::Money;
use crate::order::TenderKind;
use crate::people::Permission;
use crate::record::{Record, RecordError, v1};
use crate::text::{Name, Note};
use crate::time::Timestamp;

/// The end of a business day (Z report): everything since the one before. It never changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayClose {
    /// Names it.
    pub id: DayCloseId,
    /// Counts them from 1, without gaps.
    pub number: u32,
    /// The business day it was made on.
    pub day: Day,
    /// When the one before was made; the beginning of the store for the first.
    pub from: Timestamp,
    /// When it was made.
    pub to: Timestamp,
    /// Everything.
    pub totals: Sums,
    /// By kind of payment.
    pub tenders: Vec<Part>,
    /// By tax rule.
    pub taxes: Vec<Part>,
    /// Cash in the drawer at the beginning.
    pub opening_float: Money,
    /// Cash put in meanwhile.
    pub paid_in: Money,
    /// Cash taken out meanwhile.
    pub paid_out: Money,
    /// Cash that should be in the drawer.
    pub expected: Money,
    /// Cash that is.
    pub counted: Money,
    /// What stays in the drawer for the next day.
    pub next_float: Money,
    /// All sales since the beginning of the store, less what was given back.
    pub grand_total: Money,
    /// Orders that were open; they belong to the next day.
    pub open_orders: u64,
    /// What there is to say about it.
    pub note: Option<Note>,
    /// At which terminal.
    pub device: DeviceId,
    /// By whom.
    pub staff: Option<EmployeeId>,
}

/// One of the totals in a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Of what.
    pub key: Name,
    /// The total.
    pub total: Total,
}

/// Cash that went into or out of the drawer without a sale.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrawerMovement {
    /// Names it.
    pub id: DrawerMovementId,
    /// What it was.
    pub kind: DrawerKind,
    /// How much; never below zero.
    pub amount: Money,
    /// Why.
    pub reason: Option<Note>,
    /// When.
    pub at: Timestamp,
    /// At which terminal.
    pub device: DeviceId,
    /// By whom.
    pub staff: Option<EmployeeId>,
}

/// What moved cash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DrawerKind {
    /// The opening float was counted; it replaces what the last day left.
    Float,
    /// Put in.
    PaidIn,
    /// Taken out.
    PaidOut,
}

impl DrawerKind {
    /// The word used on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Float => "float",
            Self::PaidIn => "paid_in",
            Self::PaidOut => "paid_out",
        }
    }
}

/// The business day that has not ended, as far as totals do not say it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// Number of the last end of a day; 0 before the first.
    pub last_number: u32,
    /// When that was.
    pub since: Timestamp,
    /// Cash in the drawer at the beginning.
    pub opening_float: Money,
    /// Cash put in since.
    pub paid_in: Money,
    /// Cash taken out since.
    pub paid_out: Money,
    /// All sales up to the last end of a day, less what was given back.
    pub grand_total: Money,
}

impl Period {
    /// Cash that should be in the drawer, given the totals of cash.
    pub fn expected(&self, cash: &Sums) -> Money {
        self.opening_float.plus(self.paid_in).plus(self.paid_out.turned()).plus(cash.in_drawer())
    }
}

/// The wish to end the business day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseDay {
    /// The id it gets.
    pub id: DayCloseId,
    /// Cash found in the drawer.
    pub counted: Money,
    /// Cash left in it; all of it if not said.
    pub next_float: Option<Money>,
    /// What there is to say.
    pub note: Option<Note>,
}

/// What the end of a day depends on.
#[derive(Clone, Debug, Default)]
pub struct DayState {
    /// The day that ends.
    pub period: Period,
    /// Everything since the last end.
    pub whole: Sums,
    /// By kind of payment.
    pub tenders: Vec<Part>,
    /// By tax rule.
    pub taxes: Vec<Part>,
    /// Orders that are open.
    pub open_orders: u64,
}

impl DayState {
    /// The totals of cash.
    pub fn cash(&self) -> Sums {
        let cash = self.tenders.iter().find(|part| part.key.as_str() == tender_word(TenderKind::Cash));
        cash.map(|part| part.total.sums).unwrap_or_default()
    }
}

/// Ends the business day, and begins the next.
///
/// # Errors
/// [`Rejection::NotAllowed`], [`Rejection::Invalid`]; nothing is recorded.
pub fn close_day(
    wish: &CloseDay,
    state: DayState,
    actor: &Actor,
    day: Day,
    at: Timestamp,
) -> Result<(DayClose, Period), Rejection> {
    actor.must(Permission::Reports)?;
    let next_float = wish.next_float.unwrap_or(wish.counted);
    not_negative("countedCash", wish.counted)?;
    not_negative("openingFloat", next_float)?;
    if next_float > wish.counted {
        let message = "more than was counted cannot stay in the drawer".to_owned();
        return Err(Rejection::invalid("openingFloat".to_owned(), message));
    }
    let Some(number) = state.period.last_number.checked_add(1) else {
        return Err(Rejection::TooMany { what: "ends of days", limit: u32::MAX as usize });
    };
    let expected = state.period.expected(&state.cash());
    let sold = state.whole.total().plus(state.whole.refunded.turned());
    let grand_total = state.period.grand_total.plus(sold);
    let close = DayClose {
        id: wish.id,
        number,
        day,
        from: state.period.since,
        to: at,
        totals: state.whole,
        tenders: state.tenders,
        taxes: state.taxes,
        opening_float: state.period.opening_float,
        paid_in: state.period.paid_in,
        paid_out: state.period.paid_out,
        expected,
        counted: wish.counted,
        next_float,
        grand_total,
        open_orders: state.open_orders,
        note: wish.note.clone(),
        device: actor.device,
        staff: actor.staff.map(|staff| staff.employee),
    };
    let next = Period {
        last_number: number,
        since: at,
        opening_float: next_float,
        paid_in: Money::ZERO,
        paid_out: Money::ZERO,
        grand_total,
    };
    Ok((close, next))
}

/// What moving cash makes of the day.
///
/// # Errors
/// [`Rejection::NotAllowed`], [`Rejection::Invalid`]; nothing is recorded.
pub fn move_cash(movement: &DrawerMovement, period: Period, actor: &Actor) -> Result<Period, Rejection> {
    actor.must(Permission::Reports)?;
    not_negative("amount", movement.amount)?;
    Ok(match movement.kind {
        DrawerKind::Float => Period { opening_float: movement.amount, ..period },
        DrawerKind::PaidIn => Period { paid_in: period.paid_in.plus(movement.amount), ..period },
        DrawerKind::PaidOut => Period { paid_out: period.paid_out.plus(movement.amount), ..period },
    })
}

fn not_negative(field: &str, amount: Money) -> Result<(), Rejection> {
    if amount.is_negative() {
        return Err(Rejection::invalid(field.to_owned(), "must not be below zero".to_owned()));
    }
    Ok(())
}

impl DayClose {
    /// What is in the drawer beyond (or, below zero, short of) what should be.
    pub fn difference(&self) -> Money {
        self.counted.plus(self.expected.turned())
    }
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

impl Record for DrawerMovement {
    const VERSION: u8 = 1;

    fn from_version(version: u8, body: &[u8]) -> Result<Self, RecordError> {
        v1(version, body)
    }
}

impl Versioned for DrawerMovement {
    const ENTITY: Entity = Entity::DrawerMovement;

    fn into_entry(self) -> Entry {
        Entry::DrawerMovement(self)
    }
}

impl Record for Period {
    const VERSION: u8 = 1;

    fn from_version(version: u8, body: &[u8]) -> Result<Self, RecordError> {
        v1(version, body)
    }
}
