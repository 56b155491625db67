//! Packing the root: a compressed read-only file system, and the tree of hashes that proves every block of it.

use std::path::{Path, PathBuf};

use crate::host::failure::Failure;
use crate::host::files;
use crate::host::source::Source;
use crate::host::toolroot::{ToolRoot, run};
use crate::layout::{PARAMETER_SLOT, PARAMETER_VERITY, Slot, VERITY_BLOCK, VERITY_SALT};

/// Identifies the file system; it is found by the partition it is in, so this can be the same everywhere.
const FILE_SYSTEM_UUID: &str = "5e1fb0c5-9a4d-4c0f-8a34-0a7d3b6f2b01";

/// How hard to compress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Small; takes a minute. Harder costs five more for less than a MiB.
    Release,
    /// Fast, for tests.
    Quick,
}

/// A packed root.
pub struct PackedRoot {
    /// File system and hash tree, one after the other.
    pub file: PathBuf,
    /// Bytes of the file system alone.
    pub file_system_bytes: u64,
    root_hash: String,
}

/// Packs `work/root` into `work/root.img`.
///
/// # Errors
/// If a tool fails.
pub fn pack(work: &Path, tools: &ToolRoot, source: &Source, compression: Compression) -> Result<PackedRoot, Failure> {
    let file = work.join("root.img");
    files::remove(&file)?;
    let epoch = source.epoch_s().to_string();
    let mut mkfs = tools.at(work).command("mkfs.erofs")?;
    match compression {
        Compression::Release => mkfs.args(["-zzstd,level=12", "-C131072", "-Eall-fragments,dedupe"]),
        Compression::Quick => mkfs.args(["-zlz4"]),
    };
    mkfs.args(["--all-root", "-T", &epoch, "-U", FILE_SYSTEM_UUID, "/build/root.img", "/build/root"]);
    mkfs.env("SOURCE_DATE_EPOCH", &epoch);
    run(mkfs, "mkfs.erofs")?;

    let file_system_bytes = files::size(&file)?;
    if file_system_bytes % VERITY_BLOCK != 0 {
        return Err(Failure::new(format!("mkfs.erofs made {file_system_bytes} bytes, no multiple of {VERITY_BLOCK}")));
    }
    let mut veritysetup = tools.at(work).command("veritysetup")?;
    veritysetup.args(["format", "--no-superblock", "--format=1", "--hash=sha256"]);
    veritysetup.args(["--data-block-size=4096", "--hash-block-size=4096"]);
    veritysetup.arg(format!("--data-blocks={}", file_system_bytes / VERITY_BLOCK));
    veritysetup.arg(format!("--hash-offset={file_system_bytes}"));
    veritysetup.arg(format!("--salt={VERITY_SALT}"));
    veritysetup.args(["--root-hash-file=/build/root.hash", "/build/root.img", "/build/root.img"]);
    run(veritysetup, "veritysetup")?;
    let root_hash = files::read_text(&work.join("root.hash"))?.trim().to_owned();
    Ok(PackedRoot { file, file_system_bytes, root_hash })
}

impl PackedRoot {
    /// The kernel command line of a slot that holds this root. `gpt`: with a damaged first partition table the second one
    /// is used, as after a power cut while the table grew. Huge pages would make the kernel keep 44 MiB free for them, which
    /// nothing here needs.
    pub fn command_line(&self, slot: Slot, board: &str) -> String {
        let blocks = self.file_system_bytes / VERITY_BLOCK;
        format!(
            "{PARAMETER_SLOT}={} {PARAMETER_VERITY}={}:{blocks} panic=10 gpt transparent_hugepage=never quiet \
             loglevel=2 {}",
            slot.letter(),
            self.root_hash,
            board,
        )
    }
}
