//! Reading: one consistent moment of the store.

mod kitchen;

pub use kitchen::{StationTickets, TicketPage};

use redb::{ReadTransaction, ReadableTable, ReadableTableMetadata};
use storebox_core::catalogue::Catalogue;
use storebox_core::command::OrderRef;
use storebox_core::device::Device;
use storebox_core::entry::Versioned;
use storebox_core::event::Event;
use storebox_core::id::OrderId;
use storebox_core::limits::ROWS_PER_ANSWER;
use storebox_core::order::{Order, Recorded, Status};
use storebox_core::record::{Record, RecordError, decode};
use storebox_core::time::Timestamp;

use super::cursor::Cursor;
use super::error::StoreError;
use super::tables::{
    CATALOGUE, CLIENT_IDS, DEVICES, ENTRIES, EVENTS, Identity, META, META_CATALOGUE, OPEN_ORDERS, ORDER_CHANGES,
    OUTBOX, QUARANTINE, REFUSED,
};

/// One moment of the store. Keep it for one answer only: a long view makes the file grow.
pub struct View {
    pub(super) transaction: ReadTransaction,
    pub(super) identity: Identity,
}

/// What became of looking for an order.
#[derive(Clone, Debug)]
pub enum Found {
    /// Here it is.
    Order(Box<Order>),
    /// There is none.
    Missing,
    /// There is one, but its record cannot be read.
    Unreadable {
        /// Which one.
        id: OrderId,
        /// What is wrong with it.
        reason: String,
    },
}

/// A list of orders and where to go on.
#[derive(Clone, Debug)]
pub struct OrderPage {
    /// The orders.
    pub orders: Vec<Order>,
    /// Orders that belong here but cannot be read.
    pub unreadable: Vec<(OrderId, String)>,
    /// Where to go on.
    pub next: Cursor,
    /// Whether there is more to fetch at once.
    pub more: bool,
}

/// Events and where to go on.
#[derive(Clone, Debug)]
pub struct EventPage {
    /// Number and event, oldest first.
    pub events: Vec<(u64, Event)>,
    /// Where to go on.
    pub next: Cursor,
}

/// The cursor is older than the log, or from another log: fetch the state again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expired;

/// Numbers about the store.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Orders that can still change.
    pub open_orders: u64,
    /// Changes that have not reached the cloud.
    pub outbox: u64,
    /// Refused writes kept for a manager.
    pub refused_writes: u64,
    /// Records that cannot be read.
    pub quarantined: u64,
    /// Events kept.
    pub events: u64,
    /// Number of the last event.
    pub last_event: u64,
    /// Paired devices.
    pub devices: u64,
}

