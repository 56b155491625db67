//! The verified device: the kernel checks each block of the root against a hash tree when it reads it, and panics when
//! one differs (`Documentation/admin-guide/device-mapper/verity.rst`).

use std::fmt::Write as _;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use sha2::{Digest, Sha256};
use storebox_image::layout::{SECTOR, VERITY_BLOCK, VERITY_SALT};

use crate::cmdline::{self, Verity};
use crate::failure::Failure;
use crate::ioctl::{self, DM_HEADER, DmCommand};
use crate::partitions::Partition;
use crate::{clock, limits};

const CONTROL: &str = "/dev/mapper/control";
const NAME: &str = "storebox-root";
/// The interface's major version; the kernel takes every minor one up to its own.
const DM_VERSION: u32 = 4;
/// `DM_READONLY_FLAG`.
const DM_READ_ONLY: u32 = 1;
/// Bytes of `struct dm_target_spec`.
const DM_TARGET: usize = 40;

/// What the top of a partition's hash tree says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopBlock {
    /// It has the root hash: this is the root that was asked for, though any block of it may still be damaged.
    Matches,
    /// It has another: damaged, or another version.
    Differs,
    /// It could not be read.
    Unreadable,
}

/// Looks at the top of the tree, which is its first block. Asking the kernel instead would make it panic.
pub fn top_block(partition: &Partition, verity: &Verity) -> TopBlock {
    let mut block = vec![0; usize::try_from(VERITY_BLOCK).unwrap_or_default()];
    let read =
        File::open(&partition.node).and_then(|file| file.read_exact_at(&mut block, verity.blocks * VERITY_BLOCK));
    match read {
        Ok(()) if hash(&block) == verity.root_hash => TopBlock::Matches,
        Ok(()) => TopBlock::Differs,
        // A partition too short for the tree.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => TopBlock::Differs,
        Err(_) => TopBlock::Unreadable,
    }
}

/// Version 1 of the format hashes the salt before the block.
fn hash(block: &[u8]) -> [u8; 32] {
    let salt = cmdline::hex(VERITY_SALT).unwrap_or_default();
    Sha256::new().chain_update(salt).chain_update(block).finalize().into()
}

/// Makes the verified device of a partition and answers its node.
///
/// # Errors
/// When the kernel refuses it, which it says in its log, or does not make the node.
pub fn open(partition: &Partition, verity: &Verity) -> Result<String, Failure> {
    let failed = |step| move |source| Failure::Verity { step, source };
    let control = File::options().read(true).write(true).open(CONTROL).map_err(failed("device mapper"))?;

    let mut create = message(&uuid(verity), 0, None);
    ioctl::device_mapper(&control, DmCommand::Create, &mut create).map_err(failed("create"))?;
    let node = node(&create).ok_or(io::ErrorKind::InvalidData.into()).map_err(failed("device number"))?;

    let target = Target { sectors: verity.blocks * (VERITY_BLOCK / SECTOR), table: table(&partition.device, verity) };
    let mut load = message("", DM_READ_ONLY, Some(&target));
    ioctl::device_mapper(&control, DmCommand::LoadTable, &mut load).map_err(failed("table"))?;
    let mut resume = message("", 0, None);
    ioctl::device_mapper(&control, DmCommand::Resume, &mut resume).map_err(failed("start"))?;

    let begin = clock::now();
    while !Path::new(&node).exists() {
        if begin.elapsed() > limits::NODE_WAIT {
            return Err(Failure::NoVerityNode { node });
        }
        clock::wait(limits::POLL);
    }
    Ok(node)
}

/// The target's parameters. Data and tree share the partition, and there is no superblock. A block that differs or cannot
/// be read ends in a panic, and `panic=` on the command line in a restart: a program must not run on half its code.
fn table(device: &str, verity: &Verity) -> String {
    let root_hash = to_hex(&verity.root_hash);
    let blocks = verity.blocks;
    format!(
        "1 {device} {device} {VERITY_BLOCK} {VERITY_BLOCK} {blocks} {blocks} sha256 {root_hash} {VERITY_SALT} \
         2 panic_on_corruption panic_on_error"
    )
}

