//! Power loss at every sync of a morning's work, and again while the store comes back.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::audit::hold;
use crate::desk::Desk;
use crate::disk::{FaultyDisk, Operation};
use crate::run::{Reference, Run, carry_out, judge};
use crate::script::{Step, morning};
use crate::{repeat, seeds, tables};

/// Threads that try one sync each.
const THREADS: usize = 2;

/// For how many syncs a disk lies: three commits, so that at least one was acknowledged.
const LIES: u64 = 6;

/// What the tests of this file share.
struct Scene {
    script: Vec<Step>,
    reference: Reference,
    /// Syncs of making the store, and of everything.
    making: u64,
    syncs: u64,
}

impl Scene {
    fn set() -> Self {
        let script = morning();
        let reference = Reference::of(&script);
        let disk = FaultyDisk::blank();
        Desk::open(&disk).unwrap().close().unwrap();
        let making = disk.count(Operation::Sync);
        let disk = FaultyDisk::blank();
        let run = carry_out(&disk, &script);
        assert!(run.answers.iter().all(Option::is_some), "the script is carried out when nothing goes wrong");
        Self { script, reference, making, syncs: disk.count(Operation::Sync) }
    }

    fn judge(&self, image: &FaultyDisk, run: &Run) -> Result<(), String> {
        judge(image, &self.script, run, &self.reference)
    }

    /// Loses power at one sync and again at each sync of coming back, and counts those.
    fn lose_power_at(&self, sync: u64, seed: u64) -> Result<u64, String> {
        let disk = FaultyDisk::blank();
        disk.crash_at_sync(sync);
        let run = carry_out(&disk, &self.script);
        let image = disk.crashed_image(seed);
        tables::opens_at_once(&image)?;
        let opened = image.twin();
        let desk = Desk::open(&opened).map_err(|error| format!("the store does not open: {error:?}"))?;
        let coming_back = opened.count(Operation::Sync);
        desk.close().map_err(|error| format!("the store ends badly: {error:?}"))?;
        for second in 1..=coming_back {
            let again = image.twin();
            again.crash_at_sync(second);
            hold(Desk::open(&again).is_err(), || format!("it opens in spite of a crash at sync {second}"))?;
            self.judge(&again.crashed_image(seed ^ second << 32), &run)
                .map_err(|broken| format!("and at sync {second} of {coming_back} of coming back: {broken}"))?;
        }
        self.judge(&image, &run)?;
        Ok(coming_back)
    }

    /// Loses power at a sync of a disk that for three commits has said to have synced what it had not.
    fn lie_until(&self, sync: u64, seed: u64) -> Result<(), String> {
        let disk = FaultyDisk::blank();
        disk.lie_from_sync(sync - LIES);
        disk.crash_at_sync(sync);
        let run = carry_out(&disk, &self.script);
        // Without its promises redb may run into its own assertions.
        let judged = catch_unwind(AssertUnwindSafe(|| self.judge(&disk.crashed_image(seed), &run)));
        judged.unwrap_or_else(|_| Err("redb panicked".to_owned()))
    }
}

/// Goes through the syncs on as many threads as there are cores in a small machine.
fn at_every_sync(syncs: impl Iterator<Item = u64> + Send, work: impl Fn(u64) + Sync) {
    let syncs = Mutex::new(syncs);
    let next = || syncs.lock().unwrap().next();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some(sync) = next() {
                    work(sync);
                }
            });
        }
    });
}

#[test]
fn b3_nothing_acknowledged_is_lost_at_any_sync() {
    let scene = Scene::set();
    assert!(scene.syncs > scene.making + 50, "{} syncs: the script is too short", scene.syncs - scene.making);
    let second_crashes = AtomicU64::new(0);
    at_every_sync(1..=scene.syncs, |sync| {
        for seed in seeds() {
            match scene.lose_power_at(sync, seed) {
                Ok(seconds) => second_crashes.fetch_add(seconds, Ordering::Relaxed),
                Err(broken) => panic!(
                    "power lost at sync {sync} of {}: {broken}\n{}",
                    scene.syncs,
                    repeat("crash::b3_nothing_acknowledged_is_lost_at_any_sync", seed)
                ),
            };
        }
    });
    assert!(second_crashes.into_inner() >= scene.syncs, "coming back syncs too, and was interrupted");
}

/// A proof that the test above can fail.
#[test]
fn a_disk_that_lies_about_syncs_is_found_out() {
    let scene = Scene::set();
    let missed = Mutex::new(Vec::new());
    at_every_sync((scene.making + LIES + 1..scene.syncs).step_by(7), |sync| {
        // Whatever the seeds of the other tests: six are enough to lose something.
        if (1..=6).all(|seed| scene.lie_until(sync, seed).is_ok()) {
            missed.lock().unwrap().push(sync);
        }
    });
    let missed = missed.into_inner().unwrap();
    assert!(missed.is_empty(), "the disk lied for {LIES} syncs before these, and nobody noticed: {missed:?}");
}
