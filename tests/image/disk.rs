//! What is on an image or on a machine's disk, read from outside.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use storebox_core::time::Timestamp;
use storebox_image::layout::SECTOR;

/// Sectors up to the end of the partition table's entries (UEFI specification, section 5.3).
pub const TABLE_SECTORS: u64 = 34;
/// Where the superblock of EROFS begins (erofs_fs.h of the kernel).
pub const EROFS_AT: u64 = 1024;
const EROFS_MAGIC: u32 = 0xe0f5_e1e2;
const BLOCK: u64 = 4096;

/// A partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Its own identifier, as a machine-id is written: 32 lower-case hexadecimal digits.
    pub guid: String,
    /// First byte.
    pub start: u64,
    /// Bytes.
    pub size: u64,
}

/// Partitions by their labels.
pub fn partitions(table: &[u8]) -> BTreeMap<String, Partition> {
    assert_eq!(table.get(512..520), Some(&b"EFI PART"[..]), "the disk has no partition table");
    let mut found = BTreeMap::new();
    for entry in table[1024..].chunks_exact(128).filter(|entry| entry[..16] != [0; 16]) {
        let units: Vec<u16> = entry[56..].chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
        let label = String::from_utf16(&units).expect("labels are text");
        let (first, last) = (number(entry, 32), number(entry, 40));
        // The first three fields are stored with the lowest byte first.
        let order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
        let guid = order.map(|at| format!("{:02x}", entry[16 + at])).concat();
        let partition = Partition { guid, start: first * SECTOR, size: (last + 1 - first) * SECTOR };
        found.insert(label.trim_end_matches('\0').to_owned(), partition);
    }
    found
}

/// The root's file system in an image.
pub struct Root {
    /// Where it begins in the image.
    pub start: u64,
    /// Its bytes, without the tree of hashes behind it.
    pub size: u64,
    /// The time of the build.
    pub built: Timestamp,
}

/// Finds the file system in a partition of an image.
pub fn root(image: &Path, label: &str) -> Root {
    let table = read(image, 0, TABLE_SECTORS * SECTOR);
    let partitions = partitions(&table);
    let partition = partitions.get(label).unwrap_or_else(|| panic!("no {label} among {partitions:?}"));
    let superblock = read(image, partition.start + EROFS_AT, 128);
    let word = |at: usize| u32::from_le_bytes(superblock[at..at + 4].try_into().unwrap());
    assert_eq!(word(0), EROFS_MAGIC, "{label} holds no EROFS");
    Root {
        start: partition.start,
        size: u64::from(word(36)) * BLOCK,
        built: Timestamp::from_millis(number(&superblock, 24) * 1000),
    }
}

/// Copies a part of an image into a file of its own.
pub fn cut(image: &Path, start: u64, size: u64, into: &Path) {
    std::fs::write(into, read(image, start, size))
        .unwrap_or_else(|err| panic!("cannot write {}: {err}", into.display()));
}

/// Reads a part of a file.
pub fn read(path: &Path, start: u64, size: u64) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(size).unwrap()];
    let file = File::open(path).unwrap_or_else(|err| panic!("cannot open {}: {err}", path.display()));
    file.read_exact_at(&mut bytes, start).unwrap_or_else(|err| panic!("cannot read {}: {err}", path.display()));
    bytes
}

fn number(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}
