//! How much of the catalogue a terminal has. Opaque to terminals: they get one and hand it back.

use std::fmt;

use storebox_core::catalogue::Since;

use crate::lan::problem::Problem;
use crate::store::Store;

/// A place among the changes of one store's catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MenuCursor {
    /// Names the store's file, as in cursors of the log: numbers of another box mean something else.
    log: u32,
    known: u64,
    deletions: u64,
}

impl MenuCursor {
    /// Everything up to a number.
    pub(super) fn at(store: &Store, revision: u64) -> Self {
        Self::within(store, revision, revision)
    }

    /// In the middle of everything: `known` is the last object got; of deletions only those after `deletions` matter.
    pub(super) fn within(store: &Store, known: u64, deletions: u64) -> Self {
        Self { log: store.cursor(0).log, known, deletions: deletions.max(known) }
    }

    /// Reads the parameter `since`; `None` if it is a cursor of another box.
    pub(super) fn read(store: &Store, since: Option<&str>) -> Result<Option<Since>, Problem> {
        let Some(text) = since else { return Ok(Some(Since::Nothing)) };
        if text == "earliest" {
            return Ok(Some(Since::Nothing));
        }
        if let Some(Self { log, known, deletions }) = Self::parse(text) {
            let is_ours = log == store.cursor(0).log;
            return Ok(is_ours.then_some(Since::Revision { known, deletions }));
        }
        match text.parse() {
            Ok(time) => Ok(Some(Since::Time(time))),
            Err(_) => {
                let rule = "must be a cursor this box gave out, \"earliest\", or a time like 2026-01-31T12:00:00Z";
                Err(Problem::invalid("since", rule))
            }
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '-');
        let log = parts.next().filter(|log| log.len() == 8)?;
        let log = u32::from_str_radix(log, 16).ok()?;
        let known = u64::from_str_radix(parts.next()?, 16).ok()?;
        let deletions = match parts.next() {
            Some(deletions) => u64::from_str_radix(deletions, 16).ok()?,
            None => known,
        };
        Some(Self { log, known, deletions })
    }
}

impl fmt::Display for MenuCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}-{:x}", self.log, self.known)?;
        if self.deletions == self.known { Ok(()) } else { write!(f, "-{:x}", self.deletions) }
    }
}
