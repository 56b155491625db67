//! The only place where the command reads time.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

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
