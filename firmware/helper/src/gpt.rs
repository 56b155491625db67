//! Names of partitions, read from the table itself (UEFI specification 2.10, chapter 5.3).
//!
//! The kernel tells them in sysfs, but not of a partition that was added while the disk was in use, which is how the
//! data partition is made.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use storebox_image::layout::SECTOR;

use crate::limits::PARTITIONS_MAX;

/// Bytes of a header that mean something.
const HEADER_BYTES: usize = 92;
/// Bytes of an entry that mean something; a table with longer ones is not ours.
const ENTRY_BYTES: usize = 128;

/// An entry in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place, counted from 1 as the kernel does.
    pub number: u32,
    /// Its label.
    pub name: String,
}

/// Reads the table of a disk.
///
/// # Errors
/// As reading has them, and `InvalidData` for what is no table of 128-byte entries.
pub fn read(disk: &Path) -> io::Result<Vec<Entry>> {
    let disk = File::open(disk)?;
    let mut header = [0; HEADER_BYTES];
    disk.read_exact_at(&mut header, SECTOR)?;
    let place = table(&header).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no partition table"))?;
    let mut entries = vec![0; place.count * ENTRY_BYTES];
    disk.read_exact_at(&mut entries, place.offset)?;
    Ok(parse(&entries))
}

/// Where the entries lie.
struct Table {
    /// In bytes.
    offset: u64,
    count: usize,
}

fn table(header: &[u8; HEADER_BYTES]) -> Option<Table> {
    let count = u32_at(header, 80)?;
    let is_ours = header.starts_with(b"EFI PART") && u32_at(header, 84)? == 128 && count <= PARTITIONS_MAX;
    let offset = u64_at(header, 72)?.checked_mul(SECTOR)?;
    is_ours.then_some(Table { offset, count: usize::try_from(count).ok()? })
}

fn parse(entries: &[u8]) -> Vec<Entry> {
    let is_used = |entry: &[u8]| entry.get(..16).is_some_and(|kind| kind.iter().any(|byte| *byte != 0));
    let used = (1..).zip(entries.chunks_exact(ENTRY_BYTES)).filter(|(_, entry)| is_used(entry));
    used.map(|(number, entry)| Entry { number, name: name(entry) }).collect()
}

fn name(entry: &[u8]) -> String {
    let units = entry.get(56..).unwrap_or_default().chunks_exact(2);
    let units =
        units.map(|unit| u16::from_le_bytes([unit.first().copied().unwrap_or(0), unit.get(1).copied().unwrap_or(0)]));
    let units: Vec<u16> = units.take_while(|unit| *unit != 0).collect();
    String::from_utf16_lossy(&units)
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(offset..offset + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(offset..offset + 8)?.try_into().ok()?))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::files::scratch::Scratch;

    /// The beginning of a disk with partitions of these names.
    pub(crate) fn disk_with(names: &[&str]) -> Vec<u8> {
        let mut disk = vec![0; 34 * 512];
        disk[512..520].copy_from_slice(b"EFI PART");
        disk[512 + 72] = 2;
        disk[512 + 80] = 128;
        disk[512 + 84] = 128;
        for (index, name) in names.iter().enumerate() {
            let entry = &mut disk[1024 + index * 128..][..128];
            entry[0] = 1;
            for (unit, place) in name.encode_utf16().zip(entry[56..].chunks_exact_mut(2)) {
                place.copy_from_slice(&unit.to_le_bytes());
            }
        }
        disk
    }

    fn read_back(disk: &[u8]) -> io::Result<Vec<Entry>> {
        let scratch = Scratch::new("gpt");
        scratch.write("/disk", disk);
        read(&scratch.root().at("/disk"))
    }

    #[test]
    fn names_are_read_in_their_places() {
        let mut disk = disk_with(&["STOREBOX", "gone", "storebox-data", "36 characters are all there is room "]);
        disk[1024 + 128..1024 + 256].fill(0);
        let names: Vec<_> = read_back(&disk).unwrap().into_iter().map(|entry| (entry.number, entry.name)).collect();
        let long = "36 characters are all there is room ";
        let expected = [(1, "STOREBOX"), (3, "storebox-data"), (4, long)];
        assert_eq!(names, expected.map(|(number, name)| (number, name.to_owned())));
    }

    #[test]
    fn what_is_no_table_is_an_error() {
        let good = disk_with(&["one"]);
        for (place, byte) in [(512, b'X'), (512 + 82, 1), (512 + 84, 64), (512 + 72 + 7, 0xff)] {
            let mut disk = good.clone();
            disk[place] = byte;
            assert!(read_back(&disk).is_err(), "byte {place} = {byte}");
        }
        assert!(read_back(&good[..1024]).is_err(), "cut off");
    }
}
