//! Promotions: what is taken off, of what, and when.

use serde::{Deserialize, Serialize};

use super::object::{Item, within};
use crate::day::Calendar;
use crate::money::Money;
use crate::order::{Discount, Reduction};
use crate::text::Name;
use crate::time::Timestamp;

/// Minutes of a day.
pub const DAY_MIN: u16 = 24 * 60;

/// Something is cheaper for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Promotion {
    /// Names it.
    pub id: Name,
    /// Its name as printed.
    pub name: Name,
    /// What is taken off.
    pub offer: Offer,
    /// Of these items ...
    #[serde(default)]
    pub items: Vec<Name>,
    /// ... and of those in these categories.
    #[serde(default)]
    pub categories: Vec<Name>,
    /// From this moment on; always, if it is not said.
    #[serde(default)]
    pub from: Option<Timestamp>,
    /// Until just before this moment; for ever, if it is not said.
    #[serde(default)]
    pub until: Option<Timestamp>,
    /// On these days of the store; every day, if there are none.
    #[serde(default)]
    pub days: Vec<Weekday>,
    /// In these hours of the store; all day, if there are none.
    #[serde(default)]
    pub hours: Vec<Hours>,
    /// It holds at all.
    #[serde(default = "yes")]
    pub active: bool,
}

/// What a promotion takes off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Offer {
    /// Parts of the price.
    PercentOff {
        /// Parts per million: 25 % is 250 000.
        ppm: u32,
    },
    /// So much off the price of one, which does not go below nothing.
    AmountOff {
        /// How much.
        amount: Money,
    },
    /// Of every `of` pieces of a line, `free` cost nothing.
    FreePieces {
        /// How many cost nothing.
        free: u32,
        /// Of how many.
        of: u32,
    },
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Weekday {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

/// A window of the day, `[from, until)` in minutes since midnight. One that ends before it begins goes past midnight and
/// belongs to the day it began in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Hours {
    /// 17:30 is 1 050.
    pub from_min: u16,
    /// Midnight is 1 440.
    pub until_min: u16,
}

/// A moment as promotions look at it: by the store's clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    at: Timestamp,
    /// 0 is Monday.
    weekday: u8,
    minute: u16,
}

impl Moment {
    pub(super) fn new(at: Timestamp, calendar: &Calendar) -> Self {
        let (weekday, minute) = calendar.weekday_and_minute(at);
        Self { at, weekday, minute }
    }
}

impl Promotion {
    /// Whether it is about an item.
    pub(super) fn is_about(&self, item: &Item) -> bool {
        self.items.contains(&item.id) || item.category.as_ref().is_some_and(|id| self.categories.contains(id))
    }

    /// Whether it holds at a moment.
    pub(super) fn holds(&self, moment: Moment) -> bool {
        if !self.active || !within(self.from, self.until, moment.at) {
            return false;
        }
        if self.hours.is_empty() {
            return self.is_on(moment.weekday);
        }
        self.hours.iter().any(|hours| match hours.day_of(moment) {
            Some(weekday) => self.is_on(weekday),
            None => false,
        })
    }

    /// What it makes of a line.
    pub(super) fn discount(&self) -> Discount {
        let reduction = match self.offer {
            Offer::PercentOff { ppm } => Reduction::Share { ppm },
            Offer::AmountOff { amount } => Reduction::Amount(amount),
            Offer::FreePieces { free, of } => Reduction::Free { free, of },
        };
        Discount { promotion: self.id.clone(), name: self.name.clone(), reduction }
    }

    /// What it takes off one piece, so that promotions can be compared; of free pieces, each piece's part.
    pub(super) fn off_one(&self, price: Money) -> Money {
        let off = match self.offer {
            Offer::PercentOff { ppm } => price.share(ppm.min(1_000_000)),
            Offer::AmountOff { amount } => Some(amount.min(price)),
            Offer::FreePieces { free, of } => {
                let ppm = u64::from(free.min(of)) * 1_000_000;
                price.share(ppm.checked_div(u64::from(of)).and_then(|ppm| u32::try_from(ppm).ok()).unwrap_or(0))
            }
        };
        off.unwrap_or_default()
    }

    fn is_on(&self, weekday: u8) -> bool {
        self.days.is_empty() || self.days.iter().any(|day| *day as u8 == weekday)
    }
}

impl Hours {
    /// The weekday of the window's beginning if the moment lies in it.
    fn day_of(self, moment: Moment) -> Option<u8> {
        let Moment { weekday, minute, .. } = moment;
        if self.from_min <= self.until_min {
            (self.from_min..self.until_min).contains(&minute).then_some(weekday)
        } else if minute >= self.from_min {
            Some(weekday)
        } else {
            (minute < self.until_min).then_some((weekday + 6) % 7)
        }
    }
}

fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn happy_hour() -> Promotion {
        Promotion {
            id: Name::cut("happy"),
            name: Name::cut("Happy hour"),
            offer: Offer::PercentOff { ppm: 500_000 },
            items: Vec::new(),
            categories: vec![Name::cut("beer")],
            from: None,
            until: None,
            days: vec![Weekday::Fri],
            hours: vec![Hours { from_min: 22 * 60, until_min: 60 }, Hours { from_min: 17 * 60, until_min: 18 * 60 }],
            active: true,
        }
    }

    fn holds(promotion: &Promotion, at: &str) -> bool {
        let calendar = Calendar::new(&Name::cut("UTC"), 4);
        promotion.holds(Moment::new(at.parse().unwrap(), &calendar))
    }

    /// L4: windows begin with their first minute and end before their last; what goes past midnight belongs to the evening.
    #[test]
    fn l4_hours_are_half_open_and_may_go_past_midnight() {
        let promotion = happy_hour();
        for (at, expected) in [
            ("2026-01-30T16:59:59Z", false), // A Friday.
            ("2026-01-30T17:00:00Z", true),
            ("2026-01-30T17:59:59Z", true),
            ("2026-01-30T18:00:00Z", false),
            ("2026-01-30T22:00:00Z", true),
            ("2026-01-31T00:59:59Z", true),
            ("2026-01-31T01:00:00Z", false),
            ("2026-01-31T22:00:00Z", false),
            ("2026-01-30T00:30:00Z", false), // Thursday's night.
        ] {
            assert_eq!(holds(&promotion, at), expected, "{at}");
        }
    }

    #[test]
    fn l4_a_promotion_that_was_switched_off_or_is_over_does_not_hold() {
        let at = "2026-01-30T17:30:00Z";
        assert!(holds(&happy_hour(), at));
        assert!(!holds(&Promotion { active: false, ..happy_hour() }, at));
        let moment: Timestamp = at.parse().unwrap();
        assert!(!holds(&Promotion { until: Some(moment), ..happy_hour() }, at));
        assert!(holds(&Promotion { from: Some(moment), ..happy_hour() }, at));
    }
}
