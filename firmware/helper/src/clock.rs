//! The only place that reads time.

use std::time::{Duration, Instant};

/// A moment by which something has to be over.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Instant);

impl Deadline {
    /// This long from now.
    #[expect(clippy::disallowed_methods, reason = "this is where time is read")]
    pub fn after(time: Duration) -> Self {
        Self(Instant::now() + time)
    }

    /// What is left until then; nothing once it is past.
    #[expect(clippy::disallowed_methods, reason = "this is where time is read")]
    pub fn left(self) -> Option<Duration> {
        self.0.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
    }
}

/// Waits before looking again at something that tells nobody when it changes.
#[expect(clippy::disallowed_methods, reason = "what is waited for is in sysfs, which cannot be waited on")]
pub fn pause(time: Duration) {
    std::thread::sleep(time);
}
