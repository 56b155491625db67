//! Stock: signed movements that sum (L9).
//!
//! What there is of an item is the sum of its movements, whatever order they come in. A sale is never refused for
//! want of stock: what goes below nothing is flagged for review instead. A stock-take is the one movement that
//! knows better: the difference to what was expected is recorded as a movement too, so that the sum still holds, and
//! is flagged.

mod level;

pub use level::{Level, Review, Signal};

use serde::{Deserialize, Serialize};

use crate::command::{Actor, Rejection};
use crate::entry::{Entity, Entry, Versioned};
use crate::id::{DeviceId, EmployeeId, MovementId, OrderId};
use crate::order::{Change, Order, Recorded, Status};
use crate::people::Permission;
use crate::quantity::Quantity;
use crate::record::{Record, RecordError, v1};
use crate::text::{Name, Note};
use crate::time::Timestamp;

/// A change of stock: of one item, or of everything on one order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Movement {
    /// Names it.
    pub id: MovementId,
    /// What moved it.
    pub kind: MovementKind,
    /// The order it is about.
    pub order: Option<OrderId>,
    /// What moved.
    pub changes: Vec<StockChange>,
    /// With a stock-take: what was counted.
    pub counted: Option<Quantity>,
    /// What there is to say.
    pub note: Option<Note>,
    /// When.
    pub at: Timestamp,
    /// By which terminal.
    pub device: DeviceId,
    /// By whom.
    pub staff: Option<EmployeeId>,
}

/// How much of an item moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockChange {
    /// Which item.
    pub item: Name,
    /// How much more, or below zero, less.
    pub delta: Quantity,
    /// What there was afterwards.
    pub level: Quantity,
}

/// What moves stock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MovementKind {
    /// It was sold.
    Sale,
    /// It was brought back and can be sold again.
    Return,
    /// It was delivered.
    Receive,
    /// It was thrown away.
    Waste,
    /// It was counted.
    Count,
    /// Somebody knows better.
    Correct,
}

impl MovementKind {
    /// The word used on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sale => "sale",
            Self::Return => "return",
            Self::Receive => "receive",
            Self::Waste => "waste",
            Self::Count => "count",
            Self::Correct => "correct",
        }
    }

    /// What happened to the stock, in one word.
    pub const fn event(self) -> &'static str {
        match self {
            Self::Sale => "sold",
            Self::Return => "returned",
            Self::Receive => "received",
            Self::Waste => "wasted",
            Self::Count => "counted",
            Self::Correct => "corrected",
        }
    }
}

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Something was delivered, thrown away or corrected.
    Move(MoveStock),
    /// An item was counted.
    Count(CountStock),
}

/// Something was delivered, thrown away or corrected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MoveStock {
    /// The id the movement gets.
    pub id: MovementId,
    /// Which item.
    pub item: Name,
    /// What moved it.
    pub kind: MovementKind,
    /// How much: more than nothing, except for a correction, which has a sign.
    pub quantity: Quantity,
    /// What there is to say.
    pub note: Option<Note>,
}

/// An item was counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountStock {
    /// The id the movement gets.
    pub id: MovementId,
    /// Which item.
    pub item: Name,
    /// What there is of it.
    pub counted: Quantity,
    /// From which level on it is low; as before if not said.
    pub low_at: Option<Quantity>,
    /// What there is to say.
    pub note: Option<Note>,
}

impl Command {
    /// Which item it is about.
    pub const fn item(&self) -> &Name {
        match self {
            Self::Move(wish) => &wish.item,
            Self::Count(wish) => &wish.item,
        }
    }
}

