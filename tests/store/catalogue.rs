//! The catalogue in memory is the one in the file, whatever becomes of a commit (L4).

use redb::TableDefinition;
use storebox_core::catalogue::{self, Bundle, Item, Kind};
use storebox_core::command::{Command, Outcome, Request};
use storebox_core::limits::BALLAST_BYTES;
use storebox_core::money::Money;
use storebox_core::order::Pricing;
use storebox_core::text::Name;
use storeboxd::store::SubmitError;

use crate::desk::{Desk, order_of};
use crate::disk::{FaultyDisk, Refuses};
use crate::tables::with_database;
use crate::wish::{of_the_box, open};

const CATALOGUE: TableDefinition<'_, (u8, &str), &[u8]> = TableDefinition::new("catalogue");

/// Puts items in, all at one price. Orders of these tests are of `soup`, at 6.50 each.
fn load(ids: impl IntoIterator<Item = String>, minor: i64) -> Request {
    let item = |id: String| Item {
        id: Name::cut(&id),
        name: Name::cut(&format!("{id} of the menu{}", "!".repeat(100))),
        category: None,
        barcodes: Vec::new(),
        price: Money::from_minor(minor),
        prices: Vec::new(),
        tax_class: None,
        station: None,
        stocked: false,
        modifier_groups: Vec::new(),
        active: true,
        image_url: None,
        image_hash: None,
    };
    let bundle = Bundle { items: ids.into_iter().map(item).collect(), ..Bundle::default() };
    of_the_box(Command::Catalogue(catalogue::Command::Merge(Box::new(bundle))))
}

fn soup(minor: i64) -> Request {
    load(["soup".to_owned()], minor)
}

fn listed(minor: i64) -> Pricing {
    Pricing::Override { listed: Money::from_minor(minor) }
}

/// What the catalogue says of the soup, as an order sees it.
#[track_caller]
fn pricing(desk: &Desk, order: u32) -> Pricing {
    desk.order(&open(order, 1)).lines[0].line.pricing
}

#[test]
fn l4_a_load_that_was_not_committed_prices_nothing() {
    let disk = FaultyDisk::blank();
    let desk = Desk::open(&disk).unwrap();
    desk.ask(&soup(700)).unwrap().result.unwrap();
    disk.limit(Some((disk.used() + BALLAST_BYTES + 64 * 1024, Refuses::Growth)));
    // With the soup, as many as there may be.
    let most = || (1..20_000).map(|n| format!("item-{n}")).chain(["soup".to_owned()]);
    assert_eq!(desk.ask(&load(most(), 800)).unwrap_err(), SubmitError::Full);
    assert_eq!(desk.store.catalogue().revision(), 1);
    assert_eq!(pricing(&desk, 1), listed(700));

    disk.limit(None);
    desk.ask(&load(most(), 800)).unwrap().result.unwrap();
    assert_eq!(pricing(&desk, 2), listed(800));
    let held = desk.store.catalogue();
    desk.close().unwrap();
    let again = Desk::open(&disk).unwrap();
    let read = again.store.catalogue();
    assert_eq!(read.marks(), held.marks());
    assert!(read.all(Kind::Item).eq(held.all(Kind::Item)));
    again.close().unwrap();
}

#[test]
fn l4_commands_of_one_batch_see_each_others_catalogue() {
    let disk = FaultyDisk::blank();
    let desk = Desk::open(&disk).unwrap();
    let batch = [open(2, 1), soup(700), open(3, 1), soup(650), open(4, 1)];
    let answers: Vec<_> =
        desk.ask_together(&disk, &open(1, 1), &batch).into_iter().map(|answer| answer.unwrap()).collect();
    let seen: Vec<Pricing> = answers
        .into_iter()
        .filter(|answer| !matches!(answer.result, Ok(Outcome::Loaded(_))))
        .map(|answer| order_of(answer).lines[0].line.pricing)
        .collect();
    assert_eq!(seen, [Pricing::OpenItem, Pricing::OpenItem, listed(700), Pricing::Catalogue]);
    desk.close().unwrap();
}

#[test]
fn l4_an_object_that_cannot_be_read_is_left_out_and_mended_by_the_next_load() {
    let disk = FaultyDisk::blank();
    let desk = Desk::open(&disk).unwrap();
    desk.ask(&load(["soup".to_owned(), "tea".to_owned()], 700)).unwrap().result.unwrap();
    desk.close().unwrap();
    with_database(&disk, |database| {
        let transaction = database.begin_write().unwrap();
        let garbage: &[u8] = &[1, 0xff, 0xff];
        transaction.open_table(CATALOGUE).unwrap().insert((Kind::Item as u8, "soup"), garbage).unwrap();
        transaction.commit().unwrap();
    })
    .unwrap();
    let desk = Desk::open(&disk).unwrap();
    assert!(desk.store.catalogue().item(&Name::cut("tea")).is_some());
    assert_eq!(pricing(&desk, 1), Pricing::OpenItem);
    desk.ask(&soup(700)).unwrap().result.unwrap();
    assert_eq!(pricing(&desk, 2), listed(700));
    desk.close().unwrap();
    let desk = Desk::open(&disk).unwrap();
    assert_eq!(pricing(&desk, 3), listed(700));
    desk.close().unwrap();
}
