//! Who typed a wrong PIN too often has to wait, longer each time (L10).

use core::time::Duration;

use crate::limits::{LOCK_OUT_FIRST_S, LOCK_OUT_MAX_S, WRONG_PINS};
use crate::throttle::Wait;

/// The wrong PINs of one person since the last right one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LockOut {
    wrong: u32,
    until: Duration,
}

impl LockOut {
    /// Whether a PIN may be tried at `now` (any clock that only goes forward).
    ///
    /// # Errors
    /// [`Wait`] says how long to wait.
    pub fn may_try(&self, now: Duration) -> Result<(), Wait> {
        match self.until.checked_sub(now) {
            Some(left) if left > Duration::ZERO => Err(Wait(left)),
            Some(_) | None => Ok(()),
        }
    }

    /// Counts a wrong PIN. Gives the wait that follows, if one does.
    pub fn wrong(&mut self, now: Duration) -> Option<Wait> {
        self.wrong = self.wrong.saturating_add(1);
        let beyond = self.wrong.checked_sub(WRONG_PINS)?;
        let doubled = 1u64.checked_shl(beyond).unwrap_or(u64::MAX);
        let wait = Duration::from_secs(LOCK_OUT_FIRST_S.saturating_mul(doubled).min(LOCK_OUT_MAX_S));
        self.until = now.saturating_add(wait);
        Some(Wait(wait))
    }

    /// When the person may try again; what waits least is forgotten first.
    pub const fn until(&self) -> Duration {
        self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn l10_the_fifth_wrong_pin_locks_out_and_waits_double() {
        let mut lock_out = LockOut::default();
        let mut now = Duration::from_secs(100);
        for _ in 1..WRONG_PINS {
            assert_eq!(lock_out.wrong(now), None);
            assert_eq!(lock_out.may_try(now), Ok(()));
        }
        let mut waits = Vec::new();
        for _ in 0..8 {
            let wait = lock_out.wrong(now).unwrap();
            assert_eq!(lock_out.may_try(now), Err(wait));
            now += wait.0;
            assert_eq!(lock_out.may_try(now), Ok(()));
            waits.push(wait.0.as_secs());
        }
        assert_eq!(waits, [30, 60, 120, 240, 480, 900, 900, 900]);
    }

    proptest! {
        /// However patient somebody is, a day holds few guesses.
        #[test]
        fn l10_a_day_holds_about_a_hundred_guesses(gaps in proptest::collection::vec(0u64..2_000, 0..2_000)) {
            let mut lock_out = LockOut::default();
            let (mut now, mut tried) = (Duration::ZERO, 0);
            for gap in gaps {
                now += Duration::from_secs(gap);
                if now.as_secs() <= 86_400 && lock_out.may_try(now).is_ok() {
                    tried += 1;
                    lock_out.wrong(now);
                }
            }
            prop_assert!(tried <= 10 + 86_400 / LOCK_OUT_MAX_S);
        }
    }
}
