//! What may happen to an order, decided without touching it.

use serde::{Deserialize, Serialize};

use crate::command::{Actor, Rejection};
use crate::device::DeviceKind;
use crate::id::{OrderId, TenderId};
use crate::limits::{LINES_PER_ORDER, TENDERS_PER_ORDER, VERSIONS_PER_ORDER};
use crate::money::Money;
use crate::order::{Change, Line, LineChange, Modification, Opened, Order, Recorded, Tender, TenderKind, TenderState};
use crate::text::Note;
use crate::time::{Hlc, Timestamp};

/// What a terminal wants done with an order that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Change lines or header.
    Modify(Modification),
    /// Send what is new to the kitchen.
    SendToKitchen,
    /// Take payment and close.
    Close {
        /// Cash handed over, in the order it was counted.
        cash: Vec<CashOffered>,
    },
    /// Cancel.
    Void {
        /// Why.
        reason: Option<Note>,
    },
}

impl Action {
    /// Which of the actions it is.
    pub const fn kind(&self) -> ActionKind {
        match self {
            Self::Modify(_) => ActionKind::Modify,
            Self::SendToKitchen => ActionKind::SendToKitchen,
            Self::Close { .. } => ActionKind::Close,
            Self::Void { .. } => ActionKind::Void,
        }
    }
}

/// An action without its particulars.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ActionKind {
    /// Change lines or header.
    Modify,
    /// Send to the kitchen.
    SendToKitchen,
    /// Close.
    Close,
    /// Void.
    Void,
}

impl ActionKind {
    /// The verb, for messages.
    pub const fn verb(self) -> &'static str {
        match self {
            Self::Modify => "modify",
            Self::SendToKitchen => "send to the kitchen",
            Self::Close => "close",
            Self::Void => "void",
        }
    }
}

/// Cash a guest hands over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CashOffered {
    /// The id the payment gets.
    pub id: TenderId,
    /// How much is handed over; more than is due gives change.
    pub amount: Money,
}

/// What the terminal believes the order to be; whatever is given must hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// The version it saw.
    pub version: Option<u32>,
    /// The `updatedAt` it saw.
    pub updated_at: Option<Timestamp>,
}

impl Expected {
    /// Whether nothing is expected.
    pub const fn is_empty(self) -> bool {
        self.version.is_none() && self.updated_at.is_none()
    }

    fn holds_for(self, order: &Order) -> bool {
        self.version.is_none_or(|version| version == order.version)
            && self.updated_at.is_none_or(|updated_at| updated_at == order.updated_at)
    }
}

/// What follows from a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It was so already: nothing is recorded and the terminal is told so.
    Unchanged,
    /// Record this, which makes the order that.
    Record(Box<(Recorded, Order)>),
}

/// Opens an order.
///
/// # Errors
/// [`Rejection::Invalid`] or [`Rejection::TooMany`]; nothing is recorded.
pub fn open(id: OrderId, opened: Opened, actor: &Actor, at: Hlc) -> Result<(Recorded, Order), Rejection> {
    check_line_count(opened.lines.len())?;
    opened.lines.iter().try_for_each(check_line)?;
    let recorded = recorded(Change::Opened(opened), actor, at);
    let order = Order::opened(id, &recorded).map_err(|_| too_large())?;
    Ok((recorded, order))
}

/// Decides what `action` does to `order`.
///
/// # Errors
/// A [`Rejection`]; nothing is recorded, and only [`Rejection::StaleVersion`] is worth trying again, with the
/// current version.
pub fn decide(
    order: &Order,
    action: &Action,
    expected: Expected,
    actor: &Actor,
    at: Hlc,
) -> Result<Decision, Rejection> {
    if actor.kind == DeviceKind::Kiosk && order.opened_by != actor.device {
        return Err(Rejection::NotYours);
    }
    if !order.status.is_open() {
        return Err(Rejection::InvalidTransition { action: action.kind(), current: Box::new(order.clone()) });
    }
    if !expected.holds_for(order) {
        return Err(Rejection::StaleVersion { current: Box::new(order.clone()) });
    }
    if order.version >= VERSIONS_PER_ORDER {
        return Err(Rejection::TooMany { what: "changes of one order", limit: VERSIONS_PER_ORDER as usize });
    }
    let change = match action {
        Action::Modify(modification) => {
            check_modification(order, modification, expected)?;
            if modification.is_empty() {
                return Ok(Decision::Unchanged);
            }
            Change::Modified(modification.clone())
        }
        Action::SendToKitchen if order.lines.is_empty() => return Err(Rejection::NothingOrdered),
        Action::SendToKitchen if !order.has_unsent() => return Ok(Decision::Unchanged),
        Action::SendToKitchen => Change::SentToKitchen,
        Action::Close { .. } if order.lines.is_empty() => return Err(Rejection::NothingOrdered),
        Action::Close { cash } => Change::Closed { tenders: take_cash(order, cash)? },
        Action::Void { reason } => Change::Voided { reason: reason.clone() },
    };
    let recorded = recorded(change, actor, at);
    let mut after = order.clone();
    after.apply(&recorded).map_err(|_| too_large())?;
    Ok(Decision::Record(Box::new((recorded, after))))
}

