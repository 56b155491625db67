//! Stock: movements, and what they sum up to (L9).

use redb::ReadableTable;
use storebox_core::command::{Actor, Outcome};
use storebox_core::entry::{EntryEvent, Versioned};
use storebox_core::event::{Event, EventData};
use storebox_core::id::{DeviceId, MovementId};
use storebox_core::limits::STOCK_MOVEMENTS_LISTED;
use storebox_core::order::{Order, Recorded};
use storebox_core::record::{decode, encode};
use storebox_core::stock::{Command, Level, Movement, Signal, StockChange, decide, moved};
use storebox_core::text::{Name, Text};
use storebox_core::time::Hlc;

use super::{Decided, Ledger};
use crate::entropy;
use crate::store::error::StoreError;
use crate::store::tables::{STOCK, STOCK_LOG};

impl Ledger<'_> {
    /// Takes from stock what was sold, and puts back what was returned.
    pub(super) fn move_stock(
        &mut self,
        recorded: &Recorded,
        before: Option<&Order>,
        after: &Order,
    ) -> Result<(), StoreError> {
        let Some((kind, items)) = moved(recorded, before, after) else { return Ok(()) };
        let at = recorded.at;
        let id = MovementId::new(at.wall, entropy::for_id());
        let mut changes = Vec::with_capacity(items.len());
        let mut signals = Vec::new();
        for item in items {
            let mut level = self.level(&item.item)?.unwrap_or_default();
            level.name = Some(item.name);
            signals.extend(level.apply(item.delta, id, at.wall));
            self.keep_level(&item.item, &level, id)?;
            changes.push(StockChange { item: item.item, delta: item.delta, level: level.level });
        }
        let movement = Movement {
            id,
            kind,
            order: Some(after.id),
            changes,
            counted: None,
            note: None,
            at: at.wall,
            device: recorded.device,
            staff: recorded.staff,
        };
        self.keep_movement(&movement, &signals, recorded.device, at)
    }

    /// Receives, counts, corrects.
    pub(super) fn count_stock(&mut self, command: &Command, actor: &Actor, at: Hlc) -> Decided {
        let level = self.level(command.item())?;
        let (movement, level, signals) = match decide(command, level.as_ref(), actor, at.wall) {
            Ok(decided) => decided,
            Err(rejection) => return Ok(Err(rejection)),
        };
        self.keep_level(command.item(), &level, movement.id)?;
        self.keep_movement(&movement, &signals, actor.device, at)?;
        self.audit(Some(actor), "inventory.moved", command.item().as_str(), at)?;
        Ok(Ok(Outcome::Made(Box::new(movement.into_entry()))))
    }

    fn level(&self, item: &Name) -> Result<Option<Level>, StoreError> {
        let table = self.transaction.open_table(STOCK)?;
        let bytes = table.get(item.as_str())?;
        Ok(bytes.and_then(|bytes| {
            // It begins anew, and the next stock-take mends it: a sale is not refused for it.
            decode(bytes.value()).inspect_err(|error| log::error!("a stock level cannot be read: {error}")).ok()
        }))
    }

    fn keep_level(&mut self, item: &Name, level: &Level, movement: MovementId) -> Result<(), StoreError> {
        self.transaction.open_table(STOCK)?.insert(item.as_str(), encode(level)?.as_slice())?;
        let mut log = self.transaction.open_table(STOCK_LOG)?;
        log.insert((item.as_str(), level.movements), movement.to_bytes())?;
        if let Some(oldest) = level.movements.checked_sub(STOCK_MOVEMENTS_LISTED) {
            log.remove((item.as_str(), oldest))?;
        }
        Ok(())
    }

    fn keep_movement(
        &mut self,
        movement: &Movement,
        signals: &[Signal],
        device: DeviceId,
        at: Hlc,
    ) -> Result<(), StoreError> {
        self.keep(movement, movement.kind.event(), Some(device), at)?;
        let entry = movement.clone().into_entry().reference();
        // One of each tells enough: the movement names the items.
        for signal in [Signal::Discrepancy, Signal::Low] {
            if signals.contains(&signal) {
                let kind = Text::cut(&format!("{}.{}", entry.entity.as_str(), signal.event()));
                self.log(&Event { at, device: Some(device), data: EventData::Entry(EntryEvent { entry, kind }) })?;
            }
        }
        Ok(())
    }
}
