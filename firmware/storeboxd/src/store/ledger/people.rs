//! Employees (L10).

use redb::{ReadableTable, ReadableTableMetadata};
use storebox_core::command::{Actor, Outcome, Rejection};
use storebox_core::entry::Versioned;
use storebox_core::id::EmployeeId;
use storebox_core::limits::EMPLOYEES;
use storebox_core::people::{
    Command, Employee, EmployeePatch, NewEmployee, Permission, PinHash, login_key, may_create,
};
use storebox_core::record::decode;
use storebox_core::settings::Connectivity;
use storebox_core::time::Hlc;

use super::{Decided, Ledger};
use crate::store::error::StoreError;
use crate::store::tables::{EMPLOYEE_LOGINS, META_CONNECTIVITY};

impl Ledger<'_> {
    /// Changes who works or buys here.
    pub(super) fn look_after_people(&mut self, command: &Command, actor: Option<&Actor>, at: Hlc) -> Decided {
        match command {
            Command::MakeOwner(owner) => self.make_owner(owner, actor, at),
            Command::CreateEmployee(new) => self.create_employee(new, actor, at),
            Command::ChangeEmployee { id, expected, patch } => self.change_employee(*id, *expected, patch, actor, at),
            Command::CreateCustomer(new) => self.create_customer(new, actor, at),
            Command::ChangeCustomer { id, expected, patch } => self.change_customer(*id, *expected, patch, actor, at),
            Command::ChangeOwnPin { employee, hash } => self.change_own_pin(*employee, hash, actor, at),
        }
    }

    fn make_owner(&mut self, owner: &NewEmployee, actor: Option<&Actor>, at: Hlc) -> Decided {
        if actor.is_some() {
            return Ok(Err(Rejection::NotAllowed(Permission::ManagePeople)));
        }
        if !self.transaction.open_table(EMPLOYEE_LOGINS)?.is_empty()? {
            return Ok(Ok(Outcome::Done));
        }
        self.employ(owner, actor, at)
    }

    fn create_employee(&mut self, new: &NewEmployee, actor: Option<&Actor>, at: Hlc) -> Decided {
        let connectivity = self.connectivity()?;
        if let Err(rejection) = allowed(actor).and_then(|()| may_create(connectivity)) {
            return Ok(Err(rejection));
        }
        self.employ(new, actor, at)
    }

    fn employ(&mut self, new: &NewEmployee, actor: Option<&Actor>, at: Hlc) -> Decided {
        let login = login_key(&new.login);
        let taken = {
            let logins = self.transaction.open_table(EMPLOYEE_LOGINS)?;
            if logins.len()? >= EMPLOYEES as u64 {
                return Ok(Err(Rejection::TooMany { what: "employees", limit: EMPLOYEES }));
            }
            logins.get(login.as_str())?.map(|id| id.value())
        };
        let same_id = self.latest::<Employee>(new.id.to_bytes())?;
        let taken = match taken {
            Some(id) => self.latest::<Employee>(id)?.or(same_id),
            None => same_id,
        };
        if let Some(existing) = taken {
            return Ok(Err(Rejection::EntryExists { existing: Box::new(existing.into_entry()) }));
        }
        let employee = new.clone().employed(at.wall);
        self.transaction.open_table(EMPLOYEE_LOGINS)?.insert(login.as_str(), employee.id.to_bytes())?;
        self.keep(&employee, "created", actor.map(|actor| actor.device), at)?;
        self.audit(actor, "employee.created", employee.login.as_str(), at)?;
        Ok(Ok(Outcome::Made(Box::new(employee.into_entry()))))
    }

    fn change_employee(
        &mut self,
        id: EmployeeId,
        expected: Option<u32>,
        patch: &EmployeePatch,
        actor: Option<&Actor>,
        at: Hlc,
    ) -> Decided {
        if let Err(rejection) = allowed(actor) {
            return Ok(Err(rejection));
        }
        let Some(employee) = self.latest::<Employee>(id.to_bytes())? else {
            return Ok(Err(Rejection::Unknown { what: "employee" }));
        };
        let others_run_it = !employee.runs_the_store() || self.others_run_the_store(id)?;
        let after = match employee.changed(patch, expected, others_run_it, at.wall) {
            Ok(Some(after)) => after,
            Ok(None) => return Ok(Ok(Outcome::Changed(Box::new(employee.into_entry())))),
            Err(rejection) => return Ok(Err(rejection)),
        };
        self.keep(&after, "changed", actor.map(|actor| actor.device), at)?;
        let what = match (patch.pin_hash.is_some(), patch.role.is_some(), patch.active) {
            (_, _, Some(false)) => "employee.deactivated",
            (_, true, _) => "employee.role_changed",
            (true, false, _) => "employee.pin_reset",
            (false, false, _) => "employee.changed",
        };
        self.audit(actor, what, after.login.as_str(), at)?;
        Ok(Ok(Outcome::Changed(Box::new(after.into_entry()))))
    }

    fn change_own_pin(&mut self, id: EmployeeId, hash: &PinHash, actor: Option<&Actor>, at: Hlc) -> Decided {
        let own = actor.and_then(|actor| actor.staff).is_some_and(|staff| staff.employee == id);
        if !own {
            return Ok(Err(Rejection::NotAllowed(Permission::ManagePeople)));
        }
        let Some(employee) = self.latest::<Employee>(id.to_bytes())? else {
            return Ok(Err(Rejection::Unknown { what: "employee" }));
        };
        let after = employee.with_own_pin(hash.clone(), at.wall);
        self.keep(&after, "changed", actor.map(|actor| actor.device), at)?;
        self.audit(actor, "employee.pin_changed", after.login.as_str(), at)?;
        Ok(Ok(Outcome::Changed(Box::new(after.into_entry()))))
    }

    /// Whether somebody besides `id` is an admin who works here.
    fn others_run_the_store(&self, id: EmployeeId) -> Result<bool, StoreError> {
        let ids: Vec<[u8; 16]> = {
            let logins = self.transaction.open_table(EMPLOYEE_LOGINS)?;
            logins.iter()?.map(|row| row.map(|(_, id)| id.value())).collect::<Result<_, _>>()?
        };
        for other in ids.into_iter().filter(|other| *other != id.to_bytes()) {
            if self.latest::<Employee>(other)?.is_some_and(|other| other.runs_the_store()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// How the box stands with the cloud, as it was last noted.
    fn connectivity(&self) -> Result<Connectivity, StoreError> {
        let stored = self.meta.get(META_CONNECTIVITY)?;
        let stored = stored.and_then(|bytes| decode::<Connectivity>(bytes.value()).ok());
        Ok(stored.unwrap_or(Connectivity::LocalOnly))
    }
}

/// The box itself may; anybody else needs the permission.
fn allowed(actor: Option<&Actor>) -> Result<(), Rejection> {
    actor.map_or(Ok(()), |actor| actor.must(Permission::ManagePeople))
}
