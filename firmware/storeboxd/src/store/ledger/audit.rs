//! The audit log: what was done with special rights.

use redb::ReadableTable;
use storebox_core::audit::{AuditEntry, Head, Note, hashed};
use storebox_core::command::{Actor, Outcome};
use storebox_core::id::DeviceId;
use storebox_core::record::{decode, encode};
use storebox_core::text::{Name, Text};
use storebox_core::time::Hlc;

use super::{Decided, Ledger};
use crate::store::audit::sha256;
use crate::store::error::StoreError;
use crate::store::tables::{AUDIT, META_AUDIT};

impl Ledger<'_> {
    /// Notes what somebody did: `what` as in `order.refunded`, `about` the id or name of what it was done to.
    pub(super) fn audit(&mut self, actor: Option<&Actor>, what: &str, about: &str, at: Hlc) -> Result<(), StoreError> {
        self.audit_at(actor, None, what, about, at)
    }

    /// Notes something that changes nothing else.
    pub(super) fn note(&mut self, note: &Note, actor: Option<&Actor>, at: Hlc) -> Decided {
        self.audit_at(actor, note.device, note.what, note.about.as_str(), at)?;
        Ok(Ok(Outcome::Done))
    }

    /// As [`Self::audit`], about a terminal that is no actor of the command.
    pub(super) fn audit_at(
        &mut self,
        actor: Option<&Actor>,
        device: Option<DeviceId>,
        what: &str,
        about: &str,
        at: Hlc,
    ) -> Result<(), StoreError> {
        let head = self.meta.get(META_AUDIT)?.map(|bytes| decode::<Head>(bytes.value())).transpose()?;
        let head = head.unwrap_or(Head::EMPTY);
        let entry = AuditEntry {
            at,
            device: actor.map(|actor| actor.device).or(device),
            staff: actor.and_then(|actor| actor.staff).map(|staff| staff.employee),
            role: actor.map(Actor::role),
            what: Text::cut(what),
            about: Name::cut(about),
            previous: head.hash,
        };
        let stored = encode(&entry)?;
        let number = head.number.saturating_add(1);
        let head = Head { number, hash: sha256(&hashed(number, &stored)) };
        self.transaction.open_table(AUDIT)?.insert(number, stored.as_slice())?;
        self.meta.insert(META_AUDIT, encode(&head)?.as_slice())?;
        self.touch(at);
        Ok(())
    }
}
