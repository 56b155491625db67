//! The image to be written: what it is, found out before anything is lost.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use ring::digest::{Context, SHA256};
use serde::Deserialize;
use storebox_image::gpt::Gpt;
use storebox_image::layout::{MIB, SECTOR, SITE_LABEL};

use crate::failure::{Failure, OrFail};
use crate::progress::Progress;

/// Bytes that are read, written and compared at once.
pub const CHUNK: usize = 1 << 20;
/// Kept of either end of an image, where its partition table is.
const END: usize = 1 << 20;
/// How a file begins that zstd packed (RFC 8878).
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// An image of a store box.
#[derive(Debug)]
pub struct Image {
    path: PathBuf,
    is_packed: bool,
    /// Its size, unpacked.
    pub bytes: u64,
    /// Its SHA-256, unpacked, in hexadecimal.
    pub sha256: String,
    /// Where the partition is that an installer's file belongs on.
    pub site: Range<u64>,
}

impl Image {
    /// Reads the whole of it.
    ///
    /// # Errors
    /// If it cannot be read or unpacked, is no image of a store box, or not the one its `manifest.json` tells of.
    pub fn examine(path: &Path) -> Result<Self, Failure> {
        let failed = || format!("cannot read the image {}", path.display());
        let file = File::open(path).or_fail(failed)?;
        let packed_bytes = file.metadata().or_fail(failed)?.len();
        let is_packed = begins_packed(file).or_fail(failed)?;
        let mut progress = Progress::begin("Reading the image", (!is_packed).then_some(packed_bytes));
        let mut source = open(path, is_packed).or_fail(failed)?;
        let (mut digest, mut ends) = (Context::new(&SHA256), Ends::default());
        let mut chunk = vec![0; CHUNK];
        loop {
            let read = fill(&mut source, &mut chunk).or_fail(|| damaged(path, is_packed))?;
            let Some(piece) = chunk.get(..read).filter(|piece| !piece.is_empty()) else { break };
            digest.update(piece);
            ends.keep(piece);
            progress.add(length(piece));
        }
        drop(progress);
        let sha256 = hex(digest.finish().as_ref());
        let bytes = ends.length;
        let no_image = |why: String| {
            Failure::data(format!(
                "{} is no image of a store box{why}; take storebox-BOARD.img or .img.zst",
                path.display()
            ))
        };
        let table = Gpt::read(&mut ends).map_err(|error| no_image(String::new()).because(error))?;
        let site = table.find(SITE_LABEL).filter(|site| site.end <= bytes && bytes.is_multiple_of(SECTOR));
        let site = site.ok_or_else(|| no_image(format!(": it has no partition {SITE_LABEL}")))?;
        let image = Self { path: path.to_owned(), is_packed, bytes, sha256, site };
        image.must_be_of_its_manifest()?;
        Ok(image)
    }

    /// Its bytes, unpacked.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn open(&self) -> Result<Box<dyn Read>, Failure> {
        open(&self.path, self.is_packed).or_fail(|| format!("cannot read the image {}", self.path.display()))
    }

    /// Fills a chunk from its bytes; gives how many there were.
    ///
    /// # Errors
    /// If it can no longer be read, or unpacked.
    pub fn next(&self, source: &mut dyn Read, chunk: &mut [u8]) -> Result<usize, Failure> {
        fill(source, chunk).or_fail(|| damaged(&self.path, self.is_packed))
    }

    /// A build leaves its manifest beside the image.
    fn must_be_of_its_manifest(&self) -> Result<(), Failure> {
        let Ok(text) = fs::read_to_string(self.path.with_file_name("manifest.json")) else { return Ok(()) };
        let Ok(manifest) = serde_json::from_str::<Manifest>(&text) else { return Ok(()) };
        let name = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_its_own = name.split('.').next() == Some(&format!("storebox-{}", manifest.board));
        if is_its_own && manifest.image_sha256 != self.sha256 {
            return Err(Failure::data(format!(
                "{} is not the image its manifest.json tells of: download it again",
                self.path.display()
            )));
        }
        Ok(())
    }
}

