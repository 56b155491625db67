//! Signs of life: the service manager hears from the box only while everything that sells is alive.
//!
//! A process that hangs on its disk still has a living runtime, and a runtime that hangs leaves a living disk. So
//! the writer and the listener check in, a probe writes and syncs a small file, and only if all three are recent
//! does `WATCHDOG=1` go out (sd_notify(3)).

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use storebox_core::limits::{CHECK_IN_S, PROBE_EVERY_S, PROBE_S, WATCHDOG_S};
use tokio::sync::watch;

use crate::clock::Clock;
use crate::store::Store;

/// How often the signs of life are looked at if the manager does not say how patient it is.
const LOOK_EVERY: Duration = Duration::from_secs(WATCHDOG_S / LOOKS as u64);
/// Looks within the manager's patience.
const LOOKS: u32 = 3;

/// Where a critical task shows that it is alive.
#[derive(Clone)]
pub struct CheckIn {
    clock: Arc<dyn Clock>,
    at_ms: Arc<AtomicU64>,
}

impl CheckIn {
    /// Starts as alive.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let this = Self { clock, at_ms: Arc::default() };
        this.now();
        this
    }

    /// Alive now.
    pub fn now(&self) {
        let now_ms = u64::try_from(self.clock.monotonic().as_millis()).unwrap_or(u64::MAX);
        self.at_ms.store(now_ms, Ordering::Relaxed);
    }

    /// How long it has been silent.
    pub fn silent_for(&self) -> Duration {
        self.clock.monotonic().saturating_sub(Duration::from_millis(self.at_ms.load(Ordering::Relaxed)))
    }
}

/// Looks at the signs of life and passes them on.
pub struct Watchdog {
    store: Store,
    listener: CheckIn,
    probe: CheckIn,
}

impl Watchdog {
    /// Watches a store and a listener, and probes the disk under `folder` from a thread of its own.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn start(store: Store, listener: CheckIn, clock: Arc<dyn Clock>, folder: PathBuf) -> io::Result<Self> {
        let probe = CheckIn::new(clock);
        let completed = probe.clone();
        thread::Builder::new().name("storage-probe".to_owned()).spawn(move || {
            loop {
                match sync_a_little(&folder) {
                    Ok(()) => completed.now(),
                    // A full disk answers, so it does not hang; what it means for writes is the store's to say.
                    Err(error) if error.kind() == io::ErrorKind::StorageFull => completed.now(),
                    Err(error) => log::error!("the disk does not sync: {error}"),
                }
                thread::park_timeout(Duration::from_secs(PROBE_EVERY_S));
            }
        })?;
        Ok(Self { store, listener, probe })
    }

    /// Feeds the service manager until `stopping` becomes true.
    pub async fn run(self, mut stopping: watch::Receiver<bool>) {
        let patience = sd_notify::watchdog_enabled().map(|patience| patience / LOOKS);
        let mut look = tokio::time::interval(patience.unwrap_or(LOOK_EVERY).min(LOOK_EVERY));
        loop {
            tokio::select! {
                _ = look.tick() => {}
                changed = stopping.changed() => match changed {
                    Ok(()) if !*stopping.borrow() => continue,
                    Ok(()) | Err(_) => return,
                },
            }
            match self.silent() {
                None => notify(sd_notify::NotifyState::Watchdog),
                Some((who, silence)) => {
                    log::error!(
                        "{who} has been silent for {} s; unless it comes back the box restarts",
                        silence.as_secs()
                    );
                }
            }
        }
    }

    fn silent(&self) -> Option<(&'static str, Duration)> {
        let check_in = Duration::from_secs(CHECK_IN_S);
        let probe = Duration::from_secs(PROBE_EVERY_S + PROBE_S);
        [
            ("the writer", self.store.silent_for(), check_in.max(Duration::from_secs(PROBE_S))),
            ("the listener", self.listener.silent_for(), check_in),
            ("the storage probe", self.probe.silent_for(), probe),
        ]
        .into_iter()
        .find(|(_, silence, limit)| silence > limit)
        .map(|(who, silence, _)| (who, silence))
    }
}

/// Tells the service manager, if there is one.
pub fn notify(state: sd_notify::NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        log::warn!("the service manager cannot be told: {error}");
    }
}

fn sync_a_little(folder: &std::path::Path) -> io::Result<()> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(folder.join("probe"))?;
    file.write_all_at(b"alive\n", 0)?;
    file.sync_data()
}
