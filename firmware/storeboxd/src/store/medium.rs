//! What the store lies on: a file on a disk, or whatever a test puts in its place.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use nix::sys::statvfs::statvfs;
use redb::StorageBackend;
use storebox_core::limits::BALLAST_BYTES;

/// Where the store's bytes are kept.
pub trait Medium: Send + Sync + 'static {
    /// Whether there is no store yet.
    ///
    /// # Errors
    /// If the medium cannot be looked at.
    fn is_blank(&self) -> io::Result<bool>;

    /// An empty place for a new store. It counts only once [`Medium::adopt`] returns: a crash before leaves what was
    /// there.
    ///
    /// # Errors
    /// If it cannot be made.
    fn create(&self) -> io::Result<Box<dyn StorageBackend>>;

    /// Makes what was created the store.
    ///
    /// # Errors
    /// If that cannot be made durable.
    fn adopt(&self) -> io::Result<()>;

    /// Takes away what was created and not adopted, if there is any.
    fn discard(&self);

    /// The store that is there.
    ///
    /// # Errors
    /// If it cannot be opened, or somebody else has it open.
    fn open(&self) -> io::Result<Box<dyn StorageBackend>>;

    /// Bytes that can still be written.
    ///
    /// # Errors
    /// If the medium does not say.
    fn free_bytes(&self) -> io::Result<u64>;

    /// Size of the whole medium in bytes.
    ///
    /// # Errors
    /// If the medium does not say.
    fn total_bytes(&self) -> io::Result<u64>;

    /// Size of the store in bytes.
    ///
    /// # Errors
    /// If the medium does not say.
    fn store_bytes(&self) -> io::Result<u64> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Gives up the space held back, so that a full medium can be opened.
    fn release_ballast(&self);

    /// Holds space back again.
    fn restore_ballast(&self);

    /// For messages.
    fn name(&self) -> String;
}

/// A file in the state folder.
#[derive(Debug)]
pub struct DiskMedium {
    folder: PathBuf,
}

impl DiskMedium {
    /// The store in `folder`, which exists.
    pub fn in_folder(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    fn file(&self) -> PathBuf {
        self.folder.join("store.redb")
    }

    fn unfinished(&self) -> PathBuf {
        self.folder.join("store.redb.new")
    }

    fn ballast(&self) -> PathBuf {
        self.folder.join("ballast")
    }
}

impl Medium for DiskMedium {
    fn is_blank(&self) -> io::Result<bool> {
        Ok(!self.file().try_exists()?)
    }

    fn create(&self) -> io::Result<Box<dyn StorageBackend>> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(self.unfinished())?;
        Ok(Box::new(DiskFile::lock(file)?))
    }

    fn adopt(&self) -> io::Result<()> {
        fs::rename(self.unfinished(), self.file())?;
        File::open(&self.folder)?.sync_all()
    }

    fn discard(&self) {
        match fs::remove_file(self.unfinished()) {
            Ok(()) => log::debug!("took away a store that was never finished"),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => log::warn!("cannot take away a store that was never finished: {error}"),
        }
    }

    fn open(&self) -> io::Result<Box<dyn StorageBackend>> {
        // If a process ended between a rename and its sync, what is written from here on must not follow a file that a
        // crash takes back.
        File::open(&self.folder)?.sync_all()?;
        let file = OpenOptions::new().read(true).write(true).open(self.file())?;
        Ok(Box::new(DiskFile::lock(file)?))
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let stat = statvfs(&self.folder)?;
        Ok(stat.blocks_available().saturating_mul(stat.fragment_size()))
    }

    fn total_bytes(&self) -> io::Result<u64> {
        let stat = statvfs(&self.folder)?;
        Ok(stat.blocks().saturating_mul(stat.fragment_size()))
    }

    fn store_bytes(&self) -> io::Result<u64> {
        Ok(fs::metadata(self.file())?.len())
    }

    fn release_ballast(&self) {
        if let Err(error) = fs::remove_file(self.ballast()) {
            log::warn!("cannot give up the ballast file: {error}");
        }
    }

    fn restore_ballast(&self) {
        let path = self.ballast();
        if fs::metadata(&path).is_ok_and(|ballast| ballast.len() == BALLAST_BYTES) {
            return;
        }
        let made = File::create(&path).and_then(|file| {
            nix::fcntl::posix_fallocate(&file, 0, i64::try_from(BALLAST_BYTES).unwrap_or(i64::MAX))?;
            file.sync_all()
        });
        if let Err(error) = made {
            log::warn!("cannot hold space back for a full disk: {error}");
        }
    }

    fn name(&self) -> String {
        self.file().display().to_string()
    }
}

/// A locked file. redb's own backend is not used because it also locks byte ranges for several processes, which
/// this store never has: one lock on the whole file is enough and dies with the process.
#[derive(Debug)]
struct DiskFile(File);

impl DiskFile {
    fn lock(file: File) -> io::Result<Self> {
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => {
                Err(io::Error::new(io::ErrorKind::ResourceBusy, "another program has the file open"))
            }
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

impl StorageBackend for DiskFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(out, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write_all_at(data, offset)
    }
}

/// What went over a backend, shared with whoever wants to know.
#[derive(Debug, Default)]
pub struct Meter {
    syncs: AtomicU64,
    writes: AtomicU64,
    bytes_written: AtomicU64,
    failure: AtomicU8,
}

/// How a backend failed first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// There was no room. Nothing is in doubt: the transaction did not happen.
    Full,
    /// Anything else. What the kernel's cache holds and what the disk holds may differ.
    Fault,
}

impl Meter {
    /// How often data was made durable.
    pub fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Relaxed)
    }

    /// How many writes went out.
    pub fn writes(&self) -> u64 {
        self.writes.load(Ordering::Relaxed)
    }

    /// How many bytes were written.
    pub fn bytes_written(&self) -> u64 {
        self.bytes_written.load(Ordering::Relaxed)
    }

    /// How the backend failed, if it did.
    pub fn failure(&self) -> Option<Failure> {
        match self.failure.load(Ordering::Acquire) {
            0 => None,
            1 => Some(Failure::Full),
            _ => Some(Failure::Fault),
        }
    }

    pub(super) fn forget_failure(&self) {
        self.failure.store(0, Ordering::Release);
    }

    fn note<T>(&self, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result {
            let failure = match error.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => 1,
                _ => 2,
            };
            self.failure.fetch_max(failure, Ordering::AcqRel);
        }
        result
    }
}

/// A backend that counts what goes over it and remembers how it failed: redb reports the cause only once.
#[derive(Debug)]
pub(super) struct Metered {
    pub(super) backend: Box<dyn StorageBackend>,
    pub(super) meter: Arc<Meter>,
}

impl StorageBackend for Metered {
    fn len(&self) -> io::Result<u64> {
        self.meter.note(self.backend.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.meter.note(self.backend.read(offset, out))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.meter.note(self.backend.set_len(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.meter.syncs.fetch_add(1, Ordering::Relaxed);
        self.meter.note(self.backend.sync_data())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.meter.writes.fetch_add(1, Ordering::Relaxed);
        self.meter.bytes_written.fetch_add(data.len() as u64, Ordering::Relaxed);
        self.meter.note(self.backend.write(offset, data))
    }

    fn close(&self) -> io::Result<()> {
        self.backend.close()
    }
}
