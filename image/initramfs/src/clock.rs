//! The only place that reads time and waits.

#![allow(
    clippy::disallowed_methods,
    reason = "process 1 has one thread and nothing to drain; the rules of waiting take time as an argument"
)]

use std::time::{Duration, Instant};

/// The monotonic time.
pub fn now() -> Instant {
    Instant::now()
}

/// Lets the kernel work meanwhile.
pub fn wait(time: Duration) {
    std::thread::sleep(time);
}
