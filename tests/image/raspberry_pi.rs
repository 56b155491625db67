//! The images of the Raspberry Pis as their firmware sees them, and the Pi 4's as its machine starts it (B1).
//!
//! No emulator has the vendor's firmware, so a checker reads what the firmware would read, and the machine is given what
//! the firmware would have loaded from the same partition.

use std::fs::File;
use std::path::Path;

use storebox_hardware::boards::Board;
use storebox_image::host::raspberry_pi::{AUTOBOOT, COMMAND_LINE, autoboot_of};
use storebox_image::host::{config_txt, gpt};
use storebox_image::layout::{DATA_LABEL, MIB, SECTOR, SELECT_LABEL, SITE_LABEL, Slot};
use storebox_tests::Folder;

use crate::arm::{Plan, fat_files, manifest, table};
use crate::disk;
use crate::full;
use crate::tools::{Network, image, output, tool};

const BOARDS: [&str; 2] = ["rpi4", "rpi5"];
const LABELS: [&str; 6] =
    [SELECT_LABEL, Slot::A.boot_label(), Slot::B.boot_label(), SITE_LABEL, Slot::A.root_label(), Slot::B.root_label()];
/// What every slot starts from.
const COMMON: [&str; 4] = ["cmdline.txt", "config.txt", "initramfs.img", "kernel8.img"];
/// Clusters from which on a FAT is taken for FAT16, and for FAT32 (Microsoft's specification, 1.03).
const FAT16_CLUSTERS: u64 = 4085;
const FAT32_CLUSTERS: u64 = 65_525;

/// What the emulated Pi 4 lacks, and what of the device tree is left out for it. Nothing else differs from a real one.
const CHANGES: [Change; 7] = [
    Change {
        node: "/soc/serial@7e215040",
        property: None,
        why: "the emulated small serial port raises its interrupt for ever, and the first processor does nothing else",
    },
    Change {
        node: "/soc/serial@7e201000/bluetooth",
        property: None,
        why: "with that one gone, the screen is on the port that leads to the radio on the real board",
    },
    Change { node: "/soc/interrupt-controller@7ef00100", property: None, why: NO_HDMI },
    Change { node: "/soc/clock@7ef00000", property: None, why: NO_HDMI },
    Change { node: "/soc/i2c@7ef04500", property: None, why: NO_HDMI },
    Change { node: "/soc/i2c@7ef09500", property: None, why: NO_HDMI },
    Change {
        node: "/soc/mmc@7e300000",
        property: Some("mmc-pwrseq"),
        why: "the emulated card is where the real board has its radio, which is switched on by a pin that is not emulated",
    },
];
const NO_HDMI: &str = "the block of the display's connectors is not emulated: reading a register there is a bus error";
/// The emulated timer resets the machine when it is set, not when it has run out. On the real board it is armed.
const NO_WATCHDOG: &str = "module_blacklist=bcm2835_wdt";

/// A difference for the emulator.
struct Change {
    node: &'static str,
    /// What is taken from the node; without it the node is disabled.
    property: Option<&'static str>,
    why: &'static str,
}

/// The firmware finds the table, the partition that says which slot starts, and there a system it can start, with every
/// device tree the board may need. Also after the card was in a laptop with Windows.
#[test]
fn b1_the_firmware_of_a_raspberry_pi_would_start_the_image() {
    for name in BOARDS {
        let board = Board::load(name).unwrap();
        let folder = Folder::new("boot-files");
        assert_eq!(table(name).check(&LABELS), [], "{name}");
        // Opened for reading: nothing may be written.
        let mut disk = File::open(image(name)).unwrap();
        assert!(!gpt::mount_on_windows(&mut disk).unwrap(), "{name}: Windows would move the table");

        let select = fat_files(name, SELECT_LABEL, folder.path());
        assert_eq!(select.keys().collect::<Vec<_>>(), [AUTOBOOT], "{name}");
        assert_eq!(select[AUTOBOOT], autoboot_of(Slot::A).into_bytes(), "{name}");

        let boot = fat_files(name, Slot::A.boot_label(), folder.path());
        let mut expected: Vec<&str> = COMMON.to_vec();
        expected.extend(board.device_trees.iter().chain(&board.boot_files).map(String::as_str));
        expected.sort_unstable();
        assert_eq!(boot.keys().collect::<Vec<_>>(), expected, "{name}");
        assert_eq!(config_txt::check(&board, &boot), [], "{name}");
        let line = String::from_utf8(boot[COMMAND_LINE].clone()).unwrap();
        assert_eq!(line.trim_end(), manifest(name)["commandLine"], "{name}");
        let model: &[u8] = if name == "rpi4" { b"raspberrypi,4-model-b\0" } else { b"raspberrypi,5-model-b\0" };
        for tree in &board.device_trees {
            assert!(boot[tree].windows(model.len()).any(|bytes| bytes == model), "{tree} is of another model");
        }

        // A new image has nothing in the other slot.
        let start = table(name).find(Slot::B.boot_label()).unwrap().start;
        let mut list = tool(Network::None, name, folder.path(), "mdir");
        list.args(["-a", "-b", "-i", &format!("/image/storebox-{name}.img@@{start}"), "::/"]);
        assert_eq!(output(list).trim(), "", "{name}: slot B is empty");
    }
}

