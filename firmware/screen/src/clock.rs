//! The only place that reads time.

use std::time::{Duration, Instant, SystemTime};

use storebox_core::time::Timestamp;

/// One moment by two clocks.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// What the wall shows. It may jump either way.
    pub wall: Timestamp,
    /// Time since the program started; it only goes forward.
    pub monotonic: Duration,
}

/// The machine's clocks.
pub struct Clock {
    started: Instant,
}

impl Clock {
    /// Starts counting monotonic time.
    #[expect(clippy::disallowed_methods, reason = "this is where time is read")]
    pub fn start() -> Self {
        Self { started: Instant::now() }
    }

    /// Now.
    #[expect(clippy::disallowed_methods, reason = "this is where time is read")]
    pub fn now(&self) -> Moment {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let wall = Timestamp::from_millis(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX));
        Moment { wall, monotonic: self.started.elapsed() }
    }
}
