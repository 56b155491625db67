//! Giving space back to the disk: the store is copied aside while nobody writes, and put in the place of the old (U14).
//!
//! redb uses freed space again at once, but a file that has grown stays large. Its own compaction moves pages within the
//! file, and a power cut in the middle of that leaves one whose repair takes as long as reading all of it. A copy leaves
//! the old file as it is until a rename; whoever reads goes on reading it, and whoever writes comes first.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};

use redb::{Database, Key, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition, Value, WriteTransaction};
use storebox_core::limits::{BALLAST_BYTES, DISK_RESERVE_BYTES, ROWS_COPIED_AT_ONCE};

use super::error::StoreError;
use super::medium::{Medium, Meter, Metered};
use super::opening::builder;
use super::shared::{Shared, opened};
use super::tables::{EveryTable, every_table};

/// How copying ended.
pub(super) enum Copied {
    /// What is aside holds everything the store holds.
    Whole,
    /// Somebody wants to write.
    Interrupted,
    /// There is no room for a copy beside the store.
    NoRoom,
}

/// Copies the store aside, as long as `goes_on` says so.
///
/// # Errors
/// If the store cannot be read, or the copy not be written. The store is as it was.
pub(super) fn copy_aside(shared: &Shared, goes_on: &mut dyn FnMut() -> bool) -> Result<Copied, StoreError> {
    if !has_room(shared.medium.as_ref()) {
        return Ok(Copied::NoRoom);
    }
    let database = shared.database.read().unwrap_or_else(PoisonError::into_inner);
    let from = opened(&database)?.begin_read()?;
    // redb may panic over a page that has rotted; the store goes on as it did.
    let copying = AssertUnwindSafe(|| copy(shared.medium.as_ref(), &from, goes_on));
    catch_unwind(copying).unwrap_or(Err(StoreError::Foreign))
}

/// Whether the whole store fits once more, and what must stay free beside it.
fn has_room(medium: &dyn Medium) -> bool {
    match (medium.free_bytes(), medium.store_bytes()) {
        (Ok(free), Ok(size)) => free >= size.saturating_add(DISK_RESERVE_BYTES + BALLAST_BYTES),
        // A medium that does not say how full it is shows it by failing.
        _ => true,
    }
}

fn copy(medium: &dyn Medium, from: &ReadTransaction, goes_on: &mut dyn FnMut() -> bool) -> Result<Copied, StoreError> {
    // A meter of its own: a copy that fails says nothing about the store.
    let meter = Arc::new(Meter::default());
    let database = builder().create_with_backend(Metered { backend: medium.create()?, meter: Arc::clone(&meter) })?;
    let is_whole = copy_all(&database, from, goes_on)?;
    drop(database);
    match (is_whole, meter.failure()) {
        (false, _) => Ok(Copied::Interrupted),
        (true, None) => Ok(Copied::Whole),
        (true, Some(_)) => Err(StoreError::Io(std::io::Error::other("the disk failed while the copy was closed"))),
    }
}

/// Whether everything was copied.
fn copy_all(
    database: &Database,
    from: &ReadTransaction,
    goes_on: &mut dyn FnMut() -> bool,
) -> Result<bool, StoreError> {
    let mut to = database.begin_write()?;
    to.set_quick_repair(true);
    let mut copying = Copying { from, to: &to, goes_on, rows: 0, is_whole: true };
    every_table(&mut copying)?;
    if copying.is_whole {
        to.commit()?;
        Ok(true)
    } else {
        to.abort()?;
        Ok(false)
    }
}

struct Copying<'c> {
    from: &'c ReadTransaction,
    to: &'c WriteTransaction,
    goes_on: &'c mut dyn FnMut() -> bool,
    rows: u64,
    is_whole: bool,
}

impl EveryTable for Copying<'_> {
    fn with<K: Key + 'static, V: Value + 'static>(
        &mut self,
        table: TableDefinition<'static, K, V>,
    ) -> Result<(), StoreError> {
        let mut to = self.to.open_table(table)?;
        for row in self.from.open_table(table)?.iter()? {
            if self.rows.is_multiple_of(ROWS_COPIED_AT_ONCE) && !(self.goes_on)() {
                self.is_whole = false;
            }
            if !self.is_whole {
                break;
            }
            self.rows += 1;
            let (key, value) = row?;
            to.insert(key.value(), value.value())?;
        }
        Ok(())
    }
}
