//! What a terminal can ask for, and what it can be told.

use crate::catalogue::LineWish;
use crate::conflict::RefusedReason;
use crate::device::{Device, DeviceKind, Presence};
use crate::entry::Entry;
use crate::id::{DeviceId, OrderId};
use crate::idempotency::RequestKey;
use crate::money::{Currency, Money};
use crate::order::{Action, ActionKind, Expected, Header, Order};
use crate::people::{Permission, Role, Staff};
use crate::settings::{Connectivity, Settings};
use crate::text::Name;
use crate::{audit, catalogue, kitchen, payment, people, report, retention, shift, stock};

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Actor {
    /// Which terminal.
    pub device: DeviceId,
    /// What it is.
    pub kind: DeviceKind,
    /// Who is signed in to it.
    pub staff: Option<Staff>,
}

impl Actor {
    /// What whoever asks is trusted with. A terminal alone acts as staff.
    pub fn role(&self) -> Role {
        self.staff.map_or(Role::Staff, |staff| staff.role)
    }

    /// Refuses who may not.
    ///
    /// # Errors
    /// [`Rejection::NotAllowed`].
    pub fn must(&self, permission: Permission) -> Result<(), Rejection> {
        if self.role().may(permission) { Ok(()) } else { Err(Rejection::NotAllowed(permission)) }
    }
}

/// A command with everything that is remembered about it.
#[derive(Clone, Debug)]
pub struct Request {
    /// Who asks; none if the box itself does.
    pub actor: Option<Actor>,
    /// Makes a repeated request harmless.
    pub key: Option<RequestKey>,
    /// Method, path and body as received, kept if the request is refused because of the record's state.
    pub received: Option<Received>,
    /// What is asked.
    pub command: Command,
}

/// A request as it came in.
#[derive(Clone, Debug)]
pub struct Received {
    /// Method and path.
    pub route: String,
    /// The body, cut to [`crate::limits::REFUSED_BODY_BYTES`].
    pub body: String,
}

/// What can be asked of the store.
#[derive(Clone, Debug)]
pub enum Command {
    /// Open an order.
    OpenOrder(OpenOrder),
    /// Do something with an order that exists.
    ChangeOrder {
        /// Which order.
        order: OrderRef,
        /// What the terminal believes it to be.
        expected: Expected,
        /// What to do.
        action: Action,
        /// Lines to add with [`Action::Modify`]; they get their prices when it is carried out.
        added: Vec<LineWish>,
    },
    /// Change the catalogue.
    Catalogue(catalogue::Command),
    /// Something in the kitchen.
    Kitchen(kitchen::Command),
    /// Something about payments that is not about one order.
    Payment(payment::Command),
    /// Something about stock.
    Stock(stock::Command),
    /// Somebody's time at work.
    Shift(shift::Command),
    /// Something about employees or customers.
    People(people::Command),
    /// Something about reports.
    Report(report::Command),
    /// Pair a terminal, or pair it again under the same id.
    PairDevice(Device),
    /// Put the owner's settings in force.
    ApplySettings(Settings),
    /// Note how the box stands with the cloud.
    NoteConnectivity(Connectivity),
    /// Set an order aside that cannot be read.
    SetAside {
        /// Which order.
        order: OrderId,
        /// What is wrong with it.
        reason: String,
    },
    /// Note something in the audit log that changes nothing else.
    Audit(audit::Note),
    /// Give a terminal another name.
    RenameDevice {
        /// Which one.
        device: DeviceId,
        /// What people call it from now on.
        name: Name,
    },
    /// Let a terminal in no more.
    RevokeDevice {
        /// Which one.
        device: DeviceId,
    },
    /// Note terminals that fell silent or are back.
    NotePresence(Vec<(DeviceId, Presence)>),
    /// Remove what is of no more use.
    Retention(retention::Command),
}

/// The wish for a new order.
#[derive(Clone, Debug)]
pub struct OpenOrder {
    /// The id it gets.
    pub id: OrderId,
    /// The terminal's own name for it.
    pub client_id: Option<Name>,
    /// Table, kind, customer, notes.
    pub header: Header,
    /// The first lines; none for a tab that is only opened.
    pub lines: Vec<LineWish>,
}

/// How a terminal names an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderRef {
    /// By its id.
    Id(OrderId),
    /// By the terminal's own name.
    ClientId(Name),
}

