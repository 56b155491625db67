//! One command inside a write transaction: look up its key, let `core` decide, write what follows.
//!
//! Everything is decided before the first byte is written, so a refusal touches only its own command.
//!
//! | file | what it holds |
//! |---|---|
//! | `requests.rs` | what is remembered about requests |
//! | `orders.rs` | orders, and everything that follows from a change of one |
//! | `entries.rs` | records that are kept in versions |
//! | `house.rs` | devices, settings, connectivity, what was set aside |
//! | `audit.rs`, `catalogue.rs`, `kitchen.rs`, `payments.rs`, `stock.rs`, `shifts.rs`, `people.rs`, `customers.rs`, `reports.rs`, `retention.rs` | one subject each |

mod audit;
mod catalogue;
mod customers;
mod entries;
mod house;
mod kitchen;
mod orders;
mod payments;
mod people;
mod reports;
mod requests;
mod retention;
mod shifts;
mod stock;

use std::sync::Arc;

use redb::{ReadableTable, ReadableTableMetadata, Table, WriteTransaction};
use storebox_core::catalogue::Catalogue;
use storebox_core::command::{Command, Outcome, Rejection, Request};
use storebox_core::day::Calendar;
use storebox_core::event::Event;
use storebox_core::idempotency::Remembered;
use storebox_core::limits::{EVENTS_KEPT, EVENTS_PRUNED_AT_ONCE, REFUSED_WRITES};
use storebox_core::record::{decode, encode};
use storebox_core::settings::Settings;
use storebox_core::time::{Hlc, Timestamp};

use super::error::StoreError;
use super::tables::{
    self, CLIENT_IDS, Counters, DEVICES, EVENTS, META, META_COUNTERS, OPEN_ORDERS, ORDER_CHANGES, OUTBOX, QUARANTINE,
    REFUSED, REQUESTS,
};
use super::view::bounds;

/// What becomes of a command: an outcome, or a refusal that changed nothing.
type Decided = Result<Result<Outcome, Rejection>, StoreError>;

/// What a command is answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What it led to, or why it was refused.
    pub result: Result<Outcome, Rejection>,
    /// The same request was answered before; this is that answer.
    pub replayed: bool,
}

/// The store's tables, open for one transaction.
pub(super) struct Ledger<'t> {
    transaction: &'t WriteTransaction,
    order_changes: tables::OrderChanges<'t>,
    open_orders: Table<'t, [u8; 16], ()>,
    client_ids: Table<'t, &'static str, [u8; 16]>,
    events: Table<'t, u64, &'static [u8]>,
    outbox: Table<'t, (u8, u64), &'static [u8]>,
    requests: Table<'t, &'static [u8], &'static [u8]>,
    refused: Table<'t, [u8; 16], &'static [u8]>,
    devices: Table<'t, [u8; 16], &'static [u8]>,
    quarantine: Table<'t, [u8; 16], &'static [u8]>,
    meta: Table<'t, &'static str, &'static [u8]>,
    settings: Settings,
    calendar: Calendar,
    counters: Counters,
    catalogue: Arc<Catalogue>,
    dirty: bool,
    totals: reports::Totals,
}

