//! What is written to: a disk, or a file for those who make a copy of an image.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, PosixFadviseAdvice, posix_fadvise};

use super::image::{CHUNK, length};
use super::ioctl;
use crate::failure::Failure;
use crate::output;
use crate::progress::megabytes;

/// What reading past every cache needs: places and sizes that any disk can read at once.
const ALIGNMENT: usize = 4096;

/// An open target.
pub struct Target {
    file: File,
    path: PathBuf,
    /// What people call it.
    pub name: String,
    is_disk: bool,
    /// Whether it is new and so all zeros.
    is_blank: bool,
    zeros: Vec<u8>,
}

impl Target {
    /// Opens a disk for this program alone: the system refuses while anything on it is in use.
    ///
    /// # Errors
    /// If it is in use, or may not be written.
    pub fn disk(path: &Path, name: &str) -> Result<Self, Failure> {
        let flags = OFlag::O_EXCL | OFlag::O_CLOEXEC;
        let opened = OpenOptions::new().read(true).write(true).custom_flags(flags.bits()).open(path);
        let file = opened.map_err(|error| {
            let what = match error.raw_os_error().map(Errno::from_raw) {
                Some(Errno::EBUSY) => {
                    format!("{name} is in use: unmount what is on it, and close programs that use it")
                }
                Some(Errno::EACCES | Errno::EPERM) => format!("{name} may not be written: run it again with sudo"),
                Some(Errno::EROFS) => format!("{name} is read-only: move the card's lock to the other side"),
                Some(Errno::ENXIO | Errno::ENODEV | Errno::ENOENT) => format!("{name} is gone: put it in again"),
                Some(Errno::ENOMEDIUM) => format!("there is no card in {name}"),
                _ => format!("cannot open {name}"),
            };
            Failure::new(what).because(error)
        })?;
        Ok(Self::new(file, path, name, true, false))
    }

