//! Reads and checks a partition table (UEFI specification 2.10, chapter 5.3).

mod header;

use std::fmt;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;

use self::header::{ENTRY_BYTES, Header};
use crate::layout::{FIRST_USABLE_LBA, MIB, SECTOR};

/// Where the first copy keeps its entries. Older firmware of the Raspberry Pi looks nowhere else.
const ENTRIES_LBA: u64 = 2;

/// A partition table whose two copies are whole and say the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gpt {
    /// GUID of the disk, lower case.
    pub disk: String,
    /// First sector a partition may use.
    pub first_usable_lba: u64,
    /// Last sector a partition may use.
    pub last_usable_lba: u64,
    /// Sector where the first copy's entries begin.
    pub entries_lba: u64,
    /// Partitions in the order of their numbers.
    pub partitions: Vec<Partition>,
}

/// An entry of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Its number, from 1, as kernel and firmware count.
    pub number: usize,
    /// Its name.
    pub label: String,
    /// GUID of its type, lower case.
    pub kind: String,
    /// Its own GUID, lower case.
    pub guid: String,
    /// First sector.
    pub first_lba: u64,
    /// Last sector.
    pub last_lba: u64,
}

impl Partition {
    /// The bytes of the disk it covers.
    pub fn bytes(&self) -> Range<u64> {
        self.first_lba.saturating_mul(SECTOR)..self.last_lba.saturating_add(1).saturating_mul(SECTOR)
    }
}

impl Gpt {
    /// Reads both copies of the table of a disk or an image.
    ///
    /// # Errors
    /// If it cannot be read, if a copy is damaged, or if they differ.
    pub fn read(disk: &mut (impl Read + Seek)) -> Result<Self, Error> {
        let (primary, backup) = Header::read_both(disk)?;
        let entries = primary.entries(disk)?;
        if primary.disk != backup.disk
            || (primary.first_usable_lba, primary.last_usable_lba) != (backup.first_usable_lba, backup.last_usable_lba)
            || entries != backup.entries(disk)?
        {
            return Err(Error::Differ);
        }
        Ok(Self::of(&primary, &entries))
    }

    /// Reads the first copy alone: on a disk that is larger than the image written to it the second one is not where the
    /// disk ends.
    ///
    /// # Errors
    /// If it cannot be read or is damaged.
    pub fn read_first(disk: &mut (impl Read + Seek)) -> Result<Self, Error> {
        let header = Header::read_first(disk)?;
        let entries = header.entries(disk)?;
        Ok(Self::of(&header, &entries))
    }

    fn of(header: &Header, entries: &[u8]) -> Self {
        Self {
            disk: header::guid(&header.disk),
            first_usable_lba: header.first_usable_lba,
            last_usable_lba: header.last_usable_lba,
            entries_lba: header.entries_lba,
            partitions: entries.chunks(ENTRY_BYTES).zip(1..).filter_map(header::partition).collect(),
        }
    }

    /// The bytes of the disk that the partition of a name covers.
    pub fn find(&self, label: &str) -> Option<Range<u64>> {
        self.partitions.iter().find(|partition| partition.label == label).map(Partition::bytes)
    }

    /// What is not as on our disks, where the partitions are to be named `labels`, in this order.
    pub fn check(&self, labels: &[&str]) -> Vec<Fault> {
        let mut faults = Vec::new();
        if self.first_usable_lba != FIRST_USABLE_LBA {
            faults.push(Fault::FirstUsable(self.first_usable_lba));
        }
        if self.entries_lba != ENTRIES_LBA {
            faults.push(Fault::Entries(self.entries_lba));
        }
        let found: Vec<&str> = self.partitions.iter().map(|partition| partition.label.as_str()).collect();
        if found != labels {
            faults.push(Fault::Labels(found.iter().map(|&label| label.to_owned()).collect()));
        }
        let mut after = self.first_usable_lba;
        for (partition, number) in self.partitions.iter().zip(1..) {
            let label = || partition.label.clone();
            if partition.number != number {
                faults.push(Fault::Number(label(), partition.number));
            }
            if partition.first_lba < after {
                faults.push(Fault::Overlap(label()));
            }
            if partition.last_lba < partition.first_lba || partition.last_lba > self.last_usable_lba {
                faults.push(Fault::End(label()));
            }
            if !partition.bytes().start.is_multiple_of(MIB) {
                faults.push(Fault::Unaligned(label()));
            }
            after = partition.last_lba.saturating_add(1);
            let earlier = self.partitions.iter().take_while(|other| other.number < partition.number);
            if earlier.into_iter().any(|other| other.guid == partition.guid || other.label == partition.label) {
                faults.push(Fault::Twice(label()));
            }
        }
        faults
    }
}

