//! The only place that reads time.

use std::time::{Duration, Instant, SystemTime};

use storebox_core::time::Timestamp;

/// Where the daemon gets its time from; tests bring their own.
pub trait Clock: Send + Sync + 'static {
    /// What the wall shows. It may jump either way.
    fn wall(&self) -> Timestamp;

    /// Time since some fixed moment; it only goes forward.
    fn monotonic(&self) -> Duration;
}

/// The machine's own clocks.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// Starts counting monotonic time.
    #[expect(clippy::disallowed_methods, reason = "this is where time is read")]
    pub fn start() -> Self {
        Self { started: Instant::now() }
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is where time is read")]
    fn wall(&self) -> Timestamp {
        // A clock before 1970 is as good as none.
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}
