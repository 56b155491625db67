//! The only place where the command reads time or waits. Nothing it makes depends on what it reads here.

use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A moment to measure from.
#[expect(clippy::disallowed_methods, reason = "this is where time is read")]
pub fn monotonic() -> Instant {
    Instant::now()
}

/// Seconds since 1970, by this machine's clock; 0 when it stands before.
#[expect(clippy::disallowed_methods, reason = "this is where time is read")]
pub fn unix_s() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// Waits. The command has nothing else to do meanwhile, and an interrupt ends it as a whole.
#[expect(clippy::disallowed_methods, reason = "a thread of a command that ends by itself waits; nothing drains it")]
pub fn pause(how_long: Duration) {
    thread::sleep(how_long);
}
