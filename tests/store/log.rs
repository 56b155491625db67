//! The log: cursors that outlive a restart, pruning, and finding a place by time.

use redb::{Database, ReadableTable};
use storebox_core::event::{Event, EventData};
use storebox_core::limits::{EVENTS_KEPT, EVENTS_PRUNED_AT_ONCE};
use storebox_core::record::{decode, encode};
use storebox_core::settings::Connectivity;
use storebox_core::time::{Hlc, Timestamp};
use storeboxd::store::{Cursor, Expired, Store};

use crate::desk::Desk;
use crate::disk::FaultyDisk;
use crate::tables::{Counters, EVENTS, META, with_database};
use crate::wish::{NOON, open};
use crate::{repeat, seeds};

/// Events of one moment in the logs made here, and the milliseconds from one such moment to the next.
const AT_ONCE: u64 = 3;
const STEP_MS: u64 = 10;
/// Commits within which a log that is too long must be pruned.
const COMMITS: u32 = 12;

/// When the `n`-th event of a log made here happened.
fn moment(n: u64) -> Hlc {
    Hlc { wall: NOON.plus_millis(n / AT_ONCE * STEP_MS), counter: (n % AT_ONCE) as u32 }
}

/// A store whose log holds so many events that nobody has to wait for.
fn with_events(events: u64) -> FaultyDisk {
    let disk = FaultyDisk::blank();
    Desk::open(&disk).unwrap().close().unwrap();
    with_database(&disk, |database: &Database| {
        let transaction = database.begin_write().unwrap();
        let mut log = transaction.open_table(EVENTS).unwrap();
        for n in 1..=events {
            let data = EventData::Connectivity(Connectivity::Offline);
            log.insert(n, encode(&Event { at: moment(n), device: None, data }).unwrap().as_slice()).unwrap();
        }
        drop(log);
        let mut meta = transaction.open_table(META).unwrap();
        let counters: Counters = decode(meta.get("counters").unwrap().unwrap().value()).unwrap();
        let counters = Counters { last_event: events, clock: moment(events), ..counters };
        meta.insert("counters", encode(&counters).unwrap().as_slice()).unwrap();
        drop(meta);
        transaction.commit().unwrap();
    })
    .unwrap();
    disk
}

fn events(store: &Store, from: Cursor, limit: usize) -> Result<(Vec<(u64, Event)>, Cursor), Expired> {
    store.read_blocking(|view| view.events(from, limit)).unwrap().map(|page| (page.events, page.next))
}

/// First and last event kept.
fn ends(store: &Store) -> (u64, u64) {
    let (earliest, latest) = store.read_blocking(|view| Ok((view.earliest()?, view.latest()?))).unwrap();
    (earliest.event + 1, latest.event)
}

/// Cursors are valid for exactly what is kept.
fn check_ends(store: &Store) {
    let (first, last) = ends(store);
    assert_eq!(store.read_blocking(|view| view.counts()).unwrap().events, last - first + 1, "the log has gaps");
    let oldest = events(store, store.cursor(first - 1), 1).unwrap();
    assert_eq!(oldest.0[0].0, first);
    if first > 1 {
        assert_eq!(events(store, store.cursor(first - 2), 1), Err(Expired), "an event would be missed");
    }
    assert_eq!(events(store, store.cursor(last), 1).unwrap(), (Vec::new(), store.cursor(last)));
    assert_eq!(events(store, store.cursor(last + 1), 1), Err(Expired), "that has not happened");
    let foreign = Cursor { log: store.cursor(0).log ^ 1, ..store.cursor(last) };
    assert_eq!(events(store, foreign, 1), Err(Expired), "that is another box's");
    let lists =
        [store.cursor(last + 1), foreign].map(|from| store.read_blocking(|view| view.orders(Some(from), &[], 9)));
    assert!(lists.iter().all(|page| matches!(page, Ok(Err(Expired)))));
}

#[test]
fn the_oldest_events_go_in_bites() {
    let disk = with_events(EVENTS_KEPT + 5 * EVENTS_PRUNED_AT_ONCE + 17);
    let desk = Desk::open(&disk).unwrap();
    let reader = desk.store.cursor(10);
    assert!(events(&desk.store, reader, 1).is_ok(), "nothing goes before something is written");
    for n in 0..COMMITS {
        let (first, _) = ends(&desk.store);
        desk.order(&open(n, 1));
        let (now, last) = ends(&desk.store);
        assert!(last - now + 1 >= EVENTS_KEPT, "events {now} to {last} are too few");
        assert!((first..=first + 4 * EVENTS_PRUNED_AT_ONCE).contains(&now), "from {first} to {now} is no bite");
        check_ends(&desk.store);
    }
    let (first, last) = ends(&desk.store);
    assert!(last - first + 1 < EVENTS_KEPT + EVENTS_PRUNED_AT_ONCE, "events {first} to {last} are too many");
    assert_eq!(events(&desk.store, reader, 1), Err(Expired));
    let orders = desk.store.read_blocking(|view| view.orders(Some(reader), &[], 10)).unwrap();
    assert!(matches!(orders, Err(Expired)), "changes may have been missed");

    let cursor = desk.store.cursor(first + 5).to_string();
    desk.close().unwrap();
    let desk = Desk::open(&disk).unwrap();
    assert_eq!(ends(&desk.store), (first, last));
    let (page, _) = events(&desk.store, cursor.parse().unwrap(), 2).unwrap();
    assert_eq!(page.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [first + 6, first + 7]);
    check_ends(&desk.store);
    desk.close().unwrap();
}

