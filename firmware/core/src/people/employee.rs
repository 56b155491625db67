//! People who work here.

use serde::{Deserialize, Serialize};

use super::pin::PinHash;
use super::role::Role;
use crate::command::Rejection;
use crate::entry::{Entity, Entry, Versioned};
use crate::id::EmployeeId;
use crate::record::{Record, RecordError, v1};
use crate::settings::Connectivity;
use crate::text::Name;
use crate::time::Timestamp;

/// Somebody who works here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Employee {
    /// Names them.
    pub id: EmployeeId,
    /// Number of changes so far, starting at 1.
    pub version: u32,
    /// What they sign in with: a number or a short name, unique in the store whatever its case.
    pub login: Name,
    /// What people call them.
    pub name: Name,
    /// What they are trusted with.
    pub role: Role,
    /// Whether they still work here.
    pub active: bool,
    /// What is kept of their PIN; none until they have one.
    pub pin_hash: Option<PinHash>,
    /// Somebody else chose the PIN: until they choose their own they are trusted with as little as anybody.
    pub must_change_pin: bool,
    /// When they were entered.
    pub created_at: Timestamp,
    /// When that last changed.
    pub updated_at: Timestamp,
}

impl Record for Employee {
    const VERSION: u8 = 1;

    fn from_version(version: u8, body: &[u8]) -> Result<Self, RecordError> {
        v1(version, body)
    }
}

impl Versioned for Employee {
    const ENTITY: Entity = Entity::Employee;

    fn into_entry(self) -> Entry {
        Entry::Employee(self)
    }
}

/// Somebody new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEmployee {
    /// The id they get.
    pub id: EmployeeId,
    /// What they sign in with.
    pub login: Name,
    /// What people call them.
    pub name: Name,
    /// What they are trusted with.
    pub role: Role,
    /// The hash of their first PIN.
    pub pin_hash: Option<PinHash>,
    /// Whether they have to choose their own.
    pub must_change_pin: bool,
}

/// What is to change about somebody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EmployeePatch {
    /// What people call them.
    pub name: Option<Name>,
    /// What they are trusted with.
    pub role: Option<Role>,
    /// Whether they still work here.
    pub active: Option<bool>,
    /// A new PIN that somebody else chose.
    pub pin_hash: Option<PinHash>,
}

/// What a login is looked up by: whoever types it does not think of its case.
pub fn login_key(login: &Name) -> String {
    login.as_str().to_lowercase()
}

/// Whether somebody new may be entered here: who works where is the cloud's to know, if there is one (L10).
///
/// # Errors
/// [`Rejection::CloudRequired`].
pub fn may_create(connectivity: Connectivity) -> Result<(), Rejection> {
    match connectivity {
        Connectivity::LocalOnly => Ok(()),
        Connectivity::Offline => Err(Rejection::CloudRequired { what: "to create an employee" }),
    }
}

impl NewEmployee {
    /// Them, from now on.
    pub fn employed(self, at: Timestamp) -> Employee {
        let Self { id, login, name, role, pin_hash, must_change_pin } = self;
        let active = true;
        Employee {
            id,
            version: 1,
            login,
            name,
            role,
            active,
            must_change_pin: must_change_pin && pin_hash.is_some(),
            pin_hash,
            created_at: at,
            updated_at: at,
        }
    }
}

impl Employee {
    /// Whether they run the store.
    pub fn runs_the_store(&self) -> bool {
        self.active && self.role == Role::Admin
    }

    /// Them after a change; nothing if it changes nothing. `others_run_it`: whether the store has another admin.
    ///
    /// # Errors
    /// [`Rejection::EntryState`] on a version that does not hold, and if nobody would be left to run the store.
    pub fn changed(
        &self,
        patch: &EmployeePatch,
        expected: Option<u32>,
        others_run_it: bool,
        at: Timestamp,
    ) -> Result<Option<Self>, Rejection> {
        let refuse =
            |message: String| Rejection::EntryState { message, current: Box::new(Entry::Employee(self.clone())) };
        if expected.is_some_and(|expected| expected != self.version) {
            let version = self.version;
            return Err(refuse(format!("the employee has changed since: it is at version {version}; decide again")));
        }
        let mut after = self.clone();
        if let Some(name) = &patch.name {
            after.name = name.clone();
        }
        after.role = patch.role.unwrap_or(after.role);
        after.active = patch.active.unwrap_or(after.active);
        if let Some(hash) = &patch.pin_hash {
            after.pin_hash = Some(hash.clone());
            after.must_change_pin = true;
        }
        if self.runs_the_store() && !after.runs_the_store() && !others_run_it {
            return Err(refuse("nobody would be left to run the store: make somebody else an admin first".to_owned()));
        }
        Ok((after != *self).then(|| after.next(at)))
    }

    /// Them after they chose a PIN of their own.
    pub fn with_own_pin(&self, hash: PinHash, at: Timestamp) -> Self {
        Self { pin_hash: Some(hash), must_change_pin: false, ..self.clone() }.next(at)
    }

    fn next(self, at: Timestamp) -> Self {
        Self { version: self.version.saturating_add(1), updated_at: at.max(self.updated_at), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner() -> Employee {
        let name = Name::new("owner".to_owned()).unwrap();
        let hash = PinHash::new("$argon2id$".to_owned());
        NewEmployee {
            id: EmployeeId::from_bytes([1; 16]),
            login: name.clone(),
            name,
            role: Role::Admin,
            pin_hash: Some(hash),
            must_change_pin: true,
        }
        .employed(Timestamp::from_millis(1))
    }

    #[test]
    fn l10_somebody_is_always_left_to_run_the_store() {
        let at = Timestamp::from_millis(2);
        for patch in [
            EmployeePatch { role: Some(Role::Manager), ..EmployeePatch::default() },
            EmployeePatch { active: Some(false), ..EmployeePatch::default() },
        ] {
            assert!(matches!(owner().changed(&patch, None, false, at), Err(Rejection::EntryState { .. })));
            assert_eq!(owner().changed(&patch, None, true, at).unwrap().unwrap().version, 2);
        }
    }

    #[test]
    fn l10_a_pin_that_somebody_else_chose_has_to_be_changed() {
        let at = Timestamp::from_millis(2);
        let own = owner().with_own_pin(PinHash::new("$other".to_owned()), at);
        assert!(owner().must_change_pin && !own.must_change_pin);
        let patch = EmployeePatch { pin_hash: Some(PinHash::new("$third".to_owned())), ..EmployeePatch::default() };
        assert!(own.changed(&patch, Some(2), false, at).unwrap().unwrap().must_change_pin);
    }

    #[test]
    fn l10_a_stale_change_and_one_that_changes_nothing() {
        let at = Timestamp::from_millis(2);
        assert!(matches!(
            owner().changed(&EmployeePatch::default(), Some(7), true, at),
            Err(Rejection::EntryState { .. })
        ));
        assert_eq!(owner().changed(&EmployeePatch::default(), Some(1), true, at), Ok(None));
    }

    #[test]
    fn l10_creating_an_employee_takes_the_cloud_where_there_is_one() {
        assert_eq!(may_create(Connectivity::LocalOnly), Ok(()));
        assert!(matches!(may_create(Connectivity::Offline), Err(Rejection::CloudRequired { .. })));
    }
}
