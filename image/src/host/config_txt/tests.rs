//! Tests of the reader and of the checks.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;
use crate::host::raspberry_pi::{BootFile, Source};

const LINE: &str = "storebox.slot=a storebox.verity=00ff:12 quiet";

fn kernel() -> Vec<u8> {
    let mut image = vec![0; 4096];
    image.splice(56..60, *b"ARM\x64");
    image
}

fn gzipped(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn firmware(day: &str) -> Vec<u8> {
    format!("\x7fELF\0VC_BUILD_ID_TIME: 18:28:41\0\0VC_BUILD_ID_TIME: {day}\0rest").into_bytes()
}

/// A partition as the image has it.
fn partition(board: &Board) -> BTreeMap<String, Vec<u8>> {
    raspberry_pi::boot_partition(board, &format!("{LINE} {}", board.command_line))
        .into_iter()
        .map(|BootFile { path, source }| {
            let content = match source {
                Source::Text(text) => text.into_bytes(),
                Source::Kernel => gzipped(&kernel()),
                Source::Initramfs => b"\x28\xb5\x2f\xfd".to_vec(),
                Source::DeviceTree(_) => DEVICE_TREE_MAGIC.to_vec(),
                Source::Vendor(_) => firmware("Feb 11 2026"),
            };
            (path, content)
        })
        .collect()
}

/// Faults of a board's partition after a change.
fn faults(board: &str, change: impl FnOnce(&mut BTreeMap<String, Vec<u8>>)) -> Vec<Fault> {
    let board = Board::load(board).unwrap();
    let mut files = partition(&board);
    change(&mut files);
    check(&board, &files)
}

fn with_config(board: &str, more: &str) -> Vec<Fault> {
    faults(board, |files| files.get_mut(raspberry_pi::CONFIG).unwrap().extend(more.as_bytes()))
}

fn missing(name: &str) -> Fault {
    Fault::Missing(name.to_owned())
}

fn unreadable(name: &str) -> Fault {
    Fault::Unreadable(name.to_owned())
}

/// `B1`
#[test]
fn both_boards_would_start() {
    for board in ["rpi4", "rpi5"] {
        assert_eq!(faults(board, |_| {}), [], "{board}");
    }
}

#[test]
fn every_file_that_is_missing_is_told() {
    for board in ["rpi4", "rpi5"] {
        for name in partition(&Board::load(board).unwrap()).keys() {
            let found = faults(board, |files| drop(files.remove(name)));
            assert_eq!(found, [missing(name)], "{board}");
        }
    }
}

#[test]
fn files_with_other_content_are_told() {
    for board in ["rpi4", "rpi5"] {
        let names = partition(&Board::load(board).unwrap());
        for name in names.keys().filter(|name| !["config.txt", "start4.elf", "fixup4.dat"].contains(&name.as_str())) {
            let found = faults(board, |files| drop(files.insert(name.clone(), b"<html>".to_vec())));
            assert_eq!(found, [unreadable(name)], "{board}");
        }
    }
}

#[test]
fn a_kernel_may_be_packed_or_not() {
    let with = |content: Vec<u8>| faults("rpi4", |files| drop(files.insert(raspberry_pi::KERNEL.to_owned(), content)));
    assert_eq!(with(kernel()), []);
    assert_eq!(with(gzipped(b"no kernel")), [unreadable(raspberry_pi::KERNEL)]);
    assert_eq!(with(gzipped(&[0; 100])), [unreadable(raspberry_pi::KERNEL)]);
}

#[test]
fn the_command_line_is_one_line_with_all_the_box_needs() {
    let own = "console=tty1 console=ttyAMA10,115200";
    let with =
        |line: &str| faults("rpi5", |files| drop(files.insert(raspberry_pi::COMMAND_LINE.to_owned(), line.into())));
    assert_eq!(with(&format!("{LINE} {own}")), []);
    for line in [
        format!("{LINE}\n{own}"),
        format!("{LINE} {own}\n\n"),
        format!("storebox.slot=a quiet {own}"),
        format!("storebox.verity=00ff:12 quiet {own}"),
        format!("{LINE} console=tty1"),
        format!("{LINE} {own} ü"),
    ] {
        assert_eq!(with(&line), [unreadable(raspberry_pi::COMMAND_LINE)], "{line}");
    }
}

/// With older ones the second slot of a Pi 4 never starts.
#[test]
fn old_firmware_is_told() {
    let with = |day: &str| faults("rpi4", |files| drop(files.insert("start4.elf".to_owned(), firmware(day))));
    let old = |built: Option<&str>| {
        Fault::OldFirmware("start4.elf".to_owned(), built.map(str::to_owned), "2025-01-16".to_owned())
    };
    assert_eq!(with("Jan 16 2025"), []);
    assert_eq!(with("Jan  6 2025"), [old(Some("2025-01-06"))]);
    assert_eq!(with("Apr 17 2024"), [old(Some("2024-04-17"))]);
    assert_eq!(with("yesterday"), [old(None)]);
}

#[test]
fn a_file_too_large_for_nvme_matters_where_there_is_nvme() {
    let large = |board| {
        let mut image = kernel();
        image.resize(32 << 20, 0);
        faults(board, |files| drop(files.insert(raspberry_pi::KERNEL.to_owned(), image)))
    };
    assert_eq!(large("rpi4"), []);
    assert_eq!(large("rpi5"), [Fault::Large(raspberry_pi::KERNEL.to_owned())]);
}

#[test]
fn sections_leave_settings_to_some() {
    assert_eq!(with_config("rpi4", "[pi5]\nkernel=other\n"), []);
    assert_eq!(with_config("rpi5", "[pi5]\nkernel=other\n"), [missing("other")]);
    assert_eq!(with_config("rpi4", "[none]\nkernel=other\n"), []);
    assert_eq!(with_config("rpi4", "[none]\n[all]\nkernel=other\n"), [missing("other")]);
    assert_eq!(with_config("rpi4", "[pi5]\n[pi4]\nkernel=other\n"), [missing("other")]);
    assert_eq!(with_config("rpi4", "[pi5]\n[tryboot]\nkernel=other\n"), []);
}

/// A slot that is tried is started with the flag set.
#[test]
fn what_only_a_try_loads_must_be_there_too() {
    assert_eq!(with_config("rpi4", "[tryboot]\nkernel=other\n"), [missing("other")]);
}

#[test]
fn the_last_value_counts() {
    assert_eq!(with_config("rpi4", "kernel=other\nkernel=kernel8.img\n"), []);
}

#[test]
fn overlays_are_files() {
    assert_eq!(with_config("rpi4", "dtoverlay=disable-bt,x=on\n"), [missing("overlays/disable-bt.dtbo")]);
}

#[test]
fn what_would_start_only_some_boards_is_told() {
    assert_eq!(with_config("rpi5", "device_tree=bcm2712-rpi-5-b.dtb\n"), [Fault::OneDeviceTree]);
    assert_eq!(with_config("rpi5", "upstream_kernel=0\n"), [Fault::OneDeviceTree]);
    assert_eq!(with_config("rpi4", "device_tree=bcm2711-rpi-4-b.dtb\n"), []);
    assert_eq!(with_config("rpi4", "arm_64bit=0\n"), [Fault::Word32]);
}

#[test]
fn what_the_firmware_would_not_understand_is_told_with_its_line() {
    let long = format!("kernel={}", "k".repeat(92));
    let text = format!(
        "# comment\n[all]\n\nkernal=x\n{long}\n[pi6]\nenable_uart=yes\ninitramfs=x\ninitramfs x 0x800\nkernel\nenable_uart=1\n"
    );
    let (config, faults) = parse(&text);
    assert_eq!(
        faults,
        [
            Fault::Key(4, "kernal".to_owned()),
            Fault::LongLine(5),
            Fault::Section(6, "pi6".to_owned()),
            Fault::Value(7, "enable_uart".to_owned()),
            Fault::Value(8, "initramfs".to_owned()),
            Fault::Value(9, "initramfs".to_owned()),
            Fault::Value(10, "kernel".to_owned()),
        ]
    );
    assert_eq!(config.value("pi4", false, "enable_uart"), Some("1"));
    assert_eq!(faults.first().unwrap().to_string(), "config.txt, line 4: unknown setting kernal");
}
