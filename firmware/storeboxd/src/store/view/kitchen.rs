//! What the kitchen has before it, and how long it takes.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::Bound;

use redb::ReadableTable;
use storebox_core::day::Day;
use storebox_core::entry::Entity;
use storebox_core::event::EventData;
use storebox_core::id::{OrderId, TicketId};
use storebox_core::kitchen::{KitchenTimes, Ticket};
use storebox_core::limits::ROWS_PER_ANSWER;
use storebox_core::text::Name;
use storebox_core::time::Timestamp;

use super::{Expired, View, readable, successor};
use crate::store::cursor::Cursor;
use crate::store::error::StoreError;
use crate::store::tables::{KITCHEN_TIMES, OPEN_TICKETS};

/// A list of tickets and where to go on.
#[derive(Clone, Debug)]
pub struct TicketPage {
    /// The tickets.
    pub tickets: Vec<Ticket>,
    /// Where to go on.
    pub next: Cursor,
    /// Whether there is more to fetch at once.
    pub more: bool,
}

/// What one station has before it.
#[derive(Clone, Debug)]
pub struct StationTickets {
    /// Which station.
    pub station: Name,
    /// Its open tickets, oldest first.
    pub tickets: Vec<Ticket>,
}

impl View {
    /// A ticket as it is now; nothing if there is none, or none that can be read.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub fn ticket(&self, id: TicketId) -> Result<Option<Ticket>, StoreError> {
        self.latest_entry(id.to_bytes())
    }

    /// The tickets of a station, or of all: without a cursor those that are open, oldest first, afterwards what
    /// changed since, whatever it became.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails; inside, [`Expired`] if the cursor is too old or foreign.
    pub fn tickets(
        &self,
        from: Option<Cursor>,
        station: Option<&str>,
        limit: usize,
    ) -> Result<Result<TicketPage, Expired>, StoreError> {
        match from {
            None => self.open_tickets(None, self.last_event()?, station, limit).map(Ok),
            Some(cursor) if cursor.log != self.identity.log => Ok(Err(Expired)),
            Some(Cursor { event, listed: Some(listed), .. }) => {
                self.open_tickets(Some(listed.to_bytes()), event, station, limit).map(Ok)
            }
            Some(Cursor { event, listed: None, .. }) => self.tickets_since(event, station, limit),
        }
    }

    /// The tickets that changed at a time or later. If the log does not reach back so far, or holds more than one
    /// answer, the open ones: a display that names a time instead of a cursor reads one answer only.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub fn tickets_since_time(
        &self,
        time: Timestamp,
        station: Option<&str>,
        limit: usize,
    ) -> Result<TicketPage, StoreError> {
        if let Some(cursor) = self.at_time(time)?
            && let Ok(page) = self.tickets_since(cursor.event, station, limit)?
            && !page.more
        {
            return Ok(page);
        }
        self.open_tickets(None, self.last_event()?, station, limit)
    }

    /// Every station that has something before it.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub fn stations(&self) -> Result<Vec<StationTickets>, StoreError> {
        let mut stations: Vec<StationTickets> = Vec::new();
        for row in self.transaction.open_table(OPEN_TICKETS)?.iter()?.take(ROWS_PER_ANSWER) {
            let (key, _) = row?;
            let (station, id) = key.value();
            let Some(ticket) = self.latest_entry(id)? else { continue };
            match stations.last_mut().filter(|last| last.station.as_str() == station) {
                Some(last) => last.tickets.push(ticket),
                None => stations.push(StationTickets { station: Name::cut(station), tickets: vec![ticket] }),
            }
        }
        Ok(stations)
    }

    /// How long stations took on a business day, by their names; one station if it is named.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub fn kitchen_times(&self, day: Day, station: Option<&str>) -> Result<BTreeMap<String, KitchenTimes>, StoreError> {
        let table = self.transaction.open_table(KITCHEN_TIMES)?;
        let mut times = BTreeMap::new();
        for row in table.range((day.0, "")..(day.0.saturating_add(1), ""))?.take(ROWS_PER_ANSWER) {
            let (key, bytes) = row?;
            let (_, name) = key.value();
            if station.is_none_or(|station| station == name)
                && let Some(read) = readable(bytes.value())
            {
                times.insert(name.to_owned(), read);
            }
        }
        Ok(times)
    }

    /// Open tickets, oldest first, from the one after `after` on.
    fn open_tickets(
        &self,
        after: Option<[u8; 16]>,
        event: u64,
        station: Option<&str>,
        limit: usize,
    ) -> Result<TicketPage, StoreError> {
        let first = after.map_or([0; 16], successor);
        // Ids sort by time: those of several stations merge into one queue. One too many tells whether there is more.
        let mut ids = BTreeSet::new();
        for station in self.queues(station)? {
            let table = self.transaction.open_table(OPEN_TICKETS)?;
            let queue = table.range((station.as_str(), first)..=(station.as_str(), [0xff; 16]))?;
            for row in queue.take(limit.saturating_add(1)) {
                ids.insert(row?.0.value().1);
            }
        }
        let more = ids.len() > limit;
        let mut page = TicketPage { tickets: Vec::new(), next: self.cursor(event), more };
        for id in ids.into_iter().take(limit) {
            page.tickets.extend(self.latest_entry::<Ticket>(id)?);
            if more {
                // A cursor holds the id of whatever was listed last.
                page.next.listed = Some(OrderId::from_bytes(id));
            }
        }
        Ok(page)
    }

    /// The names of all queues, or the one named.
    fn queues(&self, station: Option<&str>) -> Result<Vec<String>, StoreError> {
        if let Some(station) = station {
            return Ok(vec![station.to_owned()]);
        }
        let table = self.transaction.open_table(OPEN_TICKETS)?;
        let mut names: Vec<String> = Vec::new();
        let mut next = table.first()?.map(|(key, _)| key.value().0.to_owned());
        while let Some(name) = next {
            let rest = (Bound::Excluded((name.as_str(), [0xff; 16])), Bound::Unbounded);
            let after = table.range::<(&str, [u8; 16])>(rest)?.next().transpose()?;
            next = after.map(|(key, _)| key.value().0.to_owned());
            names.push(name);
        }
        Ok(names)
    }

    fn tickets_since(
        &self,
        event: u64,
        station: Option<&str>,
        limit: usize,
    ) -> Result<Result<TicketPage, Expired>, StoreError> {
        let events = match self.events(self.cursor(event), ROWS_PER_ANSWER)? {
            Ok(events) => events,
            Err(Expired) => return Ok(Err(Expired)),
        };
        let mut page = TicketPage { tickets: Vec::new(), next: self.cursor(event), more: false };
        let mut seen = HashSet::new();
        for (number, event) in &events.events {
            if page.tickets.len() == limit {
                page.more = true;
                return Ok(Ok(page));
            }
            page.next.event = *number;
            if let EventData::Entry(entry) = &event.data
                && entry.entry.entity == Entity::Ticket
                && seen.insert(entry.entry.id)
                && let Some(ticket) = self.latest_entry::<Ticket>(entry.entry.id)?
                && station.is_none_or(|station| station == ticket.station.as_str())
            {
                page.tickets.push(ticket);
            }
        }
        page.more = events.next.event < self.last_event()?;
        page.next = events.next;
        Ok(Ok(page))
    }
}
