//! The store on a disk that loses power, tears writes, lies, fills up and fails.
//!
//! | file | what it holds |
//! |---|---|
//! | `disk.rs`, `image.rs` | the disk, and what is on it after the power went |
//! | `desk.rs`, `wish.rs` | a store opened on it, and the requests tests send |
//! | `script.rs`, `run.rs` | a morning's commands, and how they are carried out |
//! | `tables.rs`, `audit.rs` | the file read without the store, and what must hold in it |
//! | `crash.rs`, `faults.rs`, `full.rs` | power loss, failing and full disks |
//! | `catalogue.rs` | the catalogue in memory is the one in the file |
//! | `damage.rs`, `strange.rs` | rows that cannot be read, files that are no store |
//! | `payments.rs` | card payments on their way to the processor |
//! | `log.rs`, `lists.rs`, `counts.rs` | cursors and pruning, paging, what a commit costs |
//! | `retention.rs`, `space.rs` | what is removed when it is old, and the space it took |
//!
//! `STOREBOX_SEEDS` says how many seeds a test of random losses tries, and `STOREBOX_SEED` tries one only: a failure
//! prints it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and count small things"
)]

mod audit;
mod catalogue;
mod counts;
mod crash;
mod damage;
mod desk;
mod disk;
mod faults;
mod full;
mod image;
mod kitchen;
mod lists;
mod log;
mod payments;
mod retention;
mod run;
mod script;
mod space;
mod strange;
mod tables;
mod totals;
mod wish;

/// The seeds a test tries.
fn seeds() -> Vec<u64> {
    match std::env::var("STOREBOX_SEED") {
        Ok(seed) => vec![seed.parse().expect("STOREBOX_SEED is a number")],
        Err(_) => (1..=u64::from(storebox_tests::size("STOREBOX_SEEDS", 6))).collect(),
    }
}

/// The command that repeats what failed with a seed.
fn repeat(test: &str, seed: u64) -> String {
    format!("repeat with STOREBOX_SEED={seed} cargo test -p storebox-tests --test store {test} -- --exact")
}
