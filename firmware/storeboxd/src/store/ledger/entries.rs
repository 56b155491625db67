//! Records that are kept in versions.

use redb::ReadableTable;
use storebox_core::entry::{Entry, EntryEvent, EntryRef, Versioned};
use storebox_core::event::{Event, EventData};
use storebox_core::id::DeviceId;
use storebox_core::outbox::OutboxEntry;
use storebox_core::record::{decode, encode};
use storebox_core::text::Text;
use storebox_core::time::Hlc;

use super::Ledger;
use crate::store::error::StoreError;
use crate::store::tables::ENTRIES;

impl Ledger<'_> {
    /// An entry at one version; nothing if there is none, or none that can be read.
    pub(super) fn entry(&self, entry: EntryRef) -> Result<Option<Box<Entry>>, StoreError> {
        let table = self.transaction.open_table(ENTRIES)?;
        let bytes = table.get((entry.entity as u8, entry.id, entry.version))?;
        Ok(bytes.and_then(|bytes| Entry::decode(entry.entity, bytes.value()).ok()).map(Box::new))
    }

    /// The newest version of an entry; nothing if there is none, or none that can be read.
    pub(super) fn latest<E: Versioned>(&self, id: [u8; 16]) -> Result<Option<E>, StoreError> {
        let table = self.transaction.open_table(ENTRIES)?;
        let entity = E::ENTITY as u8;
        let last = table.range((entity, id, 0)..=(entity, id, u32::MAX))?.next_back().transpose()?;
        Ok(last.and_then(|(_, bytes)| {
            decode(bytes.value()).inspect_err(|error| log::error!("an entry cannot be read: {error}")).ok()
        }))
    }

    /// Keeps an entry as it is now, and tells the log and the outbox. `what` is what happened, in one word.
    pub(super) fn keep<E: Versioned>(
        &mut self,
        entry: &E,
        what: &str,
        device: Option<DeviceId>,
        at: Hlc,
    ) -> Result<(), StoreError> {
        let reference = entry.clone().into_entry().reference();
        let key = (reference.entity as u8, reference.id, reference.version);
        self.transaction.open_table(ENTRIES)?.insert(key, encode(entry)?.as_slice())?;
        let kind = Text::cut(&format!("{}.{what}", reference.entity.as_str()));
        let data = EventData::Entry(EntryEvent { entry: reference, kind });
        let number = self.log(&Event { at, device, data })?;
        let waiting = OutboxEntry::Entry(reference);
        self.outbox.insert((waiting.lane() as u8, number), encode(&waiting)?.as_slice())?;
        Ok(())
    }
}
