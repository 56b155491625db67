//! Time as it is handed in: wall time for people, a hybrid logical clock for order.

use core::fmt;
use core::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A moment in milliseconds since 1970-01-01T00:00:00Z.
///
/// Shown and read as RFC 3339 in UTC with milliseconds. The range ends with the year 9999, so that every
/// value can be shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// 1970, the time of a box whose clock was never set.
    pub const EPOCH: Self = Self(0);
    /// 9999-12-30T22:00:00Z, the last moment the calendar shows in every time zone.
    pub const MAX: Self = Self(253_402_207_200_000);

    /// The moment `millis` after 1970, held within the range.
    pub const fn from_millis(millis: u64) -> Self {
        if millis > Self::MAX.0 { Self::MAX } else { Self(millis) }
    }

    /// Milliseconds since 1970.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// This moment moved by `millis`, held within the range.
    pub const fn plus_millis(self, millis: u64) -> Self {
        Self::from_millis(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to this moment, zero if `earlier` is later.
    pub const fn millis_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = i64::try_from(self.0).ok().and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok());
        match shown {
            Some(shown) => write!(f, "{shown:.3}"),
            None => Err(fmt::Error),
        }
    }
}

impl FromStr for Timestamp {
    type Err = NotATime;

    /// Reads RFC 3339 with any offset; fractions beyond milliseconds are cut off.
    fn from_str(text: &str) -> Result<Self, NotATime> {
        let moment: jiff::Timestamp = text.parse().map_err(|_| NotATime)?;
        u64::try_from(moment.as_millisecond()).map(Self::from_millis).map_err(|_| NotATime)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { self.0.serialize(serializer) }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
        } else {
            u64::deserialize(deserializer).map(Self::from_millis)
        }
    }
}

/// The text is no moment since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotATime;

impl fmt::Display for NotATime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a time since 1970 like 2026-01-31T12:00:00Z (RFC 3339)")
    }
}

impl core::error::Error for NotATime {}

/// A hybrid logical clock reading: wall time that never goes back, and a counter within one millisecond.
///
/// After Kulkarni et al., "Logical Physical Clocks" (2014). Readings of one box strictly increase whatever its
/// wall clock does, so they order what happened; wall time is for people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Hlc {
    /// The largest wall time seen so far.
    pub wall: Timestamp,
    /// Counts readings that share `wall`.
    pub counter: u32,
}

impl Hlc {
    /// The next reading after this one, with the wall clock showing `wall`.
    #[must_use]
    pub fn tick(self, wall: Timestamp) -> Self {
        if wall > self.wall {
            return Self { wall, counter: 0 };
        }
        match self.counter.checked_add(1) {
            Some(counter) => Self { wall: self.wall, counter },
            None => Self { wall: self.wall.plus_millis(1), counter: 0 },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_are_shown_and_read_as_rfc_3339() {
        let moment = Timestamp::from_millis(1_769_860_800_123);
        assert_eq!(moment.to_string(), "2026-01-31T12:00:00.123Z");
        assert_eq!("2026-01-31T13:00:00.1239+01:00".parse(), Ok(moment));
        assert_eq!("1969-12-31T23:59:59Z".parse::<Timestamp>(), Err(NotATime));
        assert_eq!("yesterday".parse::<Timestamp>(), Err(NotATime));
    }

    #[test]
    fn the_whole_range_can_be_shown() {
        assert_eq!(Timestamp::from_millis(u64::MAX).to_string(), "9999-12-30T22:00:00.000Z");
        assert_eq!(Timestamp::EPOCH.to_string(), "1970-01-01T00:00:00.000Z");
    }

    proptest! {
        /// B11: a wall clock that jumps anywhere never makes the order of events go back.
        #[test]
        fn readings_strictly_increase(walls in proptest::collection::vec(0u64..10_000, 1..200)) {
            let mut clock = Hlc::default();
            for wall in walls {
                let next = clock.tick(Timestamp::from_millis(wall));
                prop_assert!(next > clock);
                prop_assert!(next.wall >= clock.wall);
                clock = next;
            }
        }
    }
}
