//! What readers and the writer share: the open database, and how it fares.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use redb::{Database, ReadableDatabase};
use storebox_core::catalogue::Catalogue;
use storebox_core::limits::{BALLAST_BYTES, DISK_RESERVE_BYTES};
use storebox_core::settings::Settings;

use super::error::{ReadError, StoreError};
use super::medium::{Failure, Medium, Meter};
use super::opening::{load, load_catalogue, open_database};
use super::tables::{Counters, Identity};
use super::view::View;
use crate::clock::Clock;

/// How often a reader looks whether the store was opened again.
const REOPEN_POLL: Duration = Duration::from_millis(20);
/// How long a reader waits for that.
const REOPEN_WAIT: Duration = Duration::from_secs(5);

/// What readers and the writer share.
pub(super) struct Shared {
    pub(super) medium: Box<dyn Medium>,
    pub(super) meter: Arc<Meter>,
    pub(super) clock: Arc<dyn Clock>,
    /// `None` while it is being opened again.
    pub(super) database: RwLock<Option<Database>>,
    pub(super) identity: Identity,
    /// The catalogue as it was last committed.
    pub(super) catalogue: ArcSwap<Catalogue>,
    pub(super) full: AtomicBool,
    pub(super) stopped: AtomicBool,
    /// Write requests received and not answered.
    pub(super) under_way: AtomicUsize,
    /// The latest time anything was recorded at, in milliseconds since 1970.
    pub(super) recorded_ms: AtomicU64,
    /// Monotonic milliseconds at which the writer last showed that it is alive.
    pub(super) checked_in_ms: AtomicU64,
    pub(super) statistics: Statistics,
    pub(super) reopened: (Mutex<u64>, Condvar),
    /// Somebody thinks that space could be given back to the disk.
    pub(super) space_to_give_back: AtomicBool,
    /// How often it was.
    pub(super) space_given_back: AtomicU64,
}

/// Sums over the life of the process.
#[derive(Debug, Default)]
pub(super) struct Statistics {
    pub(super) commits: AtomicU64,
    pub(super) commands: AtomicU64,
    pub(super) commit_us: AtomicU64,
}

impl Shared {
    pub(super) fn check_in(&self) {
        let now = u64::try_from(self.clock.monotonic().as_millis()).unwrap_or(u64::MAX);
        self.checked_in_ms.store(now, Ordering::Relaxed);
    }

    pub(super) fn stop(&self, failed: bool) {
        self.stopped.store(true, Ordering::Release);
        // Dropped here, on the writer's thread, so that a clean end leaves a cleanly closed file.
        let database = self.database.write().unwrap_or_else(PoisonError::into_inner).take();
        if failed {
            log::error!("the store has failed and is closed");
        }
        drop(database);
    }

    pub(super) fn note_commit(&self, commands: usize, took: Duration) {
        self.statistics.commits.fetch_add(1, Ordering::Relaxed);
        self.statistics.commands.fetch_add(commands as u64, Ordering::Relaxed);
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.statistics.commit_us.fetch_add(took_us, Ordering::Relaxed);
    }

    pub(super) fn read<T>(&self, look: &impl Fn(&View) -> Result<T, StoreError>) -> Result<T, ReadError> {
        let deadline = self.clock.monotonic() + REOPEN_WAIT;
        loop {
            match self.read_once(look) {
                Ok(value) => return Ok(value),
                // After a full disk the writer opens the file again; meanwhile only cached pages can be read.
                Err(error) if self.is_coming_back(&error) && self.clock.monotonic() < deadline => {
                    self.wait_for_reopen()
                }
                Err(error) => {
                    log::error!("the store cannot be read: {error}");
                    return Err(ReadError::Unavailable);
                }
            }
        }
    }

    fn is_coming_back(&self, error: &StoreError) -> bool {
        let failed_for_room = self.meter.failure() == Some(Failure::Full) || error.is_latched();
        failed_for_room && !self.has_fault() && !self.stopped.load(Ordering::Acquire)
    }

    /// Whether the disk failed in a way that only a new process gets over.
    pub(super) fn has_fault(&self) -> bool {
        self.meter.failure() == Some(Failure::Fault)
    }

    fn read_once<T>(&self, look: &impl Fn(&View) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let transaction = opened(&database)?.begin_read()?;
        look(&View { transaction, identity: self.identity })
    }

    fn wait_for_reopen(&self) {
        let (generation, changed) = &self.reopened;
        let generation = generation.lock().unwrap_or_else(PoisonError::into_inner);
        let _waited = changed.wait_timeout(generation, REOPEN_POLL).unwrap_or_else(PoisonError::into_inner);
    }

    /// Whether there is room to write. Below the reserve there is none, and there is again only when the reserve
    /// and the ballast both fit.
    pub(super) fn look_for_room(&self) -> bool {
        let was_full = self.full.load(Ordering::Acquire);
        let needed = if was_full { DISK_RESERVE_BYTES + BALLAST_BYTES } else { DISK_RESERVE_BYTES };
        // A medium that does not say how full it is shows it by failing.
        let is_full = self.medium.free_bytes().is_ok_and(|free| free < needed);
        if is_full != was_full {
            self.full.store(is_full, Ordering::Release);
            if is_full {
                log::error!("the disk is nearly full: nothing is written until there is room again");
            } else {
                log::debug!("the disk has room");
                self.medium.restore_ballast();
            }
        }
        !is_full
    }

    /// Closes the file and opens it again, which is what redb needs after a failed write.
    pub(super) fn reopen(&self) -> Result<(Option<Settings>, Counters), StoreError> {
        self.open_again(|medium| {
            medium.release_ballast();
            self.meter.forget_failure();
            Ok(())
        })
    }

    /// Puts a copy that was made aside in the place of the file.
    pub(super) fn adopt_copy(&self) -> Result<(Option<Settings>, Counters), StoreError> {
        self.open_again(|medium| medium.adopt())
    }

    fn open_again(
        &self,
        between: impl FnOnce(&dyn Medium) -> std::io::Result<()>,
    ) -> Result<(Option<Settings>, Counters), StoreError> {
        let mut slot = self.database.write().unwrap_or_else(PoisonError::into_inner);
        drop(slot.take());
        if self.has_fault() {
            return Err(StoreError::Io(std::io::Error::other("the disk failed while the store was closed")));
        }
        between(self.medium.as_ref())?;
        let database = open_database(self.medium.as_ref(), &self.meter)?;
        let (_, settings, counters) = load(&database)?;
        self.catalogue.store(load_catalogue(&database)?);
        *slot = Some(database);
        drop(slot);
        let (generation, changed) = &self.reopened;
        *generation.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        changed.notify_all();
        Ok((settings, counters))
    }
}

/// The database, unless it is being opened again.
pub(super) fn opened(database: &Option<Database>) -> Result<&Database, StoreError> {
    database.as_ref().ok_or_else(|| StoreError::Database(Box::new(redb::Error::DatabaseClosed)))
}
