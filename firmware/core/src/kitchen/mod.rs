//! The kitchen: tickets by station, from the order to the table (L5).
//!
//! ```text
//!            start           mark ready      serve (bump)
//!  queued ─────────▶ in progress ─────▶ ready ─────────▶ served
//!     └──────────────────────┬───────────┘                 │
//!                            ▲            recall           │
//!                            └─────────────────────────────┘
//! ```
//!
//! A recall begins another generation. Within one generation a ticket only goes forward: an action that lies behind
//! where it stands changes nothing, so that a display may send again whatever it held back.

mod order;
mod times;

pub use order::{fire, follow, progress};
pub use times::{HourTimes, KitchenTimes, Spread};

use serde::{Deserialize, Serialize};

use crate::command::Rejection;
use crate::entry::{Entity, Entry, Versioned};
use crate::id::{LineId, OrderId, TicketId};
use crate::limits::VERSIONS_PER_TICKET;
use crate::order::{OrderNumber, OrderType};
use crate::quantity::Quantity;
use crate::record::{Record, RecordError, v1};
use crate::text::{Name, Note};
use crate::time::Timestamp;

/// The station of open items, which the catalogue does not know.
pub const OPEN_ITEM_STATION: &str = "kitchen";

/// What a station of the kitchen has to make of one order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// Names it.
    pub id: TicketId,
    /// Number of changes so far, starting at 1.
    pub version: u32,
    /// What it is made for.
    pub order: OrderId,
    /// The order's printed number.
    pub number: OrderNumber,
    /// Who makes it.
    pub station: Name,
    /// Where it goes.
    pub table: Option<Name>,
    /// How the guest takes it.
    pub order_type: OrderType,
    /// What is said about the order as a whole.
    pub notes: Option<Note>,
    /// Who sent it: the employee, or the terminal if nobody was signed in.
    pub waiter: Name,
    /// 1, and one more with every recall.
    pub generation: u32,
    /// Where it stands.
    pub state: State,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When somebody began with it.
    pub started_at: Option<Timestamp>,
    /// When it was ready; nothing again after a recall.
    pub ready_at: Option<Timestamp>,
    /// When it was served; nothing again after a recall.
    pub served_at: Option<Timestamp>,
    /// What is to be made.
    pub lines: Vec<TicketLine>,
    /// After so long it is late, as the station was set when it was sent.
    pub orange_after_s: u32,
    /// After so long it is much too late.
    pub red_after_s: u32,
}

/// One thing to make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketLine {
    /// The order's line.
    pub line: LineId,
    /// Its name.
    pub name: Name,
    /// How much of it was sent.
    pub quantity: Quantity,
    /// Names of additions and omissions.
    pub modifiers: Vec<Name>,
    /// How to make it.
    pub notes: Option<Note>,
    /// How much of it is not wanted any more.
    pub cancelled: Quantity,
}

impl TicketLine {
    /// How much of it is still wanted.
    pub fn wanted(&self) -> Quantity {
        self.quantity.checked_add(self.cancelled.negated()).unwrap_or_default()
    }
}

/// Where a ticket stands. The order of the variants is the order of progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    /// Nobody has begun.
    Queued,
    /// Somebody makes it.
    InProgress,
    /// It waits to be brought out.
    Ready,
    /// It is with the guest.
    Served,
    /// Nobody wants it any more.
    Voided,
}

impl State {
    /// Every state, in order of progress.
    pub const ALL: [Self; 5] = [Self::Queued, Self::InProgress, Self::Ready, Self::Served, Self::Voided];

    /// Whether the kitchen still has it before it.
    pub const fn is_open(self) -> bool {
        match self {
            Self::Queued | Self::InProgress | Self::Ready => true,
            Self::Served | Self::Voided => false,
        }
    }

    /// The word used on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "QUEUED",
            Self::InProgress => "IN_PROGRESS",
            Self::Ready => "READY",
            Self::Served => "SERVED",
            Self::Voided => "VOIDED",
        }
    }
}

/// How late a ticket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Sla {
    /// In time.
    Green,
    /// Late.
    Orange,
    /// Much too late.
    Red,
}

