//! Reading who works and buys here.

use storebox_core::people::Employee;

use super::error::StoreError;
use super::tables::EMPLOYEE_LOGINS;
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
}
