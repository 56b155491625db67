//! Space given back to the disk: a copy beside the store that takes its place, whatever comes between (U14).

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use storebox_core::id::OrderId;
use storebox_core::limits::BALLAST_BYTES;

use crate::desk::Desk;
use crate::disk::{FaultyDisk, Operation, Refuses};
use crate::retention::{acknowledge, clean_up, later, sell, there};
use crate::run::{Reference, carry_out, judge};
use crate::script::morning;
use crate::wish::{open, order_id};
use crate::{repeat, seeds, tables};

/// How long the store may take to become idle and copy itself.
const PATIENCE: Duration = Duration::from_secs(20);

/// Orders that stay; younger than the others, they lie at the end of the file, where redb cannot make it shorter.
const STAY: u32 = 50;

/// A store of which little is left of the orders sold.
fn mostly_freed(sold: u32) -> FaultyDisk {
    let disk = FaultyDisk::blank();
    let desk = Desk::open(&disk).unwrap();
    (1..=sold).for_each(|n| sell(&desk, n));
    desk.close().unwrap();
    let old: BTreeSet<OrderId> = (1..=sold - STAY).map(order_id).collect();
    acknowledge(&disk, |id, _| old.contains(&id));
    let desk = Desk::open_at(&disk, later(1_000)).unwrap();
    (0..2).for_each(|_| clean_up(&desk, later(1_000)));
    assert_eq!(there(&desk, 1..=sold).len(), STAY as usize);
    desk.close().unwrap();
    disk
}

/// Waits until what is asked is so, or the store has ended.
fn wait(desk: &Desk, what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() && !desk.store.is_stopped() {
        assert!(begun.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn u14_space_that_was_freed_goes_back_to_the_disk_and_nothing_else_goes() {
    // Less than a megabyte the file never is.
    let sold = 3_000;
    let disk = mostly_freed(sold);
    let before = format!("{:?}", tables::read(&disk).unwrap());
    let desk = Desk::open_at(&disk, later(1_000)).unwrap();
    let size = disk.bytes().len();
    desk.store.give_space_back();
    wait(&desk, "the copy", || desk.store.space_given_back() == 1);
    assert!(disk.bytes().len() < size / 2, "{size} bytes became {}", disk.bytes().len());
    assert!(!disk.has_aside());
    assert_eq!(there(&desk, 1..=sold).len(), STAY as usize, "the store reads on");
    desk.close().unwrap();
    assert_eq!(format!("{:?}", tables::read(&disk).unwrap()), before);
    let desk = Desk::open_at(&disk, later(1_000)).unwrap();
    assert_eq!(desk.order(&open(sold + 1, 1)).number.serial, sold + 1, "it goes on where it was");
    desk.close().unwrap();
}

#[test]
fn u14_whoever_writes_comes_before_giving_space_back() {
    let disk = mostly_freed(100);
    let desk = Desk::open_at(&disk, later(1_000)).unwrap();
    let size = disk.bytes().len();
    let hold = disk.hold(Operation::Write);
    desk.store.give_space_back();
    assert!(hold.reached(), "the copy is written");
    let sale = desk.send(&[open(101, 1)]);
    drop(hold);
    assert!(desk.wait(sale).pop().unwrap().unwrap().result.is_ok());
    assert_eq!((desk.store.space_given_back(), disk.bytes().len()), (0, size));
    wait(&desk, "the copy to be taken away", || !disk.has_aside());
    desk.store.give_space_back();
    wait(&desk, "the copy", || desk.store.space_given_back() == 1);
    assert_eq!(there(&desk, 1..=101).len(), STAY as usize + 1);
    desk.close().unwrap();
}

#[test]
fn u14_a_store_that_cannot_be_copied_sells_on() {
    let full = |disk: &FaultyDisk| disk.limit(Some((disk.used() + BALLAST_BYTES + 8_192, Refuses::Writes)));
    let failing = |disk: &FaultyDisk| disk.fail(Operation::Write, 1);
    for spoil in [&full as &dyn Fn(&FaultyDisk), &failing] {
        let disk = mostly_freed(100);
        let desk = Desk::open_at(&disk, later(1_000)).unwrap();
        spoil(&disk);
        let hold = disk.hold(Operation::Write);
        desk.store.give_space_back();
        assert!(hold.reached(), "the copy is written");
        drop(hold);
        wait(&desk, "the copy to be taken away", || !disk.has_aside());
        disk.limit(None);
        assert_eq!(desk.order(&open(101, 1)).number.serial, 101);
        assert_eq!(desk.store.space_given_back(), 0);
        desk.close().unwrap();
    }
}

/// The power goes at every sync of copying, renaming and opening again: the store is there whole, the old or the new.
#[test]
fn u14_power_lost_while_space_is_given_back_loses_nothing() {
    let script = morning();
    let reference = Reference::of(&script);
    let disk = FaultyDisk::blank();
    let run = carry_out(&disk, &script);
    let syncs = {
        let disk = disk.twin();
        let desk = Desk::open(&disk).unwrap();
        let before = disk.count(Operation::Sync);
        desk.store.give_space_back();
        wait(&desk, "the copy", || desk.store.space_given_back() == 1);
        disk.count(Operation::Sync) - before
    };
    assert!(syncs >= 4, "a copy, its name and opening it again take {syncs} syncs");
    std::thread::scope(|scope| {
        for sync in 1..=syncs {
            let (disk, script, run, reference) = (&disk, &script, &run, &reference);
            scope.spawn(move || {
                let disk = disk.twin();
                let desk = Desk::open(&disk).unwrap();
                disk.crash_at_sync(sync);
                desk.store.give_space_back();
                wait(&desk, "the power to go", || desk.store.space_given_back() == 1 || disk.is_dead());
                for seed in seeds() {
                    if let Err(broken) = judge(&disk.crashed_image(seed), script, run, reference) {
                        let again = repeat("space::u14_power_lost_while_space_is_given_back_loses_nothing", seed);
                        panic!("power lost at sync {sync} of {syncs}: {broken}\n{again}");
                    }
                }
            });
        }
    });
}
