//! Reports: totals of the day, counted with every sale (L12), the drawer, and the end of the business day.
//!
//! Nothing is ever counted twice or read again: each change of an order adds what it changes to the totals it belongs
//! to, at the time it is recorded. The end of a business day keeps what was added since the one before.

mod csv;
mod drawer;
mod sums;

pub use csv::{amount, table};
pub use drawer::{CloseDay, DayClose, DayState, DrawerKind, DrawerMovement, Part, Period, close_day, move_cash};
pub use sums::{Dimension, PackedTotals, Row, Sums, Total, TotalRef, count, tender_word};

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// End the business day.
    CloseDay(CloseDay),
    /// Put cash into the drawer or take some out.
    MoveCash(DrawerMovement),
}

#[cfg(test)]
mod tests;
