//! A disk in memory that does everything a bad one does.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redb::StorageBackend;
use storebox_core::limits::BALLAST_BYTES;
use storeboxd::store::Medium;

use crate::image::File;

/// EIO (errno 5).
const EIO: i32 = 5;
/// How long a test waits for the store to come to a held operation.
const PATIENCE: Duration = Duration::from_secs(20);

/// A disk; clones are the same one.
#[derive(Clone, Debug)]
pub(crate) struct FaultyDisk(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    moved: Condvar,
}

/// What can be done to a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// Opening the file.
    Open,
    /// Reading from it.
    Read,
    /// Writing to it, or changing its length.
    Write,
    /// Making it durable; also making its name so.
    Sync,
}

/// Where a disk without room says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refuses {
    /// When a file grows.
    Growth,
    /// Only when the grown file is written to (sparse files).
    Writes,
}

#[derive(Debug, Default)]
struct State {
    /// The file with the store's name, if there is one.
    file: File,
    adopted: bool,
    /// Whether it would have that name after a crash too, and what would have it otherwise.
    adopted_for_good: bool,
    replaced: Option<File>,
    /// The file that was created and has not got that name.
    aside: Option<File>,
    /// Whether somebody has it open: the lock on the real file.
    is_open: bool,
    counts: [u64; 4],
    bytes_written: u64,
    /// How many had been written at each sync.
    bytes_at_syncs: Vec<u64>,
    crash_at_sync: Option<u64>,
    lies_from_sync: Option<u64>,
    fails: Option<(Operation, u64)>,
    is_dead: bool,
    after_fault: Option<u64>,
    capacity: Option<(u64, Refuses)>,
    tells_room: bool,
    ballast: bool,
    held: Option<Operation>,
    waiting: bool,
}

impl FaultyDisk {
    /// A blank disk that does nothing wrong.
    pub(crate) fn blank() -> Self {
        Self::of(State::default())
    }

    /// A disk with these bytes as its store.
    pub(crate) fn holding(bytes: Vec<u8>) -> Self {
        let file = File::durable(bytes);
        Self::of(State { file, adopted: true, adopted_for_good: true, ..State::default() })
    }

    fn of(state: State) -> Self {
        Self(Arc::new(Shared { state: Mutex::new(state), moved: Condvar::new() }))
    }

    /// The `n`-th sync from now on (1 is the next) does not complete, and nothing works any more.
    pub(crate) fn crash_at_sync(&self, n: u64) {
        let mut state = self.state();
        state.crash_at_sync = Some(state.counts[Operation::Sync as usize] + n);
    }

    /// From the `n`-th sync on nothing is made durable, though the disk says so.
    pub(crate) fn lie_from_sync(&self, n: u64) {
        let mut state = self.state();
        state.lies_from_sync = Some(state.counts[Operation::Sync as usize] + n);
    }

    /// The `n`-th operation of that kind from now on fails, once. What a failed sync should have made durable
    /// stays in doubt for ever: the kernel reports such a failure once and forgets it.
    pub(crate) fn fail(&self, operation: Operation, n: u64) {
        let mut state = self.state();
        state.fails = Some((operation, state.counts[operation as usize] + n));
    }

    /// How many writes and syncs came after the failure; `None` if it has not happened.
    pub(crate) fn after_fault(&self) -> Option<u64> {
        self.state().after_fault
    }

    /// Gives the disk `bytes` of room, or as much as anybody wants.
    pub(crate) fn limit(&self, capacity: Option<(u64, Refuses)>) {
        self.state().capacity = capacity;
    }

    /// Lets the disk say how much room it has.
    pub(crate) fn tell_room(&self) {
        self.state().tells_room = true;
    }

    /// The power goes now.
    pub(crate) fn cut_power(&self) {
        self.state().is_dead = true;
        self.0.moved.notify_all();
    }

    /// The disk as it may be found after the power went: everything synced, and of the rest what the seed says.
    pub(crate) fn crashed_image(&self, seed: u64) -> Self {
        let mut random = storebox_tests::Random::new(seed);
        let state = self.state();
        let is_renamed = state.adopted_for_good || (state.adopted && random.below(2) == 0);
        let found = if is_renamed { Some(&state.file) } else { state.replaced.as_ref() };
        let adopted = found.is_some();
        let file = found.map(|file| File::durable(file.after_crash(&mut random))).unwrap_or_default();
        Self::of(State { file, adopted, adopted_for_good: adopted, ..State::default() })
    }

