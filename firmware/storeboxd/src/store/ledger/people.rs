//! Employees and customers (L10).

use storebox_core::command::Actor;
use storebox_core::people::Command;
use storebox_core::time::Hlc;

use super::{Decided, Ledger};

impl Ledger<'_> {
    /// Changes who works or buys here.
    pub(super) fn look_after_people(&mut self, command: &Command, _actor: Option<&Actor>, _at: Hlc) -> Decided {
        match *command {}
    }
}
