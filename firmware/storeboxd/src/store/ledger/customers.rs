//! People who buy here (L10).

use storebox_core::command::{Actor, Outcome, Rejection};
use storebox_core::entry::Versioned;
use storebox_core::id::CustomerId;
use storebox_core::people::{Customer, CustomerPatch, NewCustomer};
use storebox_core::time::Hlc;

use super::{Decided, Ledger};
use crate::store::error::StoreError;
use crate::store::tables::CUSTOMER_WORDS;

impl Ledger<'_> {
    pub(super) fn create_customer(&mut self, new: &NewCustomer, actor: Option<&Actor>, at: Hlc) -> Decided {
        if let Some(existing) = self.latest::<Customer>(new.id.to_bytes())? {
            return Ok(Err(Rejection::EntryExists { existing: Box::new(existing.into_entry()) }));
        }
        let customer = new.clone().entered(at);
        self.index_customer(None, &customer)?;
        self.keep(&customer, "created", actor.map(|actor| actor.device), at)?;
        Ok(Ok(Outcome::Made(Box::new(customer.into_entry()))))
    }

    pub(super) fn change_customer(
        &mut self,
        id: CustomerId,
        expected: Option<u32>,
        patch: &CustomerPatch,
        actor: Option<&Actor>,
        at: Hlc,
    ) -> Decided {
        let Some(customer) = self.latest::<Customer>(id.to_bytes())? else {
            return Ok(Err(Rejection::Unknown { what: "customer" }));
        };
        let after = match customer.changed(patch, expected, at) {
            Ok(Some(after)) => after,
            Ok(None) => return Ok(Ok(Outcome::Changed(Box::new(customer.into_entry())))),
            Err(rejection) => return Ok(Err(rejection)),
        };
        self.index_customer(Some(&customer), &after)?;
        self.keep(&after, "changed", actor.map(|actor| actor.device), at)?;
        Ok(Ok(Outcome::Changed(Box::new(after.into_entry()))))
    }

    /// Makes somebody findable by what is known of them now.
    fn index_customer(&mut self, before: Option<&Customer>, after: &Customer) -> Result<(), StoreError> {
        let mut table = self.transaction.open_table(CUSTOMER_WORDS)?;
        let (old, new) = (before.map(Customer::words).unwrap_or_default(), after.words());
        for gone in old.iter().filter(|word| !new.contains(word)) {
            table.remove((gone.as_str(), after.id.to_bytes()))?;
        }
        for word in new.iter().filter(|word| !old.contains(word)) {
            table.insert((word.as_str(), after.id.to_bytes()), ())?;
        }
        Ok(())
    }
}
