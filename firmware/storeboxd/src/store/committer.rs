//! The one thread that writes.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use storebox_core::catalogue::Catalogue;
use storebox_core::command::Request;
use storebox_core::limits::BATCH_COMMANDS;
use storebox_core::settings::Settings;
use tokio::sync::{oneshot, watch};

use super::error::{StoreError, SubmitError};
use super::gather::Gather;
use super::ledger::{Answer, Ledger};
use super::medium::Failure;
use super::shared::{Shared, opened};
use super::space::{self, Copied};
use super::tables::Counters;

/// How often an idle committer shows that it is alive, and looks whether a full disk has room again.
const IDLE: Duration = Duration::from_secs(1);

/// A command on its way, and where its answer goes.
pub(super) struct Submission {
    /// Apart from the rest, because the queue's room is allocated at once.
    pub(super) request: Box<Request>,
    pub(super) reply: oneshot::Sender<Result<Answer, SubmitError>>,
}

/// The writer's side of the store.
pub(super) struct Committer {
    pub(super) shared: Arc<Shared>,
    pub(super) queue: Receiver<Submission>,
    pub(super) committed: watch::Sender<u64>,
    pub(super) settings: Settings,
    pub(super) counters: Counters,
    pub(super) catalogue: Arc<Catalogue>,
    pub(super) gather: Gather,
}

/// Ends the process if the writer panics: half a thought must not be followed by another.
struct AbortOnPanic;

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::process::abort();
        }
    }
}

impl Committer {
    /// Works until every sender is gone.
    ///
    /// # Errors
    /// A fault that only a new process can get over: the kernel's cache may hold what the disk does not.
    pub(super) fn run(mut self) -> Result<(), StoreError> {
        let _guard = AbortOnPanic;
        let result = self.serve();
        self.shared.stop(result.is_err());
        result
    }

