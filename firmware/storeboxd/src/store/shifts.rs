//! Reading time at work.

use storebox_core::day::{Calendar, Day};
use storebox_core::id::EmployeeId;
use storebox_core::limits::ROWS_PER_ANSWER;
use storebox_core::shift::Shift;

use super::error::StoreError;
use super::tables::{EMPLOYEE_SHIFTS, SHIFT_TIMES};
use super::view::View;

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

impl View {
    /// Shifts, the latest first: of a day, of somebody, or both.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub fn shifts(
        &self,
        day: Option<(&Calendar, Day)>,
        employee: Option<EmployeeId>,
        limit: usize,
    ) -> Result<Vec<Shift>, StoreError> {
        let (first, last) = ([0; 16], [0xff; 16]);
        // A day of any time zone, with any hour it may begin at, lies within the two UTC days around it.
        let (from, to) = day.map_or((0, u64::MAX), |(_, Day(number))| {
            let midnight = u64::from(number) * DAY_MS;
            (midnight.saturating_sub(DAY_MS), midnight + 3 * DAY_MS)
        });
        let mut shifts = Vec::new();
        let mut take = |id: [u8; 16]| -> Result<bool, StoreError> {
            let shift = self.latest_entry::<Shift>(id)?;
            shifts
                .extend(shift.filter(|shift| day.is_none_or(|(calendar, day)| calendar.day(shift.listed_at()) == day)));
            Ok(shifts.len() < limit)
        };
        match employee.map(EmployeeId::to_bytes) {
            Some(employee) => {
                let table = self.transaction.open_table(EMPLOYEE_SHIFTS)?;
                let rows = table.range((employee, from, first)..=(employee, to, last))?;
                for row in rows.rev().take(ROWS_PER_ANSWER) {
                    if !take(row?.0.value().2)? {
                        break;
                    }
                }
            }
            None => {
                let table = self.transaction.open_table(SHIFT_TIMES)?;
                for row in table.range((from, first)..=(to, last))?.rev().take(ROWS_PER_ANSWER) {
                    if !take(row?.0.value().1)? {
                        break;
                    }
                }
            }
        }
        Ok(shifts)
    }
}
