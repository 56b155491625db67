//! Writing an image, and reading back what became of it.
//!
//! The first chunk, with the partition table, is made zeros before anything else, and written when all the rest was read
//! back as it should be. A target that was given up on before is empty to every computer, and no box starts from it.

use storebox_image::layout::MIB;

use super::image::{CHUNK, Image, length};
use super::target::{Reader, Target};
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::progress::{Progress, megabytes};

/// Written between two waits for the disk: enough to be quick, little enough that what is shown is true.
const SYNC_EVERY: u64 = 16 * MIB;

/// Writes an image over everything that is on a target of `room` bytes, and reads all of it back.
///
/// # Errors
/// If the target or the image fails on the way, a byte differs, or somebody interrupts. No box starts from the target then.
pub fn write(image: &Image, target: &Target, room: u64, interrupt: &Interrupt) -> Result<(), Failure> {
    target.prepare(image.bytes)?;
    clear(image, target, room)?;
    let first = write_rest(image, target, interrupt)?;
    let last = check_rest(image, target, interrupt)?;
    // A card that lies about its size may have put the end where the begin belongs, or the begin where the end is.
    let ends = [(0, &first), (image.bytes - length(&last), &last)];
    target
        .write(&first, 0)
        .and_then(|()| target.sync(0))
        .and_then(|()| {
            let mut reader = target.reader(image.bytes)?;
            ends.iter().try_for_each(|(place, piece)| compare(&mut reader, target, *place, piece))
        })
        .inspect_err(|_| {
            // What fails so late may be whole enough to start from; what went wrong before is what is said.
            let _cleared = clear(image, target, room);
        })
}

/// Takes away the partition table that was there, and its copy where the disk ends.
fn clear(image: &Image, target: &Target, room: u64) -> Result<(), Failure> {
    let zeros = vec![0; CHUNK];
    let first = usize::try_from(image.bytes).unwrap_or(CHUNK).min(CHUNK);
    target.write(zeros.get(..first).unwrap_or_default(), 0)?;
    // A disk's size is a number of sectors; the last chunk of one is behind the image, or overlaps it.
    let last = room.saturating_sub(MIB);
    if target.is_disk() && last > 0 {
        target.write(&zeros, last)?;
    }
    target.sync(0)
}

/// Writes everything but the first chunk, which is given back.
fn write_rest(image: &Image, target: &Target, interrupt: &Interrupt) -> Result<Vec<u8>, Failure> {
    let mut progress = Progress::begin("Writing", Some(image.bytes));
    let mut source = image.open()?;
    let (mut first, mut chunk) = (vec![0; CHUNK], vec![0; CHUNK]);
    let read = image.next(&mut *source, &mut first)?;
    first.truncate(read);
    let (mut place, mut synced) = (length(&first), 0);
    loop {
        let read = image.next(&mut *source, &mut chunk)?;
        let Some(piece) = chunk.get(..read).filter(|piece| !piece.is_empty()) else { break };
        target.write(piece, place)?;
        place += length(piece);
        if place - synced >= SYNC_EVERY {
            target.sync(place)?;
            progress.add(place - synced);
            synced = place;
        }
        stop_if(interrupt)?;
    }
    if place != image.bytes {
        return Err(Failure::new("the image changed while it was read: start again"));
    }
    target.sync(place)?;
    progress.add(place - synced);
    Ok(first)
}

/// Reads back everything but the first chunk; gives the last one.
fn check_rest(image: &Image, target: &Target, interrupt: &Interrupt) -> Result<Vec<u8>, Failure> {
    let mut reader = target.reader(image.bytes)?;
    let mut progress = Progress::begin("Checking", Some(image.bytes));
    let mut source = image.open()?;
    let (mut chunk, mut last) = (vec![0; CHUNK], Vec::new());
    let mut place = 0;
    loop {
        let read = image.next(&mut *source, &mut chunk)?;
        let Some(piece) = chunk.get(..read).filter(|piece| !piece.is_empty()) else { return Ok(last) };
        if place > 0 {
            compare(&mut reader, target, place, piece)?;
        }
        place += length(piece);
        progress.add(length(piece));
        if place == image.bytes {
            piece.clone_into(&mut last);
        }
        stop_if(interrupt)?;
    }
}

/// Whether a piece is where it should be.
fn compare(reader: &mut Reader<'_>, target: &Target, place: u64, piece: &[u8]) -> Result<(), Failure> {
    let found = reader.read(place, piece.len())?;
    if found == piece {
        return Ok(());
    }
    let offset = found.iter().zip(piece).take_while(|(found, piece)| found == piece).count();
    let at = place + u64::try_from(offset).unwrap_or_default();
    Err(Failure::new(format!(
        "{} gives back something else than was written, first at byte {at} ({}): it is worn out, or smaller than it \
         says; take another",
        target.name,
        megabytes(at)
    )))
}

fn stop_if(interrupt: &Interrupt) -> Result<(), Failure> {
    if interrupt.came() { Err(Failure::new("interrupted")) } else { Ok(()) }
}
