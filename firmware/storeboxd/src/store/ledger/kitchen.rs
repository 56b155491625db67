//! The kitchen: what it has to make of an order, and how far it is (L5).

use storebox_core::command::Actor;
use storebox_core::kitchen::Command;
use storebox_core::order::{Order, Recorded};
use storebox_core::time::Hlc;

use super::{Decided, Ledger};
use crate::store::error::StoreError;

impl Ledger<'_> {
    /// Makes tickets of what was sent to the kitchen, and takes back what is not wanted any more.
    pub(super) fn make_tickets(
        &mut self,
        _recorded: &Recorded,
        _before: Option<&Order>,
        _after: &Order,
    ) -> Result<(), StoreError> {
        Ok(())
    }

    /// Does what a kitchen display asks for.
    pub(super) fn work_in_kitchen(&mut self, command: &Command, _actor: &Actor, _at: Hlc) -> Decided {
        match *command {}
    }
}
