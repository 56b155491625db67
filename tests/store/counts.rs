//! What a commit costs: syncs and bytes, which are the same on every machine, beside the figures that are kept.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use crate::desk::Desk;
use crate::disk::{FaultyDisk, Operation};
use crate::wish::open;

const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/bench/counts.toml");
/// How to write the file anew.
const REWRITE: &str = "STOREBOX_REWRITE=1 cargo test -p storebox-tests --test store counts::";
/// How far bytes may be from what is kept, in percent. Syncs may not.
const TOLERANCE_PERCENT: u64 = 3;
/// Orders in the store before anything is counted, and commits that are counted.
const BEFORE: u32 = 2_000;
const COMMITS: u32 = 64;
const BATCH: u32 = 32;

/// Syncs and bytes of a commit.
#[derive(Clone, Copy)]
struct Cost {
    syncs: u64,
    bytes: u64,
}

/// A store in the middle of a day.
fn busy_store() -> (FaultyDisk, Desk) {
    let disk = FaultyDisk::blank();
    let desk = Desk::open(&disk).unwrap();
    let orders: Vec<_> = (0..BEFORE).map(|n| open(n, 3)).collect();
    for chunk in orders.chunks(BATCH as usize) {
        desk.wait(desk.send(chunk)).into_iter().for_each(|answer| drop(answer.unwrap()));
    }
    (disk, desk)
}

/// Orders that come one by one.
fn one_by_one() -> Vec<Cost> {
    let (disk, desk) = busy_store();
    let mut costs = Vec::new();
    for n in BEFORE..BEFORE + COMMITS {
        let (syncs, bytes, before) = (disk.count(Operation::Sync), disk.bytes_written(), desk.store.activity());
        desk.order(&open(n, 3));
        let cost = Cost { syncs: disk.count(Operation::Sync) - syncs, bytes: disk.bytes_written() - bytes };
        let after = desk.store.activity();
        assert_eq!(after.commits - before.commits, 1);
        assert_eq!(after.syncs - before.syncs, cost.syncs, "the store counts its own syncs");
        assert_eq!(after.bytes_written - before.bytes_written, cost.bytes, "the store counts its own bytes");
        costs.push(cost);
    }
    desk.close().unwrap();
    costs
}

/// Orders of which so many share a commit.
fn by_batches() -> Vec<Cost> {
    let (disk, desk) = busy_store();
    let mut costs = Vec::new();
    let mut next = BEFORE;
    for _ in 0..COMMITS {
        let orders: Vec<_> = (next..=next + BATCH).map(|n| open(n, 3)).collect();
        next += BATCH + 1;
        let (syncs, before) = (disk.count(Operation::Sync), desk.store.activity());
        // The first has a commit to itself, during which the others gather.
        for answer in desk.ask_together(&disk, &orders[0], &orders[1..]) {
            answer.unwrap();
        }
        let after = desk.store.activity();
        assert_eq!(after.commits - before.commits, 2, "the batch has one commit");
        assert_eq!(after.commands - before.commands, u64::from(BATCH) + 1);
        // The two sync alike, or the file grew in one of them.
        let last = disk.count(Operation::Sync);
        let of_the_first = (last - syncs) / 2;
        let bytes = disk.bytes_written() - disk.bytes_at_sync(syncs + of_the_first);
        costs.push(Cost { syncs: last - syncs - of_the_first, bytes });
    }
    desk.close().unwrap();
    costs
}

/// Syncs of a commit and bytes of an order; commits in which the file grew, which takes a sync more, left out.
fn usual(costs: &[Cost], batch: u32) -> (u64, u64) {
    let syncs = costs.iter().map(|cost| cost.syncs).min().unwrap();
    let usual: Vec<&Cost> = costs.iter().filter(|cost| cost.syncs == syncs).collect();
    assert!(usual.len() + 3 > costs.len(), "a file that doubles seldom grows");
    (syncs, usual.iter().map(|cost| cost.bytes).sum::<u64>() / (usual.len() as u64 * u64::from(batch)))
}

fn measured() -> BTreeMap<String, u64> {
    let mut figures = BTreeMap::new();
    for (costs, batch) in [(one_by_one(), 1), (by_batches(), BATCH)] {
        let (syncs, bytes) = usual(&costs, batch);
        figures.insert(format!("batch_{batch}_syncs_per_commit"), syncs);
        figures.insert(format!("batch_{batch}_bytes_per_order"), bytes);
    }
    figures
}

fn kept() -> BTreeMap<String, u64> {
    let text = std::fs::read_to_string(KEPT).unwrap_or_else(|error| panic!("{KEPT}: {error}; make it with {REWRITE}"));
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let figures = lines.map(|line| {
        let (name, figure) = line.split_once(" = ").unwrap_or_else(|| panic!("{KEPT}: not understood: {line}"));
        (name.to_owned(), figure.parse().unwrap_or_else(|_| panic!("{KEPT}: no number: {line}")))
    });
    figures.collect()
}

fn keep(figures: &BTreeMap<String, u64>) {
    let mut text = format!(
        "# What a commit of the store costs, orders of three lines, with {BEFORE} orders before.\n\
         # Compared by tests/store/counts.rs: syncs exactly, bytes within {TOLERANCE_PERCENT} %. Written by\n\
         # {REWRITE}\n\n"
    );
    for (name, figure) in figures {
        writeln!(text, "{name} = {figure}").unwrap();
    }
    std::fs::create_dir_all(Path::new(KEPT).parent().unwrap()).unwrap();
    std::fs::write(KEPT, text).unwrap();
}

#[test]
fn a_commit_costs_what_it_cost() {
    let measured = measured();
    if std::env::var("STOREBOX_REWRITE").is_ok_and(|value| value == "1") {
        keep(&measured);
    }
    let kept = kept();
    let is_near = |name: &String, figure: u64, kept: u64| {
        let tolerance = if name.contains("bytes") { kept * TOLERANCE_PERCENT / 100 } else { 0 };
        figure.abs_diff(kept) <= tolerance
    };
    let same_names = measured.keys().eq(kept.keys());
    let all_near = || measured.iter().all(|(name, figure)| is_near(name, *figure, kept[name]));
    assert!(same_names && all_near(), "measured {measured:#?}, kept {kept:#?}; if that is as it should be: {REWRITE}");
}
