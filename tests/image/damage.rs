//! A root that is not what was built does not run (B1).

use std::time::{Duration, Instant};

use storebox_image::layout::Slot;
use storebox_tests::Folder;

use crate::disk::{self, Root};
use crate::machine::{Hardware, Machine, START};
use crate::tools::{Network, image, output, tool};

/// From the panic to the restart: ten seconds by the kernel's parameter, and some.
const RESTART: Duration = Duration::from_secs(40);

#[tokio::test]
async fn b1_one_flipped_byte_of_init_stops_the_start() {
    stops("/usr/lib/systemd/systemd").await;
}

#[tokio::test]
async fn b1_one_flipped_byte_of_the_daemon_stops_the_start() {
    stops("/usr/bin/storeboxd").await;
}

/// Flips a byte of a program's first block. The kernel's last words name the damage, the box does not answer, and the
/// machine starts anew by itself.
async fn stops(program: &str) {
    let image = image("x86");
    let root = disk::root(&image, Slot::A.root_label());
    let mut machine = Machine::new("damage", Hardware::default());
    machine.flip(root.start + first_byte(&root, program));

    machine.switch_on().await;
    machine.wait_for_console("Kernel panic", START).await;
    let panicked = Instant::now();
    assert!(machine.console().contains("dm-verity device corrupted"), "it panicked for another reason");
    assert!(!machine.answers().await, "the box answers with a damaged {program}");
    machine.event("RESET", panicked, RESTART).await;
    assert!(!machine.console().contains("Ready."), "the box ran with a damaged {program}");
}

/// Where a file's content begins in the file system.
fn first_byte(root: &Root, path: &str) -> u64 {
    let folder = Folder::new("root");
    disk::cut(&image("x86"), root.start, root.size, &folder.path().join("root.img"));
    let mut dump = tool(Network::None, "x86", folder.path(), "dump.erofs");
    dump.args([&format!("--path={path}"), "-e", "/build/root.img"]);
    let text = output(dump);
    // `Ext: logical offset | length : physical offset | length`, then `0: 0..20534 | 20534 : 385024..389120 | 4096`.
    let first = text.lines().find_map(|line| line.trim().strip_prefix("0:"));
    let physical = first.and_then(|line| line.split(':').nth(1)?.split_once("..")?.0.trim().parse().ok());
    physical.unwrap_or_else(|| panic!("{path} has no first extent:\n{text}"))
}
