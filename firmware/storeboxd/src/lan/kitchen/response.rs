//! Tickets and the kitchen's times as displays see them.

use std::collections::BTreeMap;

use serde::Serialize;
use storebox_core::day::Day;
use storebox_core::id::{LineId, OrderId, StoreId, TicketId};
use storebox_core::kitchen::{KitchenTimes, Sla, Spread, State, Ticket, TicketLine};
use storebox_core::order::OrderType;
use storebox_core::outbox::SyncStatus;
use storebox_core::quantity::Quantity;
use storebox_core::text::{Name, Note};
use storebox_core::time::Timestamp;
use utoipa::ToSchema;

use crate::lan::Api;
use crate::lan::orders::{OrderTypeWord, SyncStatusWord};
use crate::store::StationTickets;

/// What a station of the kitchen has to make of one order.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Ticket)]
pub struct TicketBody {
    /// Names the ticket.
    #[schema(value_type = String, format = Uuid)]
    id: TicketId,
    /// The order it is for.
    #[schema(value_type = String, format = Uuid)]
    order_id: OrderId,
    /// The order's printed number.
    order_number: String,
    /// The store that made it.
    #[schema(value_type = String, format = Uuid)]
    store_id: StoreId,
    /// Who makes it.
    #[schema(value_type = String)]
    station: Name,
    /// Where it stands.
    #[schema(value_type = TicketStatusWord)]
    status: State,
    /// Where it goes.
    #[schema(value_type = Option<String>, required)]
    table_id: Option<Name>,
    /// How the guest takes it.
    #[schema(value_type = OrderTypeWord)]
    order_type: OrderType,
    /// What is said about the order as a whole.
    #[schema(value_type = Option<String>, required)]
    notes: Option<Note>,
    /// Who sent it: the employee, or the terminal if nobody was signed in.
    #[schema(value_type = String)]
    waiter_name: Name,
    /// What is to be made.
    items: Vec<TicketItemBody>,
    /// How late it is, from sending until it is ready: in the queue at the time of the answer; where a write answers, at
    /// `updatedAt`, so that a repeated write is answered as the first was.
    #[schema(value_type = SlaWord)]
    sla_state: Sla,
    /// After so many seconds it is late.
    orange_after_seconds: u32,
    /// After so many seconds it is much too late.
    red_after_seconds: u32,
    /// 1, and one more with every recall.
    generation: u32,
    /// Number of changes.
    version: u32,
    /// When it was sent.
    #[schema(value_type = String, format = DateTime)]
    sent_at: Timestamp,
    /// When it last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// When somebody began with it.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    started_at: Option<Timestamp>,
    /// When it was ready.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    ready_at: Option<Timestamp>,
    /// When it was served.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    served_at: Option<Timestamp>,
    /// Where it stands on its way to the cloud.
    #[schema(value_type = SyncStatusWord)]
    sync_status: SyncStatus,
    /// When the cloud had it.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    synced_at: Option<Timestamp>,
    /// What the cloud said against it.
    #[schema(required)]
    sync_error: Option<String>,
    /// How often the cloud answered for it.
    sync_attempts: u32,
}

/// One thing to make.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = TicketItem)]
pub struct TicketItemBody {
    /// The order's line.
    #[schema(value_type = String, format = Uuid)]
    line_id: LineId,
    /// Its name.
    #[schema(value_type = String)]
    name: Name,
    /// How much of it was sent.
    #[schema(value_type = f64)]
    quantity: Quantity,
    /// How much of that is not wanted any more.
    #[schema(value_type = f64)]
    cancelled: Quantity,
    /// Additions and omissions.
    #[schema(value_type = Vec<String>)]
    modifiers: Vec<Name>,
    /// How to make it.
    #[schema(value_type = Option<String>, required)]
    notes: Option<Note>,
}

