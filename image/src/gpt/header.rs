//! The bytes of a partition table.

use std::io::{Read, Seek, SeekFrom};

use super::{Copy, Error, Partition};
use crate::layout::SECTOR;

/// Bytes of an entry. The specification allows more; nobody writes that.
pub(super) const ENTRY_BYTES: usize = 128;
/// As many entries as fit where everybody expects them, with room to spare: what is damaged must not fill the memory.
const ENTRIES_MAX: u32 = 1024;
/// Bytes of a header that its checksum covers.
const HEADER_BYTES: usize = 92;
/// Offset of a header's own checksum.
const CHECKSUM: usize = 16;
/// Offset of the sector where the entries begin.
const ENTRIES: usize = 72;

type Sector = [u8; 512];

/// A header whose checksum is right.
pub(super) struct Header {
    bytes: Sector,
    copy: Copy,
    pub(super) own_lba: u64,
    other_lba: u64,
    pub(super) first_usable_lba: u64,
    pub(super) last_usable_lba: u64,
    pub(super) disk: [u8; 16],
    pub(super) entries_lba: u64,
    entries_count: u32,
    entries_checksum: u32,
}

impl Header {
    /// The header at the disk's begin, and the one at its end.
    pub(super) fn read_both(disk: &mut (impl Read + Seek)) -> Result<(Self, Self), Error> {
        let sectors = disk.seek(SeekFrom::End(0)).map_err(Error::Io)? / SECTOR;
        let last = sectors.saturating_sub(1);
        let primary = Self::read_first(disk)?;
        let backup = Self::read(disk, Copy::Backup, last)?;
        if primary.other_lba != last {
            return Err(Error::Damaged(Copy::Primary, "its copy is not at the end of the disk"));
        }
        if backup.other_lba != 1 {
            return Err(Error::Damaged(Copy::Backup, "it does not point at sector 1"));
        }
        if primary.last_usable_lba >= backup.entries_lba || backup.entries_end() > last {
            return Err(Error::Damaged(Copy::Backup, "its entries are not behind the partitions"));
        }
        if primary.entries_lba < 2 || primary.entries_end() > primary.first_usable_lba {
            return Err(Error::Damaged(Copy::Primary, "its entries are not before the partitions"));
        }
        Ok((primary, backup))
    }

    /// The header at the disk's begin.
    pub(super) fn read_first(disk: &mut (impl Read + Seek)) -> Result<Self, Error> {
        let protective = sector(disk, 0)?;
        if protective.get(510..) != Some(&[0x55, 0xaa]) || protective.get(450) != Some(&0xee) {
            return Err(Error::Damaged(Copy::Primary, "no protective record at sector 0"));
        }
        Self::read(disk, Copy::Primary, 1)
    }

    fn read(disk: &mut (impl Read + Seek), copy: Copy, lba: u64) -> Result<Self, Error> {
        let damaged = |what| Error::Damaged(copy, what);
        let bytes = sector(disk, lba)?;
        if bytes.get(..8) != Some(b"EFI PART") {
            return Err(damaged("no header"));
        }
        if u32_at(&bytes, 8) != Some(0x0001_0000) || u32_at(&bytes, 12) != u32::try_from(HEADER_BYTES).ok() {
            return Err(damaged("a header of another revision"));
        }
        if u32_at(&bytes, CHECKSUM) != Some(checksum(&bytes)) {
            return Err(damaged("the checksum of the header is wrong"));
        }
        let short = || damaged("a header that ends early");
        let header = Self {
            bytes,
            copy,
            own_lba: u64_at(&bytes, 24).ok_or_else(short)?,
            other_lba: u64_at(&bytes, 32).ok_or_else(short)?,
            first_usable_lba: u64_at(&bytes, 40).ok_or_else(short)?,
            last_usable_lba: u64_at(&bytes, 48).ok_or_else(short)?,
            disk: array_at(&bytes, 56).ok_or_else(short)?,
            entries_lba: u64_at(&bytes, ENTRIES).ok_or_else(short)?,
            entries_count: u32_at(&bytes, 80).ok_or_else(short)?,
            entries_checksum: u32_at(&bytes, 88).ok_or_else(short)?,
        };
        if header.own_lba != lba {
            return Err(damaged("the header is not where it says"));
        }
        if header.entries_count > ENTRIES_MAX || u32_at(&bytes, 84) != u32::try_from(ENTRY_BYTES).ok() {
            return Err(damaged("entries of another size or too many"));
        }
        Ok(header)
    }