    /// Makes a file.
    ///
    /// # Errors
    /// If it is there and may not be replaced, or cannot be made.
    pub fn file(path: &Path, may_replace: bool) -> Result<Self, Failure> {
        output::must_be_free(path, may_replace)?;
        let name = path.display().to_string();
        if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
            return Err(Failure::usage(format!("{name} is no file: name a disk without --file")));
        }
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(path);
        let file = opened.map_err(|error| Failure::new(format!("cannot make {name}")).because(error))?;
        Ok(Self::new(file, path, &name, false, true))
    }

    fn new(file: File, path: &Path, name: &str, is_disk: bool, is_blank: bool) -> Self {
        Self { file, path: path.to_owned(), name: name.to_owned(), is_disk, is_blank, zeros: vec![0; CHUNK] }
    }

    /// The open file, for what looks at single places of it.
    pub fn as_file(&self) -> &File {
        &self.file
    }

    /// Whether it is a disk.
    pub fn is_disk(&self) -> bool {
        self.is_disk
    }

    /// Gives a file the size of what will be in it.
    ///
    /// # Errors
    /// If there is no room for it.
    pub fn prepare(&self, bytes: u64) -> Result<(), Failure> {
        if self.is_disk {
            Ok(())
        } else {
            self.file.set_len(bytes).map_err(|error| self.trouble("written", bytes, error))
        }
    }

    /// Writes bytes at a place. What is only zeros is not sent to a disk that can make them itself.
    ///
    /// # Errors
    /// If the target takes no more; it says what to do.
    pub fn write(&self, bytes: &[u8], place: u64) -> Result<(), Failure> {
        let written = if self.zeros.get(..bytes.len()) == Some(bytes) {
            self.write_zeros(bytes, place)
        } else {
            self.file.write_all_at(bytes, place)
        };
        written.map_err(|error| self.trouble("written", place, error))
    }

    fn write_zeros(&self, zeros: &[u8], place: u64) -> io::Result<()> {
        if self.is_blank {
            return Ok(());
        }
        let range = place..place.saturating_add(length(zeros));
        match ioctl::zero_out(&self.file, &range) {
            Err(error) if is_not_offered(&error) => self.file.write_all_at(zeros, place),
            other => other,
        }
    }

    /// Waits until what was written is on the target, not only on its way.
    ///
    /// # Errors
    /// If it did not get there.
    pub fn sync(&self, place: u64) -> Result<(), Failure> {
        self.file.sync_data().map_err(|error| self.trouble("written", place, error))
    }

    /// What is on the target, past every cache on the way if the system lets that be.
    ///
    /// # Errors
    /// If it cannot be opened again.
    pub fn reader(&self, bytes: u64) -> Result<Reader<'_>, Failure> {
        if self.is_disk {
            // A disk in a file has no cache of its own to forget.
            let _forgotten = ioctl::flush(&self.file);
        }
        let _forgotten = posix_fadvise(&self.file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED);
        let direct = OpenOptions::new().read(true).custom_flags(OFlag::O_DIRECT.bits()).open(&self.path);
        let is_aligned = bytes.is_multiple_of(u64::try_from(ALIGNMENT).unwrap_or_default());
        let direct = direct.ok().filter(|_| is_aligned);
        Ok(Reader { target: self, direct, buffer: vec![0; CHUNK + ALIGNMENT] })
    }

    /// Makes the system see the partitions that are on it now.
    pub fn read_table(&self) -> io::Result<()> {
        if self.is_disk { ioctl::read_table(&self.file) } else { Ok(()) }
    }

    /// Takes a file away that did not become what it should.
    pub fn discard(&self) {
        if !self.is_disk {
            // It may be gone already.
            let _gone = fs::remove_file(&self.path);
        }
    }

    /// What an error at a place means and what to do.
    pub fn trouble(&self, done: &str, place: u64, error: io::Error) -> Failure {
        let (name, at) = (&self.name, megabytes(place));
        let what = match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::ENOSPC | Errno::EDQUOT | Errno::EFBIG) => format!("{name} is full at {at}: take a larger one"),
            Some(Errno::ENXIO | Errno::ENODEV | Errno::ENOMEDIUM) => {
                format!("{name} was gone at {at}: see whether it sits well in its reader, and start again")
            }
            Some(Errno::EIO) if self.is_disk && !self.path.exists() => {
                format!("{name} was pulled out at {at}: put it in and start again")
            }
            Some(Errno::EIO) => {
                format!("{name} cannot be {done} at {at}: it, its reader or the cable is broken, or it was pulled out")
            }
            _ => format!("{name} cannot be {done} at {at}"),
        };
        Failure::new(what).because(error)
    }
}

/// Whether an error says that the system does not know the request for this disk.
fn is_not_offered(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error().map(Errno::from_raw),
        Some(Errno::EOPNOTSUPP | Errno::ENOTTY | Errno::EINVAL | Errno::ENOSYS)
    )
}

/// Reads a target from its begin.
pub struct Reader<'t> {
    target: &'t Target,
    direct: Option<File>,
    buffer: Vec<u8>,
}

impl Reader<'_> {
    /// The bytes at a place, at most a chunk of them.
    ///
    /// # Errors
    /// If the target cannot be read there.
    pub fn read(&mut self, place: u64, count: usize) -> Result<&[u8], Failure> {
        // The kernel takes aligned memory only for what goes past its caches.
        let skip = self.buffer.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        let Some(room) = self.buffer.get_mut(skip..).and_then(|buffer| buffer.get_mut(..count.min(CHUNK))) else {
            return Err(Failure::new("there is no room to read into"));
        };
        let read = match &self.direct {
            Some(direct) => match direct.read_exact_at(room, place) {
                Err(error) if is_not_offered(&error) => {
                    self.direct = None;
                    self.target.file.read_exact_at(room, place)
                }
                other => other,
            },
            None => self.target.file.read_exact_at(room, place),
        };
        read.map_err(|error| self.target.trouble("read", place, error))?;
        Ok(room)
    }
}
