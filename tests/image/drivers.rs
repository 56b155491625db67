//! The drivers of the Raspberry Pis' images: those each board needs are there, and with them whatever they need, in an
//! order in which they can be loaded (B1).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use storebox_image::host::raspberry_pi::INITRAMFS;
use storebox_image::layout::Slot;
use storebox_tests::Folder;

use crate::arm::{fat_files, manifest};
use crate::disk;
use crate::tools::{Network, image, output, tool};

/// Disks wherever they may be: the root is made of these on every board.
const EVERY_FIRST: [&str; 8] =
    ["bcm2835_wdt", "dm_mod", "dm_verity", "erofs", "mmc_block", "usb_storage", "uas", "pcie_brcmstb"];
/// The Pi 4's card with its two supplies, and USB: a controller on PCI Express whose firmware a reset loads.
const PI4_FIRST: [&str; 6] =
    ["fixed", "gpio_regulator", "gpio_raspberrypi_exp", "sdhci_iproc", "reset_raspberrypi", "xhci_pci"];
/// The Pi 5's card, the chip RP1 with interrupts, clocks, pins and USB, and disks on PCI Express.
const PI5_FIRST: [&str; 13] = [
    "fixed",
    "gpio_regulator",
    "gpio_brcmstb",
    "pinctrl_brcmstb_bcm2712",
    "sdhci_brcmstb",
    "irq_bcm2712_mip",
    "reset_brcmstb_rescal",
    "clk_rp1",
    "pinctrl_rp1",
    "rp1_pci",
    "dwc3",
    "xhci_plat_hcd",
    "nvme",
];
/// Data, firewall, and the request for trial starts.
const EVERY_ROOT: [&str; 6] = ["ext4", "vfat", "dm_crypt", "nf_tables", "tryboot", "raspberrypi_cpufreq"];
/// Ethernet of each board.
const PI4_ROOT: [&str; 3] = ["genet", "mdio_bcm_unimac", "broadcom"];
const PI5_ROOT: [&str; 2] = ["macb", "broadcom"];

#[test]
fn b1_every_driver_of_a_raspberry_pi_is_there_with_what_it_needs() {
    check("rpi4", &PI4_FIRST, &PI4_ROOT);
    check("rpi5", &PI5_FIRST, &PI5_ROOT);
}

fn check(board: &str, first: &[&str], root: &[&str]) {
    let folder = Folder::new("drivers");
    let release = manifest(board)["kernel"].as_str().expect("the manifest names the kernel").to_owned();
    let modules = unpack_root(board, folder.path()).join("usr/lib/modules").join(&release);
    let built_in: BTreeSet<String> = read(&modules.join("modules.builtin")).lines().map(name_of).collect();

    let archive = first_root(board, folder.path());
    let mut order: Vec<String> = Vec::new();
    for list in ["modules/watchdog", "modules/root"] {
        let list = String::from_utf8(archive[list].clone()).expect("a list is text");
        for file in list.lines() {
            let module = &archive[&format!("modules/{file}")];
            for needed in needed_by(module, &release, file) {
                let is_loaded = built_in.contains(&needed) || order.contains(&needed);
                assert!(is_loaded, "{board}: {file} needs {needed}, which is not loaded before it");
            }
            order.push(name_of(file));
        }
    }
    for wanted in EVERY_FIRST.iter().chain(first) {
        let is_there = built_in.contains(*wanted) || order.iter().any(|name| name == wanted);
        assert!(is_there, "{board}: the first root has no {wanted}");
    }

    let mut installed = BTreeMap::new();
    collect(&modules, &mut installed);
    for wanted in EVERY_ROOT.iter().chain(root) {
        let is_there = built_in.contains(*wanted) || installed.contains_key(*wanted);
        assert!(is_there, "{board}: the root has no {wanted}");
    }
    for (name, module) in &installed {
        for needed in needed_by(module, &release, name) {
            let is_there = built_in.contains(&needed) || installed.contains_key(&needed);
            assert!(is_there, "{board}: {name} needs {needed}, which the root has not");
        }
    }
    let loaded = read(&modules.join("../../modules-load.d/tryboot.conf"));
    assert_eq!(loaded, "tryboot\n", "{board}: the request for trial starts is loaded at every start");
}

/// The root, unpacked from slot A's partition.
fn unpack_root(board: &str, work: &Path) -> std::path::PathBuf {
    let image = image(board);
    let root = disk::root(&image, Slot::A.root_label());
    disk::cut(&image, root.start, root.size, &work.join("root.img"));
    let mut unpack = tool(Network::None, board, work, "fsck.erofs");
    unpack.args(["--extract=/build/root", "/build/root.img"]);
    output(unpack);
    work.join("root")
}

/// The files of the first root by path ("new ASCII" cpio: kernel documentation,
/// `driver-api/early-userspace/buffer-format.rst`).
fn first_root(board: &str, work: &Path) -> BTreeMap<String, Vec<u8>> {
    fat_files(board, Slot::A.boot_label(), work);
    let mut unpack = tool(Network::None, board, work, "zstd");
    unpack.args(["-d", "-q", "-o", "/build/initramfs.cpio", &format!("/build/{}/{INITRAMFS}", Slot::A.boot_label())]);
    output(unpack);
    let archive = fs::read(work.join("initramfs.cpio")).expect("the archive was unpacked");
    let mut files = BTreeMap::new();
    let mut at = 0;
    loop {
        assert_eq!(&archive[at..at + 6], b"070701", "an entry begins at {at}");
        let field = |number: usize| {
            let digits = &archive[at + 6 + number * 8..at + 14 + number * 8];
            usize::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap()
        };
        let (size, name_size) = (field(6), field(11));
        let name = String::from_utf8(archive[at + 110..at + 110 + name_size - 1].to_vec()).unwrap();
        if name == "TRAILER!!!" {
            return files;
        }
        let content = (at + 110 + name_size).next_multiple_of(4);
        files.insert(name, archive[content..content + size].to_vec());
        at = (content + size).next_multiple_of(4);
    }
}

/// Every module in a folder and below, by name.
fn collect(folder: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap_or_else(|err| panic!("cannot read {}: {err}", folder.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "ko") {
            found.insert(name_of(path.to_str().unwrap()), fs::read(&path).unwrap());
        }
    }
}

/// What a module says it needs (`depends=` among its facts), after a look whether it is of this kernel.
fn needed_by(module: &[u8], release: &str, name: &str) -> Vec<String> {
    let fact = |key: &str| {
        let mut strings = module.split(|byte| *byte == 0);
        strings.find_map(|string| string.strip_prefix(key.as_bytes())).map(|value| String::from_utf8_lossy(value))
    };
    let magic = fact("vermagic=").unwrap_or_else(|| panic!("{name} is no module"));
    assert_eq!(magic.split(' ').next(), Some(release), "{name} is of another kernel");
    let depends = fact("depends=").unwrap_or_default();
    depends.split(',').filter(|needed| !needed.is_empty()).map(name_of).collect()
}

/// A module's name: without folder and ending, and one of the two spellings.
fn name_of(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.split(".ko").next().unwrap_or(file).replace('-', "_")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|err| panic!("cannot read {}: {err}", path.display()))
}
