//! What is remembered about requests, so that a repeated one is answered as the first was (L2).

use redb::ReadableTable;
use storebox_core::command::{Actor, Outcome, Received, Rejection, Request};
use storebox_core::conflict::RefusedWrite;
use storebox_core::id::{ConflictId, OrderId};
use storebox_core::idempotency::{Remembered, RememberedResult, RequestKey};
use storebox_core::order::Order;
use storebox_core::record::{decode, encode};
use storebox_core::time::{Hlc, Timestamp};

use super::{Answer, Ledger};
use crate::entropy;
use crate::store::error::StoreError;
use crate::store::view::{Found, find_order};

impl Ledger<'_> {
    pub(super) fn recall(
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
            (true, RememberedResult::Entry(entry)) => self.entry(entry)?.map(Outcome::Made),
            (true, RememberedResult::EntryLeft(entry)) => self.entry(entry)?.map(Outcome::Changed),
            (false, RememberedResult::Entry(entry) | RememberedResult::EntryLeft(entry)) => {
                let existing = self.entry(entry)?;
                let result =
                    existing.map_or(Rejection::Unreadable, |existing| Rejection::EntryKeyMismatch { existing });
                return Ok(Answer { result: Err(result), replayed: false });
            }
            (true, RememberedResult::Loaded(loaded)) => Some(Outcome::Loaded(loaded)),
            (true, RememberedResult::Done) => Some(Outcome::Done),
            (false, RememberedResult::Loaded(_) | RememberedResult::Done) => {
                return Ok(Answer { result: Err(Rejection::KeyReused), replayed: false });
            }
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
        let result = match found {
            Some(outcome) => Ok(outcome),
            // Removed when it was old; its key goes soon after.
            None if self.is_gone(remembered.result)? => Err(Rejection::UnknownOrder),
            None => Err(Rejection::Unreadable),
        };
        Ok(Answer { result, replayed: true })
    }

    fn is_gone(&self, result: RememberedResult) -> Result<bool, StoreError> {
        match result {
            RememberedResult::Opened(id) | RememberedResult::Left { id, .. } => {
                Ok(self.order_changes.get((id.to_bytes(), 1))?.is_none())
            }
            RememberedResult::Refused(_)
            | RememberedResult::Entry(_)
            | RememberedResult::EntryLeft(_)
            | RememberedResult::Loaded(_)
            | RememberedResult::Done => Ok(false),
        }
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

    pub(super) fn remember(
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
            Ok(Outcome::Loaded(loaded)) => RememberedResult::Loaded(*loaded),
            Ok(Outcome::Made(entry)) => RememberedResult::Entry(entry.reference()),
            Ok(Outcome::Changed(entry)) => RememberedResult::EntryLeft(entry.reference()),
            Ok(Outcome::Done) => RememberedResult::Done,
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

    pub(super) fn keep_refusal(
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
}
