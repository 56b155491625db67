//! Reading who works and buys here.

use std::collections::BTreeSet;

use storebox_core::id::CustomerId;
use storebox_core::limits::ROWS_PER_ANSWER;
use storebox_core::people::{Customer, Employee, search_words};

use super::error::StoreError;
use super::tables::{CUSTOMER_WORDS, EMPLOYEE_LOGINS};
use super::view::View;

impl View {
    /// Who signs in with `login`, as [`storebox_core::people::login_key`] gives it.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub fn employee_by_login(&self, login: &str) -> Result<Option<Employee>, StoreError> {
        let id = self.transaction.open_table(EMPLOYEE_LOGINS)?.get(login)?.map(|id| id.value());
        id.map_or(Ok(None), |id| self.latest_entry(id))
    }

    /// Customers in the order they were entered, from the one after `after` on.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub fn customers(&self, after: Option<CustomerId>, limit: usize) -> Result<Vec<Customer>, StoreError> {
        self.latest_entries(after.map(CustomerId::to_bytes), limit)
    }

    /// Customers of whom something begins with each word of `search`.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub fn find_customers(&self, search: &str, limit: usize) -> Result<Vec<Customer>, StoreError> {
        let words = search_words(search);
        // The longest word is the one that fewest people share.
        let Some(rarest) = words.iter().max_by_key(|word| word.len()) else { return Ok(Vec::new()) };
        let table = self.transaction.open_table(CUSTOMER_WORDS)?;
        let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
        for row in table.range((rarest.as_str(), [0; 16])..)?.take(ROWS_PER_ANSWER) {
            let (key, _) = row?;
            let (word, id) = key.value();
            if !word.starts_with(rarest.as_str()) || found.len() == limit {
                break;
            }
            if seen.insert(id) {
                let customer = self.latest_entry::<Customer>(id)?;
                found.extend(customer.filter(|customer| customer.is_meant_by(&words)));
            }
        }
        Ok(found)
    }
}
