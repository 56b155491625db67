//! One command inside a write transaction: look up its key, let `core` decide, write what follows.
//!
//! Everything is decided before the first byte is written, so a refusal touches only its own command.

use redb::{ReadableTable, ReadableTableMetadata, Table, WriteTransaction};
use storebox_core::command::{Actor, Command, OpenOrder, OrderRef, Outcome, Received, Rejection, Request};
use storebox_core::conflict::RefusedWrite;
use storebox_core::device::Device;
use storebox_core::event::{Event, EventData};
use storebox_core::id::{ConflictId, OrderId};
use storebox_core::idempotency::{Remembered, RememberedResult, RequestKey};
use storebox_core::limits::{
    DEVICES as DEVICE_LIMIT, EVENTS_KEPT, EVENTS_PRUNED_AT_ONCE, QUARANTINED_ROWS, REFUSED_WRITES,
};
use storebox_core::order::{self, Action, Decision, Expected, Opened, Order, OrderNumber, Recorded};
use storebox_core::outbox::OutboxEntry;
use storebox_core::record::{decode, encode};
use storebox_core::settings::{Connectivity, Settings};
use storebox_core::time::{Hlc, Timestamp};

use super::error::StoreError;
use super::tables::{
    self, CLIENT_IDS, Counters, DEVICES, EVENTS, META, META_CONNECTIVITY, META_COUNTERS, META_SETTINGS, OPEN_ORDERS,
    ORDER_CHANGES, OUTBOX, QUARANTINE, Quarantined, REFUSED, REQUESTS,
};
use super::view::{Found, bounds, find_order};
use crate::entropy;

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
    counters: Counters,
    dirty: bool,
}

impl<'t> Ledger<'t> {
    /// Opens the tables. `settings` and `counters` are as the last transaction left them.
    pub(super) fn open(
        transaction: &'t WriteTransaction,
        settings: Settings,
        counters: Counters,
    ) -> Result<Self, StoreError> {
        Ok(Self {
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
            settings,
            counters,
            dirty: false,
        })
    }

