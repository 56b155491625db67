//! A root that is not what was built does not run (B1).

use std::time::{Duration, Instant};

use storebox_image::layout::Slot;
use storebox_tests::Folder;

use crate::disk::{self, EROFS_AT, Root};
use crate::machine::{Hardware, Machine, START};
use crate::tools::{Network, image, output, tool};

/// From the panic to the restart: ten seconds by the kernel's parameter, and some.
const RESTART: Duration = Duration::from_secs(40);

/// Where the file system begins is read before anything runs from it.
#[tokio::test]
async fn b1_one_flipped_byte_of_the_file_system_stops_the_start() {
    stops("the file system", EROFS_AT).await;
}

#[tokio::test]
async fn b1_one_flipped_byte_of_the_daemon_stops_the_start() {
    let root = disk::root(&image("x86"), Slot::A.root_label());
    stops("the daemon", first_byte(&root, "/usr/bin/storeboxd")).await;
}

/// Flips one byte of the root. The kernel's last words name the damage, the box does not answer, and the machine starts
/// anew by itself.
async fn stops(what: &str, at: u64) {
    let root = disk::root(&image("x86"), Slot::A.root_label());
    let mut machine = Machine::new("damage", Hardware::default());
    machine.flip(root.start + at);

    machine.switch_on().await;
    machine.wait_for_console("Kernel panic", START).await;
    let panicked = Instant::now();
    assert!(machine.console().contains("dm-verity device corrupted"), "it panicked for another reason");
    assert!(!machine.answers().await, "the box answers although {what} is damaged");
    machine.event("RESET", panicked, RESTART).await;
    assert!(!machine.console().contains("Ready."), "the box ran although {what} is damaged");
}

/// Where a file's content begins in the file system.
fn first_byte(root: &Root, path: &str) -> u64 {
    let folder = Folder::new("root");
    disk::cut(&image("x86"), root.start, root.size, &folder.path().join("root.img"));
    let mut dump = tool(Network::None, "x86", folder.path(), "dump.erofs");
    dump.args([&format!("--path={path}"), "-e", "/build/root.img"]);
    let text = output(dump);
    // `Ext: logical offset | length : physical offset | length`, then `0: 0..20534 | 20534 : 385024..389120 | 4096`.
    // What a file shares with others in one block has the length zero.
    let first = text.lines().find_map(|line| line.trim().strip_prefix("0:"));
    let physical = first.and_then(|line| {
        let (at, length) = line.split(':').nth(1)?.rsplit_once('|')?;
        let at = at.split_once("..")?.0.trim().parse().ok()?;
        (length.trim() != "0").then_some(at)
    });
    physical.unwrap_or_else(|| panic!("{path} has no block of its own:\n{text}"))
}
