//! Who has to wait, and for how long: the generic cell rate algorithm (ITU-T I.371), with time handed in.

use core::time::Duration;

/// How often something may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    interval: Duration,
    burst: u32,
}

impl Rate {
    /// `burst` at once after a pause, and one every `interval` for ever.
    pub const fn new(interval: Duration, burst: u32) -> Self {
        Self { interval, burst: if burst == 0 { 1 } else { burst } }
    }

    /// `burst` at once after a pause, and `per_s` every second for ever; at least one.
    pub fn per_second(per_s: u32, burst: u32) -> Self {
        Self::new(Duration::from_secs(1) / per_s.max(1), burst)
    }
}

/// Counts one party's requests against a [`Rate`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Throttle {
    /// When the party would have used up its past requests at the sustained rate.
    used_up_at: Duration,
}

impl Throttle {
    /// Counts one request at `now` (any clock that only goes forward).
    ///
    /// # Errors
    /// [`Wait`] says how long to wait; the request is not counted.
    pub fn admit(&mut self, now: Duration, rate: Rate) -> Result<(), Wait> {
        let next = self.used_up_at.max(now) + rate.interval;
        let allowance = rate.interval * rate.burst;
        match next.checked_sub(now + allowance) {
            Some(early) if early > Duration::ZERO => Err(Wait(early)),
            Some(_) | None => {
                self.used_up_at = next;
                Ok(())
            }
        }
    }

    /// Whether the party has been quiet long enough to be forgotten.
    pub fn is_idle(&self, now: Duration) -> bool {
        self.used_up_at <= now
    }
}

/// How long to wait before the next request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait(pub Duration);

impl Wait {
    /// Whole seconds for `Retry-After` (RFC 9110 §10.2.3), at least one.
    pub fn retry_after_s(self) -> u64 {
        self.0.as_secs() + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_burst_passes_then_the_rate_holds() {
        let rate = Rate::per_second(10, 3);
        let mut throttle = Throttle::default();
        let start = Duration::from_secs(100);
        for _ in 0..3 {
            assert_eq!(throttle.admit(start, rate), Ok(()));
        }
        assert_eq!(throttle.admit(start, rate), Err(Wait(Duration::from_millis(100))));
        assert_eq!(throttle.admit(start + Duration::from_millis(100), rate), Ok(()));
        assert!(!throttle.is_idle(start));
        assert!(throttle.is_idle(start + Duration::from_secs(1)));
    }

    proptest! {
        /// L14: over any span, no more pass than the burst and the rate allow.
        #[test]
        fn never_more_than_burst_and_rate(gaps in proptest::collection::vec(0u64..50, 1..500)) {
            let rate = Rate::per_second(100, 20);
            let mut throttle = Throttle::default();
            let mut now = Duration::ZERO;
            let mut passed = 0u128;
            for gap in gaps {
                now += Duration::from_millis(gap);
                passed += u128::from(throttle.admit(now, rate).is_ok());
            }
            prop_assert!(passed <= 20 + now.as_millis() / 10);
        }
    }
}
