//! Nothing is written to a file before it is known to be a store of ours.
//!
//! Opening a database writes to it: redb marks it as open and mends what a power cut left. A file of another product,
//! of a newer release or one that was cut short must stay as it is, for whoever can make sense of it. So writes are held
//! back in memory until the file was looked at, and then let through in their order, or forgotten.

use std::fmt;
use std::io;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use redb::StorageBackend;

use super::medium::Metered;

/// How much is held back at most. Opening after a power cut writes a few pages, however large the store is.
const HELD_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A backend whose writes are held back until they are let through. Clones are the same gate.
#[derive(Clone)]
pub(super) struct Gate(Arc<Inner>);

struct Inner {
    backend: Metered,
    held: RwLock<Option<Held>>,
}

struct Held {
    operations: Vec<Operation>,
    len: u64,
    bytes: usize,
}

enum Operation {
    Write { offset: u64, data: Vec<u8> },
    SetLen(u64),
    Sync,
}

impl Gate {
    /// Holds back everything until [`Gate::open`].
    pub(super) fn closed(backend: Metered) -> io::Result<Self> {
        let held = Held { operations: Vec::new(), len: backend.len()?, bytes: 0 };
        Ok(Self(Arc::new(Inner { backend, held: RwLock::new(Some(held)) })))
    }

    /// Lets through what was held back, in its order and with its syncs, and everything from now on.
    ///
    /// # Errors
    /// The backend's. Then the gate stays closed, and nothing more reaches a disk that has failed.
    pub(super) fn open(&self) -> io::Result<()> {
        let mut held = self.0.held.write().unwrap_or_else(PoisonError::into_inner);
        for operation in held.iter().flat_map(|held| &held.operations) {
            match operation {
                Operation::Write { offset, data } => self.0.backend.write(*offset, data)?,
                Operation::SetLen(len) => self.0.backend.set_len(*len)?,
                Operation::Sync => self.0.backend.sync_data()?,
            }
        }
        *held = None;
        Ok(())
    }

    fn held(&self) -> RwLockReadGuard<'_, Option<Held>> {
        self.0.held.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers an operation, or says that the gate is open.
    fn hold(&self, operation: impl FnOnce() -> Operation) -> io::Result<bool> {
        if self.held().is_none() {
            return Ok(false);
        }
        let mut held = self.0.held.write().unwrap_or_else(PoisonError::into_inner);
        let Some(held) = held.as_mut() else { return Ok(false) };
        let operation = operation();
        match &operation {
            Operation::Write { offset, data } => {
                held.bytes += data.len();
                held.len = held.len.max(offset + data.len() as u64);
            }
            Operation::SetLen(len) => held.len = *len,
            Operation::Sync => {}
        }
        if held.bytes > HELD_BYTES_MAX {
            return Err(io::Error::other("opening the store writes more than can be held back"));
        }
        held.operations.push(operation);
        Ok(true)
    }
}

impl StorageBackend for Gate {
    fn len(&self) -> io::Result<u64> {
        match self.held().as_ref() {
            Some(held) => Ok(held.len),
            None => self.0.backend.len(),
        }
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let held = self.held();
        let Some(held) = held.as_ref().filter(|held| !held.operations.is_empty()) else {
            drop(held);
            return self.0.backend.read(offset, out);
        };
        if offset + out.len() as u64 > held.len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let there = self.0.backend.len()?.saturating_sub(offset);
        let there = usize::try_from(there).unwrap_or(usize::MAX).min(out.len());
        let (known, new) = out.split_at_mut(there);
        self.0.backend.read(offset, known)?;
        new.fill(0);
        for operation in &held.operations {
            match operation {
                Operation::Write { offset: at, data } => overlay(offset, out, *at, data),
                Operation::SetLen(len) => {
                    let kept = usize::try_from(len.saturating_sub(offset)).unwrap_or(usize::MAX);
                    out.iter_mut().skip(kept).for_each(|byte| *byte = 0);
                }
                Operation::Sync => {}
            }
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if self.hold(|| Operation::SetLen(len))? { Ok(()) } else { self.0.backend.set_len(len) }
    }

    fn sync_data(&self) -> io::Result<()> {
        if self.hold(|| Operation::Sync)? { Ok(()) } else { self.0.backend.sync_data() }
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let held = self.hold(|| Operation::Write { offset, data: data.to_vec() })?;
        if held { Ok(()) } else { self.0.backend.write(offset, data) }
    }

    fn close(&self) -> io::Result<()> {
        self.0.backend.close()
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("backend", &self.0.backend).finish_non_exhaustive()
    }
}

/// Copies the part of `data` (which begins at `at`) that lies within `out` (which begins at `offset`).
fn overlay(offset: u64, out: &mut [u8], at: u64, data: &[u8]) {
    let begin = offset.max(at);
    let end = (offset + out.len() as u64).min(at + data.len() as u64);
    let place = |position: u64, from: u64| usize::try_from(position.saturating_sub(from)).unwrap_or(usize::MAX);
    let target = out.get_mut(place(begin, offset)..place(end, offset));
    let source = data.get(place(begin, at)..place(end, at));
    if let (true, Some(target), Some(source)) = (begin < end, target, source) {
        target.copy_from_slice(source);
    }
}