    /// Another disk found as this one was.
    pub(crate) fn twin(&self) -> Self {
        let state = self.state();
        let file = File::durable(state.file.seen.clone());
        Self::of(State { file, adopted: state.adopted, adopted_for_good: state.adopted, ..State::default() })
    }

    /// What the file holds now, as programs see it.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.state().file.seen.clone()
    }

    /// How often that was done.
    pub(crate) fn count(&self, operation: Operation) -> u64 {
        self.state().counts[operation as usize]
    }

    /// How many bytes were written.
    pub(crate) fn bytes_written(&self) -> u64 {
        self.state().bytes_written
    }

    /// How many bytes had been written when the `n`-th sync of all began (1 is the first).
    pub(crate) fn bytes_at_sync(&self, n: u64) -> u64 {
        self.state().bytes_at_syncs[n as usize - 1]
    }

    /// How many bytes of room are taken.
    pub(crate) fn used(&self) -> u64 {
        self.state().used()
    }

    /// Stops the next operation of that kind until what is returned is dropped.
    pub(crate) fn hold(&self, operation: Operation) -> Hold {
        self.state().held = Some(operation);
        Hold(self.clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an operation and fails if it is to fail.
    fn begin(&self, operation: Operation) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        if state.held == Some(operation) {
            state.waiting = true;
            self.0.moved.notify_all();
            state = self.0.moved.wait_while(state, |state| state.held.is_some() && !state.is_dead).unwrap();
            state.waiting = false;
        }
        if state.is_dead {
            return Err(io::Error::from_raw_os_error(EIO));
        }
        state.counts[operation as usize] += 1;
        if let Some(after) = &mut state.after_fault
            && matches!(operation, Operation::Write | Operation::Sync)
        {
            *after += 1;
        }
        if state.fails == Some((operation, state.counts[operation as usize])) {
            state.after_fault = Some(0);
            self.0.moved.notify_all();
            if operation == Operation::Sync {
                state.file.doubt();
                state.aside.iter_mut().for_each(File::doubt);
            }
            return Err(io::Error::from_raw_os_error(EIO));
        }
        Ok(state)
    }

    /// Whether a sync that began does what it says.
    fn sync(&self) -> io::Result<Option<MutexGuard<'_, State>>> {
        let mut state = self.begin(Operation::Sync)?;
        let number = state.counts[Operation::Sync as usize];
        let bytes_written = state.bytes_written;
        state.bytes_at_syncs.push(bytes_written);
        if state.crash_at_sync == Some(number) {
            state.is_dead = true;
            self.0.moved.notify_all();
            return Err(io::Error::from_raw_os_error(EIO));
        }
        Ok(state.lies_from_sync.is_none_or(|from| number < from).then_some(state))
    }

    /// Opens the file for whoever wants to look at it without the store.
    pub(crate) fn backend(&self) -> io::Result<Handle> {
        if std::mem::replace(&mut self.state().is_open, true) {
            return Err(io::ErrorKind::ResourceBusy.into());
        }
        Ok(Handle { disk: self.clone(), is_aside: false })
    }

    /// Whether the power went.
    pub(crate) fn is_dead(&self) -> bool {
        self.state().is_dead
    }

    /// Whether there is a file that was created and has not got the store's name.
    pub(crate) fn has_aside(&self) -> bool {
        self.state().aside.is_some()
    }
}

impl State {
    fn used(&self) -> u64 {
        self.file.room() + self.aside.as_ref().map_or(0, File::room)
    }

    fn part(&mut self, is_aside: bool) -> &mut File {
        if is_aside { self.aside.as_mut().expect("whoever writes aside created it") } else { &mut self.file }
    }

    /// Room for a file that takes `used` bytes.
    fn has_room(&self, used: u64, by: Refuses) -> bool {
        let ballast = if self.ballast { BALLAST_BYTES } else { 0 };
        self.capacity.is_none_or(|(capacity, refuses)| refuses != by || used + ballast <= capacity)
    }
}

