//! Files on the partition of a card that any laptop sees, without mounting it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use fatfs::{FileSystem, FsOptions};
use storebox_image::gpt::Gpt;
use storebox_image::layout::SITE_LABEL;

use crate::failure::{Failure, OrFail};

/// Where that partition is on a card, or in the image of one.
///
/// # Errors
/// If it cannot be read, or is none of a store box.
pub fn site_partition(path: &Path) -> Result<(File, Range<u64>), Failure> {
    let mut file = File::open(path).map_err(|error| {
        let hint = if error.kind() == io::ErrorKind::PermissionDenied { ": run it again with sudo" } else { "" };
        Failure::new(format!("cannot open {}{hint}", path.display())).because(error)
    })?;
    let foreign = || format!("{} is no card of a store box", path.display());
    let table = Gpt::read_first(&mut file).map_err(|error| Failure::data(foreign()).because(error))?;
    let partition = table.find(SITE_LABEL);
    let partition =
        partition.ok_or_else(|| Failure::data(format!("{}: it has no partition {SITE_LABEL}", foreign())))?;
    Ok((file, partition))
}

/// Writes a file whole into the root of a partition, replacing one of that name.
///
/// # Errors
/// If there is no file system, or no room on it.
pub fn put(card: &File, partition: &Range<u64>, name: &str, bytes: &[u8]) -> Result<(), Failure> {
    let failed = || format!("cannot write {name} on the partition {SITE_LABEL}");
    let system = open(card, partition).or_fail(failed)?;
    {
        let root = system.root_dir();
        let mut file = root.create_file(name).or_fail(failed)?;
        file.truncate().or_fail(failed)?;
        file.write_all(bytes).or_fail(failed)?;
        file.flush().or_fail(failed)?;
    }
    system.unmount().or_fail(failed)?;
    card.sync_data().or_fail(failed)
}

/// Reads a file in the root of a partition, at most `most` bytes; none if there is none.
///
/// # Errors
/// If there is no file system, or it cannot be read.
pub fn get(card: &File, partition: &Range<u64>, name: &str, most: u64) -> Result<Option<Vec<u8>>, Failure> {
    let failed = || format!("cannot read {name} on the partition {SITE_LABEL}");
    let system = open(card, partition).or_fail(failed)?;
    let root = system.root_dir();
    let file = match root.open_file(name) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::new(failed()).because(error)),
    };
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes).or_fail(failed)?;
    Ok(Some(bytes))
}

fn open<'c>(card: &'c File, partition: &Range<u64>) -> io::Result<FileSystem<Slice<'c>>> {
    let range = partition.clone();
    FileSystem::new(Slice { card, range, position: 0 }, FsOptions::new())
}

/// The bytes of a partition as a file of their own.
struct Slice<'c> {
    card: &'c File,
    range: Range<u64>,
    position: u64,
}

impl Slice<'_> {
    fn length(&self) -> u64 {
        self.range.end.saturating_sub(self.range.start)
    }

    /// How many of `wanted` bytes there are from here on.
    fn left(&self, wanted: usize) -> usize {
        usize::try_from(self.length().saturating_sub(self.position)).unwrap_or(usize::MAX).min(wanted)
    }

    fn advance(&mut self, by: usize) -> usize {
        self.position += u64::try_from(by).unwrap_or_default();
        by
    }
}

impl Read for Slice<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let room = out.len();
        let out = out.get_mut(..self.left(room)).unwrap_or_default();
        let read = self.card.read_at(out, self.range.start + self.position)?;
        Ok(self.advance(read))
    }
}

impl Write for Slice<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let bytes = bytes.get(..self.left(bytes.len())).unwrap_or_default();
        let written = self.card.write_at(bytes, self.range.start + self.position)?;
        Ok(self.advance(written))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Slice<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::End(offset) => self.length().checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = place.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}
