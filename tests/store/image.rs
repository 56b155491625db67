//! A file with a cache before it: what programs see, what is durable, and what is between the two.

use std::collections::BTreeSet;

use storebox_tests::Random;

/// What a disk writes as a whole.
const SECTOR: usize = 512;
/// What a file is given room in.
const BLOCK: u64 = 4096;

/// Something done to a file and not synced.
#[derive(Clone, Debug)]
enum Change {
    Write { offset: usize, data: Vec<u8> },
    Length(usize),
}

/// A file on a disk with a cache.
#[derive(Debug, Default)]
pub(crate) struct File {
    /// What programs read.
    pub(crate) seen: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<Change>,
    /// Changes whose sync failed: no later sync makes them durable.
    doubtful: Vec<Change>,
    /// Blocks that take room.
    blocks: BTreeSet<u64>,
}

impl File {
    /// A file of these bytes.
    pub(crate) fn durable(bytes: Vec<u8>) -> Self {
        let blocks = touched(0, bytes.len()).collect();
        Self { seen: bytes.clone(), durable: bytes, blocks, ..Self::default() }
    }

    pub(crate) fn write(&mut self, offset: u64, data: &[u8]) {
        self.blocks.extend(touched(offset, data.len()));
        self.change(Change::Write { offset: offset as usize, data: data.to_vec() });
    }

    pub(crate) fn set_len(&mut self, len: u64) {
        self.change(Change::Length(len as usize));
        drop(self.blocks.split_off(&len.div_ceil(BLOCK)));
    }

    pub(crate) fn sync(&mut self) {
        for change in self.unsynced.drain(..) {
            change.apply(&mut self.durable);
        }
    }

    /// A sync failed: the cache forgets what it should have written.
    pub(crate) fn doubt(&mut self) {
        self.doubtful.append(&mut self.unsynced);
    }

    /// How many bytes of room it takes; what was never written takes none.
    pub(crate) fn room(&self) -> u64 {
        self.blocks.len() as u64 * BLOCK
    }

    /// How many more a write would take.
    pub(crate) fn more_room(&self, offset: u64, len: usize) -> u64 {
        touched(offset, len).filter(|number| !self.blocks.contains(number)).count() as u64 * BLOCK
    }

    /// What may be found after a crash: each change that was not synced is there whole, in part or not at all, and
    /// a cache writes in any order.
    pub(crate) fn after_crash(&self, random: &mut Random) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        let mut changes: Vec<&Change> = self.doubtful.iter().chain(&self.unsynced).collect();
        // Some crashes find nearly everything written, some nearly nothing.
        let kept_percent = random.below(101);
        let torn_percent = random.below(101);
        if random.below(4) > 0 {
            for last in (1..changes.len()).rev() {
                changes.swap(last, random.below(last as u64 + 1) as usize);
            }
        }
        for change in changes {
            if random.below(100) < torn_percent {
                change.apply_torn(&mut bytes, random, kept_percent);
            } else if random.below(100) < kept_percent {
                change.apply(&mut bytes);
            }
        }
        bytes
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.seen);
        self.unsynced.push(change);
    }
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Length(len) => resize(bytes, *len),
            Self::Write { offset, data } => put(bytes, *offset, data),
        }
    }

    /// Sector by sector; a length has no parts.
    fn apply_torn(&self, bytes: &mut Vec<u8>, random: &mut Random, kept_percent: u64) {
        match self {
            Self::Length(_) => {
                if random.below(100) < kept_percent {
                    self.apply(bytes);
                }
            }
            Self::Write { offset, data } => {
                let mut at = 0;
                while at < data.len() {
                    let end = ((offset + at) / SECTOR + 1) * SECTOR - offset;
                    let end = end.min(data.len());
                    if random.below(100) < kept_percent {
                        put(bytes, offset + at, &data[at..end]);
                    }
                    at = end;
                }
            }
        }
    }
}

fn put(bytes: &mut Vec<u8>, offset: usize, data: &[u8]) {
    let end = offset + data.len();
    if bytes.len() < end {
        resize(bytes, end);
    }
    bytes[offset..end].copy_from_slice(data);
}

/// As `Vec::resize`, which takes its time byte by byte in a debug build.
fn resize(bytes: &mut Vec<u8>, len: usize) {
    let mut resized = vec![0; len];
    let kept = len.min(bytes.len());
    resized[..kept].copy_from_slice(&bytes[..kept]);
    *bytes = resized;
}

fn touched(offset: u64, len: usize) -> std::ops::Range<u64> {
    offset / BLOCK..(offset + len as u64).div_ceil(BLOCK)
}

#[test]
fn what_was_synced_is_always_there_and_the_rest_sometimes() {
    let mut file = File::default();
    file.write(0, &[1; 2048]);
    file.sync();
    file.write(0, &[2; 1024]);
    file.write(512, &[3; 1024]);
    let images: BTreeSet<Vec<u8>> = (0..500).map(|seed| file.after_crash(&mut Random::new(seed))).collect();
    // Sectors: the first is old or 2, the second old, 2 or 3, the third old or 3; the fourth was not touched.
    assert_eq!(images.len(), 2 * 3 * 2);
    assert!(images.iter().all(|image| image.len() == 2048 && image[1536..].iter().all(|byte| *byte == 1)));
}
