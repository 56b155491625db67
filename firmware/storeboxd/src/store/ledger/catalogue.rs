//! The catalogue, and prices from it (L4).

use storebox_core::catalogue::{Command, LineWish, Station};
use storebox_core::command::{Actor, Rejection};
use storebox_core::order::Line;
use storebox_core::text::Name;
use storebox_core::time::Hlc;

use super::{Decided, Ledger};

impl Ledger<'_> {
    /// What a terminal wants, with the prices that hold now.
    pub(super) fn priced(&self, wishes: &[LineWish], _actor: &Actor, _at: Hlc) -> Result<Vec<Line>, Rejection> {
        wishes.iter().map(|wish| wish.open_item(self.settings.tax_rule)).collect()
    }

    /// A station; one that the catalogue does not know is as patient as most.
    pub(super) fn station(&self, id: &Name) -> Station {
        Station { id: id.clone(), name: id.clone(), orange_after_s: 600, red_after_s: 900 }
    }

    /// Changes the catalogue.
    pub(super) fn change_catalogue(&mut self, command: &Command, _actor: Option<&Actor>, _at: Hlc) -> Decided {
        match *command {}
    }
}