/// What is looked at of `manifest.json`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    board: String,
    image_sha256: String,
}

fn begins_packed(mut file: File) -> io::Result<bool> {
    let mut first = [0; 4];
    Ok(fill(&mut file, &mut first)? == first.len() && first == ZSTD)
}

fn open(path: &Path, is_packed: bool) -> io::Result<Box<dyn Read>> {
    let file = File::open(path)?;
    Ok(if is_packed { Box::new(zstd::Decoder::new(file)?) } else { Box::new(file) })
}

fn damaged(path: &Path, is_packed: bool) -> String {
    if is_packed {
        format!("{} is damaged or ends early: download it again", path.display())
    } else {
        format!("cannot read the image {}", path.display())
    }
}

/// Reads until the chunk is full or there is no more.
pub fn fill(source: &mut dyn Read, chunk: &mut [u8]) -> io::Result<usize> {
    let mut read = 0;
    while let Some(rest) = chunk.get_mut(read..).filter(|rest| !rest.is_empty()) {
        match source.read(rest) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

/// The length of a piece, in the type files count with.
pub fn length(piece: &[u8]) -> u64 {
    u64::try_from(piece.len()).unwrap_or(u64::MAX)
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Both ends of something long, to be read as if the rest was there, too; the rest reads as zeros.
#[derive(Default)]
struct Ends {
    head: Vec<u8>,
    tail: Vec<u8>,
    length: u64,
    position: u64,
}

impl Ends {
    fn keep(&mut self, piece: &[u8]) {
        let room = END.saturating_sub(self.head.len());
        self.head.extend(piece.iter().take(room));
        self.tail.extend(piece);
        let beyond = self.tail.len().saturating_sub(END);
        self.tail.drain(..beyond);
        self.length += length(piece);
    }

    /// The byte at a place.
    fn at(&self, place: u64) -> u8 {
        let from = |bytes: &[u8], start: u64| {
            let index = usize::try_from(place.checked_sub(start)?).ok()?;
            bytes.get(index).copied()
        };
        from(&self.head, 0).or_else(|| from(&self.tail, self.length - length(&self.tail))).unwrap_or(0)
    }
}

impl Read for Ends {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.length.saturating_sub(self.position)).unwrap_or(usize::MAX);
        let count = out.len().min(left);
        for (byte, place) in out.iter_mut().take(count).zip(self.position..) {
            *byte = self.at(place);
        }
        self.position += u64::try_from(count).unwrap_or_default();
        Ok(count)
    }
}

impl Seek for Ends {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::End(offset) => self.length.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = place.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

const _: () = assert!(CHUNK as u64 == MIB && END >= 34 * 512);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_are_kept_however_the_pieces_fall() {
        for piece in [END, END / 2 + 7, 3 * END] {
            let whole: Vec<u8> = (0..3 * END + 99).map(|place| u8::try_from(place % 251).unwrap()).collect();
            let mut ends = Ends::default();
            whole.chunks(piece).for_each(|piece| ends.keep(piece));
            let mut read = vec![0; 64];
            for place in [0, END - 64, 2 * END + 200, whole.len() - 64] {
                ends.seek(SeekFrom::Start(u64::try_from(place).unwrap())).unwrap();
                ends.read_exact(&mut read).unwrap();
                assert_eq!(read, whole[place..place + 64], "{piece} {place}");
            }
            assert!(ends.read_exact(&mut read).is_err(), "there is nothing behind the end");
        }
    }

    #[test]
    fn a_short_image_is_its_own_head_and_tail() {
        let mut ends = Ends::default();
        ends.keep(&[1, 2, 3]);
        let mut read = Vec::new();
        ends.read_to_end(&mut read).unwrap();
        assert_eq!(read, [1, 2, 3]);
    }
}
