//! Reports: totals that are counted with every sale (L12).

use storebox_core::command::Actor;
use storebox_core::order::{Order, Recorded};
use storebox_core::report::Command;
use storebox_core::time::Hlc;

use super::{Decided, Ledger};
use crate::store::error::StoreError;

impl Ledger<'_> {
    /// Counts what was sold, taken and given back.
    pub(super) fn count_sale(
        &mut self,
        _recorded: &Recorded,
        _before: Option<&Order>,
        _after: &Order,
    ) -> Result<(), StoreError> {
        Ok(())
    }

    /// Ends the business day.
    pub(super) fn close_day(&mut self, command: &Command, _actor: Option<&Actor>, _at: Hlc) -> Decided {
        match *command {}
    }
}