impl Ticket {
    /// How late it is. The clock runs from sending until it is ready; whoever asks says what time it is, and nothing
    /// of it is stored.
    pub fn sla(&self, now: Timestamp) -> Sla {
        let age_s = self.ready_at.unwrap_or(now).millis_since(self.sent_at) / 1_000;
        if age_s >= u64::from(self.red_after_s) {
            Sla::Red
        } else if age_s >= u64::from(self.orange_after_s) {
            Sla::Orange
        } else {
            Sla::Green
        }
    }

    /// How far it is; this never goes back.
    pub const fn progress(&self) -> (u32, State) {
        (self.generation, self.state)
    }

    /// The same after one more change.
    fn next(&self, at: Timestamp) -> Self {
        // A wall clock that was put back shows in no ticket.
        let updated_at = at.max(self.updated_at);
        Self { version: self.version.saturating_add(1), updated_at, ..self.clone() }
    }

    /// Taken back: nobody wants it any more.
    fn voided(&self, at: Timestamp) -> Self {
        Self { state: State::Voided, ..self.next(at) }
    }
}

impl Record for Ticket {
    const VERSION: u8 = 1;

    fn from_version(version: u8, body: &[u8]) -> Result<Self, RecordError> {
        v1(version, body)
    }
}

impl Versioned for Ticket {
    const ENTITY: Entity = Entity::Ticket;

    fn into_entry(self) -> Entry {
        Entry::Ticket(self)
    }
}

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Move a ticket.
    Move {
        /// Which ticket.
        ticket: TicketId,
        /// Where to.
        action: Action,
        /// The generation the display saw. What it says about an earlier one is out of date and changes nothing.
        generation: Option<u32>,
    },
}

/// What a kitchen display does with a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Begin with it.
    Start,
    /// It is ready.
    MarkReady,
    /// It is with the guest; from any state, as a bump bar does.
    Serve,
    /// Take it back into work: something was wrong with it.
    Recall,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 4] = [Self::Start, Self::MarkReady, Self::Serve, Self::Recall];

    /// What happened, in one word for the log.
    pub const fn done(self) -> &'static str {
        match self {
            Self::Start => "started",
            Self::MarkReady => "ready",
            Self::Serve => "served",
            Self::Recall => "recalled",
        }
    }

    /// The verb, for messages.
    pub const fn verb(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::MarkReady => "mark as ready",
            Self::Serve => "serve",
            Self::Recall => "recall",
        }
    }
}

/// What follows from an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It was so already, or is further: nothing is recorded and the display is told how it stands.
    Unchanged,
    /// The ticket becomes this.
    Become(Box<Ticket>),
}

/// Decides what an action does to a ticket.
///
/// # Errors
/// [`Rejection::EntryState`] if the ticket was taken back, [`Rejection::TooMany`] if it was recalled without end.
pub fn decide(ticket: &Ticket, action: Action, generation: Option<u32>, at: Timestamp) -> Result<Decision, Rejection> {
    if ticket.state == State::Voided {
        let message = format!("cannot {} a ticket that was voided: take it off the rail", action.verb());
        return Err(Rejection::EntryState { message, current: Box::new(ticket.clone().into_entry()) });
    }
    if generation.is_some_and(|seen| seen < ticket.generation) {
        return Ok(Decision::Unchanged);
    }
    let is_news = match action {
        Action::Start => ticket.state < State::InProgress,
        Action::MarkReady => ticket.state < State::Ready,
        Action::Serve => ticket.state < State::Served,
        Action::Recall => ticket.state >= State::Ready,
    };
    if !is_news {
        return Ok(Decision::Unchanged);
    }
    if ticket.version >= VERSIONS_PER_TICKET {
        return Err(Rejection::TooMany { what: "changes of one ticket", limit: VERSIONS_PER_TICKET as usize });
    }
    let mut next = ticket.next(at);
    let now = Some(next.updated_at);
    match action {
        Action::Start => {
            next.state = State::InProgress;
            next.started_at = next.started_at.or(now);
        }
        Action::MarkReady => {
            next.state = State::Ready;
            next.ready_at = now;
        }
        Action::Serve => {
            next.state = State::Served;
            next.ready_at = next.ready_at.or(now);
            next.served_at = now;
        }
        Action::Recall => {
            next.state = State::InProgress;
            next.generation = next.generation.saturating_add(1);
            next.started_at = next.started_at.or(now);
            next.ready_at = None;
            next.served_at = None;
        }
    }
    Ok(Decision::Become(Box::new(next)))
}

#[cfg(test)]
mod tests;
