//! Reads `config.txt` as the firmware of a Raspberry Pi does, and says what would keep the firmware from starting the
//! box: the vendor's documentation, "config.txt", "Conditional filters", "Device trees".
//!
//! Only what our images use is known. Everything else is a fault, because nobody here has tried it.

mod fault;

use std::collections::BTreeMap;
use std::io::Read;

use flate2::read::GzDecoder;
use storebox_hardware::boards::{Board, RootDevice};

pub use self::fault::Fault;
use crate::host::raspberry_pi;
use crate::layout::{MIB, PARAMETER_SLOT, PARAMETER_VERITY};

/// The firmware reads no further in a line.
const LINE_MAX: usize = 98;
/// Above this, EEPROMs older than 2025-06-09 cannot read a file from NVMe.
const NVME_FILE_MAX: u64 = 32 * MIB;
/// Where an uncompressed kernel for 64-bit ARM says so (`Documentation/arch/arm64/booting.rst`).
const KERNEL_MAGIC: (usize, &[u8]) = (56, b"ARM\x64");
/// How a compiled device tree begins (Devicetree Specification, 5.2).
const DEVICE_TREE_MAGIC: &[u8] = &[0xd0, 0x0d, 0xfe, 0xed];
/// How an archive begins that the kernel unpacks as its first root: cpio, gzip, zstd, xz.
const INITRAMFS_MAGICS: [&[u8]; 4] = [b"070701", &[0x1f, 0x8b], &[0x28, 0xb5, 0x2f, 0xfd], &[0xfd, b'7', b'z']];

/// What a setting's value is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// 0 or 1.
    Flag,
    /// A file of the partition.
    File,
    /// A file of the partition and where in memory it goes, without `=`.
    Placed,
    /// An overlay to the device tree, with parameters. It may come more than once.
    Overlay,
}

const KNOWN: [(&str, Kind); 11] = [
    ("arm_64bit", Kind::Flag),
    ("cmdline", Kind::File),
    ("device_tree", Kind::File),
    ("disable_splash", Kind::Flag),
    ("dtoverlay", Kind::Overlay),
    ("enable_uart", Kind::Flag),
    ("hdmi_force_hotplug", Kind::Flag),
    ("initramfs", Kind::Placed),
    ("kernel", Kind::File),
    ("uart_2ndstage", Kind::Flag),
    ("upstream_kernel", Kind::Flag),
];

/// The settings of a file, each with what it applies to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    settings: Vec<Setting>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Setting {
    filter: Filter,
    key: String,
    value: String,
}

/// What the sections above a line leave it to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Filter {
    none: bool,
    model: Option<String>,
    tryboot: bool,
}

/// Reads a file; the settings are those without fault.
pub fn parse(text: &str) -> (Config, Vec<Fault>) {
    let (mut settings, mut faults) = (Vec::new(), Vec::new());
    let mut filter = Filter::default();
    for (line, number) in text.lines().zip(1..) {
        let content = line.trim();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        if line.chars().count() > LINE_MAX {
            faults.push(Fault::LongLine(number));
            continue;
        }
        if let Some(section) = content.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            // Filters of one kind replace each other, of two kinds add up; [all] ends both.
            match section {
                "all" => filter = Filter::default(),
                "none" => filter.none = true,
                "tryboot" => filter.tryboot = true,
                "pi4" | "pi5" => filter.model = Some(section.to_owned()),
                _ => faults.push(Fault::Section(number, section.to_owned())),
            }
            continue;
        }
        let (key, value) = content.split_once('=').or_else(|| content.split_once(' ')).unwrap_or((content, ""));
        let (key, value) = (key.trim(), value.trim());
        match KNOWN.iter().find(|(known, _)| *known == key) {
            None => faults.push(Fault::Key(number, key.to_owned())),
            Some((_, kind)) if !fits(*kind, value, content.contains('=')) => {
                faults.push(Fault::Value(number, key.to_owned()));
            }
            Some(_) => {
                let (key, value) = (key.to_owned(), value.to_owned());
                settings.push(Setting { filter: filter.clone(), key, value });
            }
        }
    }
    (Config { settings }, faults)
}

fn fits(kind: Kind, value: &str, assigned: bool) -> bool {
    match kind {
        Kind::Flag => assigned && ["0", "1"].contains(&value),
        Kind::File | Kind::Overlay => assigned && !value.is_empty() && !value.contains(' '),
        Kind::Placed => !assigned && value.split(' ').count() == 2 && value.ends_with(" followkernel"),
    }
}

impl Config {
    /// What a model sees, in the order of the file.
    fn seen<'all>(
        &'all self,
        model: &'all str,
        tryboot: bool,
    ) -> impl DoubleEndedIterator<Item = (&'all str, &'all str)> {
        self.settings
            .iter()
            .filter(move |setting| {
                let filter = &setting.filter;
                !filter.none
                    && (!filter.tryboot || tryboot)
                    && filter.model.as_ref().is_none_or(|wanted| wanted.as_str() == model)
            })
            .map(|setting| (setting.key.as_str(), setting.value.as_str()))
    }

    /// The value that counts: the last one.
    fn value<'all>(&'all self, model: &'all str, tryboot: bool, key: &str) -> Option<&'all str> {
        self.seen(model, tryboot).rev().find(|(other, _)| *other == key).map(|(_, value)| value)
    }
}

