//! A full disk: refused, readable all the while, and over when there is room again.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use storebox_core::limits::{BALLAST_BYTES, DISK_RESERVE_BYTES, STORE_CACHE_BYTES};
use storebox_core::order::Action;
use storeboxd::store::{Found, Medium, Store, StoreError, SubmitError};

use crate::audit::audit;
use crate::desk::{Desk, order_of};
use crate::disk::{FaultyDisk, Operation, Refuses};
use crate::tables;
use crate::wish::{change, open, open_long, order_id};
use crate::{repeat, seeds};

/// Orders in a store that is larger than its cache, their lines, and the characters of a line's notes.
const ORDERS: u32 = 2_400;
const LINES: u32 = 4;
const NOTES: usize = 950;
/// Room that is left in these tests, in bytes.
const LEFT: u64 = 96 * 1024;

/// A closed store that does not fit in the cache.
pub(crate) fn more_than_the_cache() -> FaultyDisk {
    static MADE: OnceLock<Vec<u8>> = OnceLock::new();
    let bytes = MADE.get_or_init(|| {
        let disk = FaultyDisk::blank();
        let desk = Desk::open(&disk).unwrap();
        let orders: Vec<_> = (0..ORDERS).map(|n| open_long(n, LINES, NOTES)).collect();
        for answer in desk.wait(desk.send(&orders)) {
            order_of(answer.unwrap());
        }
        desk.close().unwrap();
        disk.bytes()
    });
    assert!(bytes.len() > STORE_CACHE_BYTES + STORE_CACHE_BYTES / 4);
    FaultyDisk::holding(bytes.clone())
}

/// Every order that was there before can be read; most of them are in no cache.
fn read_everything(store: &Store) {
    for n in 0..ORDERS {
        let found = store.read_blocking(|view| view.order(&storebox_core::command::OrderRef::Id(order_id(n))));
        assert!(
            matches!(&found, Ok(Found::Order(order)) if order.lines.len() == LINES as usize),
            "order {n}: {found:?}"
        );
    }
}

/// Sells until the disk is full, and says which order was refused.
fn sell_until_full(desk: &Desk, from: u32) -> u32 {
    for n in from..from + 2_000 {
        match desk.ask(&open_long(n, LINES, NOTES)) {
            Ok(answer) => assert_eq!(order_of(answer).id, order_id(n)),
            Err(error) => {
                assert_eq!(error, SubmitError::Full);
                return n;
            }
        }
    }
    panic!("the disk never filled");
}

struct SetWhenDropped<'a>(&'a AtomicBool);

impl Drop for SetWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Fills the disk, looks at everything, makes room, and goes on, all in one process.
fn fill_and_recover(refuses: Refuses) {
    let disk = more_than_the_cache();
    let desk = Desk::open(&disk).unwrap();
    disk.limit(Some((disk.used() + BALLAST_BYTES + LEFT, refuses)));
    let (done, looked) = (AtomicBool::new(false), AtomicU64::new(0));
    let next = std::thread::scope(|scope| {
        // A reader that meets the store at every moment of closing and opening again.
        scope.spawn(|| {
            let mut random = storebox_tests::Random::new(1);
            while !done.load(Ordering::Relaxed) {
                let id = order_id(random.below(ORDERS.into()) as u32);
                assert!(matches!(desk.find(id), Found::Order(_)));
                looked.fetch_add(1, Ordering::Relaxed);
            }
        });
        // However this ends, the reader must.
        let _done = SetWhenDropped(&done);
        let mut next = ORDERS;
        for _ in 0..3 {
            next = sell_until_full(&desk, next);
        }
        next
    });
    assert!(looked.into_inner() > 0);
    assert!(next > ORDERS, "the room left is enough for some orders");
    read_everything(&desk.store);

    disk.limit(None);
    let sold = desk.order(&open_long(next, LINES, NOTES));
    assert_eq!(sold.number.serial, next + 1, "no number was used up by what was refused");
    desk.order(&change(5, "send-5", Some(1), Action::SendToKitchen));
    assert!(!desk.store.is_full());
    desk.close().unwrap();
    let orders = audit(&tables::read(&disk).unwrap()).unwrap();
    assert_eq!(orders.len(), next as usize + 1);
}

#[test]
fn a_disk_that_refuses_to_grow_is_got_over() {
    fill_and_recover(Refuses::Growth);
}

#[test]
fn a_disk_that_refuses_to_write_is_got_over() {
    fill_and_recover(Refuses::Writes);
}

#[test]
fn readers_wait_while_the_store_is_opened_again() {
    let disk = more_than_the_cache();
    let desk = Desk::open(&disk).unwrap();
    disk.limit(Some((disk.used() + BALLAST_BYTES, Refuses::Writes)));
    let hold = disk.hold(Operation::Open);
    std::thread::scope(|scope| {
        let filling = scope.spawn(|| sell_until_full(&desk, ORDERS));
        assert!(hold.reached(), "after it was refused the store is opened again");
        let (found, wait) = sync_channel(1);
        let desk = &desk;
        scope.spawn(move || found.send(desk.find(order_id(7))).unwrap());
        assert!(wait.recv_timeout(Duration::from_millis(50)).is_err(), "there is nothing to read from yet");
        drop(hold);
        assert!(matches!(wait.recv().unwrap(), Found::Order(_)));
        filling.join().unwrap();
    });
    desk.close().unwrap();
}

