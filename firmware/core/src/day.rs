//! The business day: a calendar day of the store's own time zone, which may begin later than midnight.

use core::fmt;
use core::str::FromStr;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::text::Name;
use crate::time::Timestamp;

/// A business day, counted from 1970-01-01. A bar's night of the 6th ends on the 7th and still is the 6th.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Day(pub u32);

/// When business days begin and end.
#[derive(Clone, Debug)]
pub struct Calendar {
    zone: TimeZone,
    starts_at_h: u8,
}

impl Calendar {
    /// Days of a time zone (IANA name), which begin so many hours after midnight. An unknown zone counts as UTC.
    pub fn new(zone: &Name, starts_at_h: u8) -> Self {
        let zone = TimeZone::get(zone.as_str()).unwrap_or(TimeZone::UTC);
        Self { zone, starts_at_h }
    }

    /// Whether there is such a time zone.
    pub fn knows(zone: &str) -> bool {
        TimeZone::get(zone).is_ok()
    }

    /// The business day of a moment.
    pub fn day(&self, at: Timestamp) -> Day {
        let shifted = at.as_millis().saturating_sub(u64::from(self.starts_at_h) * 3_600_000);
        let date = self.local(Timestamp::from_millis(shifted)).date();
        let days = date.since(EPOCH).map_or(0, |span| span.get_days());
        Day(u32::try_from(days).unwrap_or(0))
    }

    /// The hour of the clock on the wall, 0 to 23.
    pub fn hour(&self, at: Timestamp) -> u8 {
        u8::try_from(self.local(at).hour()).unwrap_or(0)
    }

    /// The weekday of the calendar, 0 for Monday to 6 for Sunday, and the minute since midnight, both by the clock on
    /// the wall.
    pub fn weekday_and_minute(&self, at: Timestamp) -> (u8, u16) {
        let local = self.local(at);
        let weekday = u8::try_from(local.weekday().to_monday_zero_offset()).unwrap_or(0);
        let minute = i32::from(local.hour()) * 60 + i32::from(local.minute());
        (weekday, u16::try_from(minute).unwrap_or(0))
    }

    fn local(&self, at: Timestamp) -> jiff::Zoned {
        let moment = i64::try_from(at.as_millis()).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
        moment.unwrap_or_default().to_zoned(self.zone.clone())
    }
}

const EPOCH: Date = Date::constant(1970, 1, 1);

impl fmt::Display for Day {
    /// As `2026-01-31`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = EPOCH.checked_add(jiff::Span::new().days(self.0)).map_err(|_| fmt::Error)?;
        write!(f, "{date}")
    }
}

/// The text is no day like `2026-01-31`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotADay;

impl fmt::Display for NotADay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a day since 1970 like 2026-01-31")
    }
}

impl core::error::Error for NotADay {}

impl FromStr for Day {
    type Err = NotADay;

    fn from_str(text: &str) -> Result<Self, NotADay> {
        let date: Date = text.parse().map_err(|_| NotADay)?;
        let days = date.since(EPOCH).map_err(|_| NotADay)?.get_days();
        u32::try_from(days).map(Self).map_err(|_| NotADay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calendar(zone: &str, starts_at_h: u8) -> Calendar {
        assert!(Calendar::knows(zone));
        Calendar::new(&Name::new(zone.to_owned()).unwrap(), starts_at_h)
    }

    #[test]
    fn a_day_is_the_stores_own() {
        let late: Timestamp = "2026-01-31T23:30:00Z".parse().unwrap();
        assert_eq!(calendar("UTC", 0).day(late).to_string(), "2026-01-31");
        assert_eq!(calendar("Asia/Tokyo", 0).day(late).to_string(), "2026-02-01");
        assert_eq!(calendar("Asia/Tokyo", 0).hour(late), 8);
    }

    #[test]
    fn a_night_belongs_to_the_day_it_began_in() {
        let night: Timestamp = "2026-01-31T03:59:59Z".parse().unwrap();
        let morning: Timestamp = "2026-01-31T04:00:00Z".parse().unwrap();
        assert_eq!(calendar("UTC", 4).day(night).to_string(), "2026-01-30");
        assert_eq!(calendar("UTC", 4).day(morning).to_string(), "2026-01-31");
    }

    #[test]
    fn weekdays_and_minutes_are_those_of_the_wall() {
        let saturday: Timestamp = "2026-01-31T23:30:00Z".parse().unwrap();
        assert_eq!(calendar("UTC", 4).weekday_and_minute(saturday), (5, 1_410));
        assert_eq!(calendar("Asia/Tokyo", 4).weekday_and_minute(saturday), (6, 510));
    }

    #[test]
    fn days_are_read_as_they_are_shown() {
        let day: Day = "2026-01-31".parse().unwrap();
        assert_eq!(day.to_string(), "2026-01-31");
        assert_eq!("1969-12-31".parse::<Day>(), Err(NotADay));
        assert_eq!("soon".parse::<Day>(), Err(NotADay));
    }
}
