//! Lists of orders, page by page, while the orders change: nothing is shown twice and nothing is missed.

use std::collections::{BTreeMap, BTreeSet};

use storebox_core::id::OrderId;
use storebox_core::order::{Action, Order, Status};
use storebox_tests::Random;
use storeboxd::store::{Cursor, Found, OrderPage};

use crate::desk::Desk;
use crate::disk::FaultyDisk;
use crate::wish::{add, change, line, open, order_id, pay, void};
use crate::{repeat, seeds};

/// Orders before anybody looks.
const ORDERS: u32 = 40;
/// What readers ask for.
const WANTED: [&[Status]; 8] = [
    &[],
    &[Status::Pending],
    &[Status::Pending, Status::Confirmed],
    &[Status::Pending, Status::Confirmed, Status::Preparing, Status::Ready],
    &[Status::Completed],
    &[Status::Voided, Status::Ready],
    &[Status::Confirmed, Status::Completed],
    &Status::ALL,
];

/// A store whose orders change at random.
struct Busy {
    disk: FaultyDisk,
    desk: Desk,
    random: Random,
    opened: u32,
    changes: u32,
}

impl Busy {
    fn new(seed: u64) -> Self {
        let disk = FaultyDisk::blank();
        let desk = Desk::open(&disk).unwrap();
        let mut busy = Self { disk, desk, random: Random::new(seed), opened: 0, changes: 0 };
        for _ in 0..ORDERS {
            busy.open();
        }
        for _ in 0..ORDERS {
            busy.change();
        }
        busy
    }

    fn open(&mut self) {
        self.opened += 1;
        self.desk.order(&open(self.opened, 1));
    }

    /// Opens an order, or does something with one that is open, and says which.
    fn change(&mut self) -> OrderId {
        let n = 1 + self.random.below(self.opened.into()) as u32;
        let Found::Order(order) = self.desk.find(order_id(n)) else { panic!("order {n} is missing") };
        self.changes += 1;
        let key = format!("change-{}", self.changes);
        let request = match self.random.below(5) {
            _ if !order.status.is_open() => {
                self.open();
                return order_id(self.opened);
            }
            0 => add(n, &key, None, vec![line(n, self.changes % 200 + 20, 0)]),
            1 | 2 => change(n, &key, None, Action::SendToKitchen),
            3 => change(n, &key, None, pay(n, 1_000_000)),
            _ => change(n, &key, None, void("at random")),
        };
        self.desk.order(&request);
        order_id(n)
    }

    fn restart(self) -> Self {
        let Self { disk, desk, random, opened, changes } = self;
        desk.close().unwrap();
        let desk = Desk::open(&disk).unwrap();
        Self { disk, desk, random, opened, changes }
    }

    fn page(&self, from: Option<Cursor>, wanted: &'static [Status], limit: usize) -> OrderPage {
        let page = self.desk.store.read_blocking(|view| view.orders(from, wanted, limit)).unwrap().unwrap();
        assert!(page.orders.len() <= limit && page.unreadable.is_empty());
        page
    }

    fn all(&self) -> BTreeMap<OrderId, Order> {
        let orders = (1..=self.opened).map(|n| match self.desk.find(order_id(n)) {
            Found::Order(order) => (order.id, *order),
            other => panic!("order {n}: {other:?}"),
        });
        orders.collect()
    }
}

/// Whether a list of these shows an order.
fn shows(wanted: &[Status], order: &Order) -> bool {
    if wanted.is_empty() { order.status.is_open() } else { wanted.contains(&order.status) }
}

/// Reads a list to its end, then what changed meanwhile, and compares with what there is.
fn read_while_it_changes(seed: u64, wanted: &'static [Status]) {
    let mut busy = Busy::new(seed);
    let before = busy.all();
    let mut touched = BTreeSet::new();
    let mut known: BTreeMap<OrderId, Order> = BTreeMap::new();
    let mut cursor: Option<Cursor> = None;
    loop {
        let limit = 1 + busy.random.below(9) as usize;
        let page = busy.page(cursor, wanted, limit);
        for order in page.orders {
            assert!(shows(wanted, &order), "{order:?} was not asked for");
            assert!(known.insert(order.id, order).is_none(), "an order is listed twice");
        }
        assert_eq!(page.more, page.next.listed.is_some());
        // As a terminal keeps it.
        cursor = Some(page.next.to_string().parse().unwrap());
        if !page.more {
            break;
        }
        for _ in 0..busy.random.below(3) {
            touched.insert(busy.change());
        }
        if busy.random.below(6) == 0 {
            busy = busy.restart();
        }
    }
    let missed = before
        .values()
        .find(|order| shows(wanted, order) && !touched.contains(&order.id) && known.get(&order.id) != Some(order));
    assert!(missed.is_none(), "the list left out {missed:?}");
    for _ in 0..3 {
        catch_up(&mut busy, &mut cursor, wanted, &mut known);
        check_known(&busy, wanted, &known);
        for _ in 0..busy.random.below(6) {
            busy.change();
        }
    }
    busy.desk.close().unwrap();
}

/// Fetches what changed until nothing more has.
fn catch_up(
    busy: &mut Busy,
    cursor: &mut Option<Cursor>,
    wanted: &'static [Status],
    known: &mut BTreeMap<OrderId, Order>,
) {
    loop {
        let limit = 1 + busy.random.below(9) as usize;
        let page = busy.page(*cursor, wanted, limit);
        *cursor = Some(page.next);
        known.extend(page.orders.into_iter().map(|order| (order.id, order)));
        if !page.more {
            return;
        }
    }
}

fn check_known(busy: &Busy, wanted: &[Status], known: &BTreeMap<OrderId, Order>) {
    for (id, order) in busy.all() {
        // Who asks for some states only is not told of orders that leave them.
        if shows(wanted, &order) || (wanted.is_empty() && known.contains_key(&id)) {
            assert_eq!(known.get(&id), Some(&order), "a reader who follows the list does not know this order as it is");
        }
    }
}

#[test]
fn a_list_read_page_by_page_is_whole() {
    for seed in seeds() {
        for (index, wanted) in WANTED.into_iter().enumerate() {
            let read = std::panic::catch_unwind(|| read_while_it_changes(seed * 100 + index as u64, wanted));
            if let Err(broken) = read {
                eprintln!("asked for {wanted:?}; {}", repeat("lists::a_list_read_page_by_page_is_whole", seed));
                std::panic::resume_unwind(broken);
            }
        }
    }
}
