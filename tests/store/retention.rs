//! Old orders go, but never what the cloud does not have (U14).

use redb::{Database, TableDefinition};
use storebox_core::command::Command;
use storebox_core::id::OrderId;
use storebox_core::limits::{ORDERS_KEPT_DAYS, ORDERS_REMOVED_AT_ONCE};
use storebox_core::outbox::OutboxEntry;
use storebox_core::record::decode;
use storebox_core::retention::{self, Policy, days_before};
use storebox_core::time::Timestamp;
use storeboxd::store::Found;

use crate::desk::Desk;
use crate::disk::FaultyDisk;
use crate::tables::{self, with_database};
use crate::wish::{NOON, change, of_the_box, open, order_id, pay, table, void};

const OUTBOX: TableDefinition<'_, (u8, u64), &[u8]> = TableDefinition::new("outbox");
const DAY_MS: u64 = 86_400_000;

/// What the cloud does when it has something: the outbox forgets it.
pub(crate) fn acknowledge(disk: &FaultyDisk, has: impl Fn(OrderId, u32) -> bool) {
    let forget = |database: &Database| -> Result<(), redb::Error> {
        let mut transaction = database.begin_write()?;
        transaction.set_quick_repair(true);
        transaction.open_table(OUTBOX)?.retain(|_, entry| match decode(entry) {
            Ok(OutboxEntry::Order { id, version }) => !has(id, version),
            other => panic!("only orders wait here: {other:?}"),
        })?;
        transaction.commit()?;
        Ok(())
    };
    with_database(disk, forget).unwrap().unwrap();
}

pub(crate) fn later(days: u32) -> Timestamp {
    NOON.plus_millis(u64::from(days) * DAY_MS)
}

/// Cleans up as often as it takes, as the box does it.
pub(crate) fn clean_up(desk: &Desk, orders_before: Timestamp) {
    for _ in 0..20 {
        let command = Command::Retention(retention::Command::CleanUp { orders_before });
        desk.ask(&of_the_box(command)).unwrap().result.unwrap();
    }
}

pub(crate) fn sell(desk: &Desk, n: u32) {
    desk.order(&open(n, 1));
    desk.order(&change(n, &format!("close-{n}"), None, pay(n, 100_000)));
}

fn is_there(desk: &Desk, n: u32) -> bool {
    match desk.find(order_id(n)) {
        Found::Order(_) => true,
        Found::Missing => false,
        other @ Found::Unreadable { .. } => panic!("{other:?}"),
    }
}

pub(crate) fn there(desk: &Desk, orders: std::ops::RangeInclusive<u32>) -> Vec<u32> {
    orders.filter(|n| is_there(desk, *n)).collect()
}

#[test]
fn u14_what_the_cloud_does_not_have_stays_however_old_it_is() {
    let disk = FaultyDisk::blank();
    let desk = Desk::open(&disk).unwrap();
    (1..=6).for_each(|n| sell(&desk, n));
    desk.clock.set(later(1_000));
    clean_up(&desk, later(1_000));
    assert_eq!(there(&desk, 1..=6), [1, 2, 3, 4, 5, 6], "nothing was acknowledged");
    desk.close().unwrap();

    // Of the third only the opening was sent; the fifth waits whole.
    acknowledge(&disk, |id, version| id != order_id(5) && (id != order_id(3) || version == 1));
    let desk = Desk::open_at(&disk, later(1_000)).unwrap();
    clean_up(&desk, later(1_000));
    assert_eq!(there(&desk, 1..=6), [3, 5], "one that waits does not keep the others");
    desk.close().unwrap();
    let found = tables::read(&disk).unwrap();
    assert_eq!(found.requests.len(), 4, "keys go with their orders");
    assert_eq!(found.changes.len(), 2);
    assert_eq!(found.outbox.len(), 3);
}

#[test]
fn u14_open_young_and_changed_orders_stay() {
    let disk = FaultyDisk::blank();
    let desk = Desk::open(&disk).unwrap();
    sell(&desk, 1);
    desk.order(&open(2, 1));
    desk.order(&open(3, 1));
    desk.order(&change(3, "void-3", None, void("guest left")));
    desk.clock.set(later(399));
    sell(&desk, 4);
    desk.close().unwrap();
    acknowledge(&disk, |_, _| true);

    let desk = Desk::open_at(&disk, later(400)).unwrap();
    let before = |days| Policy::default().orders_from(later(days), 0);
    assert_eq!(before(400), days_before(later(400), ORDERS_KEPT_DAYS));
    clean_up(&desk, before(400));
    assert_eq!(there(&desk, 1..=4), [1, 2, 3, 4], "not a moment too early");
    clean_up(&desk, before(401));
    assert_eq!(there(&desk, 1..=4), [2, 4]);
    clean_up(&desk, before(2_000));
    assert_eq!(there(&desk, 1..=4), [2], "an open order never goes");
    desk.order(&change(2, "table-2", Some(1), table("T1")));
    desk.close().unwrap();
}

#[test]
fn u14_a_key_of_an_order_that_went_may_be_used_again() {
    let disk = FaultyDisk::blank();
    let desk = Desk::open(&disk).unwrap();
    sell(&desk, 1);
    desk.close().unwrap();
    acknowledge(&disk, |_, _| true);
    let desk = Desk::open_at(&disk, later(500)).unwrap();
    clean_up(&desk, later(100));
    let again = desk.ask(&open(1, 1)).unwrap();
    assert!(again.result.is_ok() && !again.replayed, "{again:?}");
    desk.close().unwrap();
}

#[test]
fn u14_cleaning_up_comes_in_bites_and_totals_stay() {
    let disk = FaultyDisk::blank();
    let desk = Desk::open(&disk).unwrap();
    let orders = ORDERS_REMOVED_AT_ONCE as u32 + 10;
    (1..=orders).for_each(|n| sell(&desk, n));
    let totals = |desk: &Desk| desk.store.read_blocking(|view| view.running_day()).unwrap().whole;
    let sold = totals(&desk);
    assert_eq!(sold.sales, i64::from(orders));
    desk.close().unwrap();
    acknowledge(&disk, |_, _| true);
    let desk = Desk::open_at(&disk, later(500)).unwrap();
    let once = Command::Retention(retention::Command::CleanUp { orders_before: later(100) });
    desk.ask(&of_the_box(once)).unwrap().result.unwrap();
    assert_eq!(there(&desk, 1..=orders).len(), 10, "no sale waits for tidying up");
    clean_up(&desk, later(100));
    assert!(there(&desk, 1..=orders).is_empty());
    assert_eq!(totals(&desk), sold);
    let progress = desk.store.read_blocking(|view| view.cleaned_up()).unwrap();
    assert_eq!((progress.orders, progress.keys, progress.keys_after), (orders.into(), 2 * u64::from(orders), None));
    desk.close().unwrap();
}
