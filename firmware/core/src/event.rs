//! The log that every terminal reads: what changed, in the order it was committed.

use serde::{Deserialize, Serialize};

use crate::device::{DeviceKind, Presence};
use crate::entry::EntryEvent;
use crate::id::{DeviceId, OrderId};
use crate::money::Money;
use crate::order::{Change, Order, OrderNumber, PaymentStatus, Recorded, Status};
use crate::record::{Record, RecordError, v1};
use crate::settings::{Connectivity, Settings};
use crate::text::{Name, Note};
use crate::time::{Hlc, Timestamp};

/// One entry of the log. Its number is the key it is stored under.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: Hlc,
    /// Which terminal caused it; none if the box did.
    pub device: Option<DeviceId>,
    /// What.
    pub data: EventData,
}

impl Record for Event {
    const VERSION: u8 = 1;

    fn from_version(version: u8, body: &[u8]) -> Result<Self, RecordError> {
        v1(version, body)
    }
}

/// What an event says. Enough to know whether to look; the record itself is fetched by its id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventData {
    /// An order changed.
    Order(OrderEvent),
    /// The store's settings changed.
    Settings(Settings),
    /// The cloud came or went.
    Connectivity(Connectivity),
    /// A terminal was paired.
    DevicePaired {
        /// What people call it.
        name: Name,
        /// What it is.
        kind: DeviceKind,
    },
    /// An entry came to be or changed.
    Entry(EntryEvent),
    /// The catalogue changed.
    Catalogue {
        /// Its revision now.
        revision: u64,
    },
    /// A terminal has another name.
    DeviceRenamed {
        /// Which one.
        id: DeviceId,
        /// What people call it now.
        name: Name,
    },
    /// A terminal may not come in any more.
    DeviceRevoked {
        /// Which one.
        id: DeviceId,
        /// What people called it.
        name: Name,
    },
    /// A terminal fell silent, or is back.
    DevicePresence {
        /// Which one.
        id: DeviceId,
        /// How the box stands with it.
        presence: Presence,
    },
    /// The box is kept from the cloud by hand, or no longer.
    ForcedOffline {
        /// Until when; none if it is over.
        until: Option<Timestamp>,
    },
    /// The drawer was opened without a sale.
    DrawerOpened {
        /// Why.
        reason: Note,
    },
}

/// How an order changed and what it is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderEvent {
    /// What happened.
    pub kind: OrderEventKind,
    /// To which order.
    pub id: OrderId,
    /// Its printed number.
    pub number: OrderNumber,
    /// Its version now.
    pub version: u32,
    /// Where it stands now.
    pub status: Status,
    /// How much of it is paid now.
    pub payment_status: PaymentStatus,
    /// What it costs now.
    pub total: Money,
}

/// What can happen to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OrderEventKind {
    /// It was opened.
    Created,
    /// Lines or header changed.
    Updated,
    /// It went to the kitchen.
    Sent,
    /// It was paid and closed.
    Closed,
    /// It was voided.
    Voided,
    /// The kitchen went on with it.
    Progressed,
    /// Some of it was paid, or something became of a payment.
    Paid,
    /// Money was given back.
    Refunded,
}

impl Event {
    /// The event of a change that made an order what it is.
    pub fn of_order(recorded: &Recorded, order: &Order) -> Self {
        let kind = match &recorded.change {
            Change::Opened(_) => OrderEventKind::Created,
            Change::Modified(_) => OrderEventKind::Updated,
            Change::SentToKitchen => OrderEventKind::Sent,
            Change::Closed { .. } => OrderEventKind::Closed,
            Change::Voided { .. } => OrderEventKind::Voided,
            Change::Progressed(_) => OrderEventKind::Progressed,
            Change::Tendered(_) | Change::Settled { .. } => OrderEventKind::Paid,
            Change::Refunded(_) => OrderEventKind::Refunded,
        };
        Self {
            at: recorded.at,
            device: Some(recorded.device),
            data: EventData::Order(OrderEvent {
                kind,
                id: order.id,
                number: order.number.clone(),
                version: order.version,
                status: order.status,
                payment_status: order.payment_status(),
                total: order.totals.total,
            }),
        }
    }
}

impl EventData {
    /// The kind's name on the wire: entity, full stop, what happened.
    pub fn kind(&self) -> &str {
        match self {
            Self::Order(order) => match order.kind {
                OrderEventKind::Created => "order.created",
                OrderEventKind::Updated => "order.updated",
                OrderEventKind::Sent => "order.sent",
                OrderEventKind::Closed => "order.closed",
                OrderEventKind::Voided => "order.voided",
                OrderEventKind::Progressed => "order.progressed",
                OrderEventKind::Paid => "order.paid",
                OrderEventKind::Refunded => "order.refunded",
            },
            Self::Settings(_) => "settings.changed",
            Self::Connectivity(_) => "connectivity.changed",
            Self::DevicePaired { .. } => "device.paired",
            Self::Entry(entry) => entry.kind.as_str(),
            Self::Catalogue { .. } => "catalogue.changed",
            Self::DeviceRenamed { .. } => "device.renamed",
            Self::DeviceRevoked { .. } => "device.revoked",
            Self::DevicePresence { presence, .. } => match presence {
                Presence::Online => "device.online",
                Presence::Weak => "device.weak",
                Presence::Offline => "device.offline",
            },
            Self::ForcedOffline { until: Some(_) } => "connectivity.forced",
            Self::ForcedOffline { until: None } => "connectivity.released",
            Self::DrawerOpened { .. } => "drawer.opened",
        }
    }

    /// The entity's name on the wire.
    pub const fn entity(&self) -> &'static str {
        match self {
            Self::Order(_) => "order",
            Self::Settings(_) => "settings",
            Self::Connectivity(_) => "connectivity",
            Self::DevicePaired { .. }
            | Self::DeviceRenamed { .. }
            | Self::DeviceRevoked { .. }
            | Self::DevicePresence { .. } => "device",
            Self::Entry(entry) => entry.entry.entity.as_str(),
            Self::Catalogue { .. } => "catalogue",
            Self::ForcedOffline { .. } => "connectivity",
            Self::DrawerOpened { .. } => "drawer",
        }
    }
}
