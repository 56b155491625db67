//! Where a reader of the store stands. Opaque to terminals: they get one and hand it back.

use std::fmt;
use std::str::FromStr;

use storebox_core::id::OrderId;

/// A place in the log, or in a list that leads up to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Which log it belongs to (see [`super::tables::Identity`]).
    pub log: u32,
    /// The last event the reader knows.
    pub event: u64,
    /// In the middle of a list: the last order it got. The list is followed by the events since it began.
    pub listed: Option<OrderId>,
}

impl Cursor {
    /// A place in no log.
    pub const NOWHERE: Self = Self { log: 0, event: u64::MAX, listed: None };
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}-{:x}", self.log, self.event)?;
        match self.listed {
            Some(order) => write!(f, "-{order}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Cursor {
    type Err = NotACursor;

    fn from_str(text: &str) -> Result<Self, NotACursor> {
        let mut parts = text.splitn(3, '-');
        let log = parts.next().filter(|log| log.len() == 8).ok_or(NotACursor)?;
        let event = parts.next().ok_or(NotACursor)?;
        Ok(Self {
            log: u32::from_str_radix(log, 16).map_err(|_| NotACursor)?,
            event: u64::from_str_radix(event, 16).map_err(|_| NotACursor)?,
            listed: parts.next().map(str::parse).transpose().map_err(|_| NotACursor)?,
        })
    }
}

/// The text is no cursor of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotACursor;

impl fmt::Display for NotACursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a cursor this box gave out")
    }
}

impl std::error::Error for NotACursor {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_survive_the_round_trip() {
        let order = OrderId::from_bytes([7; 16]);
        for listed in [None, Some(order)] {
            let cursor = Cursor { log: 0xbeef, event: 1_000, listed };
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
        assert_eq!("17".parse::<Cursor>(), Err(NotACursor));
        assert_eq!("0000beef-3e8-x".parse::<Cursor>(), Err(NotACursor));
    }
}
