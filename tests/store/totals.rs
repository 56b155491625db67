//! Totals of days that are over are packed, and still say the same (L12).

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use storebox_core::day::Day;
use storebox_core::report::{Dimension, Part};

use crate::desk::Desk;
use crate::disk::FaultyDisk;
use crate::retention::{later, sell};
use crate::tables::with_database;

const TOTALS: TableDefinition<'_, (u32, u8, &str), &[u8]> = TableDefinition::new("totals");
const ITEM_DAYS: TableDefinition<'_, u32, &[u8]> = TableDefinition::new("item_days");
/// Sales on each day.
const A_DAY: u32 = 3;
const DAYS: u32 = 5;

fn by_item(desk: &Desk, from: Day, to: Day) -> Vec<Part> {
    desk.store.read_blocking(move |view| view.totals(from, to, Dimension::Item)).unwrap()
}

fn days_sold(desk: &Desk) -> Vec<Day> {
    let all = desk.store.read_blocking(|view| view.totals_by_day(Day(0), Day(u32::MAX - 1))).unwrap();
    all.into_iter().map(|(day, _)| day).collect()
}

/// How many days have rows by item, and how many are packed.
fn kept(disk: &FaultyDisk) -> (usize, usize) {
    let count = |database: &Database| -> Result<(usize, usize), redb::Error> {
        let transaction = database.begin_read()?;
        let totals = transaction.open_table(TOTALS)?;
        let mut days = std::collections::BTreeSet::new();
        for row in totals.iter()? {
            let (day, by, _) = row?.0.value();
            if by == Dimension::Item as u8 {
                days.insert(day);
            }
        }
        Ok((days.len(), transaction.open_table(ITEM_DAYS)?.iter()?.count()))
    };
    with_database(disk, count).unwrap().unwrap()
}

#[test]
fn l12_days_that_are_over_are_packed_one_by_one_and_say_the_same() {
    let disk = FaultyDisk::blank();
    let desk = Desk::open(&disk).unwrap();
    let mut sold = 0;
    for day in 0..DAYS {
        desk.clock.set(later(day));
        for _ in 0..A_DAY {
            sold += 1;
            sell(&desk, sold);
        }
        let days = days_sold(&desk);
        let (first, last) = (days[0], days[days.len() - 1]);
        assert_eq!(days.len(), day as usize + 1);
        let lines = |from, to| by_item(&desk, from, to).iter().map(|part| part.total.sums.sales).sum::<i64>();
        let each: Vec<i64> = days.iter().map(|day| lines(*day, *day)).collect();
        assert!(each.iter().all(|lines| *lines == each[0] && *lines > 0), "{each:?}");
        assert_eq!(lines(first, last), each.iter().sum::<i64>());
        let all = by_item(&desk, first, last);
        assert!(all.is_sorted_by_key(|part| part.key.as_str().to_owned()) && all[0].total.name.is_some(), "{all:?}");
    }
    desk.close().unwrap();
    assert_eq!(kept(&disk), (1, DAYS as usize - 1), "today has rows, the days before are packed");
}
