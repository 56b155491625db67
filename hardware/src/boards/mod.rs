//! Facts about the boards, from `hardware/boards/*.toml`: the image is built from them, and the box reads its own.
//!
//! `base.toml` says what every board has. A board's file inherits it, and gives a reason with each fact that differs;
//! a fact without one does not parse.

mod error;
mod file;

pub use error::Error;

use file::File;
use serde::Deserialize;

/// The files, by the name another file inherits them by.
const FILES: [(&str, &str); 4] = [
    ("base", include_str!("../../boards/base.toml")),
    ("rpi4", include_str!("../../boards/rpi4.toml")),
    ("rpi5", include_str!("../../boards/rpi5.toml")),
    ("x86", include_str!("../../boards/x86.toml")),
];

/// What a board is, what starts it, and what of the kernel it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Board {
    /// As commands and files spell it.
    pub name: String,
    /// One sentence for people.
    pub description: String,
    /// Instruction set of its processor.
    pub architecture: Architecture,
    /// The set of packages its system is made of; boards of one architecture share it.
    pub package_set: String,
    /// How its firmware starts a system.
    pub boot: Boot,
    /// Sizes of its partitions.
    pub partitions: Partitions,
    /// What it adds to the kernel's command line. The last `console=` is `/dev/console`.
    pub command_line: String,
    /// Terminals, below `/dev`, that show the box's screen. Not every machine has each of them.
    pub screen_terminals: Vec<String>,
    /// The longest time its watchdog can be set to, milliseconds.
    pub watchdog_limit_ms: u32,
    /// Files of the kernel's device trees, without folder.
    pub device_trees: Vec<String>,
    /// Files its drivers ask for, below `/usr/lib/firmware`.
    pub firmware: Vec<String>,
    /// Files of the vendor's that its firmware reads from the boot partition.
    pub boot_files: Vec<String>,
    /// Lines it adds to `config.txt`.
    pub firmware_settings: Vec<String>,
    /// The firmware in the board itself, where it matters.
    pub eeprom: Option<Eeprom>,
    /// No file of [`Board::boot_files`] may have been built before this day, `YYYY-MM-DD`.
    pub firmware_not_before: Option<String>,
    /// What its system may live on.
    pub root_devices: Vec<RootDevice>,
    microcode: Vec<String>,
    watchdog_drivers: Vec<String>,
    initramfs_drivers: Vec<String>,
    root_drivers: Vec<String>,
}

impl Board {
    /// The boards there are.
    pub const NAMES: [&str; 3] = ["rpi4", "rpi5", "x86"];

    /// The facts about the board of a name.
    ///
    /// # Errors
    /// [`Error::NoSuchBoard`] if there is none; the others say what is wrong with its file.
    pub fn load(name: &str) -> Result<Self, Error> {
        if !Self::NAMES.contains(&name) {
            return Err(Error::NoSuchBoard { name: name.to_owned() });
        }
        load(&FILES, name)
    }

    /// Files of Intel's microcode, below `/usr/lib/firmware/intel-ucode` of their package. Debian ends the name of
    /// some in `.initramfs`: those that must not be loaded into a running system.
    pub fn microcode(&self) -> &[String] {
        &self.microcode
    }

    /// Drivers of hardware watchdogs, in the order they are tried: the first one found is used.
    pub fn watchdog_drivers(&self) -> Vec<String> {
        self.watchdog_drivers.clone()
    }

    /// Drivers the first program needs to find and read the root.
    pub fn initramfs_drivers(&self) -> Vec<String> {
        self.initramfs_drivers.clone()
    }

    /// Drivers the root has besides those.
    pub fn root_drivers(&self) -> Vec<String> {
        self.root_drivers.clone()
    }
}

/// Instruction set of a processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Architecture {
    /// 64-bit x86.
    #[serde(rename = "x86_64")]
    X86_64,
    /// 64-bit ARM.
    #[serde(rename = "aarch64")]
    Aarch64,
}

/// How firmware starts a system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Boot {
    /// It starts a program of the EFI system partition.
    Uefi,
    /// It reads which partition to start, and loads what `config.txt` there names.
    RaspberryPi,
}

/// Sizes of partitions, MiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partitions {
    /// Where the firmware reads which slot to start; only boards of [`Boot::RaspberryPi`] have it.
    pub select_mib: u64,
    /// EFI system partition, or each of the two boot partitions.
    pub boot_mib: u64,
    /// The one an installer's laptop mounts.
    pub site_mib: u64,
    /// Each of the two roots, its hash tree included.
    pub root_mib: u64,
}

/// Releases of the firmware in the board itself, by their day, `YYYY-MM-DD`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Eeprom {
    /// Older ones do not start the box, or not its updates.
    pub minimum: String,
    /// From this one on the box also recovers from a damaged boot partition.
    pub advised: String,
}

/// What a system may live on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RootDevice {
    /// A soldered card.
    Emmc,
    /// A card in a slot.
    MicroSd,
    /// A disk on PCI Express.
    Nvme,
    /// A disk on SATA.
    Sata,
    /// A disk or stick on USB.
    Usb,
    /// A virtual machine's disk.
    Virtio,
}

