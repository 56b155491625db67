//! The boot partitions of a Raspberry Pi: which files are on them, where each comes from, and that the firmware would
//! start from them.
//!
//! After the vendor's documentation ("config.txt", "autoboot.txt", "Boot sequence"). [`super::config_txt`] reads the
//! result as the firmware would.

use std::collections::BTreeMap;
use std::io::Write;

use flate2::{Compression, GzBuilder};
use storebox_hardware::boards::Board;

use crate::host::config_txt;
use crate::host::failure::{Failure, OrFail};
use crate::host::files;
use crate::host::root::Root;
use crate::layout::Slot;

/// The kernel. The firmware also takes it gzipped under this name, which halves what it has to read.
pub const KERNEL: &str = "kernel8.img";
/// The first root.
pub const INITRAMFS: &str = "initramfs.img";
/// The kernel's command line.
pub const COMMAND_LINE: &str = "cmdline.txt";
/// What the firmware is told.
pub const CONFIG: &str = "config.txt";
/// The file of the SELECT partition.
pub const AUTOBOOT: &str = "autoboot.txt";
/// Bytes of [`AUTOBOOT`]: the firmware reads no more, and one sector is written whole or not at all.
const AUTOBOOT_BYTES: usize = 512;

/// The files of slot A's boot partition, path and content.
///
/// # Errors
/// If a package lacks a file, or the firmware would not start the board from what results.
pub fn files(
    board: &Board,
    root: &Root,
    initramfs: &[u8],
    command_line: &str,
) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let mut all = BTreeMap::new();
    for BootFile { path, source } in boot_partition(board, command_line) {
        let content = match &source {
            Source::Text(text) => text.clone().into_bytes(),
            Source::Kernel => gzip(&files::read(&root.kernel.image)?)?,
            Source::Initramfs => initramfs.to_vec(),
            Source::DeviceTree(_) | Source::Vendor(_) => {
                let inside = source.path_in_packages(&root.kernel.release).unwrap_or_default();
                files::read(&root.parts.join(inside))?
            }
        };
        all.insert(path, content);
    }
    let faults = config_txt::check(board, &all);
    if faults.is_empty() {
        return Ok(all.into_iter().collect());
    }
    let list: Vec<String> = faults.iter().map(|fault| format!("  {fault}")).collect();
    Err(Failure::new(format!("{} would not start from its boot partition:\n{}", board.name, list.join("\n"))))
}

/// The content of the SELECT partition's file in a new image, whose slot A is the only one with a system.
pub fn autoboot() -> Vec<u8> {
    autoboot_of(Slot::A).into_bytes()
}

/// A file of a boot partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootFile {
    /// Its path there.
    pub path: String,
    /// Where its content comes from.
    pub source: Source,
}

/// Where the content of a file comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// It is this text.
    Text(String),
    /// The kernel, gzipped or not.
    Kernel,
    /// The first root.
    Initramfs,
    /// A device tree of the kernel's package.
    DeviceTree(String),
    /// A file of the vendor's, of the package raspi-firmware.
    Vendor(String),
}

impl Source {
    /// The file in the unpacked packages, for a kernel of this release.
    pub fn path_in_packages(&self, release: &str) -> Option<String> {
        match self {
            Self::DeviceTree(name) => Some(format!("usr/lib/modules/{release}/dtb/broadcom/{name}")),
            Self::Vendor(name) => Some(format!("usr/lib/raspi-firmware/{name}")),
            Self::Text(_) | Self::Kernel | Self::Initramfs => None,
        }
    }
}

/// The files of a slot's boot partition. `command_line` is the kernel's, one line.
pub fn boot_partition(board: &Board, command_line: &str) -> Vec<BootFile> {
    let file = |path: &str, source| BootFile { path: path.to_owned(), source };
    let mut files = vec![
        file(CONFIG, Source::Text(config(board))),
        file(COMMAND_LINE, Source::Text(format!("{}\n", command_line.trim_end()))),
        file(KERNEL, Source::Kernel),
        file(INITRAMFS, Source::Initramfs),
    ];
    files.extend(board.device_trees.iter().map(|name| file(name, Source::DeviceTree(name.clone()))));
    files.extend(board.boot_files.iter().map(|name| file(name, Source::Vendor(name.clone()))));
    files
}

