//! A disk that reports an error: the store stops at once, writes nothing more, and is whole when it is opened again.

use storeboxd::store::{Medium, ReadError, StoreError, SubmitError};

use crate::desk::{Desk, order_of};
use crate::disk::{FaultyDisk, Operation};
use crate::run::{Reference, carry_out, judge};
use crate::script::{morning, requests};
use crate::wish::{open, open_long, order_id};
use crate::{repeat, seeds};

/// Places tried for each kind of operation, per seed.
const PLACES: u64 = 5;

/// Has one operation of a morning fail, somewhere in the middle too, and judges what is found afterwards.
fn fail_everywhere(operation: Operation, test: &str) {
    let script = morning();
    let reference = Reference::of(&script);
    let disk = FaultyDisk::blank();
    carry_out(&disk, &script);
    let operations = disk.count(operation);
    for seed in seeds() {
        let mut random = storebox_tests::Random::new(seed);
        for _ in 0..PLACES {
            let place = 1 + random.below(operations);
            let disk = FaultyDisk::blank();
            disk.fail(operation, place);
            let run = carry_out(&disk, &script);
            let context = || format!("{operation:?} {place} of {operations} fails\n{}", repeat(test, seed));
            // When only the closing failed everything was answered, and is durable.
            let is_done = run.answers.len() == requests(&script).len() && run.answers.iter().all(Option::is_some);
            assert!(is_done || !matches!(run.end, Some(Ok(()))), "the store goes on: {}", context());
            assert_eq!(disk.after_fault(), Some(0), "the store writes on: {}", context());
            if let Err(broken) = judge(&disk.crashed_image(seed), &script, &run, &reference) {
                panic!("{broken}\n{}", context());
            }
        }
    }
}

#[test]
fn b3_a_failing_write_stops_the_store() {
    fail_everywhere(Operation::Write, "faults::b3_a_failing_write_stops_the_store");
}

#[test]
fn b3_a_failing_sync_stops_the_store() {
    fail_everywhere(Operation::Sync, "faults::b3_a_failing_sync_stops_the_store");
}

#[test]
fn b3_a_failing_read_stops_the_store() {
    fail_everywhere(Operation::Read, "faults::b3_a_failing_read_stops_the_store");
}

/// A store with one long order, and nothing of it in memory.
fn one_order() -> (FaultyDisk, Desk) {
    let disk = FaultyDisk::blank();
    let desk = Desk::open(&disk).unwrap();
    desk.order(&open_long(1, 40, 900));
    desk.close().unwrap();
    let desk = Desk::open(&disk).unwrap();
    (disk, desk)
}

#[track_caller]
fn check_stopped(desk: Desk) {
    assert_eq!(desk.ask(&open(3, 1)).map(|_| ()), Err(SubmitError::Stopped));
    let found = desk.store.read_blocking(|view| view.orders(None, &[], 10)).map(|_| ());
    assert_eq!(found, Err(ReadError::Unavailable));
    let end = desk.join();
    assert!(matches!(end, Err(StoreError::Database(_) | StoreError::Io(_))), "the writer ends with the fault: {end:?}");
}

#[test]
fn whoever_waits_for_a_failed_commit_is_told_that_the_store_stopped() {
    for operation in [Operation::Write, Operation::Sync] {
        let (disk, desk) = one_order();
        let hold = disk.hold(operation);
        disk.fail(operation, 1);
        let pending = desk.send(&[open(2, 1)]);
        assert!(hold.reached());
        let waiting = desk.send(&[open(3, 1), open(4, 1)]);
        drop(hold);
        for answer in desk.wait(pending).into_iter().chain(desk.wait(waiting)) {
            assert_eq!(answer.map(|_| ()), Err(SubmitError::Stopped), "{operation:?}");
        }
        check_stopped(desk);
        assert_eq!(disk.after_fault(), Some(0));
    }
}

#[test]
fn a_reader_that_meets_the_fault_stops_the_writer() {
    let disk = crate::full::more_than_the_cache();
    let desk = Desk::open(&disk).unwrap();
    disk.fail(Operation::Read, 1);
    for _ in 0..3 {
        // At once, every time: a reader does not wait for a store that nobody opens again.
        let asked = std::time::Instant::now();
        let found = desk.store.read_blocking(|view| view.orders(None, &[], 1_000)).map(|_| ());
        assert_eq!(found, Err(ReadError::Unavailable));
        assert!(asked.elapsed().as_secs() < 2);
    }
    // Nobody writes, and the process must end all the same.
    assert!(matches!(desk.join(), Err(StoreError::Database(_) | StoreError::Io(_))));
    let desk = Desk::open(&disk).unwrap();
    assert!(matches!(desk.find(order_id(1)), storeboxd::store::Found::Order(_)));
    desk.close().unwrap();
}

#[test]
fn a_disk_that_fails_while_the_store_is_opened_is_not_taken_for_another_file() {
    let (disk, desk) = one_order();
    desk.close().unwrap();
    let opened = disk.twin();
    Desk::open(&opened).unwrap().close().unwrap();
    for operation in [Operation::Open, Operation::Read, Operation::Write, Operation::Sync] {
        for place in 1..=opened.count(operation) {
            let disk = disk.twin();
            disk.fail(operation, place);
            match Desk::open(&disk) {
                Err(StoreError::Database(_) | StoreError::Io(_)) => {}
                Err(other) => panic!("{operation:?} {place}: {other:?}"),
                // The last ones belong to closing.
                Ok(desk) => drop(desk.close()),
            }
            assert!(!disk.is_blank().unwrap());
            let desk = Desk::open(&disk.crashed_image(place)).unwrap();
            assert_eq!(order_of(desk.ask(&open_long(1, 40, 900)).unwrap()).version, 1);
            assert_eq!(desk.order(&open(2, 1)).number.serial, 2, "{operation:?} {place}");
            desk.close().unwrap();
        }
    }
}