    fn serve(&mut self) -> Result<(), StoreError> {
        loop {
            self.shared.check_in();
            let first = match self.queue.recv_timeout(IDLE) {
                Ok(first) => first,
                Err(RecvTimeoutError::Timeout) if self.shared.has_fault() => {
                    // A reader met it; nothing here can be trusted any more.
                    return Err(StoreError::Io(io::Error::other("the disk failed while it was read")));
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.shared.look_for_room();
                    match self.give_space_back()? {
                        Some(first) => first,
                        None => continue,
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            };
            let batch = self.gather(first);
            self.carry_out(batch)?;
        }
    }

    /// Gives space back to the disk if somebody thinks there is any. What comes meanwhile ends it.
    fn give_space_back(&mut self) -> Result<Option<Submission>, StoreError> {
        if !self.shared.space_to_give_back.swap(false, Ordering::Relaxed) {
            return Ok(None);
        }
        let before = self.shared.medium.store_bytes();
        let mut first = None;
        let mut goes_on = || {
            self.shared.check_in();
            match self.queue.try_recv() {
                Ok(submission) => first = Some(submission),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => {}
            }
            false
        };
        match space::copy_aside(&self.shared, &mut goes_on) {
            Ok(Copied::Whole) => {
                let (settings, counters) = self.shared.adopt_copy()?;
                self.go_on_from(settings, counters);
                self.shared.space_given_back.fetch_add(1, Ordering::Relaxed);
                if let (Ok(before), Ok(after)) = (before, self.shared.medium.store_bytes()) {
                    log::info!("the store's file shrank from {before} to {after} bytes");
                }
            }
            Ok(Copied::Interrupted) => {
                log::debug!("space is given back later: somebody writes");
                self.shared.medium.discard();
            }
            Ok(Copied::NoRoom) => log::warn!("no space is given back: it takes room for a copy of the store"),
            Err(error) => {
                log::warn!("no space is given back: {error}");
                self.shared.medium.discard();
            }
        }
        Ok(first)
    }

    fn gather(&self, first: Submission) -> Vec<Submission> {
        let mut batch = vec![first];
        batch.extend(self.queue.try_iter().take(BATCH_COMMANDS - 1));
        let expected = self.gather.expected(self.shared.under_way.load(Ordering::Relaxed));
        let deadline = self.shared.clock.monotonic() + self.gather.patience();
        while batch.len() < expected {
            let left = deadline.saturating_sub(self.shared.clock.monotonic());
            match self.queue.recv_timeout(left) {
                Ok(next) => batch.push(next),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        batch
    }

    /// Commits a batch and answers it, or answers that nothing of it was written.
    fn carry_out(&mut self, batch: Vec<Submission>) -> Result<(), StoreError> {
        if !self.shared.look_for_room() {
            refuse(batch, SubmitError::Full);
            return Ok(());
        }
        let started = self.shared.clock.monotonic();
        match self.commit(&batch) {
            Ok(answers) => {
                let took = self.shared.clock.monotonic().saturating_sub(started);
                let under_way = self.shared.under_way.load(Ordering::Relaxed);
                self.gather.learn(under_way.max(batch.len()), took);
                self.shared.note_commit(batch.len(), took);
                // Published in commit order, and only now.
                self.committed.send_if_modified(|last| {
                    std::mem::replace(last, self.counters.last_event) != self.counters.last_event
                });
                for (submission, answer) in batch.into_iter().zip(answers) {
                    // Whoever hung up has its answer waiting under its key.
                    let _gone = submission.reply.send(Ok(answer));
                }
                Ok(())
            }
            Err(error) => self.recover(error, batch),
        }
    }

    fn commit(&mut self, batch: &[Submission]) -> Result<Vec<Answer>, StoreError> {
        let database = self.shared.database.read().unwrap_or_else(PoisonError::into_inner);
        let mut transaction = opened(&database)?.begin_write()?;
        // Recovery after power loss is instant and survives a second crash; it costs a second sync.
        transaction.set_quick_repair(true);
        let catalogue = Arc::clone(&self.catalogue);
        let mut ledger = Ledger::open(&transaction, self.settings.clone(), self.counters, catalogue)?;
        let wall = self.shared.clock.wall();
        let answers: Vec<Answer> =
            batch.iter().map(|submission| ledger.apply(&submission.request, wall)).collect::<Result<_, _>>()?;
        match ledger.finish()? {
            Some((settings, counters, catalogue)) => {
                transaction.commit()?;
                self.settings = settings;
                self.counters = counters;
                if !Arc::ptr_eq(&self.catalogue, &catalogue) {
                    self.shared.catalogue.store(Arc::clone(&catalogue));
                    self.catalogue = catalogue;
                }
                self.shared.recorded_ms.store(counters.clock.wall.as_millis(), Ordering::Relaxed);
            }
            // Replays and refusals only: everything they say was durable before.
            None => transaction.abort()?,
        }
        Ok(answers)
    }

    /// A full disk is got over here; anything else is left to a new process.
    fn recover(&mut self, error: StoreError, batch: Vec<Submission>) -> Result<(), StoreError> {
        if self.shared.meter.failure() != Some(Failure::Full) {
            refuse(batch, SubmitError::Stopped);
            return Err(error);
        }
        log::warn!("the disk is full; nothing more is written until there is room: {error}");
        self.shared.full.store(true, Ordering::Release);
        refuse(batch, SubmitError::Full);
        let (settings, counters) = self.shared.reopen()?;
        self.go_on_from(settings, counters);
        Ok(())
    }

    fn go_on_from(&mut self, settings: Option<Settings>, counters: Counters) {
        self.settings = settings.unwrap_or_else(|| self.settings.clone());
        self.counters = counters;
        self.catalogue = self.shared.catalogue.load_full();
    }
}

fn refuse(batch: Vec<Submission>, error: SubmitError) {
    for submission in batch {
        let _gone = submission.reply.send(Err(error));
    }
}
