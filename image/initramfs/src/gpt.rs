//! The GUID of a partition, from the disk itself: the kernel's sysfs names it only in versions newer than ours. UEFI
//! specification 2.10, section 5.3. The kernel has checked both checksums before it made the partition's device.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use storebox_image::layout::SECTOR;

/// Bytes of a sector.
const HEADER: usize = 512;
/// Bytes of what is read of an entry: type, GUID, first and last block, attributes, name.
const ENTRY: usize = 128;
/// Where in an entry its name begins: up to 36 units of UTF-16, ended by a zero if shorter.
const NAME_AT: usize = 56;
/// Entries of an array; the kernel itself makes fewer partitions.
const ENTRIES_MAX: u32 = 1024;
/// Bytes of an entry; the specification allows more than 128 for what nobody has ever stored.
const ENTRY_MAX: u32 = 4096;

/// Why a disk does not tell a partition's GUID.
#[derive(Debug)]
pub enum GptError {
    /// The disk could not be read.
    Read(io::Error),
    /// There is no partition table where one belongs.
    NoHeader,
    /// The table says sizes that no disk has.
    Sizes,
    /// There is no such entry in the table.
    NoEntry,
    /// The entry is another partition's than the one the kernel sees.
    OtherName,
    /// The GUID is all zero.
    NoGuid,
}

impl fmt::Display for GptError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(source) => write!(out, "{source}"),
            Self::NoHeader => out.write_str("it has no partition table"),
            Self::Sizes => out.write_str("its partition table has impossible sizes"),
            Self::NoEntry => out.write_str("its partition table has no such partition"),
            Self::OtherName => out.write_str("its partition table has another partition there"),
            Self::NoGuid => out.write_str("the partition has no GUID"),
        }
    }
}

impl std::error::Error for GptError {}

/// The GUID of the partition with a number, counted from 1, that must have the label; its bytes in the order in which it
/// is written in text.
///
/// # Errors
/// When the disk cannot be read, or its table does not hold that partition. Nothing is ever written.
pub fn guid(disk: &File, number: u32, label: &str) -> Result<[u8; 16], GptError> {
    let mut header = [0; HEADER];
    disk.read_exact_at(&mut header, SECTOR).map_err(GptError::Read)?;
    let offset = entry_offset(&header, number)?;
    let mut entry = [0; ENTRY];
    disk.read_exact_at(&mut entry, offset).map_err(GptError::Read)?;
    entry_guid(&entry, label)
}

/// Where on the disk, in bytes, the entry is.
fn entry_offset(header: &[u8; HEADER], number: u32) -> Result<u64, GptError> {
    if !header.starts_with(b"EFI PART") {
        return Err(GptError::NoHeader);
    }
    let array = u64::from_le_bytes(field(header, 72).ok_or(GptError::NoHeader)?);
    let count = u32::from_le_bytes(field(header, 80).ok_or(GptError::NoHeader)?);
    let size = u32::from_le_bytes(field(header, 84).ok_or(GptError::NoHeader)?);
    if array < 2 || !(1..=ENTRIES_MAX).contains(&count) || !(128..=ENTRY_MAX).contains(&size) {
        return Err(GptError::Sizes);
    }
    let index = number.checked_sub(1).filter(|index| *index < count).ok_or(GptError::NoEntry)?;
    let within = u64::from(index) * u64::from(size);
    array.checked_mul(SECTOR).and_then(|start| start.checked_add(within)).ok_or(GptError::Sizes)
}