#[test]
fn a_cursor_goes_on_after_a_restart() {
    for seed in seeds() {
        let mut random = storebox_tests::Random::new(seed);
        let disk = FaultyDisk::blank();
        let (mut read, mut orders) = (Vec::new(), 0);
        let mut cursor: Option<String> = None;
        for _ in 0..8 {
            let desk = Desk::open(&disk).unwrap();
            check_ends_of_small_log(&desk.store);
            for _ in 0..random.below(5) {
                desk.order(&open(orders, 1));
                orders += 1;
            }
            let limit = 1 + random.below(4) as usize;
            let from = cursor.map_or_else(|| desk.store.cursor(0), |text| text.parse().unwrap());
            let (page, next) = events(&desk.store, from, limit).unwrap();
            read.extend(page);
            cursor = Some(next.to_string());
            desk.close().unwrap();
        }
        let desk = Desk::open(&disk).unwrap();
        read.extend(events(&desk.store, cursor.unwrap().parse().unwrap(), usize::MAX).unwrap().0);
        let all = events(&desk.store, desk.store.cursor(0), usize::MAX).unwrap().0;
        assert_eq!(read, all, "{}", repeat("log::a_cursor_goes_on_after_a_restart", seed));
        assert_eq!(all.len(), orders as usize);
        desk.close().unwrap();
    }
}

fn check_ends_of_small_log(store: &Store) {
    if ends(store).1 > 0 {
        check_ends(store);
    }
}

/// Where a plain scan puts the place before `time`.
fn scanned(log: &[(u64, Event)], time: Timestamp) -> Option<u64> {
    let (first, event) = &log[0];
    if *first > 1 && event.at.wall >= time {
        return None;
    }
    Some(log.iter().take_while(|(_, event)| event.at.wall < time).last().map_or(first - 1, |(number, _)| *number))
}

fn found(store: &Store, time: Timestamp) -> Option<u64> {
    store.read_blocking(|view| view.at_time(time)).unwrap().map(|cursor| cursor.event)
}

/// The moments at, before and after each of these events.
fn around(log: &[(u64, Event)], events: impl Iterator<Item = usize>) -> Vec<Timestamp> {
    let walls = events.map(|index| log[index].1.at.wall.as_millis());
    let mut times: Vec<u64> = walls.flat_map(|wall| [wall - 1, wall, wall + 1]).chain([0, u64::MAX]).collect();
    times.dedup();
    times.into_iter().map(Timestamp::from_millis).collect()
}

#[test]
fn a_place_is_found_by_its_time() {
    for length in [1, 2, 3, 4, 7, 64, 100] {
        let desk = Desk::open(&with_events(length)).unwrap();
        let (log, _) = events(&desk.store, desk.store.cursor(0), usize::MAX).unwrap();
        assert_eq!(log.len() as u64, length);
        for time in around(&log, 0..log.len()) {
            assert_eq!(found(&desk.store, time), scanned(&log, time), "{time} among {length} events");
        }
        desk.close().unwrap();
    }
    let desk = Desk::open(&FaultyDisk::blank()).unwrap();
    assert_eq!(found(&desk.store, NOON), Some(0), "an empty log has one place");
    desk.close().unwrap();
}

#[test]
fn a_time_that_may_have_been_removed_has_no_place() {
    let desk = Desk::open(&with_events(EVENTS_KEPT + 2 * EVENTS_PRUNED_AT_ONCE)).unwrap();
    desk.order(&open(1, 1));
    let (first, last) = ends(&desk.store);
    assert!(first > 1);
    let (log, _) = events(&desk.store, desk.store.cursor(first - 1), usize::MAX).unwrap();
    assert_eq!(log.last().unwrap().0, last);
    let mut random = storebox_tests::Random::new(1);
    let somewhere: Vec<usize> = (0..40).map(|_| random.below(log.len() as u64) as usize).collect();
    let indexes = (0..10).chain(somewhere).chain(log.len() - 10..log.len());
    let times = around(&log, indexes);
    for time in &times {
        assert_eq!(found(&desk.store, *time), scanned(&log, *time), "{time}");
    }
    assert!(times.iter().any(|time| scanned(&log, *time).is_none()));
    desk.close().unwrap();
}

#[test]
fn an_event_that_cannot_be_read_hides_no_other() {
    let intact = with_events(40);
    let desk = Desk::open(&intact.twin()).unwrap();
    let (log, _) = events(&desk.store, desk.store.cursor(0), usize::MAX).unwrap();
    desk.close().unwrap();
    for damaged in 1..=40 {
        let disk = intact.twin();
        with_database(&disk, |database: &Database| {
            let transaction = database.begin_write().unwrap();
            transaction.open_table(EVENTS).unwrap().insert(damaged, [0xff].as_slice()).unwrap();
            transaction.commit().unwrap();
        })
        .unwrap();
        let desk = Desk::open(&disk).unwrap();
        for time in around(&log, 0..log.len()) {
            let (found, scanned) = (found(&desk.store, time).unwrap(), scanned(&log, time).unwrap());
            assert!(found <= scanned, "event {damaged} damaged: {time} is at {found}, and {scanned} is missed");
        }
        desk.close().unwrap();
    }
}