/// What is asked, given what is known about the item: the movement, what there is then, and what to tell.
///
/// # Errors
/// [`Rejection::NotAllowed`], [`Rejection::Invalid`]; nothing is recorded.
pub fn decide(
    command: &Command,
    level: Option<&Level>,
    actor: &Actor,
    at: Timestamp,
) -> Result<(Movement, Level, Vec<Signal>), Rejection> {
    actor.must(Permission::CountStock)?;
    let (id, kind, delta, counted, note) = match command {
        Command::Move(wish) => (wish.id, wish.kind, signed(wish)?, None, wish.note.clone()),
        Command::Count(wish) => {
            for (field, quantity) in [("counted", Some(wish.counted)), ("lowAt", wish.low_at)] {
                if quantity.is_some_and(|quantity| quantity.thousandths() < 0) {
                    return Err(Rejection::invalid(field.to_owned(), "must not be below zero".to_owned()));
                }
            }
            let expected = level.map_or(0, |level| level.level.thousandths());
            let delta = Quantity::from_thousandths(wish.counted.thousandths().saturating_sub(expected));
            (wish.id, MovementKind::Count, delta, Some(wish.counted), wish.note.clone())
        }
    };
    let mut after = level.cloned().unwrap_or_default();
    let mut signals = after.apply(delta, id, at);
    if let Command::Count(wish) = command {
        signals = after.counted(delta, level.is_some(), wish.low_at);
    }
    let change = StockChange { item: command.item().clone(), delta, level: after.level };
    let staff = actor.staff.map(|staff| staff.employee);
    let changes = vec![change];
    let movement = Movement { id, kind, order: None, changes, counted, note, at, device: actor.device, staff };
    Ok((movement, after, signals))
}

fn signed(wish: &MoveStock) -> Result<Quantity, Rejection> {
    let refuse = |field: &str, message: &str| Err(Rejection::invalid(field.to_owned(), message.to_owned()));
    match wish.kind {
        MovementKind::Receive | MovementKind::Waste if !wish.quantity.is_positive() => {
            refuse("quantity", "must be more than nothing")
        }
        MovementKind::Correct if wish.quantity == Quantity::default() => refuse("quantity", "must not be nothing"),
        MovementKind::Receive | MovementKind::Correct => Ok(wish.quantity),
        MovementKind::Waste => Ok(wish.quantity.negated()),
        MovementKind::Sale | MovementKind::Return | MovementKind::Count => refuse(
            "kind",
            "must be receive, waste or correct; sales and returns follow from orders, counts have /api/inventory/counts",
        ),
    }
}

/// How an order moves one item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Which item.
    pub item: Name,
    /// Its name as printed.
    pub name: Name,
    /// How much more, or below zero, less.
    pub delta: Quantity,
}

/// What a change of an order moves: what is sold when it is closed, and what comes back to be sold again.
pub fn moved(recorded: &Recorded, before: Option<&Order>, after: &Order) -> Option<(MovementKind, Vec<Moved>)> {
    let mut all: Vec<Moved> = Vec::new();
    let mut add = |item: &Name, name: &Name, delta: Quantity| match all.iter_mut().find(|moved| moved.item == *item) {
        Some(moved) => moved.delta = sum(moved.delta, delta),
        None => all.push(Moved { item: item.clone(), name: name.clone(), delta }),
    };
    let ends = after.status == Status::Completed && before.is_none_or(|before| before.status != Status::Completed);
    let kind = match &recorded.change {
        Change::Refunded(refund) if refund.restock => {
            for back in &refund.lines {
                if let Some(line) = after.line(back.line).map(|line| &line.line).filter(|line| line.stocked) {
                    add(&line.item_id, &line.name, back.quantity);
                }
            }
            MovementKind::Return
        }
        Change::Closed { .. } | Change::Tendered(_) | Change::Settled { .. } if ends => {
            for line in after.lines.iter().map(|line| &line.line).filter(|line| line.stocked) {
                add(&line.item_id, &line.name, line.quantity.negated());
            }
            MovementKind::Sale
        }
        Change::Opened(_)
        | Change::Modified(_)
        | Change::SentToKitchen
        | Change::Closed { .. }
        | Change::Voided { .. }
        | Change::Progressed(_)
        | Change::Tendered(_)
        | Change::Settled { .. }
        | Change::Refunded(_) => return None,
    };
    (!all.is_empty()).then_some((kind, all))
}

/// The sum. Levels may go further than quantities of a line do.
fn sum(one: Quantity, other: Quantity) -> Quantity {
    Quantity::from_thousandths(one.thousandths().saturating_add(other.thousandths()))
}

impl Record for Movement {
    const VERSION: u8 = 1;

    fn from_version(version: u8, body: &[u8]) -> Result<Self, RecordError> {
        v1(version, body)
    }
}

impl Versioned for Movement {
    const ENTITY: Entity = Entity::Movement;

    fn into_entry(self) -> Entry {
        Entry::Movement(self)
    }
}

#[cfg(test)]
mod tests;
