//! What may happen to an order, decided without touching it.

use serde::{Deserialize, Serialize};

use crate::command::{Actor, Rejection};
use crate::device::DeviceKind;
use crate::id::{DeviceId, OrderId, TenderId};
use crate::limits::{LINES_PER_ORDER, TENDERS_PER_ORDER, VERSIONS_PER_ORDER};
use crate::money::Money;
use crate::order::{
    Change, Line, LineChange, Modification, Opened, Order, Recorded, RefundWish, Status, TenderState, TenderWish,
    Terms, refund, tender,
};
use crate::people::Permission;
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
        /// What pays the rest, in the order it is applied.
        tenders: Vec<TenderWish>,
    },
    /// Cancel.
    Void {
        /// Why.
        reason: Option<Note>,
    },
    /// Take payment of a part.
    Tender(Box<TenderWish>),
    /// Take a payment back before the order is closed.
    VoidTender {
        /// Which payment.
        tender: TenderId,
        /// Why.
        reason: Note,
    },
    /// Give money back.
    Refund(Box<RefundWish>),
}

impl Action {
    /// Which of the actions it is.
    pub const fn kind(&self) -> ActionKind {
        match self {
            Self::Modify(_) => ActionKind::Modify,
            Self::SendToKitchen => ActionKind::SendToKitchen,
            Self::Close { .. } => ActionKind::Close,
            Self::Void { .. } => ActionKind::Void,
            Self::Tender(_) => ActionKind::Tender,
            Self::VoidTender { .. } => ActionKind::VoidTender,
            Self::Refund(_) => ActionKind::Refund,
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
    /// Take a payment.
    Tender,
    /// Take a payment back.
    VoidTender,
    /// Refund.
    Refund,
}

impl ActionKind {
    /// The verb, for messages.
    pub const fn verb(self) -> &'static str {
        match self {
            Self::Modify => "modify",
            Self::SendToKitchen => "send to the kitchen",
            Self::Close => "close",
            Self::Void => "void",
            Self::Tender => "take a payment for",
            Self::VoidTender => "take back a payment of",
            Self::Refund => "refund",
        }
    }
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
    terms: &Terms,
    at: Hlc,
) -> Result<Decision, Rejection> {
    if actor.kind == DeviceKind::Kiosk && order.opened_by != actor.device {
        return Err(Rejection::NotYours);
    }
    let right_state = match action {
        Action::Refund(_) | Action::VoidTender { .. } => {
            actor.must(Permission::Refund)?;
            order.status.is_open() != matches!(action, Action::Refund(_)) && order.status != Status::Voided
        }
        Action::Modify(_) | Action::SendToKitchen | Action::Close { .. } | Action::Void { .. } | Action::Tender(_) => {
            order.status.is_open()
        }
    };
    if !right_state {
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
            check_taking_off(order, modification, actor)?;
            if modification.is_empty() {
                return Ok(Decision::Unchanged);
            }
            Change::Modified(modification.clone())
        }
        Action::SendToKitchen if order.lines.is_empty() => return Err(Rejection::NothingOrdered),
        Action::SendToKitchen if !order.has_unsent() => return Ok(Decision::Unchanged),
        Action::SendToKitchen => Change::SentToKitchen,
        Action::Close { .. } if order.lines.is_empty() => return Err(Rejection::NothingOrdered),
        Action::Close { tenders } => {
            let tenders = tender::take(order, tenders, terms)?;
            let due = tenders.iter().try_fold(order.due().ok_or_else(too_large)?, |due, tender| {
                due.checked_sub(tender.amount).ok_or_else(too_large)
            })?;
            if due > Money::ZERO {
                return Err(Rejection::Underpaid { due });
            }
            Change::Closed { tenders }
        }
        Action::Void { reason } => {
            check_void(order, reason.as_ref(), actor)?;
            Change::Voided { reason: reason.clone() }
        }
        Action::Tender(_) if order.lines.is_empty() => return Err(Rejection::NothingOrdered),
        Action::Tender(wish) => {
            let tenders = tender::take(order, core::slice::from_ref(wish.as_ref()), terms)?;
            Change::Tendered(tenders.into_iter().next().ok_or(Rejection::NothingOrdered)?)
        }
        Action::VoidTender { tender, reason } => {
            let Some(tender) = order.tenders.iter().find(|other| other.id == *tender) else {
                return Err(Rejection::Unknown { what: "payment of this order" });
            };
            if !tender.state.counts() {
                return Ok(Decision::Unchanged);
            }
            Change::Settled { tender: tender.id, state: TenderState::Voided, reason: Some(reason.clone()) }
        }
        Action::Refund(wish) => Change::Refunded(refund::refund(order, wish, terms)?),
    };
    let (recorded, after) = follow(order, recorded(change, actor, at))?;
    if matches!(action, Action::Modify(_)) && after.paid() > Some(after.totals.total) {
        return Err(Rejection::HasPayments { action: action.kind(), current: Box::new(order.clone()) });
    }
    Ok(Decision::Record(Box::new((recorded, after))))
}

