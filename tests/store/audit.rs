//! What must hold in every file the store may leave behind, whatever was done and whatever went wrong.

use std::collections::{BTreeMap, BTreeSet};

use storebox_core::conflict::RefusedReason;
use storebox_core::entry::Entity;
use storebox_core::event::{Event, EventData};
use storebox_core::id::{ConflictId, OrderId};
use storebox_core::idempotency::RememberedResult;
use storebox_core::order::{Order, Recorded};
use storebox_core::outbox::OutboxEntry;

use crate::tables::Tables;

/// Fails with a sentence.
pub(crate) fn hold(fact: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if fact { Ok(()) } else { Err(otherwise()) }
}

/// The orders in the file, if everything in it fits together. Every change must have come with a key, and no event
/// may have been pruned.
pub(crate) fn audit(tables: &Tables) -> Result<BTreeMap<OrderId, Order>, String> {
    let numbers: Vec<u64> = tables.events.keys().copied().collect();
    hold(numbers.iter().copied().eq(1..=tables.counters.last_event), || {
        format!("the log has gaps, or does not end at {}: {numbers:?}", tables.counters.last_event)
    })?;
    let mut orders = BTreeMap::new();
    let mut events = events_of_orders(tables)?;
    for (id, history) in &tables.changes {
        orders.insert(*id, replay(*id, history, &mut events, tables)?);
    }
    hold(events.is_empty(), || format!("events without a change: {:?}", events.keys()))?;
    audit_clock(tables)?;
    audit_tickets(tables, &orders)?;
    audit_names(tables, &orders)?;
    audit_requests(tables, &orders)?;
    Ok(orders)
}

type OrderEvents<'t> = BTreeMap<(OrderId, u32), (u64, &'t Event)>;

fn events_of_orders(tables: &Tables) -> Result<OrderEvents<'_>, String> {
    let mut events = BTreeMap::new();
    for (number, event) in &tables.events {
        if let EventData::Order(order) = &event.data {
            let twin = events.insert((order.id, order.version), (*number, event));
            hold(twin.is_none(), || format!("order {} reached version {} twice", order.id, order.version))?;
        }
    }
    Ok(events)
}

/// Replays a history, and takes the event of each change out of `events`.
fn replay(
    id: OrderId,
    history: &BTreeMap<u32, Recorded>,
    events: &mut OrderEvents<'_>,
    tables: &Tables,
) -> Result<Order, String> {
    let mut replayed: Option<Order> = None;
    for (version, recorded) in history {
        let order = match replayed {
            None => Order::opened(id, recorded),
            Some(mut order) => order.apply(recorded).map(|()| order),
        };
        let order = order.map_err(|error| format!("order {id} does not replay: {error}"))?;
        hold(order.version == *version, || format!("order {id} has a gap before version {version}"))?;
        let (number, event) =
            events.remove(&(id, *version)).ok_or_else(|| format!("version {version} of order {id} has no event"))?;
        hold(*event == Event::of_order(recorded, &order), || format!("event {number} tells another story: {event:?}"))?;
        let sent = tables.outbox.get(&(0, number));
        hold(sent == Some(&OutboxEntry::Order { id, version: *version }), || {
            format!("the outbox holds {sent:?} for event {number}, version {version} of order {id}")
        })?;
        replayed = Some(order);
    }
    replayed.ok_or_else(|| format!("order {id} has no history"))
}

fn audit_clock(tables: &Tables) -> Result<(), String> {
    let times: Vec<_> = tables.events.values().map(|event| event.at).collect();
    hold(times.is_sorted_by(|earlier, later| earlier < later), || format!("times in the log go back: {times:?}"))?;
    hold(times.last().is_none_or(|last| *last <= tables.counters.clock), || {
        format!("the stored clock {:?} is behind the log", tables.counters.clock)
    })
}