/// `autoboot.txt`: which slot starts, and which one when the box was restarted to try the other. Always
/// [`AUTOBOOT_BYTES`] long, so that a new one takes the place of the old one in the same sector.
pub fn autoboot_of(default: Slot) -> String {
    let other = match default {
        Slot::A => Slot::B,
        Slot::B => Slot::A,
    };
    let text = format!(
        "[all]\ntryboot_a_b=1\nboot_partition={}\n[tryboot]\nboot_partition={}\n",
        boot_partition_number(default),
        boot_partition_number(other),
    );
    let padding = AUTOBOOT_BYTES.saturating_sub(text.len());
    text + &"\n".repeat(padding)
}

/// The number of a slot's boot partition, as the firmware counts: SELECT is the first.
pub const fn boot_partition_number(slot: Slot) -> usize {
    match slot {
        Slot::A => 2,
        Slot::B => 3,
    }
}

/// `config.txt` of both slots.
fn config(board: &Board) -> String {
    let mut lines = vec![
        "# Written with the image; an update replaces the whole partition.".to_owned(),
        "[all]".to_owned(),
        "arm_64bit=1".to_owned(),
        "# Device trees by the names the kernel gives them.".to_owned(),
        "upstream_kernel=1".to_owned(),
        format!("kernel={KERNEL}"),
        format!("initramfs {INITRAMFS} followkernel"),
        format!("cmdline={COMMAND_LINE}"),
        "# The serial console keeps its speed.".to_owned(),
        "enable_uart=1".to_owned(),
        "# The screen shows the box, not the vendor.".to_owned(),
        "disable_splash=1".to_owned(),
    ];
    if !board.firmware_settings.is_empty() {
        lines.push(format!("# {}", board.description));
        lines.extend(board.firmware_settings.iter().cloned());
    }
    lines.join("\n") + "\n"
}

/// The same bytes in the same file whenever it is made: with no time and no name in it (RFC 1952, 2.3.1).
fn gzip(content: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut encoder = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    encoder.write_all(content).and_then(|()| encoder.finish()).or_fail(|| "cannot compress the kernel".to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn files(board: &str) -> Vec<BootFile> {
        boot_partition(&Board::load(board).unwrap(), "quiet")
    }

    fn paths(board: &str) -> Vec<String> {
        files(board).into_iter().map(|file| file.path).collect()
    }

    #[test]
    fn the_pi_4_has_the_second_half_of_its_firmware() {
        let common = ["config.txt", "cmdline.txt", "kernel8.img", "initramfs.img"];
        let own = ["bcm2711-rpi-4-b.dtb", "start4.elf", "fixup4.dat"];
        assert_eq!(paths("rpi4"), [&common[..], &own[..]].concat());
    }

    #[test]
    fn the_pi_5_has_both_device_trees_and_no_firmware() {
        let common = ["config.txt", "cmdline.txt", "kernel8.img", "initramfs.img"];
        let own = ["bcm2712-rpi-5-b.dtb", "bcm2712-d-rpi-5-b.dtb"];
        assert_eq!(paths("rpi5"), [&common[..], &own[..]].concat());
    }

    #[test]
    fn sources_are_found_in_the_packages() {
        let sources: Vec<String> =
            files("rpi4").iter().filter_map(|file| file.source.path_in_packages("7.3.4+deb13-arm64")).collect();
        assert_eq!(
            sources,
            [
                "usr/lib/modules/7.3.4+deb13-arm64/dtb/broadcom/bcm2711-rpi-4-b.dtb",
                "usr/lib/raspi-firmware/start4.elf",
                "usr/lib/raspi-firmware/fixup4.dat",
            ]
        );
    }

    #[test]
    fn the_command_line_is_one_line() {
        let text = Source::Text("quiet\n".to_owned());
        for given in ["quiet", "quiet\n"] {
            let files = boot_partition(&Board::load("rpi5").unwrap(), given);
            assert!(files.contains(&BootFile { path: COMMAND_LINE.to_owned(), source: text.clone() }));
        }
    }

    /// The slot that is tried is never the one that starts by default. `B1`
    #[test]
    fn autoboot_is_one_sector_and_tries_the_other_slot() {
        for (slot, start) in [
            (Slot::A, "[all]\ntryboot_a_b=1\nboot_partition=2\n[tryboot]\nboot_partition=3\n\n"),
            (Slot::B, "[all]\ntryboot_a_b=1\nboot_partition=3\n[tryboot]\nboot_partition=2\n\n"),
        ] {
            let text = autoboot_of(slot);
            assert!(text.starts_with(start));
            assert_eq!(text.len(), 512);
        }
    }
}