/// Firmware tells the widths of a FAT by its clusters, and reads nothing from one that has too few.
#[test]
fn b1_every_fat_has_the_clusters_its_width_needs() {
    for board in BOARDS {
        for (label, least, most) in [
            (SELECT_LABEL, FAT16_CLUSTERS, FAT32_CLUSTERS),
            (Slot::A.boot_label(), FAT32_CLUSTERS, u64::MAX),
            (Slot::B.boot_label(), FAT32_CLUSTERS, u64::MAX),
            (SITE_LABEL, FAT32_CLUSTERS, u64::MAX),
        ] {
            let partition = table(board).find(label).unwrap();
            let first = disk::read(&image(board), partition.start, SECTOR);
            let clusters = clusters(&first, partition.end - partition.start);
            assert!((least..most).contains(&clusters), "{board}: {label} has {clusters} clusters");
        }
    }
}

/// The image's own kernel, first root and root, with its own device tree but for what the emulator lacks: up to the
/// screen that says the box sells. On the way the module for trial starts finds the firmware and is ready.
///
/// An emulated card takes half a minute to erase what becomes the data partition. The short form gives it a card on
/// which an earlier start has made one; the full form lets it be made.
#[tokio::test]
async fn b1_the_raspberry_pi_4_starts_its_image() {
    // Emulated cards have a power of two of bytes.
    let plan = Plan::new("raspi4b", 1024);
    if !full() {
        make_data_partition(plan.folder());
    }
    let tree = Plan::boot_file("bcm2711-rpi-4-b.dtb");
    for Change { node, property, why } in CHANGES {
        let mut edit = tool(Network::None, "rpi4", plan.folder(), "fdtput");
        match property {
            Some(property) => edit.args(["-d", &tree, node, property]),
            None => edit.args(["-t", "s", &tree, node, "status", "disabled"]),
        };
        output(edit);
        println!("changed for the emulator: {node}: {why}");
    }
    let plan =
        plan.with(&["-M", "raspi4b", "-m", "2G", "-dtb", &tree, "-drive", "if=sd,format=raw,file=/build/disk.img"]);
    // The module says in the kernel's log that it is ready, which a quiet start does not show.
    let mut machine = plan.parameter(NO_WATCHDOG).parameter("loglevel=7").switch_on(Network::None).await;
    let ready = machine.wait_for_console("tryboot: ready").await;
    let sells = machine.wait_for_console("Ready. No terminal is paired.").await;
    println!("tryboot ready after {ready:.1?}, the store box after {sells:.1?}");

    // The data partition that was made leaves the table where the firmware looks for it.
    let mut disk = machine.cut_power();
    let table = gpt::Gpt::read(&mut disk).unwrap();
    let labels = [&LABELS[..], &[DATA_LABEL]].concat();
    assert_eq!(table.check(&labels), []);
    assert!(!gpt::mount_on_windows(&mut disk).unwrap(), "Windows would move the table");
}

/// Has the data partition made as the box does it, by the tool root's systemd-repart.
fn make_data_partition(work: &Path) {
    let definition = format!("[Partition]\nType=var\nLabel={DATA_LABEL}\nFormat=ext4\n");
    std::fs::create_dir_all(work.join("repart.d")).expect("a folder can be made");
    std::fs::write(work.join("repart.d/50-data.conf"), definition).expect("a file can be written");
    let mut repart = tool(Network::None, "rpi4", work, "systemd-repart");
    repart.args([
        "--dry-run=no",
        "--empty=refuse",
        "--offline=yes",
        "--definitions=/build/repart.d",
        "/build/disk.img",
    ]);
    output(repart);
}

/// The clusters of a FAT of so many bytes, by its first sector (Microsoft's specification, 1.03, "FAT type
/// determination").
fn clusters(first: &[u8], bytes: u64) -> u64 {
    let number = |at: usize, width: usize| {
        first[at..at + width].iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
    };
    let either = |short: u64, long: u64| if short == 0 { long } else { short };
    assert_eq!(&first[510..512], [0x55, 0xaa], "this is no FAT");
    assert_eq!(number(11, 2), SECTOR, "the firmware reads sectors of one size");
    let sectors = either(number(19, 2), number(32, 4));
    assert_eq!(sectors * SECTOR, bytes, "the file system is as large as its partition");
    let (reserved, tables, table) = (number(14, 2), number(16, 1), either(number(22, 2), number(36, 4)));
    let folder = (number(17, 2) * 32).div_ceil(SECTOR);
    assert!(bytes.is_multiple_of(MIB));
    (sectors - reserved - tables * table - folder) / number(13, 1)
}