/// Does what Windows does to a disk it mounts: the first copy's entries are moved to right before the first usable
/// sector, and firmware that looks for them where they usually are finds nothing. Says whether that moved them.
///
/// # Errors
/// If the table is damaged. Then nothing was written; after an error while writing the table is damaged.
pub fn mount_on_windows(disk: &mut (impl Read + Write + Seek)) -> Result<bool, Error> {
    let (primary, _) = Header::read_both(disk)?;
    let entries = primary.entries(disk)?;
    let lba = primary.first_usable_lba.saturating_sub(primary.entries_end().saturating_sub(primary.entries_lba));
    if lba == primary.entries_lba {
        return Ok(false);
    }
    let mut write = |lba: u64, bytes: &[u8]| -> Result<(), Error> {
        disk.seek(SeekFrom::Start(lba.saturating_mul(SECTOR))).map_err(Error::Io)?;
        disk.write_all(bytes).map_err(Error::Io)
    };
    write(primary.entries_lba, &vec![0; entries.len()])?;
    write(lba, &entries)?;
    write(primary.own_lba, &primary.with_entries_at(lba))?;
    Ok(true)
}

/// Why there is no usable partition table.
#[derive(Debug)]
pub enum Error {
    /// The disk cannot be read or written.
    Io(io::Error),
    /// A copy is damaged: which one, and what of it.
    Damaged(Copy, &'static str),
    /// Each copy is whole, but they say different things.
    Differ,
}

/// One of the two copies of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copy {
    /// At the disk's begin.
    Primary,
    /// At its end.
    Backup,
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(_) => out.write_str("cannot access the partition table"),
            Self::Damaged(Copy::Primary, what) => write!(out, "the partition table is damaged: {what}"),
            Self::Damaged(Copy::Backup, what) => write!(out, "the copy of the partition table is damaged: {what}"),
            Self::Differ => out.write_str("the partition table and its copy differ"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Damaged(..) | Self::Differ => None,
        }
    }
}

/// How a whole table is not ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The first usable sector is another one.
    FirstUsable(u64),
    /// The entries are elsewhere, beginning at this sector.
    Entries(u64),
    /// The partitions are others, or in another order.
    Labels(Vec<String>),
    /// A partition has this number instead of its place in the list.
    Number(String, usize),
    /// A partition begins before the one before it ends.
    Overlap(String),
    /// A partition ends before it begins, or behind the last usable sector.
    End(String),
    /// A partition does not begin at a mebibyte.
    Unaligned(String),
    /// Name or GUID of a partition is an earlier one's, too.
    Twice(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FirstUsable(lba) => write!(out, "the first usable sector is {lba}, not {FIRST_USABLE_LBA}"),
            Self::Entries(lba) => write!(out, "the partition entries begin at sector {lba}, not {ENTRIES_LBA}"),
            Self::Labels(found) => write!(out, "the partitions are {}", found.join(", ")),
            Self::Number(label, number) => write!(out, "{label} has number {number}"),
            Self::Overlap(label) => write!(out, "{label} begins where something else is"),
            Self::End(label) => write!(out, "{label} ends where no partition can"),
            Self::Unaligned(label) => write!(out, "{label} does not begin at a mebibyte"),
            Self::Twice(label) => write!(out, "{label} has the name or GUID of another"),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "a test may panic")]
mod tests {
    use std::io::Cursor;

    use super::*;

    const DISK_MIB: u64 = 8;
    const LABELS: [&str; 2] = ["one", "zwei ü"];

    /// A disk with two partitions: MiB 1 to 3, and MiB 3 to 4.
    fn disk(first_usable_lba: u64) -> Cursor<Vec<u8>> {
        let mut entries = vec![0; 128 * ENTRY_BYTES];
        let parts = [(LABELS[0], 1, 3), (LABELS[1], 3, 4)];
        for ((label, from, to), (entry, number)) in parts.into_iter().zip(entries.chunks_mut(ENTRY_BYTES).zip(1..)) {
            entry[..16].copy_from_slice(&[0xc1; 16]);
            entry[16..32].copy_from_slice(&[number; 16]);
            entry[32..40].copy_from_slice(&u64::to_le_bytes(from * MIB / SECTOR));
            entry[40..48].copy_from_slice(&u64::to_le_bytes(to * MIB / SECTOR - 1));
            for (place, unit) in entry[56..].chunks_mut(2).zip(label.encode_utf16()) {
                place.copy_from_slice(&unit.to_le_bytes());
            }
        }
        let last = DISK_MIB * MIB / SECTOR - 1;
        let mut disk = vec![0; (DISK_MIB * MIB) as usize];
        disk[450] = 0xee;
        disk[510..512].copy_from_slice(&[0x55, 0xaa]);
        for (own, other, entries_lba) in [(1, last, 2), (last, 1, last - 32)] {
            let mut header = [0; 512];
            header[..8].copy_from_slice(b"EFI PART");
            header[8..16].copy_from_slice(&[0, 0, 1, 0, 92, 0, 0, 0]);
            for (offset, value) in [(24, own), (32, other), (40, first_usable_lba), (48, last - 33), (72, entries_lba)]
            {
                header[offset..offset + 8].copy_from_slice(&value.to_le_bytes());
            }
            header[56..72].copy_from_slice(&[0xd1; 16]);
            header[80..88].copy_from_slice(&[128, 0, 0, 0, 128, 0, 0, 0]);
            header[88..92].copy_from_slice(&crc32fast::hash(&entries).to_le_bytes());
            header::seal(&mut header);
            let at = |lba: u64| (lba * SECTOR) as usize;
            disk[at(own)..at(own) + 512].copy_from_slice(&header);
            disk[at(entries_lba)..at(entries_lba) + entries.len()].copy_from_slice(&entries);
        }
        Cursor::new(disk)
    }