/// Named as libcryptsetup names such devices, so that tools recognise it.
fn uuid(verity: &Verity) -> String {
    format!("CRYPT-VERITY-{}-{NAME}", to_hex(verity.root_hash.get(..16).unwrap_or_default()))
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// One verity target that fills the device.
struct Target {
    sectors: u64,
    table: String,
}

/// `struct dm_ioctl`, and after it, with a target, `struct dm_target_spec` and the target's parameters.
fn message(uuid: &str, flags: u32, target: Option<&Target>) -> Vec<u8> {
    let body = target.map(target_bytes).unwrap_or_default();
    let length = u32::try_from(DM_HEADER + body.len()).unwrap_or(u32::MAX);
    let header = u32::try_from(DM_HEADER).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(DM_HEADER + body.len());
    // version[3], data_size, data_start, target_count, open_count, flags, event_nr, padding
    for word in [DM_VERSION, 0, 0, length, header, u32::from(target.is_some()), 0, flags, 0, 0] {
        bytes.extend(word.to_ne_bytes());
    }
    // dev, which the kernel fills in
    bytes.extend(0_u64.to_ne_bytes());
    bytes.extend(padded(NAME, 128));
    bytes.extend(padded(uuid, 129));
    bytes.resize(DM_HEADER, 0);
    bytes.extend(body);
    bytes
}

fn target_bytes(target: &Target) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(DM_TARGET + target.table.len() + 8);
    // sector_start, length
    bytes.extend(0_u64.to_ne_bytes());
    bytes.extend(target.sectors.to_ne_bytes());
    // status, next: there is no next
    bytes.extend([0; 8]);
    bytes.extend(padded("verity", 16));
    bytes.extend(target.table.as_bytes());
    // The text ends with a zero, the whole at a multiple of 8.
    bytes.push(0);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

/// A text in a field of `size` bytes, which ends with at least one zero.
fn padded(text: &str, size: usize) -> impl Iterator<Item = u8> {
    text.bytes().take(size.saturating_sub(1)).chain(std::iter::repeat(0)).take(size)
}

/// The node of the device the kernel made, from the number it wrote into `dev` (`huge_encode_dev` in
/// `include/linux/kdev_t.h`: bits 0–7 and 20–31 are the minor).
fn node(answer: &[u8]) -> Option<String> {
    let device = u64::from_ne_bytes(answer.get(40..48)?.try_into().ok()?);
    let minor = (device & 0xff) | ((device >> 12) & 0xf_ff00);
    Some(format!("/dev/dm-{minor}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verity() -> Verity {
        Verity { root_hash: [0xab; 32], blocks: 5000 }
    }

    #[test]
    fn the_table_says_all_the_kernel_needs() {
        let hash = "ab".repeat(32);
        assert_eq!(
            table("8:3", &verity()),
            format!("1 8:3 8:3 4096 4096 5000 5000 sha256 {hash} {VERITY_SALT} 2 panic_on_corruption panic_on_error")
        );
    }

    #[test]
    fn the_salt_is_hexadecimal() {
        assert_eq!(cmdline::hex(VERITY_SALT).unwrap().len(), 32);
    }

    /// Offsets from `struct dm_ioctl` and `struct dm_target_spec`.
    #[test]
    fn a_message_is_laid_out_as_the_kernel_reads_it() {
        let target = Target { sectors: 40_000, table: "1 2 3".into() };
        let bytes = message("U", DM_READ_ONLY, Some(&target));
        let word = |at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap());
        let long = |at: usize| u64::from_ne_bytes(bytes[at..at + 8].try_into().unwrap());
        assert_eq!(bytes.len(), 312 + 40 + 8);
        assert_eq!([word(0), word(4), word(8)], [4, 0, 0], "version");
        assert_eq!(word(12), 360, "data_size");
        assert_eq!(word(16), 312, "data_start");
        assert_eq!(word(20), 1, "target_count");
        assert_eq!(word(28), 1, "flags");
        assert_eq!(&bytes[48..62], b"storebox-root\0", "name");
        assert_eq!(&bytes[176..178], b"U\0", "uuid");
        assert_eq!(long(312), 0, "sector_start");
        assert_eq!(long(320), 40_000, "length");
        assert_eq!(&bytes[336..343], b"verity\0", "target_type");
        assert_eq!(&bytes[352..], b"1 2 3\0\0\0", "parameters");
    }

    #[test]
    fn a_message_without_a_target_is_a_header() {
        let bytes = message("", 0, None);
        assert_eq!(bytes.len(), DM_HEADER);
        assert_eq!(bytes[20..24], [0; 4]);
    }

    #[test]
    fn texts_never_fill_their_field() {
        assert_eq!(padded("abcdef", 4).collect::<Vec<_>>(), b"abc\0");
        assert!(uuid(&verity()).len() < 129);
    }

    #[test]
    fn the_node_follows_from_the_device_number() {
        let mut answer = vec![0; DM_HEADER];
        answer[40..48].copy_from_slice(&0xfd07_u64.to_ne_bytes());
        assert_eq!(node(&answer).unwrap(), "/dev/dm-7");
        answer[40..48].copy_from_slice(&0x0010_fd02_u64.to_ne_bytes());
        assert_eq!(node(&answer).unwrap(), "/dev/dm-258");
        assert_eq!(node(&[]), None);
    }

    /// The root hash is what `veritysetup format --no-superblock` says of these two data blocks with this salt.
    #[test]
    fn the_top_of_the_tree_tells_a_root_from_another() {
        let data = vec![7; 4096];
        let leaf = hash(&data);
        let mut top = vec![0; 4096];
        top[..32].copy_from_slice(&leaf);
        top[32..64].copy_from_slice(&leaf);
        let path = std::env::temp_dir().join(format!("storebox-initramfs-top-{}", std::process::id()));
        std::fs::write(&path, [data.clone(), data, top.clone()].concat()).unwrap();
        let mut partition = crate::partitions::tests::partition("sda", 3, "storebox-root-a", false);
        partition.node = path.to_str().unwrap().to_owned();

        let right = Verity {
            root_hash: cmdline::hex("be437cbc0fe2f529c5f2622ac4ac8887487ff0bc8b32b19bba8f92fb65f88b17")
                .unwrap()
                .try_into()
                .unwrap(),
            blocks: 2,
        };
        assert_eq!(top_block(&partition, &right), TopBlock::Matches);
        assert_eq!(top_block(&partition, &Verity { root_hash: [0; 32], blocks: 2 }), TopBlock::Differs);
        assert_eq!(top_block(&partition, &Verity { blocks: 3, ..right.clone() }), TopBlock::Differs, "too short");
        std::fs::remove_file(&path).unwrap();
        assert_eq!(top_block(&partition, &right), TopBlock::Unreadable);
    }
}