/// What became of a payment: a fact from outside, about an order in whatever state.
///
/// # Errors
/// [`Rejection::Invalid`] if the order's sums cannot be represented.
pub fn settle_tender(
    order: &Order,
    tender: TenderId,
    state: TenderState,
    device: DeviceId,
    at: Hlc,
) -> Result<(Recorded, Order), Rejection> {
    let change = Change::Settled { tender, state, reason: None };
    follow(order, Recorded { at, device, staff: None, change })
}

/// Another payment in the place of one that was declined after the sale. It covers what that one was to pay, and no
/// more: another that was declined has its own.
///
/// # Errors
/// A [`Rejection`]; nothing is recorded.
pub fn replace_tender(
    order: &Order,
    declined: TenderId,
    wish: &TenderWish,
    actor: &Actor,
    terms: &Terms,
    at: Hlc,
) -> Result<(Recorded, Order), Rejection> {
    let declined = order.tenders.iter().find(|other| other.id == declined && !other.state.counts());
    let declined = declined.ok_or(Rejection::Unknown { what: "declined payment of this order" })?;
    if order.tenders.len() >= TENDERS_PER_ORDER {
        return Err(Rejection::TooMany { what: "payments of one order", limit: TENDERS_PER_ORDER });
    }
    let missing = order.due().ok_or_else(too_large)?.min(declined.amount);
    let tenders = tender::take_up_to(missing, core::slice::from_ref(wish), terms)?;
    let tender = tenders.into_iter().next().ok_or(Rejection::NothingOrdered)?;
    match missing.checked_sub(tender.amount) {
        Some(Money::ZERO) => follow(order, recorded(Change::Tendered(tender), actor, at)),
        Some(due) => Err(Rejection::Underpaid { due }),
        None => Err(too_large()),
    }
}

fn follow(order: &Order, recorded: Recorded) -> Result<(Recorded, Order), Rejection> {
    let mut after = order.clone();
    after.apply(&recorded).map_err(|_| too_large())?;
    Ok((recorded, after))
}

/// Who may cancel: anybody what the kitchen does not know of, a manager the rest, nobody what is paid for.
fn check_void(order: &Order, reason: Option<&Note>, actor: &Actor) -> Result<(), Rejection> {
    if order.counted_tenders().next().is_some() {
        return Err(Rejection::HasPayments { action: ActionKind::Void, current: Box::new(order.clone()) });
    }
    let sent = order.has_sent();
    check_right_to_void(sent, reason, actor)
}

/// The same for single lines.
fn check_taking_off(order: &Order, modification: &Modification, actor: &Actor) -> Result<(), Rejection> {
    let removed = modification.removed.iter().filter_map(|id| order.line(*id)).any(|line| line.sent.is_positive());
    let reduced = modification.changed.iter().any(|change| {
        let line = order.line(change.id);
        line.is_some_and(|line| line.line.quantity.checked_add(change.quantity_delta) < Some(line.sent))
    });
    if removed || reduced {
        check_right_to_void(true, modification.reason.as_ref(), actor)
    } else if !modification.removed.is_empty() {
        check_right_to_void(false, None, actor)
    } else {
        Ok(())
    }
}

fn check_right_to_void(sent: bool, reason: Option<&Note>, actor: &Actor) -> Result<(), Rejection> {
    actor.must(if sent { Permission::VoidSent } else { Permission::VoidUnsent })?;
    if sent && reason.is_none() {
        let message = "the kitchen knows of it: say why it is taken off";
        return Err(Rejection::invalid("reason".to_owned(), message.to_owned()));
    }
    Ok(())
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

pub(super) fn too_large() -> Rejection {
    Rejection::invalid("items".to_owned(), "the order's sums are too large to count".to_owned())
}