/// What would keep the firmware from starting the board from a boot partition with these files (path, content).
pub fn check(board: &Board, files: &BTreeMap<String, Vec<u8>>) -> Vec<Fault> {
    let Some(config) = files.get(raspberry_pi::CONFIG) else {
        return vec![Fault::Missing(raspberry_pi::CONFIG.to_owned())];
    };
    let Ok(config) = std::str::from_utf8(config) else {
        return vec![Fault::Unreadable(raspberry_pi::CONFIG.to_owned())];
    };
    let (config, mut faults) = parse(config);
    // Boards are named after the sections: rpi4 sees [pi4].
    let model = board.name.trim_start_matches('r');
    for tryboot in [false, true] {
        let found = started(board, files, &config, model, tryboot);
        faults.extend(found.into_iter().filter(|fault| !faults.contains(fault)).collect::<Vec<_>>());
    }
    for name in &board.boot_files {
        match (files.get(name), &board.firmware_not_before) {
            (None, _) => faults.push(Fault::Missing(name.clone())),
            (Some(content), Some(day)) if name.ends_with(".elf") => match built(content) {
                Some(built) if built >= *day => {}
                built => faults.push(Fault::OldFirmware(name.clone(), built, day.clone())),
            },
            (Some(_), _) => {}
        }
    }
    if board.root_devices.contains(&RootDevice::Nvme) {
        let large =
            files.iter().filter(|(_, content)| u64::try_from(content.len()).is_ok_and(|size| size >= NVME_FILE_MAX));
        faults.extend(large.map(|(name, _)| Fault::Large(name.clone())));
    }
    faults
}

/// What is wrong with what a start loads.
fn started(
    board: &Board,
    files: &BTreeMap<String, Vec<u8>>,
    config: &Config,
    model: &str,
    tryboot: bool,
) -> Vec<Fault> {
    let mut faults = Vec::new();
    let value = |key| config.value(model, tryboot, key);
    let mut need = |name: &str, right: &dyn Fn(&[u8]) -> bool| match files.get(name) {
        None => faults.push(Fault::Missing(name.to_owned())),
        Some(content) if !right(content) => faults.push(Fault::Unreadable(name.to_owned())),
        Some(_) => {}
    };
    need(value("kernel").unwrap_or(raspberry_pi::KERNEL), &is_kernel);
    match value("initramfs").and_then(|value| value.split(' ').next()) {
        Some(name) => need(name, &|content| INITRAMFS_MAGICS.iter().any(|magic| content.starts_with(magic))),
        None => need(raspberry_pi::INITRAMFS, &|_| false),
    }
    let is_device_tree = |content: &[u8]| content.starts_with(DEVICE_TREE_MAGIC);
    for name in board.device_trees.iter().map(String::as_str).chain(value("device_tree")) {
        need(name, &is_device_tree);
    }
    for (_, overlay) in config.seen(model, tryboot).filter(|(key, _)| *key == "dtoverlay") {
        let name = overlay.split(',').next().unwrap_or_default();
        need(&format!("overlays/{name}.dtbo"), &is_device_tree);
    }
    need(value("cmdline").unwrap_or(raspberry_pi::COMMAND_LINE), &|content| is_command_line(content, board));
    if value("arm_64bit") == Some("0") {
        faults.push(Fault::Word32);
    }
    // With a fixed one, or without the kernel's names, the other stepping of the chip would not start.
    if board.device_trees.len() > 1 && (value("device_tree").is_some() || value("upstream_kernel") != Some("1")) {
        faults.push(Fault::OneDeviceTree);
    }
    faults
}

/// A kernel for 64-bit ARM, gzipped or not.
fn is_kernel(content: &[u8]) -> bool {
    let mut unpacked = vec![0; 64];
    let start = if content.starts_with(&[0x1f, 0x8b]) {
        if GzDecoder::new(content).read_exact(&mut unpacked).is_err() {
            return false;
        }
        unpacked.as_slice()
    } else {
        content
    };
    let (offset, magic) = KERNEL_MAGIC;
    start.get(offset..).is_some_and(|rest| rest.starts_with(magic))
}

/// One line of plain letters with what the first program, and a screen, need.
fn is_command_line(content: &[u8], board: &Board) -> bool {
    let Ok(text) = std::str::from_utf8(content) else { return false };
    let line = text.strip_suffix('\n').unwrap_or(text);
    let given: Vec<&str> = line.split(' ').collect();
    line.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
        && [PARAMETER_SLOT, PARAMETER_VERITY]
            .iter()
            .all(|name| given.iter().any(|parameter| parameter.split_once('=').is_some_and(|(key, _)| key == *name)))
        && board.command_line.split(' ').all(|parameter| given.contains(&parameter))
}

/// The day a file of the vendor's firmware was built, `YYYY-MM-DD`: it says so in its own words.
fn built(content: &[u8]) -> Option<String> {
    const LABEL: &[u8] = b"VC_BUILD_ID_TIME: ";
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    // The label comes twice, with the time of day and with the date.
    content.windows(LABEL.len()).enumerate().filter(|(_, window)| *window == LABEL).find_map(|(offset, _)| {
        let rest = content.get(offset + LABEL.len()..)?;
        let text = std::str::from_utf8(rest.split(|byte| *byte == 0 || *byte == b'\n').next()?).ok()?;
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let [month, day, year] = words.as_slice() else { return None };
        let month = MONTHS.iter().position(|name| name == month)? + 1;
        let (day, year) = (day.parse::<u8>().ok()?, year.parse::<u16>().ok()?);
        Some(format!("{year:04}-{month:02}-{day:02}"))
    })
}

#[cfg(test)]
mod tests;