impl Medium for FaultyDisk {
    fn is_blank(&self) -> io::Result<bool> {
        Ok(!self.state().adopted)
    }

    fn create(&self) -> io::Result<Box<dyn StorageBackend>> {
        self.begin(Operation::Open)?.aside = Some(File::default());
        Ok(Box::new(Handle { disk: self.clone(), is_aside: true }))
    }

    fn adopt(&self) -> io::Result<()> {
        let mut state = self.state();
        let new = state.aside.take().ok_or(io::ErrorKind::NotFound)?;
        let old = std::mem::replace(&mut state.file, new);
        state.replaced = state.adopted.then_some(old);
        (state.adopted, state.adopted_for_good) = (true, false);
        drop(state);
        if let Some(mut state) = self.sync()? {
            (state.adopted_for_good, state.replaced) = (true, None);
        }
        Ok(())
    }

    fn discard(&self) {
        self.state().aside = None;
    }

    fn open(&self) -> io::Result<Box<dyn StorageBackend>> {
        drop(self.begin(Operation::Open)?);
        Ok(Box::new(self.backend()?))
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let state = self.state();
        match state.capacity {
            Some((capacity, _)) if state.tells_room => {
                let ballast = if state.ballast { BALLAST_BYTES } else { 0 };
                Ok(capacity.saturating_sub(state.used() + ballast))
            }
            Some(_) | None => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    fn store_bytes(&self) -> io::Result<u64> {
        Ok(self.state().file.seen.len() as u64)
    }

    fn total_bytes(&self) -> io::Result<u64> {
        self.state().capacity.map(|(capacity, _)| capacity).ok_or_else(|| io::ErrorKind::Unsupported.into())
    }

    fn release_ballast(&self) {
        self.state().ballast = false;
    }

    fn restore_ballast(&self) {
        let mut state = self.state();
        let used = state.used() + BALLAST_BYTES;
        state.ballast = state.ballast || state.capacity.is_none_or(|(capacity, _)| used <= capacity);
    }

    fn name(&self) -> String {
        "a disk in memory".to_owned()
    }
}

/// The open file. Dropping it gives up the lock, as closing a real one does.
#[derive(Debug)]
pub(crate) struct Handle {
    disk: FaultyDisk,
    is_aside: bool,
}

impl Drop for Handle {
    fn drop(&mut self) {
        if !self.is_aside {
            self.disk.state().is_open = false;
        }
    }
}

impl StorageBackend for Handle {
    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.begin(Operation::Read)?.part(self.is_aside).seen.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut state = self.disk.begin(Operation::Read)?;
        let start = offset as usize;
        let seen = &state.part(self.is_aside).seen;
        let bytes = seen.get(start..start + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.disk.begin(Operation::Write)?;
        let grows = len.saturating_sub(state.part(self.is_aside).seen.len() as u64);
        let other = if self.is_aside { state.file.room() } else { state.aside.as_ref().map_or(0, File::room) };
        if grows > 0 && !state.has_room(other + len, Refuses::Growth) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        state.part(self.is_aside).set_len(len);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        if let Some(mut state) = self.disk.sync()? {
            state.part(self.is_aside).sync();
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.disk.begin(Operation::Write)?;
        let more = state.part(self.is_aside).more_room(offset, data.len());
        if more > 0 && !state.has_room(state.used() + more, Refuses::Writes) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        state.bytes_written += data.len() as u64;
        state.part(self.is_aside).write(offset, data);
        Ok(())
    }
}

/// An operation held up; it goes on when this is dropped.
pub(crate) struct Hold(FaultyDisk);

impl Hold {
    /// Waits until the store has come to the operation; `false` if the disk failed before.
    pub(crate) fn reached(&self) -> bool {
        let state = self.0.state();
        let is_coming = |state: &mut State| !state.waiting && !state.is_dead && state.after_fault.is_none();
        let (state, late) = self.0.0.moved.wait_timeout_while(state, PATIENCE, is_coming).unwrap();
        assert!(!late.timed_out(), "the store never came to the operation held up");
        state.waiting
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.state().held = None;
        self.0.0.moved.notify_all();
    }
}
