//! Stock: movements, and what they sum up to (L9).

use storebox_core::command::Actor;
use storebox_core::order::{Order, Recorded};
use storebox_core::stock::Command;
use storebox_core::time::Hlc;

use super::{Decided, Ledger};
use crate::store::error::StoreError;

impl Ledger<'_> {
    /// Takes from stock what was sold, and puts back what was returned.
    pub(super) fn move_stock(
        &mut self,
        _recorded: &Recorded,
        _before: Option<&Order>,
        _after: &Order,
    ) -> Result<(), StoreError> {
        Ok(())
    }

    /// Receives, counts, corrects.
    pub(super) fn count_stock(&mut self, command: &Command, _actor: &Actor, _at: Hlc) -> Decided {
        match *command {}
    }
}