impl View {
    /// Finds an order by either of its names.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub fn order(&self, order: &OrderRef) -> Result<Found, StoreError> {
        let id = match order {
            OrderRef::Id(id) => *id,
            OrderRef::ClientId(name) => match self.transaction.open_table(CLIENT_IDS)?.get(name.as_str())? {
                Some(id) => OrderId::from_bytes(id.value()),
                None => return Ok(Found::Missing),
            },
        };
        find_order(&self.transaction.open_table(ORDER_CHANGES)?, id, None)
    }

    /// Lists orders: without a cursor those that stand where `statuses` says, afterwards what changed since.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails; inside, [`Expired`] if the cursor is too old or foreign.
    pub fn orders(
        &self,
        from: Option<Cursor>,
        statuses: &[Status],
        limit: usize,
    ) -> Result<Result<OrderPage, Expired>, StoreError> {
        match from {
            None => self.list(None, self.last_event()?, statuses, limit).map(Ok),
            Some(cursor) if cursor.log != self.identity.log => Ok(Err(Expired)),
            Some(Cursor { event, listed: Some(listed), .. }) => self.list(Some(listed), event, statuses, limit).map(Ok),
            Some(Cursor { event, listed: None, .. }) => self.changed_since(event, statuses, limit),
        }
    }

    /// Events after a cursor, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails; inside, [`Expired`] if the cursor is too old or foreign.
    pub fn events(&self, from: Cursor, limit: usize) -> Result<Result<EventPage, Expired>, StoreError> {
        let table = self.transaction.open_table(EVENTS)?;
        let (first, last) = bounds(&table)?;
        if from.log != self.identity.log || !within(from.event, first, last) {
            return Ok(Err(Expired));
        }
        let mut page = EventPage { events: Vec::new(), next: self.cursor(from.event) };
        for row in table.range(from.event.saturating_add(1)..)?.take(limit) {
            let (number, bytes) = row?;
            page.next.event = number.value();
            match decode(bytes.value()) {
                Ok(event) => page.events.push((number.value(), event)),
                Err(error) => {
                    log::error!(event = number.value(); "an event cannot be read and is passed over: {error}")
                }
            }
        }
        Ok(Ok(page))
    }

    /// The place before the oldest event kept.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub fn earliest(&self) -> Result<Cursor, StoreError> {
        let (first, _) = bounds(&self.transaction.open_table(EVENTS)?)?;
        Ok(self.cursor(first.saturating_sub(1)))
    }

    /// The place after the last event.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub fn latest(&self) -> Result<Cursor, StoreError> {
        Ok(self.cursor(self.last_event()?))
    }

    /// The place before the first event that happened at `time` or later. If that may have been removed
    /// already, `None`: only a whole list is sure to miss nothing.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub fn at_time(&self, time: Timestamp) -> Result<Option<Cursor>, StoreError> {
        let table = self.transaction.open_table(EVENTS)?;
        let (first, last) = bounds(&table)?;
        let happened_before = |number: u64| -> Result<bool, StoreError> {
            let event = table.get(number)?.map(|bytes| decode::<Event>(bytes.value()));
            // An unreadable event counts as late: the search may then end before it, and misses nothing after it.
            Ok(event.is_some_and(|event| event.is_ok_and(|event| event.at.wall < time)))
        };
        if first > 1 && !happened_before(first)? {
            return Ok(None);
        }
        // Times in the log never go back, so halving finds the place: everything below `low` is earlier.
        let (mut low, mut high) = (first, last.saturating_add(1));
        while low < high {
            let middle = low + (high - low) / 2;
            if happened_before(middle)? { low = middle + 1 } else { high = middle }
        }
        Ok(Some(self.cursor(low.saturating_sub(1))))
    }

    /// Every paired device; those that cannot be read are reported and left out.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub fn devices(&self) -> Result<Vec<Device>, StoreError> {
        let mut devices = Vec::new();
        for row in self.transaction.open_table(DEVICES)?.iter()? {
            match decode(row?.1.value()) {
                Ok(device) => devices.push(device),
                Err(error) => log::error!("a device cannot be read; it has to pair again: {error}"),
            }
        }
        Ok(devices)
    }

    /// The newest version of an entry; nothing if there is none, or none that can be read.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub fn latest_entry<E: Versioned>(&self, id: [u8; 16]) -> Result<Option<E>, StoreError> {
        let table = self.transaction.open_table(ENTRIES)?;
        let entity = E::ENTITY as u8;
        let last = table.range((entity, id, 0)..=(entity, id, u32::MAX))?.next_back().transpose()?;
        Ok(last.and_then(|(_, bytes)| readable(bytes.value())))
    }

    /// The newest version of every entry of a kind, oldest first, from the one after `after` on.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub fn latest_entries<E: Versioned>(&self, after: Option<[u8; 16]>, limit: usize) -> Result<Vec<E>, StoreError> {
        let table = self.transaction.open_table(ENTRIES)?;
        let entity = E::ENTITY as u8;
        let mut entries = Vec::new();
        let mut next = after.map_or([0; 16], successor);
        while entries.len() < limit
            && let Some(row) = table.range((entity, next, 0)..=(entity, [0xff; 16], u32::MAX))?.next().transpose()?
        {
            let (_, id, _) = row.0.value();
            entries.extend(self.latest_entry(id)?);
            if id == [0xff; 16] {
                break;
            }
            next = successor(id);
        }
        Ok(entries)
    }

    /// Numbers about the store.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub fn counts(&self) -> Result<Counts, StoreError> {
        let events = self.transaction.open_table(EVENTS)?;
        Ok(Counts {
            open_orders: self.transaction.open_table(OPEN_ORDERS)?.len()?,
            outbox: self.transaction.open_table(OUTBOX)?.len()?,
            refused_writes: self.transaction.open_table(REFUSED)?.len()?,
            quarantined: self.transaction.open_table(QUARANTINE)?.len()?,
            events: events.len()?,
            last_event: bounds(&events)?.1,
            devices: self.transaction.open_table(DEVICES)?.len()?,
        })
    }

    /// The catalogue; objects that cannot be read are reported and left out.
    pub(super) fn catalogue(&self) -> Result<Catalogue, StoreError> {
        let mut objects = Vec::new();
        for row in self.transaction.open_table(CATALOGUE)?.iter()? {
            objects.extend(readable(row?.1.value()));
        }
        let marks = self.transaction.open_table(META)?.get(META_CATALOGUE)?.and_then(|bytes| readable(bytes.value()));
        Ok(Catalogue::new(marks.unwrap_or_default(), objects))
    }

    pub(super) fn meta<R: Record>(&self, name: &str) -> Result<Option<R>, StoreError> {
        let table = self.transaction.open_table(META)?;
        let bytes = table.get(name)?;
        Ok(bytes.map(|bytes| decode(bytes.value())).transpose()?)
    }

    fn cursor(&self, event: u64) -> Cursor {
        Cursor { log: self.identity.log, event, listed: None }
    }

    fn last_event(&self) -> Result<u64, StoreError> {
        Ok(bounds(&self.transaction.open_table(EVENTS)?)?.1)
    }

    fn list(
        &self,
        after: Option<OrderId>,
        event: u64,
        statuses: &[Status],
        limit: usize,
    ) -> Result<OrderPage, StoreError> {
        let mut page = OrderPage::ending_at(self.cursor(event));
        let changes = self.transaction.open_table(ORDER_CHANGES)?;
        let mut rows = 0;
        let mut visit = |id: OrderId| -> Result<bool, StoreError> {
            if page.orders.len() == limit || rows == ROWS_PER_ANSWER {
                page.more = true;
                return Ok(false);
            }
            rows += 1;
            page.next.listed = Some(id);
            page.take(find_order(&changes, id, None)?, statuses);
            Ok(true)
        };
        if statuses.iter().all(|status| status.is_open()) {
            let open = self.transaction.open_table(OPEN_ORDERS)?;
            for row in open.range(first_after(after)..)? {
                if !visit(OrderId::from_bytes(row?.0.value()))? {
                    break;
                }
            }
        } else {
            let mut next = first_after(after);
            while let Some(row) = changes.range((next, 0)..)?.next() {
                let (id, _) = row?.0.value();
                if !visit(OrderId::from_bytes(id))? {
                    break;
                }
                next = successor(id);
            }
        }
        if !page.more {
            page.next.listed = None;
        }
        Ok(page)
    }

    fn changed_since(
        &self,
        event: u64,
        statuses: &[Status],
        limit: usize,
    ) -> Result<Result<OrderPage, Expired>, StoreError> {
        let changes = self.transaction.open_table(ORDER_CHANGES)?;
        let events = match self.events(self.cursor(event), ROWS_PER_ANSWER)? {
            Ok(events) => events,
            Err(Expired) => return Ok(Err(Expired)),
        };
        let mut page = OrderPage::ending_at(self.cursor(event));
        let mut seen = std::collections::HashSet::new();
        for (number, event) in &events.events {
            if page.orders.len() == limit {
                page.more = true;
                return Ok(Ok(page));
            }
            page.next.event = *number;
            if let storebox_core::event::EventData::Order(order) = &event.data
                && seen.insert(order.id)
            {
                page.take(find_order(&changes, order.id, None)?, statuses);
            }
        }
        page.more = events.next.event < self.last_event()?;
        page.next = events.next;
        Ok(Ok(page))
    }
}

