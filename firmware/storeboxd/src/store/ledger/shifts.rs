//! Time at work (L8).

use storebox_core::command::Actor;
use storebox_core::shift::Command;
use storebox_core::time::Hlc;

use super::{Decided, Ledger};

impl Ledger<'_> {
    /// Takes a clock event, whatever came before it.
    pub(super) fn clock_in_or_out(&mut self, command: &Command, _actor: &Actor, _at: Hlc) -> Decided {
        match *command {}
    }
}
