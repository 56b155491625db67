//! Time at work (L8).

use std::collections::BTreeSet;

use redb::ReadableTable;
use storebox_core::command::{Actor, Outcome, Rejection};
use storebox_core::entry::Versioned;
use storebox_core::id::EmployeeId;
use storebox_core::limits::{OPEN_SHIFTS_SEEN, SHIFTS_SEEN};
use storebox_core::people::{Employee, Permission};
use storebox_core::shift::{Accepted, ClockEvent, Command, Shift, Stamp, accept, event_time};
use storebox_core::time::{Hlc, Timestamp};

use super::{Decided, Ledger};
use crate::store::error::StoreError;
use crate::store::tables::{EMPLOYEE_SHIFTS, OPEN_SHIFTS, SHIFT_TIMES};

impl Ledger<'_> {
    /// Takes a clock event, whatever came before it.
    pub(super) fn clock_in_or_out(&mut self, command: &Command, actor: &Actor, at: Hlc) -> Decided {
        let Command::Clock { id, employee, proven, event, at: when, notes } = command;
        let own = *proven || actor.staff.is_some_and(|staff| staff.employee == *employee);
        if !own && let Err(rejection) = actor.must(Permission::MendShifts) {
            return Ok(Err(rejection));
        }
        let when = match event_time(*when, at.wall) {
            Ok(when) => when,
            Err(rejection) => return Ok(Err(rejection)),
        };
        let Some(person) = self.latest::<Employee>(employee.to_bytes())? else {
            return Ok(Err(Rejection::Unknown { what: "employee" }));
        };
        let stamp =
            Stamp { at: when, noted_at: at.wall, device: actor.device, by: actor.staff.map(|staff| staff.employee) };
        let before = self.shifts_around(*employee, when)?;
        let Accepted { shift, others } = accept(&before, *event, *id, *employee, stamp, notes.clone());
        let what = match event {
            ClockEvent::In => "clocked_in",
            ClockEvent::Out => "clocked_out",
        };
        let known = before.iter().find(|known| known.id == shift.id);
        self.list_shift(known, &shift)?;
        self.keep(&shift, what, Some(actor.device), at)?;
        for other in &others {
            self.keep(other, "flagged", Some(actor.device), at)?;
        }
        if !own {
            self.audit(Some(actor), &format!("shift.{what}_for_another"), person.login.as_str(), at)?;
        }
        let entry = Box::new(shift.into_entry());
        Ok(Ok(if known.is_some() { Outcome::Changed(entry) } else { Outcome::Made(entry) }))
    }

    /// The shifts of somebody that an event at `when` may touch: those they are in, and those before and after it.
    fn shifts_around(&self, employee: EmployeeId, when: Timestamp) -> Result<Vec<Shift>, StoreError> {
        let employee = employee.to_bytes();
        let (first, last) = ([0; 16], [0xff; 16]);
        let mut ids = BTreeSet::new();
        {
            let open = self.transaction.open_table(OPEN_SHIFTS)?;
            for row in open.range((employee, first)..=(employee, last))?.rev().take(OPEN_SHIFTS_SEEN) {
                ids.insert(row?.0.value().1);
            }
            let times = self.transaction.open_table(EMPLOYEE_SHIFTS)?;
            let when = when.as_millis();
            for row in times.range((employee, 0, first)..=(employee, when, last))?.rev().take(SHIFTS_SEEN) {
                ids.insert(row?.0.value().2);
            }
            for row in times.range((employee, when, first)..=(employee, u64::MAX, last))?.take(SHIFTS_SEEN) {
                ids.insert(row?.0.value().2);
            }
        }
        let shifts = ids.into_iter().map(|id| self.latest::<Shift>(id));
        Ok(shifts.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }

    /// Puts a shift into the lists, in the place of what it was.
    fn list_shift(&mut self, before: Option<&Shift>, shift: &Shift) -> Result<(), StoreError> {
        let (id, employee) = (shift.id.to_bytes(), shift.employee.to_bytes());
        let mut times = self.transaction.open_table(SHIFT_TIMES)?;
        let mut of_employee = self.transaction.open_table(EMPLOYEE_SHIFTS)?;
        if let Some(before) = before {
            let listed = before.listed_at().as_millis();
            times.remove((listed, id))?;
            of_employee.remove((employee, listed, id))?;
        }
        let listed = shift.listed_at().as_millis();
        times.insert((listed, id), ())?;
        of_employee.insert((employee, listed, id), ())?;
        let mut open = self.transaction.open_table(OPEN_SHIFTS)?;
        if shift.is_open() {
            open.insert((employee, id), ())?;
        } else {
            open.remove((employee, id))?;
        }
        Ok(())
    }
}
