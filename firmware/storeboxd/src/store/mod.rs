//! The store: one redb file, one thread that writes, any number that read.
//!
//! | file | what it holds |
//! |---|---|
//! | `tables.rs` | tables, schema number, migrations |
//! | `medium.rs`, `gate.rs` | the file and its disk (the seam where tests put a failing one), untouched until it is known |
//! | `committer.rs`, `gather.rs` | the writer thread and how many commands share a sync |
//! | `opening.rs`, `shared.rs` | making and opening the file; what readers and the writer share |
//! | `ledger/` | one command in a transaction, a file for each subject |
//! | `view.rs`, `audit.rs`, `levels.rs`, `payments.rs`, `people.rs`, `shifts.rs`, `totals.rs`, `cursor.rs` | reading, and where readers stand |
//! | `error.rs` | failures by what to do about them |

mod audit;
mod committer;
mod cursor;
mod error;
mod gate;
mod gather;
mod ledger;
mod levels;
mod medium;
mod opening;
mod payments;
mod people;
mod shared;
mod shifts;
mod space;
mod tables;
mod totals;
mod view;

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use storebox_core::catalogue::Catalogue;
use storebox_core::command::{Command, Request};
use storebox_core::id::StoreId;
use storebox_core::limits::{COMMIT_QUEUE, COMMIT_WAIT_S};
use storebox_core::settings::Settings;
use storebox_core::time::Timestamp;
use tokio::sync::{oneshot, watch};

pub use audit::{AuditRow, Walked};
pub use cursor::{Cursor, NotACursor};
pub use error::{ReadError, StoreError, SubmitError};
pub use ledger::Answer;
pub use levels::{Kept, LevelPage, StockFilter};
pub use medium::{DiskMedium, Failure, Medium, Meter};
pub use tables::{Identity, SCHEMA};
pub use view::{Counts, EventPage, Expired, Found, OrderPage, StationTickets, TicketPage, View};

use crate::clock::Clock;
use committer::{Committer, Submission};
use gather::Gather;
use opening::{load, load_catalogue, make, open_database};
use shared::{Shared, Statistics};

/// The store, as everybody but the writer sees it. Clones share it.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
    queue: Arc<Mutex<Option<SyncSender<Submission>>>>,
    committed: watch::Receiver<u64>,
}

/// The writer's thread. It ends when [`Store::close`] is called, or with a fault.
pub struct Writer(JoinHandle<Result<(), StoreError>>);

/// What the store has done since it was opened.
#[derive(Clone, Copy, Debug)]
pub struct Activity {
    /// Transactions committed.
    pub commits: u64,
    /// Commands in them.
    pub commands: u64,
    /// Time they took, in microseconds.
    pub commit_us: u64,
    /// Syncs of the medium.
    pub syncs: u64,
    /// Bytes written to the medium.
    pub bytes_written: u64,
    /// Write requests received and not answered.
    pub under_way: usize,
}

