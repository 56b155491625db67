//! The `since` of polls and lists.

use storebox_core::time::Timestamp;

use super::problem::Problem;
use crate::store::Cursor;

/// Where a terminal wants to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// It does not say.
    Nothing,
    /// Everything that is kept.
    Earliest,
    /// Where an earlier answer ended.
    Cursor(Cursor),
    /// What happened at this time or later.
    Time(Timestamp),
}

impl Since {
    /// Reads the parameter or header called `name`.
    ///
    /// # Errors
    /// A [`Problem`] if it is neither of these.
    pub fn read(name: &str, text: Option<&str>) -> Result<Self, Problem> {
        match text {
            None => Ok(Self::Nothing),
            Some("earliest") => Ok(Self::Earliest),
            Some(text) => match (text.parse(), text.parse()) {
                (Ok(cursor), _) => Ok(Self::Cursor(cursor)),
                (Err(_), Ok(time)) => Ok(Self::Time(time)),
                (Err(_), Err(_)) => {
                    let rule = "must be a cursor this box gave out, \"earliest\", or a time like 2026-01-31T12:00:00Z";
                    Err(Problem::invalid(name, rule))
                }
            },
        }
    }
}
