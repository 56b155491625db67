//! The disk by itself: how often, and how fast, it makes 4 KiB durable.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::figures::quantile;
use crate::quiet::{Watch, ended_children_s};

/// The argument that makes this program the probe, in a process of its own so that it can be slowed as the box is.
pub(crate) const PROBE: &str = "--probe-medium";

/// A page of the store.
const PAGE: [u8; 4096] = [0x5a; 4096];
/// The file that is written over: larger than what a disk's controller merges, small enough to be quick to make.
const OVERWRITTEN_BYTES: u64 = 16 * 1024 * 1024;
/// Says to the shim by how much to slow a sync, in microseconds.
const DELAY: &str = "STOREBOX_SYNC_DELAY_US";

/// The disk as it is, or the same with slower syncs.
#[derive(Clone, Debug)]
pub(crate) struct Medium {
    /// The shim to load, and the delay it adds.
    slowed: Option<(PathBuf, Duration)>,
}

impl Medium {
    /// The disk as it is.
    pub(crate) const fn plain() -> Self {
        Self { slowed: None }
    }

    /// The disk with every sync slower by `delay`.
    pub(crate) const fn slowed(shim: PathBuf, delay: Duration) -> Self {
        Self { slowed: Some((shim, delay)) }
    }

    /// By how much each sync is slowed.
    pub(crate) fn delay(&self) -> Duration {
        self.slowed.as_ref().map_or(Duration::ZERO, |(_, delay)| *delay)
    }

    /// For people.
    pub(crate) fn name(&self) -> String {
        match &self.slowed {
            None => "disk".to_owned(),
            Some((_, delay)) => format!("disk + {} ms", delay.as_secs_f64() * 1_000.0),
        }
    }

    /// Starts a program on this medium.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        if let Some((shim, delay)) = &self.slowed {
            command.env("LD_PRELOAD", shim).env(DELAY, delay.as_micros().to_string());
        }
        command
    }

    /// Measures it in `folder`, each way of writing for `window`.
    pub(crate) fn measure(&self, folder: &Path, window: Duration) -> Raw {
        let program = std::env::current_exe().expect("a program knows where it is");
        let mut probe = self.command(&program);
        let (watch, before_s) = (Watch::begin(), ended_children_s());
        probe.arg(PROBE).arg(folder).arg(window.as_millis().to_string());
        let output = probe.stderr(Stdio::inherit()).output().expect("the probe starts");
        assert!(output.status.success(), "the probe of the disk failed: {}", output.status);
        let mut raw: Raw = serde_json::from_slice(&output.stdout).expect("the probe says what it found");
        raw.others_cores = watch.others_cores(ended_children_s() - before_s);
        let delay_us = self.delay().as_secs_f64() * 1e6;
        let slowest = raw.append.p50_us.min(raw.overwrite.p50_us);
        assert!(slowest >= delay_us, "syncs were to take {delay_us} µs longer and took {slowest} µs in all");
        raw
    }
}

/// What the disk does by itself.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Raw {
    /// Pages added at the end of a file, each synced: the file system notes the new length every time.
    pub(crate) append: Syncs,
    /// Pages written over others in a file that has all its blocks, each synced: the least a sync can cost.
    pub(crate) overwrite: Syncs,
    /// Processors others kept busy meanwhile.
    #[serde(skip)]
    pub(crate) others_cores: f64,
}

/// One way of writing.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Syncs {
    /// Pages made durable in a second.
    pub(crate) per_s: f64,
    /// The median `fdatasync`, in microseconds.
    pub(crate) p50_us: f64,
    /// One in a hundred takes longer, in microseconds.
    pub(crate) p99_us: f64,
}

/// The probe's own process: measures in `folder` and prints what it found.
pub(crate) fn probe(mut arguments: impl Iterator<Item = String>) {
    let folder = PathBuf::from(arguments.next().expect("the probe is told a folder"));
    let window_ms = arguments.next().and_then(|text| text.parse().ok()).expect("the probe is told a time");
    let window = Duration::from_millis(window_ms);
    let path = folder.join("raw");
    let raw = Raw { append: append(&path, window), overwrite: overwrite(&path, window), others_cores: 0.0 };
    fs::remove_file(&path).expect("the probe's file can be removed");
    println!("{}", serde_json::to_string(&raw).expect("figures are JSON"));
}

fn append(path: &Path, window: Duration) -> Syncs {
    let file = empty(path);
    syncs(&file, window, |number| number * PAGE.len() as u64)
}

fn overwrite(path: &Path, window: Duration) -> Syncs {
    let file = empty(path);
    // Written, not only reserved: a reserved block is still marked as written at its first use.
    for at in offsets() {
        file.write_all_at(&PAGE, at).expect("there is room");
    }
    file.sync_all().expect("the disk syncs");
    let pages = OVERWRITTEN_BYTES / PAGE.len() as u64;
    // A large odd step goes through all pages without following the disk's order.
    syncs(&file, window, |number| number.wrapping_mul(2_654_435_761) % pages * PAGE.len() as u64)
}

fn offsets() -> impl Iterator<Item = u64> {
    (0..OVERWRITTEN_BYTES).step_by(PAGE.len())
}

fn empty(path: &Path) -> File {
    let file = OpenOptions::new().write(true).create(true).truncate(true).open(path).expect("the probe's file");
    file.sync_all().expect("the disk syncs");
    file
}

fn syncs(file: &File, window: Duration, offset: impl Fn(u64) -> u64) -> Syncs {
    let mut took_ns = Vec::with_capacity(1 << 20);
    let begun = Instant::now();
    let mut elapsed = Duration::ZERO;
    // At least a few, however slow the disk is.
    while elapsed < window || took_ns.len() < 10 {
        file.write_all_at(&PAGE, offset(took_ns.len() as u64)).expect("there is room");
        let started = Instant::now();
        file.sync_data().expect("the disk syncs");
        took_ns.push(u32::try_from(started.elapsed().as_nanos()).unwrap_or(u32::MAX));
        elapsed = begun.elapsed();
    }
    let per_s = took_ns.len() as f64 / elapsed.as_secs_f64();
    took_ns.sort_unstable();
    Syncs { per_s, p50_us: quantile(&took_ns, 0.5) / 1e3, p99_us: quantile(&took_ns, 0.99) / 1e3 }
}
