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
use crate::fat::Fat;

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

/// Writes a file whole into the root of a partition that is as it was made, replacing one of that name.
///
/// # Errors
/// If there is no file system, or no room on it.
pub fn put(card: &File, partition: &Range<u64>, name: &str, bytes: &[u8]) -> Result<(), Failure> {
    let failed = || format!("cannot write {name} on the partition {SITE_LABEL}");
    let range = partition.clone();
    let system = FileSystem::new(Slice { card, range, position: 0 }, FsOptions::new()).or_fail(failed)?;
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
/// If there is no file system, or it is damaged.
pub fn get(card: &File, partition: &Range<u64>, name: &str, most: u64) -> Result<Option<Vec<u8>>, Failure> {
    let read = Fat::open(card, partition).and_then(|system| system.read(name, most));
    read.or_fail(|| format!("cannot read {name} on the partition {SITE_LABEL}"))
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use fatfs::{FatType, FormatVolumeOptions};
    use proptest::prelude::*;

    use super::*;

    const BYTES: u64 = 40 << 20;
    const OFFSET: u64 = 1 << 20;

    static MADE: AtomicU32 = AtomicU32::new(0);

    /// A card with the file system only; without a name once it is open.
    fn card() -> File {
        let name = format!("provision-card-{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        let file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
        std::fs::remove_file(path).unwrap();
        file.set_len(OFFSET + BYTES + OFFSET).unwrap();
        let slice = Slice { card: &file, range: range(), position: 0 };
        let options = FormatVolumeOptions::new().fat_type(FatType::Fat32).bytes_per_cluster(512);
        fatfs::format_volume(slice, options).unwrap();
        file
    }

    fn range() -> Range<u64> {
        OFFSET..OFFSET + BYTES
    }

    #[test]
    fn b8_a_file_is_put_replaced_and_read() {
        let card = card();
        assert_eq!(get(&card, &range(), "storebox.toml", 100).unwrap(), None);
        let long = "x".repeat(3000);
        for text in [long.as_str(), "short"] {
            put(&card, &range(), "storebox.toml", text.as_bytes()).unwrap();
            assert_eq!(get(&card, &range(), "STOREBOX.TOML", 4000).unwrap().unwrap(), text.as_bytes());
        }
        assert_eq!(get(&card, &range(), "storebox.toml", 3).unwrap().unwrap(), b"sho");
        let mut around = vec![0; 1 << 20];
        card.read_exact_at(&mut around, OFFSET + BYTES).unwrap();
        assert!(around.iter().all(|byte| *byte == 0), "nothing is written behind the partition");
    }

    proptest! {
        /// Where it hurts: in the boot sector, the first entries of the table, and the root.
        #[test]
        fn b8_no_damage_to_a_card_brings_it_down(
            damage in proptest::collection::vec((0_usize..3, 0_u64..160, prop_oneof![any::<u8>(), 0_u8..12]), 1..12),
        ) {
            let card = card();
            put(&card, &range(), "storebox.toml", &[7; 3000]).unwrap();
            let mut boot = [0; 64];
            card.read_exact_at(&mut boot, OFFSET).unwrap();
            let (reserved, table) = (u64::from(boot[14]), u64::from(u16::from_le_bytes([boot[36], boot[37]])));
            let places = [0, reserved * 512, (reserved + 2 * table) * 512];
            for (place, offset, byte) in damage {
                card.write_all_at(&[byte], OFFSET + places[place] + offset).unwrap();
            }
            let _read = get(&card, &range(), "STATUS.TXT", 100_000);
            let _read = get(&card, &range(), "storebox.toml", 100_000);
        }
    }
}
