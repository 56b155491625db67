//! One box under one load.

use std::path::Path;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::figures::quantile;
use crate::medium::Medium;
use crate::quiet::{Watch, own_s};
use crate::subject::{Counts, Memory, Subject};
use crate::till::{Till, Window, Work};

/// How long the load runs before it counts, unless the whole measurement is shorter.
const WARM_UP: Duration = Duration::from_secs(1);
/// More than the box needs to write what it still has, and no till waits so long.
const STRAGGLERS: Duration = Duration::from_secs(30);

/// Which box to measure, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case<'a> {
    /// The box's program.
    pub(crate) program: &'a Path,
    /// Whether it keeps what it acknowledges.
    pub(crate) keeps: bool,
    /// What its store lies on.
    pub(crate) medium: &'a Medium,
    /// Tills at once.
    pub(crate) connections: usize,
    /// How long to count.
    pub(crate) window: Duration,
}

/// What was found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    /// Orders acknowledged in a second.
    pub(crate) per_s: f64,
    /// Order sent to acknowledgement read, in microseconds: the median, one in a hundred, one in a thousand, all.
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) p999_us: f64,
    pub(crate) max_us: f64,
    /// Processor time of the box for one order, in microseconds.
    pub(crate) box_cpu_us: f64,
    /// Processors the box kept busy.
    pub(crate) box_cores: f64,
    /// Processors the tills kept busy; they have one thread, so one is all they can.
    pub(crate) till_cores: f64,
    /// Processors others kept busy meanwhile.
    pub(crate) others_cores: f64,
    /// Before anybody connected.
    pub(crate) idle: Memory,
    /// After the load, its connections still open.
    pub(crate) loaded: Memory,
    /// What the store did for it, from the box's own counters.
    pub(crate) store: Store,
    /// Orders acknowledged in all, each found in the box if it keeps them.
    pub(crate) acknowledged: u64,
}

/// The store's work; zeros for a box without one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Store {
    /// Syncs for one order.
    pub(crate) syncs: f64,
    /// Bytes written for one order.
    pub(crate) bytes: f64,
    /// Orders in one commit.
    pub(crate) batch: f64,
    /// Syncs of one commit.
    pub(crate) syncs_per_commit: f64,
    /// One commit, deciding included, in microseconds.
    pub(crate) commit_us: f64,
}

impl Case<'_> {
    /// Starts the box on an empty store in `folder`, loads it, and compares what it has with what it acknowledged.
    pub(crate) async fn measure(&self, folder: &Path) -> Measured {
        let mut subject = Subject::start(self.program, folder, self.medium).await;
        let mut tills = Vec::with_capacity(self.connections);
        for number in 0..self.connections {
            let terminal = subject.pair(&format!("Till {number}")).await;
            tills.push(Till::connect(&terminal, number as u64).await);
        }

        let counts = subject.counts().await;
        let (box_before_s, own_before_s) = (subject.cpu_s(), own_s());
        let watch = Watch::begin();
        let mut work = run(tills, self.window).await;
        let took_s = watch.took_s();
        let (box_s, tills_s) = (subject.cpu_s() - box_before_s, own_s() - own_before_s);
        let others_cores = watch.others_cores(box_s + tills_s);
        let loaded = subject.memory();
        let counts = subject.counts().await.since(&counts);
        self.check(&work, &counts);

        let idle = subject.idle;
        subject.end().await;
        work.ack_us.sort_unstable();
        let orders = work.acknowledged as f64;
        Measured {
            per_s: work.ack_us.len() as f64 / self.window.as_secs_f64(),
            p50_us: quantile(&work.ack_us, 0.5),
            p99_us: quantile(&work.ack_us, 0.99),
            p999_us: quantile(&work.ack_us, 0.999),
            max_us: quantile(&work.ack_us, 1.0),
            box_cpu_us: box_s * 1e6 / orders,
            box_cores: box_s / took_s,
            till_cores: tills_s / took_s,
            others_cores,
            idle,
            loaded,
            store: Store::of(&counts, orders),
            acknowledged: work.acknowledged,
        }
    }

    /// Fails the run unless the box holds exactly what it acknowledged, and syncs were as slow as they should be.
    fn check(&self, work: &Work, counts: &Counts) {
        assert!(!work.ack_us.is_empty(), "no order was acknowledged within the window: measure for longer");
        if !self.keeps {
            assert_eq!(counts.commits, 0, "the box that should keep nothing wrote: {counts:?}");
            assert_eq!(counts.open_orders, 0, "the box that should keep nothing has orders: {counts:?}");
            return;
        }
        let acknowledged = work.acknowledged;
        assert_eq!(counts.open_orders, acknowledged, "acknowledged and kept orders differ: {counts:?}");
        assert_eq!(counts.last_event, acknowledged, "acknowledged orders and events differ: {counts:?}");
        assert_eq!(counts.commands, acknowledged, "acknowledged orders and commands differ: {counts:?}");
        let least_us = self.medium.delay().as_secs_f64() * 1e6 * counts.syncs as f64;
        let commit_us = counts.commit_us as f64;
        assert!(commit_us >= least_us, "the box's syncs were not slowed: {commit_us} µs, not {least_us}");
    }
}

/// Lets every till work through the warm-up and the window, and waits for the last answers.
pub(crate) async fn run(tills: Vec<Till>, length: Duration) -> Work {
    let window = Window::after(WARM_UP.min(length), length);
    let mut working = JoinSet::new();
    for till in tills {
        working.spawn(till.work(window));
    }
    let all = async {
        let mut sum = Work::default();
        while let Some(one) = working.join_next().await {
            sum.add(one.unwrap_or_else(|err| panic!("a till failed: {err}")));
        }
        sum
    };
    let limit = WARM_UP + length + STRAGGLERS;
    tokio::time::timeout(limit, all).await.unwrap_or_else(|_| panic!("an order was not answered within {STRAGGLERS:?}"))
}

impl Store {
    fn of(counts: &Counts, orders: f64) -> Self {
        if counts.commits == 0 {
            return Self::default();
        }
        let (commits, syncs) = (counts.commits as f64, counts.syncs as f64);
        Self {
            syncs: syncs / orders,
            bytes: counts.bytes as f64 / orders,
            batch: orders / commits,
            syncs_per_commit: syncs / commits,
            commit_us: counts.commit_us as f64 / commits,
        }
    }
}