/// Reads the file of a board and the one it inherits.
fn load(files: &[(&'static str, &str)], name: &str) -> Result<Board, Error> {
    let text = |name: &str| files.iter().find(|(known, _)| *known == name);
    let Some((file, board)) = text(name) else { return Err(Error::NoSuchBoard { name: name.to_owned() }) };
    let board = File::parse(file, board)?;
    let Some(inherits) = &board.inherits else { return board.finish(file) };
    let parent = inherits.get_ref();
    let unfit = || Error::Inherits { file, line: board.inherits_line, name: parent.clone() };
    let (base_file, base) = text(parent).ok_or_else(unfit)?;
    let base = File::parse(base_file, base)?;
    // One step is all a reader has to follow.
    if base.inherits.is_some() {
        return Err(unfit());
    }
    board.over(base, file)?.finish(file)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    const BASE: &str = "[size-mib]\nselect = { value = 4, reason = \"r\" }\nsite = { value = 1, reason = \"r\" }\nroot = { value = 2, reason = \"r\" }\n\
                        [[root-drivers]]\nnames = [\"ext4\"]\nreason = \"r\"\n";
    const OWN: &str = "name = \"b\"\ninherits = \"base\"\ndescription = \"d\"\n\
                       architecture = { value = \"aarch64\", reason = \"r\" }\n\
                       package-set = { value = \"arm64\", reason = \"r\" }\nboot = { value = \"uefi\", reason = \"r\" }\n\
                       watchdog-limit-ms = { value = 9, reason = \"r\" }\n\
                       [size-mib]\nboot = { value = 3, reason = \"r\" }\n";

    fn board(more: &str) -> Result<Board, Error> {
        load(&[("base", BASE), ("b", &format!("{OWN}{more}"))], "b")
    }

    fn refused(more: &str) -> String {
        board(more).unwrap_err().to_string()
    }

    /// Every fact of every shipped file parses, and so has its reason. `B1`
    #[test]
    fn the_boards_are_complete() {
        for name in Board::NAMES {
            let board = Board::load(name).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(board.name, name);
            assert!(board.command_line.split(' ').all(|parameter| parameter.starts_with("console=")), "{name}");
            assert!(["amd64", "arm64"].contains(&board.package_set.as_str()), "{name}");
            assert!(!board.watchdog_drivers().is_empty(), "{name} has a watchdog");
            assert!(board.watchdog_limit_ms > 15_000, "{name} can be given 15 s");
            assert!(board.root_devices.contains(&RootDevice::Usb));
            assert_eq!(board.boot == Boot::RaspberryPi, !board.device_trees.is_empty(), "{name}");
            assert_eq!(board.boot == Boot::RaspberryPi, board.eeprom.is_some(), "{name}");
            assert_eq!(board.architecture == Architecture::X86_64, !board.microcode().is_empty(), "{name}");
        }
    }

    #[test]
    fn both_steppings_of_the_pi_5_have_their_device_tree() {
        let trees = Board::load("rpi5").unwrap().device_trees;
        assert_eq!(trees, ["bcm2712-rpi-5-b.dtb", "bcm2712-d-rpi-5-b.dtb"]);
    }

    #[test]
    fn lists_add_and_single_facts_replace() {
        let more = "root = { value = 7, reason = \"bigger\" }\n[[root-drivers]]\nnames = [\"igc\"]\nreason = \"r\"\n";
        let board = board(more).unwrap();
        assert_eq!(board.root_drivers(), ["ext4", "igc"]);
        assert_eq!(board.partitions, Partitions { select_mib: 4, boot_mib: 3, site_mib: 1, root_mib: 7 });
    }

    #[test]
    fn a_difference_needs_a_reason() {
        assert!(board("root = { value = 7, reason = \"r\" }\n").is_ok());
        for (fault, more) in [
            ("b.toml, line 10: missing field `reason`", "root = { value = 7 }\n"),
            ("b.toml, line 10: a reason is empty", "root = { value = 7, reason = \" \" }\n"),
            ("b.toml, line 10: missing field `reason`", "[[root-drivers]]\nnames = [\"igc\"]\n"),
            ("b.toml, line 12: a reason is empty", "[[root-drivers]]\nnames = [\"igc\"]\nreason = \"\"\n"),
            ("b.toml, line 11: nothing is named", "[[root-drivers]]\nnames = []\nreason = \"r\"\n"),
        ] {
            assert!(refused(more).starts_with(fault), "{}", refused(more));
        }
    }

    #[test]
    fn what_is_not_a_fact_is_refused_with_its_line() {
        assert!(refused("swap = { value = 7, reason = \"r\" }\n").starts_with("b.toml, line 10: unknown field `swap`"));
        assert!(refused("[colour]\n").starts_with("b.toml, line 10: unknown field `colour`"));
        assert!(refused("root = { value = \"x\", reason = \"r\" }\n").starts_with("b.toml, line 10: invalid type"));
        assert!(refused("root = \n").starts_with("b.toml, line 10: "));
    }

    #[test]
    fn a_board_repeats_nothing_and_lacks_nothing() {
        let more = "[[root-drivers]]\nnames = [\"ext4\"]\nreason = \"r\"\n";
        assert_eq!(refused(more), "b.toml: `ext4` is named twice in root-drivers");
        let without = OWN.replace("[size-mib]\nboot = { value = 3, reason = \"r\" }\n", "");
        let fault = load(&[("base", BASE), ("b", &without)], "b").unwrap_err();
        assert_eq!(fault.to_string(), "b.toml: size-mib.boot is neither here nor in what it inherits");
    }

    #[test]
    fn inheritance_is_one_step_to_a_file_there_is() {
        let fault = load(&[("base", OWN), ("b", OWN)], "b").unwrap_err();
        assert_eq!(fault.to_string(), "b.toml, line 2: cannot inherit `base`: no such file, or it inherits itself");
        assert!(load(&[("b", OWN)], "b").is_err());
        assert_eq!(Board::load("base").unwrap_err(), Error::NoSuchBoard { name: "base".to_owned() });
    }
}