/// A box that is started while its disk is full answers what it knows, and sells when there is room.
#[test]
fn the_store_opens_on_a_full_disk_and_can_be_read() {
    for refuses in [Refuses::Growth, Refuses::Writes] {
        let disk = more_than_the_cache();
        disk.limit(Some((disk.used(), refuses)));
        disk.tell_room();
        let desk = Desk::open(&disk).unwrap();
        read_everything(&desk.store);
        assert_eq!(desk.ask(&open_long(ORDERS, 1, 1)).map(|_| ()), Err(SubmitError::Full));
        assert!(desk.store.is_full());
        disk.limit(None);
        assert_eq!(desk.order(&open_long(ORDERS, 1, 1)).number.serial, ORDERS + 1);
        desk.close().unwrap();
    }
}

#[test]
fn power_loss_on_a_full_disk_loses_nothing() {
    for seed in seeds() {
        for refuses in [Refuses::Growth, Refuses::Writes] {
            let disk = FaultyDisk::blank();
            let desk = Desk::open(&disk).unwrap();
            desk.order(&open(0, 1));
            disk.limit(Some((disk.used() + BALLAST_BYTES + LEFT, refuses)));
            // At any sync of selling, failing, and opening again.
            disk.crash_at_sync(1 + storebox_tests::Random::new(seed).below(60));
            let mut sold = 1;
            for n in 1..400 {
                match desk.ask(&open_long(n, LINES, NOTES)) {
                    Ok(_) => sold = n + 1,
                    Err(SubmitError::Full) => {}
                    Err(_) => break,
                }
            }
            disk.cut_power();
            desk.close().ok();
            let context = || format!("{refuses:?}\n{}", repeat("full::power_loss_on_a_full_disk_loses_nothing", seed));
            let found = disk.crashed_image(seed);
            tables::opens_at_once(&found).unwrap_or_else(|error| panic!("{error}: {}", context()));
            let desk = Desk::open(&found).unwrap_or_else(|error| panic!("{error:?}: {}", context()));
            for n in 0..sold {
                assert!(matches!(desk.find(order_id(n)), Found::Order(_)), "order {n} of {sold}: {}", context());
            }
            desk.order(&open(1_000, 1));
            audit(&tables::read(&found).unwrap()).unwrap_or_else(|error| panic!("{error}: {}", context()));
            desk.close().unwrap();
        }
    }
}

#[test]
fn a_disk_that_says_that_it_fills_up_is_never_filled() {
    let disk = FaultyDisk::blank();
    let desk = Desk::open(&disk).unwrap();
    desk.order(&open(0, 1));
    disk.tell_room();
    let limit = |free: u64| disk.limit(Some((disk.used() + BALLAST_BYTES + free, Refuses::Writes)));
    limit(DISK_RESERVE_BYTES + LEFT);
    let next = sell_until_full(&desk, 1);
    assert!(next > 1 && desk.store.is_full());
    let (free, _) = desk.store.space().unwrap();
    assert!((DISK_RESERVE_BYTES - LEFT * 16..DISK_RESERVE_BYTES).contains(&free), "{free} bytes are left");

    let writes = disk.count(Operation::Write);
    assert_eq!(desk.ask(&open(next, 1)).map(|_| ()), Err(SubmitError::Full));
    assert!(matches!(desk.find(order_id(0)), Found::Order(_)));
    // A little room is not enough: the store would stumble from order to order.
    limit(DISK_RESERVE_BYTES + LEFT);
    assert_eq!(desk.ask(&open(next, 1)).map(|_| ()), Err(SubmitError::Full));
    assert_eq!(disk.count(Operation::Write), writes, "what is refused is not begun");
    limit(DISK_RESERVE_BYTES + BALLAST_BYTES + LEFT);
    desk.order(&open(next, 1));
    assert!(!desk.store.is_full());
    desk.close().unwrap();
}

#[test]
fn a_store_that_cannot_be_made_leaves_the_disk_blank() {
    for refuses in [Refuses::Growth, Refuses::Writes] {
        for room in [0, 4_096, 16_384, 65_536] {
            let disk = FaultyDisk::blank();
            disk.limit(Some((room, refuses)));
            match Desk::open(&disk) {
                Err(StoreError::Database(_) | StoreError::Io(_)) => assert!(disk.is_blank().unwrap()),
                Err(other) => panic!("{refuses:?} {room}: {other:?}"),
                Ok(desk) => desk.close().unwrap(),
            }
            disk.limit(None);
            let desk = Desk::open(&disk).unwrap();
            desk.order(&open(1, 1));
            desk.close().unwrap();
        }
    }
}