/// Where a ticket stands.
#[derive(ToSchema)]
#[schema(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(dead_code, reason = "only its schema is used")]
pub enum TicketStatusWord {
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

/// How late a ticket is.
#[derive(ToSchema)]
#[schema(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(dead_code, reason = "only its schema is used")]
pub enum SlaWord {
    /// In time.
    Green,
    /// Late.
    Orange,
    /// Much too late.
    Red,
}

/// A station and what it has before it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = StationQueue)]
pub struct StationBody {
    /// The station.
    station: String,
    /// Open tickets.
    open: u32,
    /// Of them, nobody has begun.
    queued: u32,
    /// Of them, somebody makes.
    in_progress: u32,
    /// Of them, wait to be brought out.
    ready: u32,
    /// Of them, in time.
    green: u32,
    /// Of them, late.
    orange: u32,
    /// Of them, much too late.
    red: u32,
    /// When the oldest was sent.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    oldest_sent_at: Option<Timestamp>,
}

/// How long the kitchen took on one business day.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = KitchenStatistics)]
pub struct StatisticsBody {
    /// The business day.
    #[schema(value_type = String, format = Date)]
    day: String,
    /// Each station that had something ready.
    stations: Vec<StationTimesBody>,
}

/// How long one station took.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = KitchenStationTimes)]
struct StationTimesBody {
    /// The station.
    station: String,
    /// From sending until ready; each ticket counts when it is first ready.
    preparation: SpreadBody,
    /// From ready until served; each ticket counts when it is first served.
    serving: SpreadBody,
    /// How often something came back.
    recalls: u32,
    /// Preparation by the hour in which tickets were ready.
    hours: Vec<HourBody>,
}

/// How long something took. Median and 90th percentile are rounded down to ten seconds.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = TimeSpread)]
struct SpreadBody {
    /// How many tickets.
    tickets: u32,
    /// The mean.
    #[schema(required)]
    mean_seconds: Option<f64>,
    /// What half of them did not exceed.
    #[schema(required)]
    median_seconds: Option<u32>,
    /// What nine of ten did not exceed.
    #[schema(required)]
    p90_seconds: Option<u32>,
    /// The longest, in whole seconds.
    #[schema(required)]
    max_seconds: Option<u64>,
}

/// Preparation in one hour.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = KitchenHour)]
struct HourBody {
    /// The hour of the clock on the wall.
    #[schema(minimum = 0, maximum = 23)]
    hour: u8,
    /// Tickets that were ready in it.
    tickets: u32,
    /// The mean.
    #[schema(required)]
    mean_seconds: Option<f64>,
}

impl TicketBody {
    /// A ticket of this store, as late as it is now.
    pub fn new(ticket: &Ticket, api: &Api) -> Self {
        Self::at(ticket, api, api.store.now())
    }

    /// The same as late as it was when it last changed: what a write answers depends on nothing else.
    pub fn as_changed(ticket: &Ticket, api: &Api) -> Self {
        Self::at(ticket, api, ticket.updated_at)
    }

    fn at(ticket: &Ticket, api: &Api, now: Timestamp) -> Self {
        Self {
            id: ticket.id,
            order_id: ticket.order,
            order_number: ticket.number.to_string(),
            store_id: api.store.id(),
            station: ticket.station.clone(),
            status: ticket.state,
            table_id: ticket.table.clone(),
            order_type: ticket.order_type,
            notes: ticket.notes.clone(),
            waiter_name: ticket.waiter.clone(),
            items: ticket.lines.iter().map(TicketItemBody::new).collect(),
            sla_state: ticket.sla(now),
            orange_after_seconds: ticket.orange_after_s,
            red_after_seconds: ticket.red_after_s,
            generation: ticket.generation,
            version: ticket.version,
            sent_at: ticket.sent_at,
            updated_at: ticket.updated_at,
            started_at: ticket.started_at,
            ready_at: ticket.ready_at,
            served_at: ticket.served_at,
            // Nothing has taken it to a cloud yet.
            sync_status: SyncStatus::Pending,
            synced_at: None,
            sync_error: None,
            sync_attempts: 0,
        }
    }
}

impl TicketItemBody {
    fn new(line: &TicketLine) -> Self {
        Self {
            line_id: line.line,
            name: line.name.clone(),
            quantity: line.quantity,
            cancelled: line.cancelled,
            modifiers: line.modifiers.clone(),
            notes: line.notes.clone(),
        }
    }
}

impl StationBody {
    /// A station and its tickets, as late as they are at `now`.
    pub fn new(station: &StationTickets, now: Timestamp) -> Self {
        let count = |counts: &dyn Fn(&Ticket) -> bool| {
            u32::try_from(station.tickets.iter().filter(|ticket| counts(ticket)).count()).unwrap_or(u32::MAX)
        };
        Self {
            station: station.station.as_str().to_owned(),
            open: count(&|_| true),
            queued: count(&|ticket| ticket.state == State::Queued),
            in_progress: count(&|ticket| ticket.state == State::InProgress),
            ready: count(&|ticket| ticket.state == State::Ready),
            green: count(&|ticket| ticket.sla(now) == Sla::Green),
            orange: count(&|ticket| ticket.sla(now) == Sla::Orange),
            red: count(&|ticket| ticket.sla(now) == Sla::Red),
            oldest_sent_at: station.tickets.first().map(|ticket| ticket.sent_at),
        }
    }
}

impl StatisticsBody {
    /// The times of a day.
    pub fn new(day: Day, times: &BTreeMap<String, KitchenTimes>) -> Self {
        let stations = times.iter().map(|(station, times)| StationTimesBody {
            station: station.clone(),
            preparation: SpreadBody::new(&times.preparation),
            serving: SpreadBody::new(&times.serving),
            recalls: times.recalls,
            hours: times
                .hours
                .iter()
                .map(|(hour, times)| HourBody { hour: *hour, tickets: times.tickets, mean_seconds: times.mean_s() })
                .collect(),
        });
        Self { day: day.to_string(), stations: stations.collect() }
    }
}

impl SpreadBody {
    fn new(spread: &Spread) -> Self {
        Self {
            tickets: spread.count,
            mean_seconds: spread.mean_s(),
            median_seconds: spread.percentile_s(50),
            p90_seconds: spread.percentile_s(90),
            max_seconds: (spread.count > 0).then_some(spread.max_ms / 1_000),
        }
    }
}