    /// The entries, whose checksum is right.
    pub(super) fn entries(&self, disk: &mut (impl Read + Seek)) -> Result<Vec<u8>, Error> {
        let mut entries = vec![0; usize::try_from(self.entries_count).unwrap_or_default() * ENTRY_BYTES];
        disk.seek(SeekFrom::Start(self.entries_lba.saturating_mul(SECTOR))).map_err(Error::Io)?;
        disk.read_exact(&mut entries).map_err(Error::Io)?;
        if crc32fast::hash(&entries) == self.entries_checksum {
            Ok(entries)
        } else {
            Err(Error::Damaged(self.copy, "the checksum of the entries is wrong"))
        }
    }

    /// The sector after the entries.
    pub(super) fn entries_end(&self) -> u64 {
        let bytes = u64::from(self.entries_count) * u64::try_from(ENTRY_BYTES).unwrap_or_default();
        self.entries_lba.saturating_add(bytes.div_ceil(SECTOR))
    }

    /// The header of entries that begin at another sector.
    pub(super) fn with_entries_at(&self, lba: u64) -> Sector {
        let mut bytes = self.bytes;
        for (place, byte) in bytes.iter_mut().skip(ENTRIES).zip(lba.to_le_bytes()) {
            *place = byte;
        }
        seal(&mut bytes);
        bytes
    }
}

/// Writes a header's checksum into it.
pub(super) fn seal(header: &mut Sector) {
    let sum = checksum(header).to_le_bytes();
    for (place, byte) in header.iter_mut().skip(CHECKSUM).zip(sum) {
        *place = byte;
    }
}

/// The checksum of a header, which counts itself as zero.
fn checksum(header: &Sector) -> u32 {
    let mut counted: Vec<u8> = header.iter().copied().take(HEADER_BYTES).collect();
    for byte in counted.iter_mut().skip(CHECKSUM).take(4) {
        *byte = 0;
    }
    crc32fast::hash(&counted)
}

/// A partition, if the entry of this number is one.
pub(super) fn partition((entry, number): (&[u8], usize)) -> Option<Partition> {
    let kind = array_at(entry, 0)?;
    if kind == [0; 16] {
        return None;
    }
    let units: Vec<u16> = entry
        .get(56..)?
        .chunks_exact(2)
        .filter_map(|unit| Some(u16::from_le_bytes(array_at(unit, 0)?)))
        .take_while(|unit| *unit != 0)
        .collect();
    Some(Partition {
        number,
        label: String::from_utf16_lossy(&units),
        kind: guid(&kind),
        guid: guid(&array_at(entry, 16)?),
        first_lba: u64_at(entry, 32)?,
        last_lba: u64_at(entry, 40)?,
    })
}

/// A GUID in letters. The first three groups are stored as little-endian numbers.
pub(super) fn guid(bytes: &[u8; 16]) -> String {
    const ORDER: [usize; 16] = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
    ORDER.iter().zip(0..).fold(String::new(), |mut text, (place, number)| {
        if [4, 6, 8, 10].contains(&number) {
            text.push('-');
        }
        text + &format!("{:02x}", bytes.get(*place).copied().unwrap_or_default())
    })
}

fn sector(disk: &mut (impl Read + Seek), lba: u64) -> Result<Sector, Error> {
    let mut bytes = [0; 512];
    disk.seek(SeekFrom::Start(lba.saturating_mul(SECTOR))).map_err(Error::Io)?;
    disk.read_exact(&mut bytes).map_err(Error::Io)?;
    Ok(bytes)
}

fn array_at<const LENGTH: usize>(bytes: &[u8], offset: usize) -> Option<[u8; LENGTH]> {
    bytes.get(offset..)?.get(..LENGTH)?.try_into().ok()
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    array_at(bytes, offset).map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    array_at(bytes, offset).map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guid_is_written_as_the_specification_has_it() {
        let esp = [0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b];
        assert_eq!(guid(&esp), crate::layout::types::ESP);
    }
}
