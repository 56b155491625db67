//! The catalogue, and prices from it (L4).

use std::sync::Arc;

use storebox_core::catalogue::{Command, LineWish, Station};
use storebox_core::command::{Actor, Outcome, Rejection};
use storebox_core::event::{Event, EventData};
use storebox_core::order::Line;
use storebox_core::people::Permission;
use storebox_core::record::encode;
use storebox_core::text::Name;
use storebox_core::time::Hlc;

use super::{Decided, Ledger};
use crate::store::tables::{CATALOGUE, META_CATALOGUE};

impl Ledger<'_> {
    /// What a terminal wants, with the prices that hold now. The catalogue is in memory: no table is looked at.
    pub(super) fn priced(&self, wishes: &[LineWish], _actor: &Actor, at: Hlc) -> Result<Vec<Line>, Rejection> {
        let price = |wish| self.catalogue.price(wish, at.wall, &self.calendar, self.settings.tax_rule);
        wishes.iter().map(price).collect()
    }

    /// A station; one that the catalogue does not know is as patient as most.
    pub(super) fn station(&self, id: &Name) -> Station {
        let unknown = || Station { id: id.clone(), name: id.clone(), orange_after_s: 600, red_after_s: 900 };
        self.catalogue.station(id).cloned().unwrap_or_else(unknown)
    }

    /// Changes the catalogue.
    pub(super) fn change_catalogue(&mut self, command: &Command, actor: Option<&Actor>, at: Hlc) -> Decided {
        if let Some(Err(rejection)) = actor.map(|actor| actor.must(Permission::LoadCatalogue)) {
            return Ok(Err(rejection));
        }
        let revised = match self.catalogue.change(command, at.wall) {
            Ok(revised) => revised,
            Err(rejection) => return Ok(Err(rejection)),
        };
        if revised.changed.is_empty() {
            return Ok(Ok(Outcome::Loaded(revised.loaded)));
        }
        {
            let mut table = self.transaction.open_table(CATALOGUE)?;
            for kept in &revised.changed {
                let key = (kept.object.kind() as u8, kept.object.id().as_str());
                table.insert(key, encode(kept.as_ref())?.as_slice())?;
            }
            for forgotten in &revised.forgotten {
                table.remove((forgotten.kind as u8, forgotten.id.as_str()))?;
            }
        }
        let revision = revised.catalogue.revision();
        self.meta.insert(META_CATALOGUE, encode(&revised.catalogue.marks())?.as_slice())?;
        self.catalogue = Arc::new(revised.catalogue);
        self.log(&Event { at, device: actor.map(|actor| actor.device), data: EventData::Catalogue { revision } })?;
        self.audit(actor, "catalogue.loaded", &format!("revision {revision}"), at)?;
        Ok(Ok(Outcome::Loaded(revised.loaded)))
    }
}
