//! The disk image: partition table, FAT file systems, and every partition at its place. No mount, no loop device.

use std::fs::{File, FileTimes, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, UNIX_EPOCH};

use sha2::{Digest, Sha256};

use crate::gpt::Gpt;
use crate::host::failure::{Failure, OrFail};
use crate::host::files;
use crate::host::source::Source;
use crate::host::toolroot::{ToolRoot, run};
use crate::layout::{FIRST_USABLE_LBA, MIB, SECTOR};

/// What a partition holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Nothing yet.
    Empty,
    /// The bytes of a file.
    Image(PathBuf),
    /// A FAT file system.
    Fat {
        /// 16 or 32: the width of its table's entries.
        bits: u8,
        /// Volume label, at most eleven characters.
        label: &'static str,
        /// Path inside, and the content. Folders come by themselves.
        files: Vec<(String, Vec<u8>)>,
    },
}

/// A partition of the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Its GPT name.
    pub label: &'static str,
    /// GUID of its type.
    pub kind: &'static str,
    /// Its size.
    pub size_mib: u64,
    /// What it holds.
    pub content: Content,
}

/// Writes `work/disk.img` with the partitions one after the other from the first mebibyte on.
///
/// # Errors
/// If something does not fit its partition, or a tool fails.
pub fn write(
    work: &Path,
    tools: &ToolRoot,
    source: &Source,
    board: &str,
    partitions: &[Partition],
) -> Result<PathBuf, Failure> {
    let image = work.join("disk.img");
    files::remove(&image)?;
    let total_mib: u64 = partitions.iter().map(|partition| partition.size_mib).sum();
    // One mebibyte before the first partition, one after the last for the second partition table.
    let file = File::create(&image).or_fail(|| format!("cannot make {}", image.display()))?;
    file.set_len((total_mib + 2) * MIB).or_fail(|| format!("cannot size {}", image.display()))?;
    drop(file);

    let mut sfdisk = tools.at(work).command("sfdisk")?;
    sfdisk.args(["--quiet", "--no-reread", "--no-tell-kernel", "/build/disk.img"]);
    pipe(sfdisk, &table(board, partitions))?;

    let mut start_mib = 1;
    for (number, partition) in partitions.iter().enumerate() {
        match &partition.content {
            Content::Empty => {}
            Content::Image(path) => place(path, &image, start_mib, partition)?,
            Content::Fat { bits, label, files } => {
                let path = work.join(format!("partition-{}.fat", number + 1));
                make_fat(work, tools, source, &path, partition.size_mib, *bits, label, files)?;
                place(&path, &image, start_mib, partition)?;
                files::remove(&path)?;
            }
        }
        start_mib += partition.size_mib;
    }
    Ok(image)
}

/// Reads the table of an image that was just made, whose partitions are to be named `labels`, in this order.
///
/// # Errors
/// If the table is damaged, or not as on our disks.
pub fn check_image(image: &Path, labels: &[&str]) -> Result<(), Failure> {
    let wrong = || format!("the partition table of {} is not right", image.display());
    let gpt = Gpt::read(&mut File::open(image).or_fail(wrong)?).or_fail(wrong)?;
    let faults: Vec<String> = gpt.check(labels).iter().map(|fault| format!("  {fault}")).collect();
    if faults.is_empty() { Ok(()) } else { Err(Failure::new(format!("{}:\n{}", wrong(), faults.join("\n")))) }
}

/// The script sfdisk(8) makes the table from. Every identifier is the same in every build.
fn table(board: &str, partitions: &[Partition]) -> String {
    let mut script = format!(
        "label: gpt\nlabel-id: {}\nunit: sectors\nsector-size: {SECTOR}\nfirst-lba: {FIRST_USABLE_LBA}\n\n",
        guid(board, "disk")
    );
    let mut start_mib = 1;
    for partition in partitions {
        script.push_str(&format!(
            "start={}, size={}, type={}, uuid={}, name=\"{}\"\n",
            start_mib * MIB / SECTOR,
            partition.size_mib * MIB / SECTOR,
            partition.kind,
            guid(board, partition.label),
            partition.label,
        ));
        start_mib += partition.size_mib;
    }
    script
}

/// A GUID that follows from what it names (RFC 9562, version 8).
fn guid(board: &str, name: &str) -> String {
    let hash: String =
        Sha256::digest(format!("storebox {board} {name}")).iter().map(|byte| format!("{byte:02x}")).collect();
    let part = |from: usize, to: usize| hash.get(from..to).unwrap_or_default();
    format!("{}-{}-8{}-8{}-{}", part(0, 8), part(8, 12), part(13, 16), part(17, 20), part(20, 32))
}