impl OrderPage {
    fn ending_at(next: Cursor) -> Self {
        Self { orders: Vec::new(), unreadable: Vec::new(), next, more: false }
    }

    fn take(&mut self, found: Found, statuses: &[Status]) {
        match found {
            Found::Order(order) if statuses.is_empty() || statuses.contains(&order.status) => self.orders.push(*order),
            Found::Order(_) | Found::Missing => {}
            Found::Unreadable { id, reason } => self.unreadable.push((id, reason)),
        }
    }
}

/// Replays an order's history, up to and including a version if one is given.
pub(super) fn find_order(
    changes: &impl ReadableTable<([u8; 16], u32), &'static [u8]>,
    id: OrderId,
    version: Option<u32>,
) -> Result<Found, StoreError> {
    let bytes = id.to_bytes();
    let mut order: Option<Order> = None;
    for row in changes.range((bytes, 0)..=(bytes, version.unwrap_or(u32::MAX)))? {
        let (key, value) = row?;
        if key.value().1 != order.as_ref().map_or(1, |order| order.version.saturating_add(1)) {
            return Ok(Found::Unreadable { id, reason: "a change is missing from its history".to_owned() });
        }
        let replayed =
            decode::<Recorded>(value.value()).map_err(|error: RecordError| error.to_string()).and_then(|recorded| {
                match &mut order {
                    None => Order::opened(id, &recorded).map(|opened| order = Some(opened)),
                    Some(order) => order.apply(&recorded),
                }
                .map_err(|error| error.to_string())
            });
        if let Err(reason) = replayed {
            return Ok(Found::Unreadable { id, reason });
        }
    }
    Ok(order.map_or(Found::Missing, |order| Found::Order(Box::new(order))))
}

/// A record that is passed over, and reported, if it cannot be read.
fn readable<R: Record>(bytes: &[u8]) -> Option<R> {
    decode(bytes).inspect_err(|error| log::error!("an entry cannot be read: {error}")).ok()
}

/// First and last number in the log; (1, 0) if it is empty.
pub(super) fn bounds(events: &impl ReadableTable<u64, &'static [u8]>) -> Result<(u64, u64), StoreError> {
    let first = events.first()?.map(|(number, _)| number.value());
    let last = events.last()?.map(|(number, _)| number.value());
    Ok((first.unwrap_or(1), last.unwrap_or(0)))
}

/// Whether every event after `event` is still there, and `event` has happened.
fn within(event: u64, first: u64, last: u64) -> bool {
    event.saturating_add(1) >= first && event <= last
}

fn first_after(order: Option<OrderId>) -> [u8; 16] {
    order.map_or([0; 16], |order| successor(order.to_bytes()))
}

fn successor(bytes: [u8; 16]) -> [u8; 16] {
    u128::from_be_bytes(bytes).saturating_add(1).to_be_bytes()
}
