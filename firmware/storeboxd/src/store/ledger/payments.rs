//! Payments that wait for the cloud, and what may be taken without it (L6, L7).

use storebox_core::command::Actor;
use storebox_core::payment::Command;
use storebox_core::time::Hlc;

use super::{Decided, Ledger};

impl Ledger<'_> {
    /// Does what is asked about payments apart from one order.
    pub(super) fn settle(&mut self, command: &Command, _actor: &Actor, _at: Hlc) -> Decided {
        match *command {}
    }
}