#[expect(clippy::too_many_arguments, reason = "a file system is made once, and each of these differs")]
fn make_fat(
    work: &Path,
    tools: &ToolRoot,
    source: &Source,
    path: &Path,
    size_mib: u64,
    bits: u8,
    label: &str,
    content: &[(String, Vec<u8>)],
) -> Result<(), Failure> {
    let file = File::create(path).or_fail(|| format!("cannot make {}", path.display()))?;
    file.set_len(size_mib * MIB).or_fail(|| format!("cannot size {}", path.display()))?;
    drop(file);
    let inside = format!("/build/{}", path.file_name().unwrap_or_default().to_string_lossy());
    let volume = guid(label, "volume");
    let mut mkfs = tools.at(work).command("mkfs.vfat")?;
    mkfs.args(["--invariant", "-S", "512", "-F", &bits.to_string(), "-n", label, "-i", volume.get(..8).unwrap_or("0")]);
    if bits == 16 || size_mib < 260 {
        // Small ones need small clusters to have as many as their kind of FAT must.
        mkfs.args(["-s", "1"]);
    }
    mkfs.arg(&inside);
    run(mkfs, "mkfs.vfat")?;
    if content.is_empty() {
        return Ok(());
    }

    let tree = work.join("fat");
    files::make_empty(&tree)?;
    for (name, bytes) in content {
        files::write(&tree.join(name), bytes)?;
    }
    let time = FileTimes::new().set_modified(UNIX_EPOCH + Duration::from_secs(source.epoch_s()));
    for path in files::walk(&tree)?.into_iter().rev() {
        let full = tree.join(path);
        let file = File::open(&full).or_fail(|| format!("cannot open {}", full.display()))?;
        file.set_times(time).or_fail(|| format!("cannot set the time of {}", full.display()))?;
    }
    // One file or folder at a time: mcopy takes a folder's entries in the order the host's file system has them.
    for path in files::walk(&tree)? {
        let name = path.to_string_lossy();
        let is_folder = tree.join(&path).is_dir();
        let mut command = tools.at(work).command(if is_folder { "mmd" } else { "mcopy" })?;
        command.env("SOURCE_DATE_EPOCH", source.epoch_s().to_string()).env("MTOOLS_SKIP_CHECK", "1");
        command.args(["-i", &inside]);
        if !is_folder {
            command.args(["-m", "-Q", &format!("/build/fat/{name}")]);
        }
        command.arg(format!("::/{name}"));
        run(command, if is_folder { "mmd" } else { "mcopy" })
            .map_err(|failure| Failure::new(format!("{label} cannot take {name}")).because(failure))?;
    }
    files::remove(&tree)
}

/// Copies a file to where a partition begins, leaving holes where it has only zeros.
fn place(from: &Path, image: &Path, start_mib: u64, partition: &Partition) -> Result<(), Failure> {
    let bytes = files::size(from)?;
    if bytes > partition.size_mib * MIB {
        return Err(Failure::new(format!(
            "{} takes {} MiB, but its partition has {}: make the partition larger in the board's facts",
            partition.label,
            bytes.div_ceil(MIB),
            partition.size_mib,
        )));
    }
    let failed = || format!("cannot copy {} into {}", from.display(), image.display());
    let mut source = File::open(from).or_fail(failed)?;
    let mut target = OpenOptions::new().write(true).open(image).or_fail(failed)?;
    let mut block = vec![0; 64 * 1024];
    let mut at = start_mib * MIB;
    loop {
        let read = source.read(&mut block).or_fail(failed)?;
        let Some(content) = block.get(..read).filter(|content| !content.is_empty()) else { return Ok(()) };
        if content.iter().any(|byte| *byte != 0) {
            target.seek(SeekFrom::Start(at)).or_fail(failed)?;
            target.write_all(content).or_fail(failed)?;
        }
        at += u64::try_from(read).unwrap_or(u64::MAX);
    }
}

fn pipe(mut command: std::process::Command, input: &str) -> Result<(), Failure> {
    let failed = || "cannot run sfdisk".to_owned();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().or_fail(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes()).or_fail(failed)?;
    }
    let done = child.wait_with_output().or_fail(failed)?;
    if done.status.success() {
        return Ok(());
    }
    Err(Failure::new(format!("sfdisk failed: {}", String::from_utf8_lossy(&done.stderr).trim())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::types;

    #[test]
    fn the_table_is_contiguous_and_always_the_same() {
        let partition = |label, size_mib| Partition { label, kind: types::ESP, size_mib, content: Content::Empty };
        let partitions = [partition("one", 4), partition("two", 60)];
        let script = table("x86", &partitions);
        assert!(script.contains("first-lba: 34\n"));
        assert!(script.contains("start=2048, size=8192, "));
        assert!(script.contains("start=10240, size=122880, "));
        assert_eq!(script, table("x86", &partitions));
        assert_ne!(script, table("rpi4", &partitions));
    }
}