fn recorded(change: Change, actor: &Actor, at: Hlc) -> Recorded {
    Recorded { at, device: actor.device, staff: actor.staff.map(|staff| staff.employee), change }
}

fn check_modification(order: &Order, modification: &Modification, expected: Expected) -> Result<(), Rejection> {
    if !modification.header.is_empty() && expected.is_empty() {
        return Err(Rejection::VersionNeeded);
    }
    check_line_count(order.lines.len() + modification.added.len())?;
    modification.added.iter().try_for_each(check_line)?;
    modification.changed.iter().try_for_each(|change| check_line_change(order, modification, change))?;
    for (index, id) in modification.removed.iter().enumerate() {
        if order.line(*id).is_none() {
            return Err(Rejection::invalid(format!("removeItems[{index}]"), format!("the order has no line {id}")));
        }
    }
    Ok(())
}

fn check_line_change(order: &Order, modification: &Modification, change: &LineChange) -> Result<(), Rejection> {
    let refuse = |message: String| Err(Rejection::invalid("changeItems".to_owned(), message));
    let Some(line) = order.line(change.id) else {
        return refuse(format!("the order has no line {}", change.id));
    };
    if modification.changed.iter().filter(|other| other.id == change.id).count() > 1 {
        return refuse(format!("line {} is changed twice", change.id));
    }
    match line.line.quantity.checked_add(change.quantity_delta) {
        Some(after) if after.thousandths() >= 0 => Ok(()),
        Some(_) | None => {
            refuse(format!("line {} has a quantity of {}; the change goes beyond it", change.id, line.line.quantity))
        }
    }
}

fn check_line_count(count: usize) -> Result<(), Rejection> {
    if count > LINES_PER_ORDER {
        return Err(Rejection::TooMany { what: "lines of one order", limit: LINES_PER_ORDER });
    }
    Ok(())
}

fn check_line(line: &Line) -> Result<(), Rejection> {
    let price = line.price().ok_or_else(too_large)?;
    if price.is_negative() {
        return Err(Rejection::invalid(
            "items".to_owned(),
            format!("the price of {} comes to less than nothing", line.name),
        ));
    }
    Ok(())
}

/// Applies cash to what is due, in order; whatever is left of the last note is change.
fn take_cash(order: &Order, cash: &[CashOffered]) -> Result<Vec<Tender>, Rejection> {
    if order.tenders.len() + cash.len() > TENDERS_PER_ORDER {
        return Err(Rejection::TooMany { what: "payments of one order", limit: TENDERS_PER_ORDER });
    }
    let paid = order.paid().ok_or_else(too_large)?;
    let mut due = order.totals.total.checked_sub(paid).ok_or_else(too_large)?;
    let mut tenders = Vec::with_capacity(cash.len());
    for (index, offered) in cash.iter().enumerate() {
        if due == Money::ZERO {
            return Err(Rejection::invalid(format!("tenders[{index}]"), "the order is paid without it".to_owned()));
        }
        let amount = offered.amount.min(due);
        let change = offered.amount.checked_sub(amount).ok_or_else(too_large)?;
        due = due.checked_sub(amount).ok_or_else(too_large)?;
        tenders.push(Tender {
            id: offered.id,
            kind: TenderKind::Cash,
            amount,
            tendered: offered.amount,
            change,
            tip: Money::ZERO,
            rounding: Money::ZERO,
            reference: None,
            state: TenderState::Captured,
        });
    }
    if due > Money::ZERO {
        return Err(Rejection::Underpaid { due });
    }
    Ok(tenders)
}

fn too_large() -> Rejection {
    Rejection::invalid("items".to_owned(), "the order's sums are too large to count".to_owned())
}
