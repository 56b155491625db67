//! The cloud's clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use storebox_core::time::Timestamp;
use tokio::time::Instant;

/// The time.
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// The moment that comes after so long a wait, whatever happens to the wall clock.
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn after(wait: Duration) -> Instant {
    Instant::now() + wait
}