    #[test]
    fn a_table_is_read_and_partitions_are_found() {
        let gpt = Gpt::read(&mut disk(34)).unwrap();
        assert_eq!(gpt.check(&LABELS), []);
        assert_eq!(gpt.find("zwei ü"), Some(3 * MIB..4 * MIB));
        assert_eq!(gpt.find("zwei"), None);
        assert_eq!(gpt.disk, "d1d1d1d1-d1d1-d1d1-d1d1-d1d1d1d1d1d1");
        assert_eq!(gpt.partitions[1].number, 2);
        assert_eq!(gpt.partitions[0].kind, "c1c1c1c1-c1c1-c1c1-c1c1-c1c1c1c1c1c1");
    }

    #[test]
    fn every_flipped_byte_of_either_copy_is_noticed() {
        let whole = disk(34).into_inner();
        let last = whole.len();
        let places =
            [510, 512, 520, 544, 600, 1024, 1090, last - 512, last - 472, last - 33 * 512, last - 32 * 512 - 1];
        for place in places {
            let mut bytes = whole.clone();
            bytes[place] ^= 1;
            assert!(Gpt::read(&mut Cursor::new(bytes)).is_err(), "byte {place}");
        }
        assert!(Gpt::read(&mut Cursor::new(whole)).is_ok());
    }

    /// A card is larger than the image on it. `B8`
    #[test]
    fn the_first_copy_alone_is_read_on_a_larger_disk() {
        let mut larger = disk(34);
        larger.get_mut().resize(16 << 20, 0);
        assert!(Gpt::read(&mut larger).is_err());
        assert_eq!(Gpt::read_first(&mut larger).unwrap(), Gpt::read(&mut disk(34)).unwrap());
        larger.get_mut()[1090] ^= 1;
        assert!(Gpt::read_first(&mut larger).is_err());
    }

    #[test]
    fn copies_that_differ_are_noticed() {
        let mut disk = disk(34);
        let other = super::tests::disk(35).into_inner();
        disk.get_mut()[512..1024].copy_from_slice(&other[512..1024]);
        assert!(matches!(Gpt::read(&mut disk), Err(Error::Differ)));
    }

    #[test]
    fn what_is_no_disk_is_refused() {
        assert!(Gpt::read(&mut Cursor::new(vec![0; 4 << 20])).is_err());
        assert!(Gpt::read(&mut Cursor::new(vec![0; 700])).is_err());
        assert!(Gpt::read(&mut Cursor::new(Vec::new())).is_err());
    }

    #[test]
    fn faults_are_told_apart() {
        let mut gpt = Gpt::read(&mut disk(2048)).unwrap();
        assert_eq!(gpt.check(&LABELS), [Fault::FirstUsable(2048)]);
        assert_eq!(gpt.check(&["one"])[1], Fault::Labels(LABELS.map(str::to_owned).to_vec()));
        gpt.first_usable_lba = 34;
        gpt.partitions[1].first_lba -= 1;
        assert_eq!(gpt.check(&LABELS), [Fault::Overlap("zwei ü".into()), Fault::Unaligned("zwei ü".into())]);
        gpt.partitions[1] = Partition { number: 3, last_lba: 1 << 40, ..gpt.partitions[0].clone() };
        let one = || "one".to_owned();
        assert_eq!(
            gpt.check(&["one", "one"]),
            [Fault::Number(one(), 3), Fault::Overlap(one()), Fault::End(one()), Fault::Twice(one())]
        );
    }

    /// The reason for the first usable sector: a card that was in a laptop still starts a Raspberry Pi. `B1`
    #[test]
    fn windows_leaves_our_table_where_it_is() {
        let mut ours = disk(34);
        let before = ours.clone();
        assert!(!mount_on_windows(&mut ours).unwrap());
        assert_eq!(ours.get_ref(), before.get_ref());

        let mut moved = disk(2048);
        assert!(mount_on_windows(&mut moved).unwrap());
        let gpt = Gpt::read(&mut moved).unwrap();
        assert_eq!(gpt.check(&LABELS), [Fault::FirstUsable(2048), Fault::Entries(2016)]);
        assert!(moved.get_ref()[1024..1024 + ENTRY_BYTES].iter().all(|byte| *byte == 0), "nothing is at sector 2");
    }
}
