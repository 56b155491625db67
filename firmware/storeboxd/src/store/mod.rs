//! The store: one redb file, one thread that writes, any number that read.
//!
//! | file | what it holds |
//! |---|---|
//! | `tables.rs` | tables, schema number, migrations |
//! | `medium.rs`, `gate.rs` | the file and its disk (the seam where tests put a failing one), untouched until it is known |
//! | `committer.rs`, `gather.rs` | the writer thread and how many commands share a sync |
//! | `ledger.rs` | one command in a transaction |
//! | `view.rs`, `cursor.rs` | reading, and where readers stand |
//! | `error.rs` | failures by what to do about them |

mod committer;
mod cursor;
mod error;
mod gate;
mod gather;
mod ledger;
mod medium;
mod tables;
mod view;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use redb::{Builder, Database};
use storebox_core::command::{Command, Request};
use storebox_core::id::StoreId;
use storebox_core::limits::{COMMIT_QUEUE, COMMIT_WAIT_S, STORE_CACHE_BYTES};
use storebox_core::record::encode;
use storebox_core::settings::Settings;
use storebox_core::time::Timestamp;
use tokio::sync::{oneshot, watch};

pub use cursor::{Cursor, NotACursor};
pub use error::{ReadError, StoreError, SubmitError};
pub use ledger::Answer;
pub use medium::{DiskMedium, Failure, Medium, Meter};
pub use tables::{Identity, SCHEMA};
pub use view::{Counts, EventPage, Expired, Found, OrderPage, View};

use crate::clock::Clock;
use crate::entropy;
use committer::{Committer, Submission};
use gate::Gate;
use gather::Gather;
use medium::Metered;
use tables::{Counters, META, META_COUNTERS, META_IDENTITY, META_SCHEMA, META_SETTINGS, MIGRATIONS};

/// How often a reader looks whether the store was opened again.
const REOPEN_POLL: Duration = Duration::from_millis(20);
/// How long a reader waits for that.
const REOPEN_WAIT: Duration = Duration::from_secs(5);

/// The store, as everybody but the writer sees it. Clones share it.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
    queue: Arc<Mutex<Option<SyncSender<Submission>>>>,
    committed: watch::Receiver<u64>,
}

/// The writer's thread. It ends when [`Store::close`] is called, or with a fault.
pub struct Writer(JoinHandle<Result<(), StoreError>>);

/// What readers and the writer share.
struct Shared {
    medium: Box<dyn Medium>,
    meter: Arc<Meter>,
    clock: Arc<dyn Clock>,
    /// `None` while it is being opened again.
    database: RwLock<Option<Database>>,
    identity: Identity,
    full: AtomicBool,
    stopped: AtomicBool,
    /// Write requests received and not answered.
    under_way: AtomicUsize,
    /// The latest time anything was recorded at, in milliseconds since 1970.
    recorded_ms: AtomicU64,
    /// Monotonic milliseconds at which the writer last showed that it is alive.
    checked_in_ms: AtomicU64,
    statistics: Statistics,
    reopened: (Mutex<u64>, Condvar),
}

/// Sums over the life of the process.
#[derive(Debug, Default)]
struct Statistics {
    commits: AtomicU64,
    commands: AtomicU64,
    commit_us: AtomicU64,
}

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
        let (queue, receiver) = sync_channel(COMMIT_QUEUE);
        let (committed, watch) = watch::channel(counters.last_event);
        let shared = Arc::new(Shared {
            medium,
            meter,
            clock,
            database: RwLock::new(Some(database)),
            identity,
            // Until there was a look: the first one finds room, or says that there is none.
            full: AtomicBool::new(true),
            stopped: AtomicBool::new(false),
            under_way: AtomicUsize::new(0),
            recorded_ms: AtomicU64::new(counters.clock.wall.as_millis()),
            checked_in_ms: AtomicU64::new(0),
            statistics: Statistics::default(),
            reopened: (Mutex::new(0), Condvar::new()),
        });
        shared.check_in();
        shared.look_for_room();
        let committer = Committer {
            shared: Arc::clone(&shared),
            queue: receiver,
            committed,
            settings: stored.unwrap_or(settings),
            counters,
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
            lines: wish.lines.clone(),
            tax_rule: Default::default(),
        };
        let at = Hlc::default().tick(self.shared.clock.wall());
        let result = order::open(wish.id, opened, actor.device, at).map(|(_, order)| Outcome::Opened(Box::new(order)));
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

impl Shared {
    fn check_in(&self) {
        let now = u64::try_from(self.clock.monotonic().as_millis()).unwrap_or(u64::MAX);
        self.checked_in_ms.store(now, Ordering::Relaxed);
    }

    fn stop(&self, failed: bool) {
        self.stopped.store(true, Ordering::Release);
        // Dropped here, on the writer's thread, so that a clean end leaves a cleanly closed file.
        let database = self.database.write().unwrap_or_else(PoisonError::into_inner).take();
        if failed {
            log::error!("the store has failed and is closed");
        }
        drop(database);
    }

    fn note_commit(&self, commands: usize, took: Duration) {
        self.statistics.commits.fetch_add(1, Ordering::Relaxed);
        self.statistics.commands.fetch_add(commands as u64, Ordering::Relaxed);
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.statistics.commit_us.fetch_add(took_us, Ordering::Relaxed);
    }

