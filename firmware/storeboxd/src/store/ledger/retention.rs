//! Cleaning up: what is old and has reached the cloud goes, in bites small enough that no sale waits for it (U14).

use std::ops::Bound;

use redb::ReadableTable;
use storebox_core::command::{Actor, Outcome};
use storebox_core::id::OrderId;
use storebox_core::idempotency::{Remembered, RememberedResult};
use storebox_core::limits::{ENDED_LOOKED_AT, KEYS_LOOKED_AT, ORDERS_REMOVED_AT_ONCE, WAITING_LOOKED_AT};
use storebox_core::order::Order;
use storebox_core::outbox::{Lane, OutboxEntry};
use storebox_core::people::Permission;
use storebox_core::record::{decode, encode};
use storebox_core::retention::{Command, Progress, Waiting, is_past};
use storebox_core::time::{Hlc, Timestamp};

use super::{Decided, Ledger};
use crate::store::error::StoreError;
use crate::store::tables::{ENDED_ORDERS, META_CLEANED_UP};
use crate::store::view::{Found, find_order};

impl Ledger<'_> {
    /// Notes when an order came to be over, or changed afterwards, so that it is found again when it is old.
    pub(super) fn note_end(&mut self, order: &Order, number: u64) -> Result<(), StoreError> {
        if !order.status.is_open() {
            let row = (order.id.to_bytes(), order.updated_at.as_millis());
            self.transaction.open_table(ENDED_ORDERS)?.insert(number, row)?;
        }
        Ok(())
    }

    /// Removes some of what may go.
    pub(super) fn clean_up(&mut self, command: Command, actor: Option<&Actor>, at: Hlc) -> Decided {
        if let Some(Err(rejection)) = actor.map(|actor| actor.must(Permission::ClearCache)) {
            return Ok(Err(rejection));
        }
        let Command::CleanUp { orders_before } = command;
        let mut progress = self.progress()?;
        let orders = self.remove_orders(orders_before)?;
        if orders > 0 {
            progress.orders = progress.orders.saturating_add(orders);
            progress.keys_after.get_or_insert_default();
        }
        let looked_for_keys = progress.keys_after.is_some();
        if looked_for_keys {
            self.remove_keys(&mut progress)?;
        }
        if orders > 0 || looked_for_keys {
            progress.last_at = Some(at.wall);
            self.meta.insert(META_CLEANED_UP, encode(&progress)?.as_slice())?;
            self.touch(at);
        }
        if orders > 0 && actor.is_some() {
            self.audit(actor, "cache.cleared", "orders", at)?;
        }
        Ok(Ok(Outcome::Done))
    }

    fn remove_orders(&mut self, before: Timestamp) -> Result<u64, StoreError> {
        let mut ended = self.transaction.open_table(ENDED_ORDERS)?;
        match ended.first()? {
            Some((_, row)) if row.value().1 < before.as_millis() => {}
            Some(_) | None => return Ok(0),
        }
        let waiting = self.waiting()?;
        let mut rows = Vec::new();
        for row in ended.iter()?.take(ENDED_LOOKED_AT) {
            let (number, row) = row?;
            let (id, at_ms) = row.value();
            // Both only grow, so nothing after it may go either.
            if at_ms >= before.as_millis() || waiting.unknown_from.is_some_and(|from| number.value() >= from) {
                break;
            }
            if waiting.orders.contains(&id) {
                continue;
            }
            rows.push((number.value(), id));
        }
        let mut removed = 0;
        for (number, id) in rows {
            if removed == ORDERS_REMOVED_AT_ONCE as u64 {
                break;
            }
            match find_order(&self.order_changes, OrderId::from_bytes(id), None)? {
                // It changed again; that change has a row of its own.
                Found::Order(order) if order.updated_at >= before => drop(ended.remove(number)?),
                Found::Order(order) if is_past(&order, before) && waiting.lets_go(id, number) => {
                    self.order_changes.retain_in((id, 0)..=(id, u32::MAX), |_, _| false)?;
                    if let Some(name) = &order.client_id {
                        self.client_ids.remove(name.as_str())?;
                    }
                    ended.remove(number)?;
                    removed += 1;
                }
                Found::Missing => drop(ended.remove(number)?),
                // It waits for the cloud, for its money or for whoever mends it.
                Found::Order(_) | Found::Unreadable { .. } => {}
            }
        }
        Ok(removed)
    }

    /// What has to be sent of orders, from the oldest on.
    fn waiting(&self) -> Result<Waiting, StoreError> {
        let mut waiting = Waiting::default();
        let lane = Lane::Critical as u8;
        // Orders are in this lane only. One row more than is looked at tells whether that is all.
        for (index, row) in self.outbox.range((lane, 0)..=(lane, u64::MAX))?.enumerate() {
            let (key, entry) = row?;
            if index == WAITING_LOOKED_AT {
                waiting.unknown_from = Some(key.value().1);
                break;
            }
            match decode::<OutboxEntry>(entry.value()) {
                Ok(OutboxEntry::Order { id, .. }) => drop(waiting.orders.insert(id.to_bytes())),
                Ok(OutboxEntry::Entry(_)) => {}
                // Whatever it is about stays, and so does everything after it.
                Err(_) => return Ok(Waiting { unknown_from: Some(0), ..waiting }),
            }
        }
        Ok(waiting)
    }

    /// Removes keys of requests about orders that are gone, from where it ended last time.
    fn remove_keys(&mut self, progress: &mut Progress) -> Result<(), StoreError> {
        let after = progress.keys_after.take().unwrap_or_default();
        let mut gone = Vec::new();
        let mut looked_at = 0;
        for row in self.requests.range::<&[u8]>((Bound::Excluded(after.as_slice()), Bound::Unbounded))? {
            let (key, remembered) = row?;
            looked_at += 1;
            let about = match decode::<Remembered>(remembered.value()).map(|remembered| remembered.result) {
                Ok(RememberedResult::Opened(id) | RememberedResult::Left { id, .. }) => Some(id),
                Ok(
                    RememberedResult::Entry(_)
                    | RememberedResult::EntryLeft(_)
                    | RememberedResult::Loaded(_)
                    | RememberedResult::Done
                    | RememberedResult::Refused(_),
                )
                | Err(_) => None,
            };
            if let Some(id) = about
                && self.order_changes.get((id.to_bytes(), 1))?.is_none()
            {
                gone.push(key.value().to_vec());
            }
            if looked_at == KEYS_LOOKED_AT {
                progress.keys_after = Some(key.value().to_vec());
                break;
            }
        }
        for key in &gone {
            self.requests.remove(key.as_slice())?;
        }
        progress.keys = progress.keys.saturating_add(gone.len() as u64);
        Ok(())
    }

    fn progress(&self) -> Result<Progress, StoreError> {
        let bytes = self.meta.get(META_CLEANED_UP)?;
        Ok(bytes.and_then(|bytes| decode(bytes.value()).ok()).unwrap_or_default())
    }
}