/// A write request that was received; dropped when it is answered.
pub struct UnderWay(Arc<Shared>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Store {
    /// Opens the store, or makes it, and starts its writer.
    ///
    /// Opening after a power loss takes no longer than opening after a clean end.
    ///
    /// # Errors
    /// [`StoreError`]; whatever is on the medium stays as it is.
    pub fn open(medium: impl Medium, clock: Arc<dyn Clock>, settings: Settings) -> Result<(Self, Writer), StoreError> {
        let medium: Box<dyn Medium> = Box::new(medium);
        let meter = Arc::new(Meter::default());
        if medium.is_blank()? {
            make(medium.as_ref(), &meter, clock.as_ref(), &settings)?;
        }
        let database = open_database(medium.as_ref(), &meter).or_else(|error| match meter.failure() {
            Some(Failure::Full) => {
                medium.release_ballast();
                meter.forget_failure();
                open_database(medium.as_ref(), &meter)
            }
            Some(Failure::Fault) | None => Err(error),
        })?;
        let (identity, stored, counters) = load(&database)?;
        let catalogue = load_catalogue(&database)?;
        let (queue, receiver) = sync_channel(COMMIT_QUEUE);
        let (committed, watch) = watch::channel(counters.last_event);
        let shared = Arc::new(Shared {
            medium,
            meter,
            clock,
            database: RwLock::new(Some(database)),
            identity,
            catalogue: ArcSwap::new(Arc::clone(&catalogue)),
            // Until there was a look: the first one finds room, or says that there is none.
            full: AtomicBool::new(true),
            stopped: AtomicBool::new(false),
            under_way: AtomicUsize::new(0),
            recorded_ms: AtomicU64::new(counters.clock.wall.as_millis()),
            checked_in_ms: AtomicU64::new(0),
            statistics: Statistics::default(),
            reopened: (Mutex::new(0), Condvar::new()),
            space_to_give_back: AtomicBool::new(false),
            space_given_back: AtomicU64::new(0),
        });
        shared.check_in();
        shared.medium.discard();
        shared.look_for_room();
        let committer = Committer {
            shared: Arc::clone(&shared),
            queue: receiver,
            committed,
            settings: stored.unwrap_or(settings),
            counters,
            catalogue,
            gather: Gather::default(),
        };
        let thread = std::thread::Builder::new().name("committer".to_owned()).spawn(move || committer.run())?;
        let store = Self { shared, queue: Arc::new(Mutex::new(Some(queue))), committed: watch };
        Ok((store, Writer(thread)))
    }

    /// Has a command decided, and what follows from it made durable, before this returns.
    ///
    /// # Errors
    /// [`SubmitError`]. Only after [`SubmitError::TooSlow`] and [`SubmitError::Stopped`] may the command have been
    /// carried out all the same; its key makes asking again harmless.
    pub async fn submit(&self, request: Request) -> Result<Answer, SubmitError> {
        #[cfg(feature = "without-storage")]
        if let Some(answer) = self.answer_without_storing(&request) {
            return Ok(answer);
        }
        let (reply, answer) = oneshot::channel();
        self.enqueue(Submission { request: Box::new(request), reply })?;
        match tokio::time::timeout(Duration::from_secs(COMMIT_WAIT_S), answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_gone)) => Err(SubmitError::Stopped),
            Err(_elapsed) => Err(SubmitError::TooSlow),
        }
    }

    /// Has a command of the box itself carried out whenever there is time; nobody waits for it.
    pub fn note(&self, command: Command) {
        let (reply, _nobody) = oneshot::channel();
        let request = Request { actor: None, key: None, received: None, command };
        // If the queue is full, what the box noticed will be noticed again.
        let _later = self.enqueue(Submission { request: Box::new(request), reply });
    }

    /// Tells the writer that a write request is coming.
    pub fn under_way(&self) -> UnderWay {
        self.shared.under_way.fetch_add(1, Ordering::Relaxed);
        UnderWay(Arc::clone(&self.shared))
    }

    /// Reads one moment of the store, off the threads that serve the network.
    ///
    /// # Errors
    /// [`ReadError::Unavailable`] while the store cannot be read.
    pub async fn read<T: Send + 'static>(
        &self,
        look: impl Fn(&View) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, ReadError> {
        let shared = Arc::clone(&self.shared);
        match tokio::task::spawn_blocking(move || shared.read(&look)).await {
            Ok(result) => result,
            Err(panicked) => {
                log::error!("reading the store failed: {panicked}");
                Err(ReadError::Unavailable)
            }
        }
    }

    /// Reads one moment of the store on this thread.
    ///
    /// # Errors
    /// [`ReadError::Unavailable`] while the store cannot be read.
    pub fn read_blocking<T>(&self, look: impl Fn(&View) -> Result<T, StoreError>) -> Result<T, ReadError> {
        self.shared.read(&look)
    }

    /// Follows the number of the last event.
    pub fn committed(&self) -> watch::Receiver<u64> {
        self.committed.clone()
    }

    /// The catalogue as it was last committed. Whoever holds it holds that moment; it costs no look into the store.
    pub fn catalogue(&self) -> Arc<Catalogue> {
        self.shared.catalogue.load_full()
    }

    /// Who the store is.
    pub fn id(&self) -> StoreId {
        self.shared.identity.store
    }

    /// The time of business: what the wall shows, but never before anything that was recorded. Identifiers made from
    /// it stay in order while the box waits for a clock that is right.
    pub fn now(&self) -> Timestamp {
        let recorded = Timestamp::from_millis(self.shared.recorded_ms.load(Ordering::Relaxed));
        self.shared.clock.wall().max(recorded)
    }

    /// A cursor into this store's log.
    pub fn cursor(&self, event: u64) -> Cursor {
        Cursor { log: self.shared.identity.log, event, listed: None }
    }

    /// Whether the disk is too full to write.
    pub fn is_full(&self) -> bool {
        self.shared.full.load(Ordering::Acquire)
    }

    /// Whether the store has failed for good.
    pub fn is_stopped(&self) -> bool {
        self.shared.stopped.load(Ordering::Acquire)
    }

    /// Free and total bytes of the medium.
    pub fn space(&self) -> Option<(u64, u64)> {
        Some((self.shared.medium.free_bytes().ok()?, self.shared.medium.total_bytes().ok()?))
    }

    /// Gives space back to the disk as soon as nobody writes; whoever wants to write ends it, and nothing happens.
    pub fn give_space_back(&self) {
        self.shared.space_to_give_back.store(true, Ordering::Relaxed);
    }

    /// How often space was given back since the store was opened.
    pub fn space_given_back(&self) -> u64 {
        self.shared.space_given_back.load(Ordering::Relaxed)
    }

    /// Size of the store's file in bytes.
    pub fn size(&self) -> Option<u64> {
        self.shared.medium.store_bytes().ok()
    }

    /// What it has done so far.
    pub fn activity(&self) -> Activity {
        let statistics = &self.shared.statistics;
        Activity {
            commits: statistics.commits.load(Ordering::Relaxed),
            commands: statistics.commands.load(Ordering::Relaxed),
            commit_us: statistics.commit_us.load(Ordering::Relaxed),
            syncs: self.shared.meter.syncs(),
            bytes_written: self.shared.meter.bytes_written(),
            under_way: self.shared.under_way.load(Ordering::Relaxed),
        }
    }

    /// How long the writer has been silent.
    pub fn silent_for(&self) -> Duration {
        let checked_in = Duration::from_millis(self.shared.checked_in_ms.load(Ordering::Relaxed));
        self.shared.clock.monotonic().saturating_sub(checked_in)
    }

    /// Lets the writer finish what it has and end.
    pub fn close(&self) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn enqueue(&self, submission: Submission) -> Result<(), SubmitError> {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(queue) = queue.as_ref() else { return Err(SubmitError::Stopped) };
        match queue.try_send(submission) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(_)) => Err(SubmitError::Busy),
            Err(TrySendError::Disconnected(_)) => Err(SubmitError::Stopped),
        }
    }

    /// The yardstick of the benchmarks: the same work without keeping anything.
    #[cfg(feature = "without-storage")]
    fn answer_without_storing(&self, request: &Request) -> Option<Answer> {
        use storebox_core::command::Outcome;
        use storebox_core::order::{self, Opened, OrderNumber};
        use storebox_core::time::Hlc;

        let (Command::OpenOrder(wish), Some(actor)) = (&request.command, &request.actor) else { return None };
        let opened = Opened {
            number: OrderNumber { register: wish.lines.first()?.item_id.clone(), serial: 1 },
            client_id: wish.client_id.clone(),
            header: wish.header.clone(),
            lines: wish.lines.iter().map(|line| line.open_item(Default::default())).collect::<Result<_, _>>().ok()?,
            tax_rule: Default::default(),
        };
        let at = Hlc::default().tick(self.shared.clock.wall());
        let result = order::open(wish.id, opened, actor, at).map(|(_, order)| Outcome::Opened(Box::new(order)));
        Some(Answer { result, replayed: false })
    }
}

impl Writer {
    /// Waits for the writer to end.
    ///
    /// # Errors
    /// The fault it ended with. The process must end too: see [`Failure::Fault`].
    pub fn join(self) -> Result<(), StoreError> {
        self.0.join().unwrap_or(Ok(()))
    }
}
