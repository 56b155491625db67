//! Rows that cannot be read: set aside and reported, and everything else sells on.

use redb::{Database, ReadableDatabase, ReadableTable};
use storebox_core::command::{Command, OrderRef, Outcome, Rejection};
use storebox_core::id::OrderId;
use storebox_core::order::{Action, Status};
use storeboxd::store::Found;

use crate::desk::{Desk, order_of};
use crate::disk::FaultyDisk;
use crate::tables::{EVENTS, ORDER_CHANGES, REQUESTS, with_database};
use crate::wish::{add, change, line, of_the_box, open, order_id, pay, request, table, till};

const OPEN: [Status; 4] = [Status::Pending, Status::Confirmed, Status::Preparing, Status::Ready];

/// A closed store with five orders; the third was changed once.
fn five_orders() -> FaultyDisk {
    let disk = FaultyDisk::blank();
    let desk = Desk::open(&disk).unwrap();
    for n in 1..=5 {
        desk.order(&open(n, 2));
    }
    desk.order(&add(3, "add-3", None, vec![line(3, 9, 0)]));
    desk.close().unwrap();
    disk
}

/// Overwrites one version of the third order.
fn damage(disk: &FaultyDisk, version: u32, with: impl Fn(&[u8]) -> Option<Vec<u8>>) {
    with_database(disk, |database: &Database| {
        let transaction = database.begin_write().unwrap();
        let mut table = transaction.open_table(ORDER_CHANGES).unwrap();
        let key = (order_id(3).to_bytes(), version);
        let row = table.get(key).unwrap().unwrap().value().to_vec();
        match with(&row) {
            Some(damaged) => drop(table.insert(key, damaged.as_slice()).unwrap()),
            None => drop(table.remove(key).unwrap()),
        }
        drop(table);
        transaction.commit().unwrap();
    })
    .unwrap();
}

/// The rows of the third order as they lie in the file.
fn rows(disk: &FaultyDisk) -> Vec<Vec<u8>> {
    with_database(&disk.twin(), |database: &Database| {
        let table = database.begin_read().unwrap().open_table(ORDER_CHANGES).unwrap();
        let id = order_id(3).to_bytes();
        table.range((id, 0)..=(id, u32::MAX)).unwrap().map(|row| row.unwrap().1.value().to_vec()).collect()
    })
    .unwrap()
}

#[track_caller]
fn quarantined(desk: &Desk) -> u64 {
    desk.store.read_blocking(|view| view.counts()).unwrap().quarantined
}

/// What is listed as open, and what could not be.
fn listed(desk: &Desk, statuses: &'static [Status]) -> (Vec<OrderId>, Vec<OrderId>) {
    let page = desk.store.read_blocking(|view| view.orders(None, statuses, 100)).unwrap().unwrap();
    assert!(!page.more);
    (page.orders.iter().map(|order| order.id).collect(), page.unreadable.iter().map(|(id, _)| *id).collect())
}

/// Checks a store whose third order is damaged from one version on.
fn check_set_aside(what: &str, damaged: u32, disk: &FaultyDisk) {
    let others = [1, 2, 4, 5].map(order_id);
    let before = rows(disk);
    let desk = Desk::open(disk).unwrap();
    assert!(matches!(desk.find(order_id(3)), Found::Unreadable { id, .. } if id == order_id(3)), "{what}");
    assert_eq!(listed(&desk, &OPEN), (others.to_vec(), vec![order_id(3)]), "{what}");
    assert_eq!(listed(&desk, &Status::ALL), (others.to_vec(), vec![order_id(3)]), "{what}");
    assert_eq!(quarantined(&desk), 0, "{what}: reading writes nothing");

    // Commands on it, and another order of the same id.
    for request in [
        change(3, "send-3", None, Action::SendToKitchen),
        change(3, "table-3", Some(1), table("1")),
        request(till(), "open-3-twice", 1, open(3, 1).command),
    ] {
        let answer = desk.ask(&request).unwrap();
        assert_eq!(answer.result.map(|_| ()), Err(Rejection::Unreadable), "{what}: {request:?}");
    }
    assert_eq!(quarantined(&desk), 1, "{what}");
    assert_eq!(listed(&desk, &OPEN), (others.to_vec(), Vec::new()), "{what}: it is in no list any more");
    assert_eq!(desk.order(&open(6, 1)).number.serial, 6, "{what}");
    assert_eq!(desk.order(&change(4, "close-4", None, pay(4, 90_000))).status, Status::Completed, "{what}");
    // The request that opened it is answered as it was for as long as that can be read.
    let opened = desk.ask(&open(3, 2)).unwrap();
    let can_be_read = damaged > 1;
    assert_eq!((opened.result.is_ok(), opened.replayed), (can_be_read, true), "{what}");
    desk.close().unwrap();

    let desk = Desk::open(disk).unwrap();
    assert_eq!(quarantined(&desk), 1, "{what}: after a restart");
    assert_eq!(rows(disk), before, "{what}: its bytes wait for whoever mends it");
    desk.close().unwrap();
}