    /// Writes what the next transaction continues from. `None` if nothing was written at all.
    pub(super) fn finish(mut self) -> Result<Option<(Settings, Counters)>, StoreError> {
        if !self.dirty {
            return Ok(None);
        }
        self.prune()?;
        self.meta.insert(META_COUNTERS, encode(&self.counters)?.as_slice())?;
        Ok(Some((self.settings, self.counters)))
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

    fn execute(&mut self, request: &Request, at: Hlc) -> Result<Result<Outcome, Rejection>, StoreError> {
        match (&request.command, &request.actor) {
            (Command::OpenOrder(wish), Some(actor)) => self.open_order(wish, actor, at),
            (Command::ChangeOrder { order, expected, action }, Some(actor)) => {
                self.change_order(order, *expected, action, actor, at)
            }
            (Command::OpenOrder(_) | Command::ChangeOrder { .. }, None) => Ok(Err(Rejection::NotYours)),
            (Command::PairDevice(device), _) => self.pair_device(device, at),
            (Command::ApplySettings(settings), _) => self.apply_settings(settings, at),
            (Command::NoteConnectivity(connectivity), _) => self.note_connectivity(*connectivity, at),
            (Command::SetAside { order, reason }, _) => self.set_aside(*order, reason, at),
        }
    }

    // Orders.

    fn open_order(
        &mut self,
        wish: &OpenOrder,
        actor: &Actor,
        at: Hlc,
    ) -> Result<Result<Outcome, Rejection>, StoreError> {
        let taken = match &wish.client_id {
            Some(name) => self.client_ids.get(name.as_str())?.map(|id| OrderId::from_bytes(id.value())),
            None => Some(wish.id),
        };
        if let Some(id) = taken {
            match find_order(&self.order_changes, id, None)? {
                Found::Missing => {}
                Found::Order(existing) => return Ok(Err(Rejection::DuplicateId { existing })),
                Found::Unreadable { .. } => return Ok(Err(Rejection::Unreadable)),
            }
        }
        let Some(serial) = self.counters.last_serial.checked_add(1) else {
            return Ok(Err(Rejection::TooMany { what: "order numbers of one register", limit: u32::MAX as usize }));
        };
        let opened = Opened {
            number: OrderNumber { register: self.settings.register.clone(), serial },
            client_id: wish.client_id.clone(),
            header: wish.header.clone(),
            lines: wish.lines.clone(),
            tax_rule: self.settings.tax_rule,
        };
        let (recorded, order) = match order::open(wish.id, opened, actor.device, at) {
            Ok(decided) => decided,
            Err(rejection) => return Ok(Err(rejection)),
        };
        self.counters.last_serial = serial;
        self.open_orders.insert(order.id.to_bytes(), ())?;
        if let Some(name) = &order.client_id {
            self.client_ids.insert(name.as_str(), order.id.to_bytes())?;
        }
        self.record(&recorded, &order)?;
        Ok(Ok(Outcome::Opened(Box::new(order))))
    }

    fn change_order(
        &mut self,
        named: &OrderRef,
        expected: Expected,
        action: &Action,
        actor: &Actor,
        at: Hlc,
    ) -> Result<Result<Outcome, Rejection>, StoreError> {
        let id = match named {
            OrderRef::Id(id) => Some(*id),
            OrderRef::ClientId(name) => self.client_ids.get(name.as_str())?.map(|id| OrderId::from_bytes(id.value())),
        };
        let Some(id) = id else { return Ok(Err(Rejection::UnknownOrder)) };
        let order = match find_order(&self.order_changes, id, None)? {
            Found::Order(order) => order,
            Found::Missing => return Ok(Err(Rejection::UnknownOrder)),
            Found::Unreadable { reason, .. } => {
                self.set_aside(id, &reason, at)?.ok();
                return Ok(Err(Rejection::Unreadable));
            }
        };
        match order::decide(&order, action, expected, actor, at) {
            Err(rejection) => Ok(Err(rejection)),
            Ok(Decision::Unchanged) => Ok(Ok(Outcome::Left(order))),
            Ok(Decision::Record(decided)) => {
                let (recorded, after) = *decided;
                if !after.status.is_open() {
                    self.open_orders.remove(id.to_bytes())?;
                }
                self.record(&recorded, &after)?;
                Ok(Ok(Outcome::Left(Box::new(after))))
            }
        }
    }

    /// Appends a change to its order's history, to the log and to the outbox.
    fn record(&mut self, recorded: &Recorded, order: &Order) -> Result<(), StoreError> {
        self.order_changes.insert((order.id.to_bytes(), order.version), encode(recorded)?.as_slice())?;
        let number = self.log(&Event::of_order(recorded, order))?;
        let entry = OutboxEntry::Order { id: order.id, version: order.version };
        self.outbox.insert((entry.lane() as u8, number), encode(&entry)?.as_slice())?;
        Ok(())
    }

    // What is remembered about requests.

    fn recall(
        &mut self,
        key: &RequestKey,
        actor: &Actor,
        request: &Request,
        remembered: &Remembered,
        wall: Timestamp,
    ) -> Result<Answer, StoreError> {
        let same = remembered.fingerprint == key.fingerprint;
        let found = match (same, remembered.result) {
            (true, RememberedResult::Opened(id)) => self.as_of(id, Some(1))?.map(Outcome::Opened),
            (true, RememberedResult::Left { id, version }) => self.as_of(id, Some(version))?.map(Outcome::Left),
            (true, RememberedResult::Refused(conflict)) => {
                return Ok(Answer { result: Err(self.refusal(conflict)?), replayed: true });
            }
            (false, RememberedResult::Opened(id) | RememberedResult::Left { id, .. }) => {
                let result =
                    self.as_of(id, None)?.map_or(Rejection::Unreadable, |existing| Rejection::KeyMismatch { existing });
                return self.refuse_key(result, actor, request, wall);
            }
            (false, RememberedResult::Refused(conflict)) => {
                let result = match self.refused_write(conflict)? {
                    Some(refused) => self.as_of(refused.order, None)?,
                    None => None,
                };
                let result = result.map_or(Rejection::Unreadable, |existing| Rejection::KeyMismatch { existing });
                return self.refuse_key(result, actor, request, wall);
            }
        };
        Ok(Answer { result: found.ok_or(Rejection::Unreadable), replayed: true })
    }

    fn refuse_key(
        &mut self,
        rejection: Rejection,
        actor: &Actor,
        request: &Request,
        wall: Timestamp,
    ) -> Result<Answer, StoreError> {
        if let Some(received) = &request.received {
            let at = self.counters.clock.tick(wall);
            self.keep_refusal(&rejection, actor, received, at)?;
        }
        Ok(Answer { result: Err(rejection), replayed: false })
    }

    fn remember(
        &mut self,
        key: &RequestKey,
        actor: &Actor,
        request: &Request,
        result: &Result<Outcome, Rejection>,
        at: Hlc,
    ) -> Result<(), StoreError> {
        let result = match result {
            Ok(Outcome::Opened(order)) => RememberedResult::Opened(order.id),
            Ok(Outcome::Left(order)) => RememberedResult::Left { id: order.id, version: order.version },
            Ok(Outcome::Done) => return Ok(()),
            Err(rejection) => {
                let Some(received) = &request.received else { return Ok(()) };
                match self.keep_refusal(rejection, actor, received, at)? {
                    Some(conflict) => RememberedResult::Refused(conflict),
                    // Nothing was changed and nothing depends on the record's state: once mended, the same key may
                    // be used again.
                    None => return Ok(()),
                }
            }
        };
        let remembered = Remembered { fingerprint: key.fingerprint, device: actor.device, at: at.wall, result };
        self.requests.insert(key.to_bytes().as_slice(), encode(&remembered)?.as_slice())?;
        self.touch(at);
        Ok(())
    }

    fn keep_refusal(
        &mut self,
        rejection: &Rejection,
        actor: &Actor,
        received: &Received,
        at: Hlc,
    ) -> Result<Option<ConflictId>, StoreError> {
        let Some((reason, order)) = rejection.conflict() else { return Ok(None) };
        let id = ConflictId::new(at.wall, entropy::for_id());
        let refused = RefusedWrite {
            device: actor.device,
            at: at.wall,
            route: received.route.clone(),
            request: received.body.clone(),
            order: order.id,
            version: order.version,
            reason,
        };
        self.refused.insert(id.to_bytes(), encode(&refused)?.as_slice())?;
        self.touch(at);
        Ok(Some(id))
    }

    fn refusal(&self, conflict: ConflictId) -> Result<Rejection, StoreError> {
        let Some(refused) = self.refused_write(conflict)? else { return Ok(Rejection::Unreadable) };
        let order = self.as_of(refused.order, Some(refused.version))?;
        Ok(order.map_or(Rejection::Unreadable, |order| Rejection::from_conflict(refused.reason, *order)))
    }

    fn refused_write(&self, conflict: ConflictId) -> Result<Option<RefusedWrite>, StoreError> {
        let bytes = self.refused.get(conflict.to_bytes())?;
        Ok(bytes.and_then(|bytes| decode(bytes.value()).ok()))
    }

    fn as_of(&self, id: OrderId, version: Option<u32>) -> Result<Option<Box<Order>>, StoreError> {
        Ok(match find_order(&self.order_changes, id, version)? {
            Found::Order(order) => Some(order),
            Found::Missing | Found::Unreadable { .. } => None,
        })
    }

    // Devices, settings, connectivity.

    fn pair_device(&mut self, device: &Device, at: Hlc) -> Result<Result<Outcome, Rejection>, StoreError> {
        let known = self.devices.get(device.id.to_bytes())?.is_some();
        if !known && self.devices.len()? >= DEVICE_LIMIT as u64 {
            return Ok(Err(Rejection::TooMany { what: "paired devices", limit: DEVICE_LIMIT }));
        }
        self.devices.insert(device.id.to_bytes(), encode(device)?.as_slice())?;
        let data = EventData::DevicePaired { name: device.name.clone(), kind: device.kind };
        self.log(&Event { at, device: Some(device.id), data })?;
        Ok(Ok(Outcome::Done))
    }

    fn apply_settings(&mut self, settings: &Settings, at: Hlc) -> Result<Result<Outcome, Rejection>, StoreError> {
        let stored = self.meta.get(META_SETTINGS)?.map(|bytes| decode::<Settings>(bytes.value())).transpose()?;
        if let Some(stored) = &stored {
            if stored.currency != settings.currency && !self.order_changes.is_empty()? {
                return Ok(Err(Rejection::CurrencyFixed { stored: stored.currency }));
            }
            if stored == settings {
                self.settings = settings.clone();
                return Ok(Ok(Outcome::Done));
            }
        }
        self.meta.insert(META_SETTINGS, encode(settings)?.as_slice())?;
        self.settings = settings.clone();
        self.log(&Event { at, device: None, data: EventData::Settings(settings.clone()) })?;
        Ok(Ok(Outcome::Done))
    }

    fn note_connectivity(
        &mut self,
        connectivity: Connectivity,
        at: Hlc,
    ) -> Result<Result<Outcome, Rejection>, StoreError> {
        let stored = self.meta.get(META_CONNECTIVITY)?.and_then(|bytes| decode::<Connectivity>(bytes.value()).ok());
        if stored != Some(connectivity) {
            self.meta.insert(META_CONNECTIVITY, encode(&connectivity)?.as_slice())?;
            self.log(&Event { at, device: None, data: EventData::Connectivity(connectivity) })?;
        }
        Ok(Ok(Outcome::Done))
    }

    /// Takes an order that cannot be read out of the lists. Its bytes stay where they are, for whoever mends it.
    fn set_aside(&mut self, id: OrderId, reason: &str, at: Hlc) -> Result<Result<Outcome, Rejection>, StoreError> {
        if self.quarantine.get(id.to_bytes())?.is_none() && self.quarantine.len()? < QUARANTINED_ROWS {
            log::error!(order_id:% = id; "an order cannot be read and was set aside: {reason}");
            let row = Quarantined { at: at.wall, reason: reason.to_owned() };
            self.quarantine.insert(id.to_bytes(), encode(&row)?.as_slice())?;
            self.touch(at);
        }
        if self.open_orders.remove(id.to_bytes())?.is_some() {
            self.touch(at);
        }
        Ok(Ok(Outcome::Done))
    }

    // The log.

    fn log(&mut self, event: &Event) -> Result<u64, StoreError> {
        let number = self.counters.last_event.saturating_add(1);
        self.events.insert(number, encode(event)?.as_slice())?;
        self.counters.last_event = number;
        self.touch(event.at);
        Ok(number)
    }

    fn touch(&mut self, at: Hlc) {
        self.counters.clock = at;
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
