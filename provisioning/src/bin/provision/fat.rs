//! Reads a file in the root of a FAT32 (Microsoft's FAT specification of 2000, version 1.03), however damaged that is.
//!
//! What writes files, a library, trusts a table it did not write; a card from a shop has been through power cuts.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// Bytes of a sector on our cards.
const SECTOR: u64 = 512;
/// Bytes of a table's entry, of which 28 bits count.
const ENTRY: u64 = 4;
const ENTRY_MASK: u32 = 0x0fff_ffff;
/// The first cluster has this number.
const FIRST: u32 = 2;
/// Bytes of a folder's entry.
const NAME: usize = 32;
/// Bytes of the largest folder there may be, so that one that bites its own tail ends, too.
const FOLDER_MAX: u64 = 65_536 * 32;
/// Attributes: a volume's label, a folder; and the four that together mark a piece of a long name.
const LABEL: u8 = 0x08;
const FOLDER: u8 = 0x10;
const LONG: u8 = 0x0f;
/// The longest name, in UTF-16.
const NAME_UNITS: usize = 255;

/// A file system on a part of a card.
pub struct Fat<'c> {
    card: &'c File,
    range: Range<u64>,
    cluster_bytes: u64,
    table: u64,
    data: u64,
    clusters: u64,
    root: u32,
}

impl<'c> Fat<'c> {
    /// The file system that begins with a part of a card.
    ///
    /// # Errors
    /// As reading has them, and `InvalidData` if there is none.
    pub fn open(card: &'c File, range: &Range<u64>) -> io::Result<Self> {
        let mut boot = [0; 512];
        card.read_exact_at(&mut boot, range.start)?;
        let sectors = range.end.saturating_sub(range.start) / SECTOR;
        let (per_cluster, reserved, tables) = (number(&boot, 13, 1), number(&boot, 14, 2), number(&boot, 16, 1));
        let (total, table) = (number(&boot, 32, 4), number(&boot, 36, 4));
        let before_data = reserved.saturating_add(tables.saturating_mul(table));
        let clusters = total.saturating_sub(before_data).checked_div(per_cluster).unwrap_or_default();
        let root = u32::try_from(number(&boot, 44, 4)).unwrap_or_default();
        let is_sound = number(&boot, 510, 2) == 0xaa55
            && number(&boot, 11, 2) == SECTOR
            && per_cluster.is_power_of_two()
            && reserved > 0
            && total <= sectors
            && (1..=table.saturating_mul(SECTOR / ENTRY).saturating_sub(u64::from(FIRST))).contains(&clusters);
        let fat = Self {
            card,
            range: range.clone(),
            cluster_bytes: per_cluster * SECTOR,
            table: reserved * SECTOR,
            data: before_data.saturating_mul(SECTOR),
            clusters,
            root,
        };
        if is_sound && fat.place(root).is_some() { Ok(fat) } else { Err(damaged()) }
    }

    /// The first `most` bytes of a file in the root, by its name in any case; none if there is none.
    ///
    /// # Errors
    /// As reading has them, and `InvalidData` if the file is not where the table says.
    pub fn read(&self, name: &str, most: u64) -> io::Result<Option<Vec<u8>>> {
        let folder = self.chain(self.root, FOLDER_MAX)?;
        let Some((first, bytes)) = find(&folder, name) else { return Ok(None) };
        let wanted = bytes.min(most);
        let mut content = if wanted == 0 { Vec::new() } else { self.chain(first, wanted)? };
        let length = usize::try_from(wanted).map_err(|_| damaged())?;
        if content.len() < length {
            return Err(damaged());
        }
        content.truncate(length);
        Ok(Some(content))
    }

    /// What is in a chain of clusters, up to the one that reaches `most` bytes.
    fn chain(&self, first: u32, most: u64) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        let mut cluster = vec![0; usize::try_from(self.cluster_bytes).map_err(|_| damaged())?];
        let (mut next, mut read) = (first, 0);
        while let Some(place) = self.place(next).filter(|_| read < most) {
            self.read_at(&mut cluster, place)?;
            content.extend_from_slice(&cluster);
            read += self.cluster_bytes;
            let mut entry = [0; 4];
            self.read_at(&mut entry, self.table + u64::from(next) * ENTRY)?;
            next = u32::from_le_bytes(entry) & ENTRY_MASK;
        }
        Ok(content)
    }

    /// Where a cluster is; none if there is none of that number.
    fn place(&self, cluster: u32) -> Option<u64> {
        let number = u64::from(cluster.checked_sub(FIRST)?);
        (number < self.clusters).then(|| self.data + number * self.cluster_bytes)
    }

    fn read_at(&self, bytes: &mut [u8], place: u64) -> io::Result<()> {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let start = self.range.start.saturating_add(place);
        if start.saturating_add(length) > self.range.end {
            return Err(damaged());
        }
        self.card.read_exact_at(bytes, start)
    }
}

/// The first cluster and the size of the file of a name in a folder.
fn find(folder: &[u8], name: &str) -> Option<(u32, u64)> {
    let mut long: Vec<u16> = Vec::new();
    for entry in folder.as_chunks::<NAME>().0 {
        let (first, attributes) = (entry[0], entry[11]);
        match first {
            0 => return None,
            0xe5 => long.clear(),
            _ if attributes == LONG => {
                // The last piece of a name comes first.
                if first & 0x40 != 0 {
                    long.clear();
                }
                long.splice(0..0, piece(entry));
                long.truncate(NAME_UNITS);
            }
            _ => {
                let is_file = attributes & (LABEL | FOLDER) == 0;
                let is_named = |own: &str| own.eq_ignore_ascii_case(name);
                if is_file && (is_named(&String::from_utf16_lossy(&long)) || is_named(&short(entry))) {
                    let cluster = number(entry, 20, 2) << 16 | number(entry, 26, 2);
                    return Some((u32::try_from(cluster).ok()?, number(entry, 28, 4)));
                }
                long.clear();
            }
        }
    }
    None
}

/// The characters of a long name's piece.
fn piece(entry: &[u8; NAME]) -> Vec<u16> {
    let places = (1..11).step_by(2).chain((14..26).step_by(2)).chain((28..32).step_by(2));
    let units = places.filter_map(|place| u16::try_from(number(entry, place, 2)).ok());
    units.take_while(|unit| !matches!(unit, 0 | 0xffff)).collect()
}

/// A name of eight and three characters.
fn short(entry: &[u8; NAME]) -> String {
    let part =
        |range: Range<usize>| String::from_utf8_lossy(entry.get(range).unwrap_or_default()).trim_end().to_owned();
    let (base, end) = (part(0..8), part(8..11));
    if end.is_empty() { base } else { format!("{base}.{end}") }
}

/// A number of some bytes, the least first.
fn number(bytes: &[u8], place: usize, length: usize) -> u64 {
    let bytes = bytes.get(place..).and_then(|rest| rest.get(..length)).unwrap_or_default();
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "its file system is damaged")
}