#[test]
fn an_order_that_cannot_be_read_is_set_aside_by_a_command() {
    type Damage = fn(&[u8]) -> Option<Vec<u8>>;
    let damages: [(&str, Damage); 7] = [
        ("noise", |row| Some(row.iter().map(|byte| byte.wrapping_mul(31) ^ 0x5a).collect())),
        ("an empty row", |_| Some(Vec::new())),
        ("a newer version of the record", |row| Some([&[2], &row[1..]].concat())),
        ("version 0", |row| Some([&[0], &row[1..]].concat())),
        ("half a row", |row| Some(row[..row.len() / 2].to_vec())),
        ("a byte too many", |row| Some([row, &[0]].concat())),
        ("only a version", |row| Some(row[..1].to_vec())),
    ];
    for (what, with) in damages {
        for version in [1, 2] {
            let disk = five_orders();
            damage(&disk, version, with);
            check_set_aside(&format!("{what} as version {version}"), version, &disk);
        }
    }
    let disk = five_orders();
    damage(&disk, 1, |_| None);
    check_set_aside("a history without its beginning", 1, &disk);
}

#[test]
fn an_order_that_cannot_be_read_is_set_aside_by_the_box() {
    let disk = five_orders();
    damage(&disk, 2, |_| Some(vec![1, 2, 3]));
    let desk = Desk::open(&disk).unwrap();
    let aside = of_the_box(Command::SetAside { order: order_id(3), reason: "it does not decode".to_owned() });
    for _ in 0..2 {
        assert!(matches!(desk.ask(&aside).unwrap().result, Ok(Outcome::Done)));
        assert_eq!(quarantined(&desk), 1, "once, however often it is noticed");
    }
    assert_eq!(listed(&desk, &OPEN).1, Vec::new());
    desk.close().unwrap();
}

#[test]
fn a_gap_in_a_history_is_noticed() {
    let disk = five_orders();
    let desk = Desk::open(&disk).unwrap();
    desk.order(&change(3, "send-3", None, Action::SendToKitchen));
    desk.close().unwrap();
    damage(&disk, 2, |_| None);
    check_set_aside("a history with a gap", 2, &disk);
}

#[test]
fn a_request_that_cannot_be_remembered_is_not_carried_out_again() {
    let disk = five_orders();
    with_database(&disk, |database: &Database| {
        let transaction = database.begin_write().unwrap();
        let key = open(2, 2).key.unwrap().to_bytes();
        transaction.open_table(REQUESTS).unwrap().insert(key.as_slice(), [7, 7, 7].as_slice()).unwrap();
        transaction.commit().unwrap();
    })
    .unwrap();
    let desk = Desk::open(&disk).unwrap();
    assert_eq!(desk.ask(&open(2, 2)).unwrap().result.map(|_| ()), Err(Rejection::Unreadable));
    let second = desk.ask(&change(2, "send-2", Some(1), Action::SendToKitchen)).unwrap();
    assert_eq!(order_of(second).version, 2, "the order itself can be read");
    desk.close().unwrap();
}

#[test]
fn an_event_that_cannot_be_read_is_passed_over() {
    let disk = five_orders();
    with_database(&disk, |database: &Database| {
        let transaction = database.begin_write().unwrap();
        transaction.open_table(EVENTS).unwrap().insert(2, [9].as_slice()).unwrap();
        transaction.commit().unwrap();
    })
    .unwrap();
    let desk = Desk::open(&disk).unwrap();
    let page = desk.store.read_blocking(|view| view.events(view.earliest()?, 100)).unwrap().unwrap();
    assert_eq!(page.events.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 3, 4, 5, 6]);
    let one = desk.store.read_blocking(|view| view.events(desk.store.cursor(1), 1)).unwrap().unwrap();
    assert!(one.events.is_empty() && one.next == desk.store.cursor(2), "a reader gets past it: {one:?}");
    assert!(matches!(desk.find(order_id(2)), Found::Order(_)));
    assert!(matches!(
        desk.store.read_blocking(|view| view.order(&OrderRef::Id(order_id(4)))).unwrap(),
        Found::Order(_)
    ));
    desk.close().unwrap();
}