impl<'t> Ledger<'t> {
    /// Opens the tables. `settings`, `counters` and `catalogue` are as the last transaction left them.
    pub(super) fn open(
        transaction: &'t WriteTransaction,
        settings: Settings,
        counters: Counters,
        catalogue: Arc<Catalogue>,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            transaction,
            order_changes: transaction.open_table(ORDER_CHANGES)?,
            open_orders: transaction.open_table(OPEN_ORDERS)?,
            client_ids: transaction.open_table(CLIENT_IDS)?,
            events: transaction.open_table(EVENTS)?,
            outbox: transaction.open_table(OUTBOX)?,
            requests: transaction.open_table(REQUESTS)?,
            refused: transaction.open_table(REFUSED)?,
            devices: transaction.open_table(DEVICES)?,
            quarantine: transaction.open_table(QUARANTINE)?,
            meta: transaction.open_table(META)?,
            calendar: settings.calendar(),
            settings,
            counters,
            catalogue,
            dirty: false,
            totals: reports::Totals::default(),
        })
    }

    /// Writes what the next transaction continues from. `None` if nothing was written at all.
    pub(super) fn finish(mut self) -> Result<Option<(Settings, Counters, Arc<Catalogue>)>, StoreError> {
        if !self.dirty {
            return Ok(None);
        }
        self.write_totals()?;
        self.prune()?;
        self.meta.insert(META_COUNTERS, encode(&self.counters)?.as_slice())?;
        Ok(Some((self.settings, self.counters, self.catalogue)))
    }

    /// Carries out one command.
    pub(super) fn apply(&mut self, request: &Request, wall: Timestamp) -> Result<Answer, StoreError> {
        if let (Some(key), Some(actor)) = (&request.key, &request.actor) {
            let remembered =
                self.requests.get(key.to_bytes().as_slice())?.map(|bytes| decode::<Remembered>(bytes.value()));
            match remembered {
                None => {}
                Some(Ok(remembered)) => return self.recall(key, actor, request, &remembered, wall),
                Some(Err(error)) => {
                    // Carrying it out might do it twice; the one thing that is sure is to say so.
                    log::error!("what became of a request cannot be read: {error}");
                    return Ok(Answer { result: Err(Rejection::Unreadable), replayed: false });
                }
            }
        }
        let at = self.counters.clock.tick(wall);
        let result = self.execute(request, at)?;
        if let (Some(key), Some(actor)) = (&request.key, &request.actor) {
            self.remember(key, actor, request, &result, at)?;
        } else if let (Err(rejection), Some(actor), Some(received)) = (&result, &request.actor, &request.received) {
            self.keep_refusal(rejection, actor, received, at)?;
        }
        Ok(Answer { result, replayed: false })
    }

    fn execute(&mut self, request: &Request, at: Hlc) -> Decided {
        match (&request.command, &request.actor) {
            (Command::OpenOrder(wish), Some(actor)) => self.open_order(wish, actor, at),
            (Command::ChangeOrder { order, expected, action, added }, Some(actor)) => {
                self.change_order(order, *expected, action, added, actor, at)
            }
            (Command::Kitchen(command), Some(actor)) => self.work_in_kitchen(command, actor, at),
            (Command::Shift(command), Some(actor)) => self.clock_in_or_out(command, actor, at),
            (Command::Stock(command), Some(actor)) => self.count_stock(command, actor, at),
            (
                Command::OpenOrder(_)
                | Command::ChangeOrder { .. }
                | Command::Kitchen(_)
                | Command::Shift(_)
                | Command::Stock(_),
                None,
            ) => Ok(Err(Rejection::NotYours)),
            // The box itself may: from the cloud, or at its first start.
            (Command::Catalogue(command), actor) => self.change_catalogue(command, actor.as_ref(), at),
            (Command::Payment(command), actor) => self.settle(command, actor.as_ref(), at),
            (Command::People(command), actor) => self.look_after_people(command, actor.as_ref(), at),
            (Command::Report(command), actor) => self.close_day(command, actor.as_ref(), at),
            (Command::PairDevice(device), _) => self.pair_device(device, at),
            (Command::ApplySettings(settings), _) => self.apply_settings(settings, at),
            (Command::NoteConnectivity(connectivity), _) => self.note_connectivity(*connectivity, at),
            (Command::SetAside { order, reason }, _) => self.set_aside(*order, reason, at),
            (Command::Audit(note), actor) => self.note(note, actor.as_ref(), at),
            (Command::RenameDevice { device, name }, actor) => self.rename_device(*device, name, actor.as_ref(), at),
            (Command::RevokeDevice { device }, actor) => self.revoke_device(*device, actor.as_ref(), at),
            (Command::NotePresence(noted), _) => self.note_presence(noted, at),
            (Command::Retention(command), actor) => self.clean_up(*command, actor.as_ref(), at),
        }
    }

    fn log(&mut self, event: &Event) -> Result<u64, StoreError> {
        let number = self.counters.last_event.saturating_add(1);
        // Several events of one command follow each other; times in the log only grow.
        let later;
        let event = if event.at > self.counters.clock {
            event
        } else {
            later = Event { at: self.counters.clock.tick(event.at.wall), ..event.clone() };
            &later
        };
        self.events.insert(number, encode(event)?.as_slice())?;
        self.counters.last_event = number;
        self.touch(event.at);
        Ok(number)
    }

    fn touch(&mut self, at: Hlc) {
        // One command may have led to several events, the last of them later than the command.
        self.counters.clock = self.counters.clock.max(at);
        self.dirty = true;
    }

    /// Removes events and refused writes beyond their limits, in bites small enough that no sale waits for it.
    fn prune(&mut self) -> Result<(), StoreError> {
        let (first, last) = bounds(&self.events)?;
        let kept_from = last.saturating_sub(EVENTS_KEPT).saturating_add(1);
        if kept_from >= first.saturating_add(EVENTS_PRUNED_AT_ONCE) {
            let end = kept_from.min(first.saturating_add(4 * EVENTS_PRUNED_AT_ONCE));
            self.events.retain_in(first..end, |_, _| false)?;
        }
        while self.refused.len()? > REFUSED_WRITES {
            self.refused.pop_first()?;
        }
        Ok(())
    }
}