fn entry_guid(entry: &[u8; ENTRY], label: &str) -> Result<[u8; 16], GptError> {
    let (units, _) = entry.get(NAME_AT..).unwrap_or_default().as_chunks::<2>();
    let name = units.iter().map(|unit| u16::from_le_bytes(*unit)).take_while(|unit| *unit != 0);
    if !name.eq(label.encode_utf16()) {
        return Err(GptError::OtherName);
    }
    let guid: [u8; 16] = field(entry, 16).ok_or(GptError::NoEntry)?;
    if guid == [0; 16] {
        return Err(GptError::NoGuid);
    }
    // The first three fields of a GUID are stored with the lowest byte first (appendix A).
    let [a, b, c, d, e, f, g, h, rest @ ..] = guid;
    let [i, j, k, l, m, n, o, p] = rest;
    Ok([d, c, b, a, f, e, h, g, i, j, k, l, m, n, o, p])
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::PathBuf;

    const LABEL: &str = "storebox-data";

    fn header(array: u64, count: u32, size: u32) -> [u8; HEADER] {
        let mut header = [0; HEADER];
        header[..8].copy_from_slice(b"EFI PART");
        header[72..80].copy_from_slice(&array.to_le_bytes());
        header[80..84].copy_from_slice(&count.to_le_bytes());
        header[84..88].copy_from_slice(&size.to_le_bytes());
        header
    }

    fn entry(name: &str) -> [u8; ENTRY] {
        let mut entry = [0; ENTRY];
        entry[16..32].copy_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
        for (at, unit) in name.encode_utf16().enumerate() {
            entry[56 + 2 * at..58 + 2 * at].copy_from_slice(&unit.to_le_bytes());
        }
        entry
    }

    fn disk(name: &str, bytes: &[u8]) -> (PathBuf, File) {
        let path = std::env::temp_dir().join(format!("storebox-initramfs-gpt-{name}-{}", std::process::id()));
        fs::write(&path, bytes).unwrap();
        let file = File::open(&path).unwrap();
        (path, file)
    }

    #[test]
    fn the_guid_is_read_in_the_order_of_its_text() {
        let mut bytes = vec![0; 512];
        bytes.extend(header(2, 128, 128));
        bytes.extend(entry("storebox-root-a"));
        bytes.extend(entry(LABEL));
        let (path, file) = disk("good", &bytes);
        let found = guid(&file, 2, LABEL);
        let other = guid(&file, 1, LABEL);
        let truncated = guid(&file, 3, LABEL);
        fs::remove_file(path).unwrap();
        assert_eq!(found.unwrap(), [4, 3, 2, 1, 6, 5, 8, 7, 9, 10, 11, 12, 13, 14, 15, 16]);
        assert!(matches!(other, Err(GptError::OtherName)), "{other:?}");
        assert!(matches!(truncated, Err(GptError::Read(_))), "{truncated:?}");
    }

    #[test]
    fn a_disk_that_ends_before_its_table_is_told() {
        for length in [0, 512, 1023] {
            let (path, file) = disk("short", &vec![0; length]);
            let found = guid(&file, 1, LABEL);
            fs::remove_file(path).unwrap();
            assert!(matches!(found, Err(GptError::Read(_))), "{length}: {found:?}");
        }
    }

    #[test]
    fn a_disk_without_a_table_is_told() {
        assert!(matches!(entry_offset(&[0; HEADER], 1), Err(GptError::NoHeader)));
        let mut wrong = header(2, 128, 128);
        wrong[7] = b't';
        assert!(matches!(entry_offset(&wrong, 1), Err(GptError::NoHeader)));
    }

    #[test]
    fn impossible_sizes_are_refused() {
        for (array, count, size) in [
            (0, 128, 128),
            (1, 128, 128),
            (2, 0, 128),
            (2, u32::MAX, 128),
            (2, 128, 0),
            (2, 128, 64),
            (2, 128, u32::MAX),
            (u64::MAX, 128, 128),
        ] {
            let found = entry_offset(&header(array, count, size), 1);
            assert!(matches!(found, Err(GptError::Sizes)), "{array} {count} {size}: {found:?}");
        }
        assert_eq!(entry_offset(&header(2, 4, 256), 4).unwrap(), 2 * 512 + 3 * 256);
    }

    #[test]
    fn partitions_outside_the_table_are_refused() {
        for number in [0, 129, u32::MAX] {
            assert!(matches!(entry_offset(&header(2, 128, 128), number), Err(GptError::NoEntry)), "{number}");
        }
    }

    #[test]
    fn names_are_compared_whole() {
        for name in ["", "storebox-dat", "storebox-data2", "STOREBOX-DATA"] {
            assert!(matches!(entry_guid(&entry(name), LABEL), Err(GptError::OtherName)), "{name}");
        }
        let mut nobody = entry(LABEL);
        nobody[16..32].fill(0);
        assert!(matches!(entry_guid(&nobody, LABEL), Err(GptError::NoGuid)));
    }
}
