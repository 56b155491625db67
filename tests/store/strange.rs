//! Files that are no store of ours, or no whole one: refused with a clear reason, and left as they are to the byte.

use redb::{Database, TableDefinition};
use storebox_tests::Random;
use storeboxd::store::{SCHEMA, StoreError};

use crate::audit::audit;
use crate::desk::Desk;
use crate::disk::FaultyDisk;
use crate::tables::{META, read, with_database};
use crate::wish::open;

/// Orders in the store that is damaged here.
const ORDERS: u32 = 20;

/// A store that sold something, closed or as a power loss leaves it.
fn sold(closed: bool) -> Vec<u8> {
    let disk = FaultyDisk::blank();
    let desk = Desk::open(&disk).unwrap();
    for n in 0..ORDERS {
        desk.order(&open(n, 3));
    }
    let bytes = disk.bytes();
    desk.close().unwrap();
    if closed { disk.bytes() } else { bytes }
}

/// The error that opening these bytes gives; they must be the same afterwards.
#[track_caller]
fn refused(what: &str, bytes: &[u8]) -> StoreError {
    let disk = FaultyDisk::holding(bytes.to_vec());
    match Desk::open(&disk) {
        Ok(_) => panic!("{what}: it was opened"),
        Err(error) => {
            assert!(disk.bytes() == bytes, "{what}: it was changed, though the answer was {error:?}");
            error
        }
    }
}

#[track_caller]
fn refused_as_foreign(what: &str, bytes: &[u8]) {
    let error = refused(what, bytes);
    assert!(matches!(error, StoreError::Foreign), "{what}: {error:?}");
}

/// Bytes that were damaged where redb keeps spares are opened with everything in them, or refused and left alone.
#[track_caller]
fn whole_or_refused(what: &str, bytes: Vec<u8>) -> bool {
    let disk = FaultyDisk::holding(bytes.clone());
    match Desk::open(&disk) {
        Ok(desk) => {
            desk.close().unwrap();
            let orders = audit(&read(&disk).unwrap()).unwrap();
            assert_eq!(orders.len(), ORDERS as usize, "{what}: it was opened without everything in it");
            true
        }
        Err(error) => {
            assert!(matches!(error, StoreError::Foreign), "{what}: {error:?}");
            assert!(disk.bytes() == bytes, "{what}: it was changed");
            false
        }
    }
}

/// The store with one of its single records replaced.
fn with_meta(name: &str, value: &[u8]) -> Vec<u8> {
    let disk = FaultyDisk::holding(sold(true));
    with_database(&disk, |database: &Database| {
        let transaction = database.begin_write().unwrap();
        transaction.open_table(META).unwrap().insert(name, value).unwrap();
        transaction.commit().unwrap();
    })
    .unwrap();
    disk.bytes()
}

#[test]
fn a_file_cut_short_is_refused() {
    let whole = sold(true);
    let near = [0, 1, 8, 9, 64, 319, 320, 511, 512, 4095, 4096, 4097, 8192];
    let spread = (1..40).map(|n| whole.len() * n / 40);
    let last = [4096, 512, 1].map(|less| whole.len() - less);
    for len in near.into_iter().chain(spread).chain(last) {
        refused_as_foreign(&format!("the first {len} of {} bytes", whole.len()), &whole[..len]);
    }
}

#[test]
fn a_file_cut_short_by_a_crash_is_whole_or_refused() {
    let found = sold(false);
    let refused = (0..60).filter(|n| {
        let len = found.len() * n / 60;
        !whole_or_refused(&format!("the first {len} of {} bytes", found.len()), found[..len].to_vec())
    });
    assert!(refused.count() > 0, "half a file is not a whole one");
}

#[test]
fn a_damaged_header_is_seen_through_or_refused() {
    let whole = sold(true);
    let opened = (0..320).filter(|at| {
        let mut damaged = whole.clone();
        damaged[*at] ^= 0xff;
        whole_or_refused(&format!("byte {at} turned over"), damaged)
    });
    assert!((1..320).contains(&opened.count()), "some bytes matter and some are spare");
}

/// redb believes its own pages, and panics over some that are damaged.
#[test]
fn a_damaged_page_is_no_panic() {
    let whole = sold(true);
    let mut random = Random::new(1);
    let mut refusals = 0;
    for page in whole.chunks(4096).enumerate().skip(1).map(|(page, _)| page * 4096) {
        let mut damaged = whole.clone();
        damaged[page..page + 4096].fill_with(|| random.number() as u8);
        let disk = FaultyDisk::holding(damaged.clone());
        match Desk::open(&disk) {
            // Left open: what becomes of it when the damage is met is not the question here.
            Ok(desk) => std::mem::forget(desk),
            Err(error) => {
                assert!(matches!(error, StoreError::Foreign), "the page at {page}: {error:?}");
                assert!(disk.bytes() == damaged, "the page at {page}: it was changed");
                refusals += 1;
            }
        }
    }
    assert!(refusals > 0, "some pages are needed to open the store at all");
}

#[test]
fn files_of_others_are_refused() {
    refused_as_foreign("zeros", &[0; 100_000]);
    refused_as_foreign("text", "id,name,price\n".repeat(1_000).as_bytes());
    let mut random = Random::new(1);
    let noise: Vec<u8> = (0..50_000).flat_map(|_| random.number().to_le_bytes()).collect();
    refused_as_foreign("noise", &noise);
    let header = sold(true)[..64].to_vec();
    refused_as_foreign("our header and noise", &[header, noise].concat());

    let other = FaultyDisk::holding(Vec::new());
    let made = with_database(&other, |database: &Database| {
        let transaction = database.begin_write().unwrap();
        transaction.open_table(TableDefinition::<u64, u64>::new("meta")).unwrap().insert(1, 1).unwrap();
        transaction.commit().unwrap();
    });
    made.unwrap();
    refused_as_foreign("another product's database with a table of the same name", &other.bytes());
    refused_as_foreign("a layout number of three bytes", &with_meta("schema", &[1, 0, 0]));
}

#[test]
fn a_newer_layout_is_refused() {
    for newer in [SCHEMA + 1, 77, u32::MAX] {
        let error = refused("a newer layout", &with_meta("schema", &newer.to_le_bytes()));
        assert!(matches!(error, StoreError::Newer { found, known: SCHEMA } if found == newer), "{error:?}");
    }
}

#[test]
fn a_store_without_what_everything_depends_on_is_refused() {
    for name in ["counters", "identity", "settings"] {
        for broken in [&[][..], &[1], &[9, 1, 1, 1], &[1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]] {
            let error = refused(name, &with_meta(name, broken));
            assert!(matches!(error, StoreError::Record(_)), "{name} {broken:?}: {error:?}");
        }
    }
}

#[test]
fn a_second_instance_is_refused() {
    let disk = FaultyDisk::blank();
    let first = Desk::open(&disk).unwrap();
    assert!(matches!(Desk::open(&disk), Err(StoreError::InUse)));
    first.order(&open(1, 1));
    first.close().unwrap();
    Desk::open(&disk).unwrap().close().unwrap();
}