/// Every ticket is one that an order in the file was sent as, with its event and its place in the outbox.
fn audit_tickets(tables: &Tables, orders: &BTreeMap<OrderId, Order>) -> Result<(), String> {
    let mut expected = BTreeSet::new();
    for (number, event) in &tables.events {
        if let EventData::Entry(told) = &event.data
            && told.entry.entity == Entity::Ticket
        {
            let ticket = tables.tickets.get(&(told.entry.id, told.entry.version));
            hold(ticket.is_some_and(|ticket| orders.contains_key(&ticket.order)), || {
                format!("event {number} tells of {ticket:?}")
            })?;
            let waiting = tables.outbox.get(&(told.entry.entity.lane() as u8, *number));
            hold(waiting == Some(&OutboxEntry::Entry(told.entry)), || format!("event {number} waits as {waiting:?}"))?;
            expected.insert((told.entry.id, told.entry.version));
        }
    }
    let kept: BTreeSet<_> = tables.tickets.keys().copied().collect();
    hold(kept == expected, || format!("tickets kept: {kept:?}, told of: {expected:?}"))?;
    for order in orders.values() {
        let of_it = || tables.tickets.values().filter(|ticket| ticket.order == order.id);
        for line in order.lines.iter().filter(|line| line.sent.is_positive()) {
            let is_made = of_it().any(|ticket| ticket.lines.iter().any(|made| made.line == line.line.id));
            hold(is_made, || format!("nobody makes line {} of order {}", line.line.id, order.id))?;
        }
    }
    Ok(())
}

fn audit_names(tables: &Tables, orders: &BTreeMap<OrderId, Order>) -> Result<(), String> {
    let changes: usize = tables.changes.values().map(BTreeMap::len).sum();
    let waiting = tables.outbox.values().filter(|entry| matches!(entry, OutboxEntry::Order { .. })).count();
    hold(waiting == changes, || format!("{waiting} in the outbox for {changes} changes"))?;
    let open: BTreeSet<OrderId> =
        orders.values().filter(|order| order.status.is_open()).map(|order| order.id).collect();
    hold(tables.open_orders == open, || format!("listed as open: {:?}, open: {open:?}", tables.open_orders))?;
    let named: Vec<(String, OrderId)> = orders
        .values()
        .filter_map(|order| order.client_id.as_ref().map(|name| (name.as_str().to_owned(), order.id)))
        .collect();
    let shared = named.len() - named.iter().map(|(name, _)| name).collect::<BTreeSet<_>>().len();
    hold(shared == 0, || format!("{shared} orders share their names with others: {named:?}"))?;
    let named = named.into_iter().collect();
    hold(tables.client_ids == named, || format!("names: {:?}, orders: {named:?}", tables.client_ids))?;
    let serials: BTreeSet<u32> = orders.values().map(|order| order.number.serial).collect();
    hold(serials.len() == orders.len() && serials.iter().copied().eq(1..=tables.counters.last_serial), || {
        format!("order numbers {serials:?} of {} orders, the last being {}", orders.len(), tables.counters.last_serial)
    })
}

fn audit_requests(tables: &Tables, orders: &BTreeMap<OrderId, Order>) -> Result<(), String> {
    let mut asked: BTreeSet<(OrderId, u32)> = BTreeSet::new();
    let mut answered: BTreeSet<ConflictId> = BTreeSet::new();
    for (key, remembered) in &tables.requests {
        let key = || String::from_utf8_lossy(&key[..key.len() - 8]);
        let (id, version) = match remembered.result {
            RememberedResult::Opened(id) => (id, 1),
            RememberedResult::Left { id, version } => (id, version),
            // This workload has orders only.
            RememberedResult::Entry(entry) | RememberedResult::EntryLeft(entry) => {
                return Err(format!("{} led to {entry:?}", key()));
            }
            RememberedResult::Loaded(loaded) => return Err(format!("{} led to {loaded:?}", key())),
            RememberedResult::Done => return Err(format!("{} led to nothing", key())),
            RememberedResult::Refused(conflict) => {
                let refused = tables.refused.get(&conflict).ok_or_else(|| format!("{} lost its refusal", key()))?;
                hold(answered.insert(conflict), || format!("{} shares its refusal with another key", key()))?;
                (refused.order, refused.version)
            }
        };
        let reached = orders.get(&id).is_some_and(|order| version <= order.version);
        hold(reached, || format!("{} leads to version {version} of order {id}, which is not there", key()))?;
        if !matches!(remembered.result, RememberedResult::Refused(_)) {
            asked.insert((id, version));
        }
    }
    for (id, history) in &tables.changes {
        let unasked = history.keys().find(|version| !asked.contains(&(*id, **version)));
        hold(unasked.is_none(), || format!("no key leads to version {unasked:?} of order {id}"))?;
    }
    // A refusal of another body under a used key is kept, but the key stays with what it stood for.
    let unanswered = tables.refused.iter().find(|(conflict, refused)| {
        !answered.contains(conflict) && refused.reason != RefusedReason::KeyMismatch && refused.route != "POST "
    });
    hold(unanswered.is_none(), || format!("no key leads to the refusal {unanswered:?}"))
}