    fn read<T>(&self, look: &impl Fn(&View) -> Result<T, StoreError>) -> Result<T, ReadError> {
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
    fn has_fault(&self) -> bool {
        self.meter.failure() == Some(Failure::Fault)
    }

    fn read_once<T>(&self, look: &impl Fn(&View) -> Result<T, StoreError>) -> Result<T, StoreError> {
        use redb::ReadableDatabase;
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let transaction = opened(&database)?.begin_read()?;
        look(&View { transaction, identity: self.identity })
    }

    fn wait_for_reopen(&self) {
        let (generation, changed) = &self.reopened;
        let generation = generation.lock().unwrap_or_else(PoisonError::into_inner);
        let _waited = changed.wait_timeout(generation, REOPEN_POLL).unwrap_or_else(PoisonError::into_inner);
    }

    /// Closes the file and opens it again, which is what redb needs after a failed write.
    fn reopen(&self) -> Result<(Option<Settings>, Counters), StoreError> {
        let mut slot = self.database.write().unwrap_or_else(PoisonError::into_inner);
        drop(slot.take());
        if self.has_fault() {
            return Err(StoreError::Io(std::io::Error::other("the disk failed while the store was closed")));
        }
        self.medium.release_ballast();
        self.meter.forget_failure();
        let database = open_database(self.medium.as_ref(), &self.meter)?;
        let (_, settings, counters) = load(&database)?;
        *slot = Some(database);
        drop(slot);
        let (generation, changed) = &self.reopened;
        *generation.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        changed.notify_all();
        Ok((settings, counters))
    }
}

fn opened(database: &Option<Database>) -> Result<&Database, StoreError> {
    database.as_ref().ok_or_else(|| StoreError::Database(Box::new(redb::Error::DatabaseClosed)))
}

/// Makes a new store beside where it will be, and puts it there when it is whole.
fn make(medium: &dyn Medium, meter: &Arc<Meter>, clock: &dyn Clock, settings: &Settings) -> Result<(), StoreError> {
    let backend = Metered { backend: medium.create()?, meter: Arc::clone(meter) };
    let database = builder().create_with_backend(backend)?;
    let made_at = clock.wall();
    let identity = Identity {
        store: StoreId::new(made_at, entropy::for_id()),
        log: u32::from_le_bytes(entropy::random()),
        made_at,
    };
    let mut transaction = database.begin_write()?;
    transaction.set_quick_repair(true);
    tables::make_all(&transaction)?;
    {
        let mut meta = transaction.open_table(META)?;
        meta.insert(META_SCHEMA, SCHEMA.to_le_bytes().as_slice())?;
        meta.insert(META_IDENTITY, encode(&identity)?.as_slice())?;
        meta.insert(META_COUNTERS, encode(&Counters::default())?.as_slice())?;
        meta.insert(META_SETTINGS, encode(settings)?.as_slice())?;
    }
    transaction.commit()?;
    drop(database);
    // What fails while it is closed is told to nobody else.
    match meter.failure() {
        None => Ok(medium.adopt()?),
        Some(_) => Err(StoreError::Io(std::io::Error::other("the disk failed while the new store was closed"))),
    }
}

fn open_database(medium: &dyn Medium, meter: &Arc<Meter>) -> Result<Database, StoreError> {
    let gate = Gate::closed(Metered { backend: medium.open()?, meter: Arc::clone(meter) })?;
    // redb takes its own structure on trust in places, and panics over a file that was cut short.
    let opening = AssertUnwindSafe(|| builder().create_with_backend(gate.clone()));
    let database = catch_unwind(opening).map_err(|_panic| StoreError::Foreign)?.map_err(foreign)?;
    let found = schema_of(&database)?;
    load(&database)?;
    gate.open()?;
    migrate(&database, found)?;
    Ok(database)
}

fn builder() -> Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(STORE_CACHE_BYTES);
    builder
}

/// Tells a file that is no store from a disk that fails.
fn foreign(error: redb::DatabaseError) -> StoreError {
    match &error {
        redb::DatabaseError::Storage(redb::StorageError::Corrupted(_)) => StoreError::Foreign,
        redb::DatabaseError::Storage(redb::StorageError::Io(io)) => match io.kind() {
            std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof => StoreError::Foreign,
            _ => error.into(),
        },
        _ => error.into(),
    }
}

/// The layout of a file, if it is a store of ours that this program knows.
fn schema_of(database: &Database) -> Result<u32, StoreError> {
    use redb::ReadableDatabase;
    match tables::schema_of(&database.begin_read()?)? {
        Some(found @ 1..=SCHEMA) => Ok(found),
        Some(found) => Err(StoreError::Newer { found, known: SCHEMA }),
        None => Err(StoreError::Foreign),
    }
}

/// Brings an older layout up to today's, in one transaction.
fn migrate(database: &Database, found: u32) -> Result<(), StoreError> {
    if found == SCHEMA {
        return Ok(());
    }
    let mut transaction = database.begin_write()?;
    transaction.set_quick_repair(true);
    for step in MIGRATIONS.iter().skip(found as usize - 1) {
        step(&transaction)?;
    }
    transaction.open_table(META)?.insert(META_SCHEMA, SCHEMA.to_le_bytes().as_slice())?;
    log::info!("the store's layout went from {found} to {SCHEMA}");
    Ok(transaction.commit()?)
}

fn load(database: &Database) -> Result<(Identity, Option<Settings>, Counters), StoreError> {
    use redb::ReadableDatabase;
    let nobody = Identity { store: StoreId::from_bytes([0; 16]), log: 0, made_at: Default::default() };
    let view = View { transaction: database.begin_read()?, identity: nobody };
    let identity = view.meta(META_IDENTITY)?.ok_or(StoreError::Foreign)?;
    let counters = view.meta(META_COUNTERS)?.ok_or(StoreError::Foreign)?;
    Ok((identity, view.meta(META_SETTINGS)?, counters))
}