/// What a command led to.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// An order was opened.
    Opened(Box<Order>),
    /// An order is now this.
    Left(Box<Order>),
    /// It was done; there is nothing to show.
    Done,
    /// An entry came to be.
    Made(Box<Entry>),
    /// An entry is now this.
    Changed(Box<Entry>),
    /// The catalogue is now this.
    Loaded(catalogue::Loaded),
}

/// Why a command was refused. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// There is no such order.
    UnknownOrder,
    /// A kiosk may touch only its own orders.
    NotYours,
    /// The order is over.
    InvalidTransition {
        /// What was to be done.
        action: ActionKind,
        /// The order as it is.
        current: Box<Order>,
    },
    /// The order changed since the terminal saw it.
    StaleVersion {
        /// The order as it is.
        current: Box<Order>,
    },
    /// An order of that id or client id exists.
    DuplicateId {
        /// That order.
        existing: Box<Order>,
    },
    /// The key was used for another request.
    KeyMismatch {
        /// The order that request was about.
        existing: Box<Order>,
    },
    /// A header can be changed only by who has seen it.
    VersionNeeded,
    /// There is nothing on the order.
    NothingOrdered,
    /// The cash does not cover the order.
    Underpaid {
        /// What is missing.
        due: Money,
    },
    /// A bound of [`crate::limits`] is reached.
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there may be.
        limit: usize,
    },
    /// Something about the request makes no sense.
    Invalid {
        /// Where.
        field: String,
        /// What.
        message: String,
    },
    /// The currency cannot change any more.
    CurrencyFixed {
        /// What the store counts in.
        stored: Currency,
    },
    /// The order's record cannot be read and was set aside.
    Unreadable,
    /// There is no such thing.
    Unknown {
        /// What was looked for.
        what: &'static str,
    },
    /// Somebody with more rights has to sign in.
    NotAllowed(Permission),
    /// It cannot be done without the cloud, which cannot be reached.
    CloudRequired {
        /// What was asked, in words: "to create an employee".
        what: &'static str,
    },
    /// Payments on the order do not allow it.
    HasPayments {
        /// What was to be done.
        action: ActionKind,
        /// The order as it is.
        current: Box<Order>,
    },
    /// The entry is in a state that does not allow it.
    EntryState {
        /// What is wrong.
        message: String,
        /// The entry as it is.
        current: Box<Entry>,
    },
    /// An entry of that id or number exists.
    EntryExists {
        /// That entry.
        existing: Box<Entry>,
    },
    /// The key was used for another request.
    EntryKeyMismatch {
        /// The entry that request was about.
        existing: Box<Entry>,
    },
    /// The key was used for another request, which left nothing that could be shown.
    KeyReused,
}

impl Rejection {
    /// A refusal that names the field.
    pub fn invalid(field: String, message: String) -> Self {
        Self::Invalid { field, message }
    }

    /// Whether the request met a record in another state than it thought: these are kept for a manager.
    pub fn conflict(&self) -> Option<(RefusedReason, &Order)> {
        match self {
            Self::InvalidTransition { action, current } => Some((RefusedReason::InvalidTransition(*action), current)),
            Self::StaleVersion { current } => Some((RefusedReason::StaleVersion, current)),
            Self::HasPayments { action, current } => Some((RefusedReason::HasPayments(*action), current)),
            Self::DuplicateId { existing } => Some((RefusedReason::DuplicateId, existing)),
            Self::KeyMismatch { existing } => Some((RefusedReason::KeyMismatch, existing)),
            Self::UnknownOrder
            | Self::NotYours
            | Self::VersionNeeded
            | Self::NothingOrdered
            | Self::Underpaid { .. }
            | Self::TooMany { .. }
            | Self::Invalid { .. }
            | Self::CurrencyFixed { .. }
            | Self::Unreadable
            | Self::Unknown { .. }
            | Self::NotAllowed(_)
            | Self::CloudRequired { .. }
            | Self::EntryState { .. }
            | Self::EntryExists { .. }
            | Self::EntryKeyMismatch { .. }
            | Self::KeyReused => None,
        }
    }

    /// The refusal that was kept, about the order as it was then.
    pub fn from_conflict(reason: RefusedReason, order: Order) -> Self {
        let order = Box::new(order);
        match reason {
            RefusedReason::InvalidTransition(action) => Self::InvalidTransition { action, current: order },
            RefusedReason::StaleVersion => Self::StaleVersion { current: order },
            RefusedReason::DuplicateId => Self::DuplicateId { existing: order },
            RefusedReason::KeyMismatch => Self::KeyMismatch { existing: order },
            RefusedReason::HasPayments(action) => Self::HasPayments { action, current: order },
        }
    }
}
