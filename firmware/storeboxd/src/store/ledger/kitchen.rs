//! The kitchen: what it has to make of an order, and how far it is (L5).

use redb::{ReadableTable, ReadableTableMetadata};
use storebox_core::catalogue::Station;
use storebox_core::command::{Actor, Outcome, Rejection};
use storebox_core::device::Device;
use storebox_core::entry::Versioned;
use storebox_core::id::{OrderId, TicketId};
use storebox_core::kitchen::{self, Action, Command, Decision, KitchenTimes, State, Ticket};
use storebox_core::limits::{OPEN_TICKETS as OPEN_TICKETS_LIMIT, VERSIONS_PER_ORDER};
use storebox_core::order::{Change, Order, Recorded};
use storebox_core::people::Employee;
use storebox_core::record::{decode, encode};
use storebox_core::text::Name;
use storebox_core::time::Hlc;

use super::{Decided, Ledger};
use crate::entropy;
use crate::store::error::StoreError;
use crate::store::tables::{KITCHEN_TIMES, OPEN_TICKETS, ORDER_TICKETS};
use crate::store::view::{Found, find_order};

/// Who sent a ticket of a terminal that is not among the devices any more.
const SOMEBODY: &str = "a terminal";

impl Ledger<'_> {
    /// Makes tickets of what was sent to the kitchen, and takes back what is not wanted any more.
    pub(super) fn make_tickets(
        &mut self,
        recorded: &Recorded,
        before: Option<&Order>,
        after: &Order,
    ) -> Result<(), StoreError> {
        let Some(before) = before else { return Ok(()) };
        match &recorded.change {
            Change::SentToKitchen => self.fire(recorded, before, after),
            Change::Modified(_) | Change::Voided { .. } => self.follow(recorded, before, after),
            Change::Opened(_)
            | Change::Closed { .. }
            | Change::Progressed(_)
            | Change::Tendered(_)
            | Change::Settled { .. }
            | Change::Refunded(_) => Ok(()),
        }
    }

    /// Does what a kitchen display asks for.
    pub(super) fn work_in_kitchen(&mut self, command: &Command, actor: &Actor, at: Hlc) -> Decided {
        let Command::Move { ticket, action, generation } = command;
        let Some(ticket) = self.latest::<Ticket>(ticket.to_bytes())? else {
            return Ok(Err(Rejection::Unknown { what: "ticket" }));
        };
        match kitchen::decide(&ticket, *action, *generation, at.wall) {
            Err(rejection) => Ok(Err(rejection)),
            Ok(Decision::Unchanged) => Ok(Ok(Outcome::Changed(Box::new(ticket.into_entry())))),
            Ok(Decision::Become(next)) => {
                self.keep(next.as_ref(), action.done(), Some(actor.device), at)?;
                self.count_times(&ticket, &next)?;
                match action {
                    Action::Recall => self.enqueue(&next)?,
                    Action::Start | Action::MarkReady | Action::Serve => {
                        if !next.state.is_open() {
                            self.dequeue(&next)?;
                        }
                        self.move_order(next.order, actor, at)?;
                    }
                }
                Ok(Ok(Outcome::Changed(Box::new(next.into_entry()))))
            }
        }
    }

    /// One ticket for each station that has something new to make.
    fn fire(&mut self, recorded: &Recorded, before: &Order, after: &Order) -> Result<(), StoreError> {
        let fired = kitchen::fire(before, after);
        if fired.is_empty() {
            return Ok(());
        }
        let waiter = self.waiter(recorded)?;
        for (station, lines) in fired {
            let at = self.counters.clock.tick(recorded.at.wall);
            let Station { orange_after_s, red_after_s, .. } = self.station(&station);
            let ticket = Ticket {
                id: ticket_id(at),
                version: 1,
                order: after.id,
                number: after.number.clone(),
                station,
                table: after.header.table_id.clone(),
                order_type: after.header.order_type,
                notes: after.header.notes.clone(),
                waiter: waiter.clone(),
                generation: 1,
                state: State::Queued,
                sent_at: at.wall,
                updated_at: at.wall,
                started_at: None,
                ready_at: None,
                served_at: None,
                lines,
                orange_after_s,
                red_after_s,
            };
            self.keep(&ticket, "created", Some(recorded.device), at)?;
            self.transaction.open_table(ORDER_TICKETS)?.insert((after.id.to_bytes(), ticket.id.to_bytes()), ())?;
            self.enqueue(&ticket)?;
        }
        Ok(())
    }

    /// Shows on an order's tickets what became of the order.
    fn follow(&mut self, recorded: &Recorded, before: &Order, after: &Order) -> Result<(), StoreError> {
        if before.lines.iter().all(|line| !line.sent.is_positive()) {
            return Ok(());
        }
        let tickets = self.tickets_of(after.id)?;
        for ticket in kitchen::follow(before, after, &tickets, recorded.at.wall) {
            let at = self.counters.clock.tick(recorded.at.wall);
            let what = if ticket.state == State::Voided { "voided" } else { "changed" };
            self.keep(&ticket, what, Some(recorded.device), at)?;
            if !ticket.state.is_open() {
                self.dequeue(&ticket)?;
            }
        }
        Ok(())
    }

    /// Lets an order know how far the kitchen is with it.
    fn move_order(&mut self, id: OrderId, actor: &Actor, at: Hlc) -> Result<(), StoreError> {
        if self.open_orders.get(id.to_bytes())?.is_none() {
            return Ok(());
        }
        // An order that cannot be read is noticed where somebody asks for it; the kitchen goes on.
        let Found::Order(order) = find_order(&self.order_changes, id, None)? else { return Ok(()) };
        let tickets = self.tickets_of(id)?;
        let Some(status) = kitchen::progress(&order, &tickets) else { return Ok(()) };
        if order.version >= VERSIONS_PER_ORDER {
            return Ok(());
        }
        let recorded = Recorded {
            at: self.counters.clock.tick(at.wall),
            device: actor.device,
            staff: actor.staff.map(|staff| staff.employee),
            change: Change::Progressed(status),
        };
        let mut after = order.as_ref().clone();
        match after.apply(&recorded) {
            Ok(()) => self.record(&recorded, Some(&order), &after),
            Err(error) => {
                log::error!(order_id:% = id; "an order cannot follow its tickets: {error}");
                Ok(())
            }
        }
    }

    /// The order's tickets; those that cannot be read are passed over.
    fn tickets_of(&self, order: OrderId) -> Result<Vec<Ticket>, StoreError> {
        let order = order.to_bytes();
        let mut ids = Vec::new();
        for row in self.transaction.open_table(ORDER_TICKETS)?.range((order, [0; 16])..=(order, [0xff; 16]))? {
            ids.push(row?.0.value().1);
        }
        let mut tickets = Vec::with_capacity(ids.len());
        for id in ids {
            tickets.extend(self.latest::<Ticket>(id)?);
        }
        Ok(tickets)
    }

    fn enqueue(&mut self, ticket: &Ticket) -> Result<(), StoreError> {
        let mut open = self.transaction.open_table(OPEN_TICKETS)?;
        let station = ticket.station.as_str();
        open.insert((station, ticket.id.to_bytes()), ())?;
        if open.len()? > OPEN_TICKETS_LIMIT {
            let oldest = open.range((station, [0; 16])..=(station, [0xff; 16]))?.next().transpose()?;
            let oldest = oldest.map(|(key, _)| key.value().1);
            if let Some(oldest) = oldest {
                open.remove((station, oldest))?;
            }
        }
        Ok(())
    }

    fn dequeue(&mut self, ticket: &Ticket) -> Result<(), StoreError> {
        self.transaction.open_table(OPEN_TICKETS)?.remove((ticket.station.as_str(), ticket.id.to_bytes()))?;
        Ok(())
    }

    fn count_times(&mut self, before: &Ticket, after: &Ticket) -> Result<(), StoreError> {
        let day = self.calendar.day(after.updated_at);
        let hour = self.calendar.hour(after.updated_at);
        let mut table = self.transaction.open_table(KITCHEN_TIMES)?;
        let key = (day.0, after.station.as_str());
        let kept = table.get(key)?.map(|bytes| decode::<KitchenTimes>(bytes.value()));
        let mut times = kept.transpose().unwrap_or_else(|error| {
            log::error!("the kitchen's times of {day} cannot be read and begin anew: {error}");
            None
        });
        if times.get_or_insert_default().count(before, after, hour)
            && let Some(times) = times
        {
            table.insert(key, encode(&times)?.as_slice())?;
        }
        Ok(())
    }

    /// Who sent something: the employee, or the terminal if nobody was signed in.
    fn waiter(&self, recorded: &Recorded) -> Result<Name, StoreError> {
        if let Some(employee) = recorded.staff
            && let Some(employee) = self.latest::<Employee>(employee.to_bytes())?
        {
            return Ok(employee.name);
        }
        let device = self.devices.get(recorded.device.to_bytes())?;
        let device = device.and_then(|bytes| decode::<Device>(bytes.value()).ok());
        Ok(device.map_or_else(|| Name::cut(SOMEBODY), |device| device.name))
    }
}

/// An id that sorts by the clock that orders everything, also while the wall clock is behind: its counter stands where
/// RFC 9562 has room for one (§6.2, method 1).
fn ticket_id(at: Hlc) -> TicketId {
    let [_, _, _, rest @ ..] = entropy::for_id();
    // The version and the variant take the upper bits of the first and the third byte.
    let counter = at.counter.min(0x3_ffff);
    let [_, high, middle, low] = (counter << 2).to_be_bytes();
    let [a, b, c, d, e, f, g] = rest;
    TicketId::new(at.wall, [high & 0x0f, middle, low >> 2, a, b, c, d, e, f, g])
}

#[cfg(test)]
mod tests {
    use super::*;
    use storebox_core::time::Timestamp;

    #[test]
    fn tickets_sort_by_the_clock_that_orders_everything() {
        let mut clock = Hlc { wall: Timestamp::from_millis(1_700_000_000_000), counter: 0 };
        let mut last = ticket_id(clock);
        for _ in 0..10_000 {
            clock = clock.tick(Timestamp::EPOCH);
            let next = ticket_id(clock);
            assert!(next > last, "{clock:?}");
            last = next;
        }
    }
}
