//! Reading totals, ends of days, and the drawer (L12).

use std::cmp::Ordering;

use redb::{ReadableTable, ReadableTableMetadata};
use storebox_core::day::Day;
use storebox_core::report::{DayClose, DayState, Dimension, PackedTotals, Part, Total, TotalRef};
use storebox_core::text::Name;

use super::error::StoreError;
use super::tables::{DAY_CLOSES, ITEM_DAYS, META_PERIOD, OPEN_ORDERS, SINCE_CLOSE, TOTALS};
use super::view::View;

impl View {
    /// The totals of business days by one dimension, added up by key.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub fn totals(&self, from: Day, to: Day, by: Dimension) -> Result<Vec<Part>, StoreError> {
        let table = self.transaction.open_table(TOTALS)?;
        let packed = self.transaction.open_table(ITEM_DAYS)?;
        let mut sums: Vec<Part> = Vec::new();
        let mut day = from;
        // A range over all the days would read every dimension of each. Every day with items has other totals, too.
        while day <= to && day.0 != SINCE_CLOSE {
            if by == Dimension::Item
                && let Some(bytes) = packed.get(day.0)?
            {
                let mut adding = Adding::new(&mut sums);
                if let Err(error) = PackedTotals::each(bytes.value(), |key, total| adding.add(key, total)) {
                    log::error!(day:% = day; "the totals of a day cannot be read: {error}");
                }
                adding.end();
            }
            let mut adding = Adding::new(&mut sums);
            each_part(&table, day.0, by, |key, total| adding.add(key, total))?;
            adding.end();
            let Some(next) = next_day(&table, day)? else { break };
            day = next;
        }
        Ok(sums)
    }

    /// The whole of every business day that has anything.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub fn totals_by_day(&self, from: Day, to: Day) -> Result<Vec<(Day, Total)>, StoreError> {
        let table = self.transaction.open_table(TOTALS)?;
        let mut days = Vec::new();
        let mut day = from;
        while day <= to && day.0 != SINCE_CLOSE {
            days.extend(parts(&table, day.0, Dimension::Whole)?.into_iter().map(|part| (day, part.total)));
            let Some(next) = next_day(&table, day)? else { break };
            day = next;
        }
        Ok(days)
    }

    /// What the end of the business day would hold now.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub fn running_day(&self) -> Result<DayState, StoreError> {
        let mut state = day_state(&self.transaction.open_table(TOTALS)?)?;
        state.period = self.meta(META_PERIOD)?.unwrap_or_default();
        state.open_orders = self.transaction.open_table(OPEN_ORDERS)?.len()?;
        Ok(state)
    }

    /// An end of a day by its number.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub fn day_close(&self, number: u32) -> Result<Option<DayClose>, StoreError> {
        match self.transaction.open_table(DAY_CLOSES)?.get(number)? {
            Some(id) => self.latest_entry(id.value()),
            None => Ok(None),
        }
    }

    /// Ends of days after a number, oldest first, and whether there are more.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub fn day_closes(&self, after: u32, limit: usize) -> Result<(Vec<DayClose>, bool), StoreError> {
        let table = self.transaction.open_table(DAY_CLOSES)?;
        let mut closes = Vec::new();
        for row in table.range(after.saturating_add(1)..)? {
            if closes.len() == limit {
                return Ok((closes, true));
            }
            closes.extend(self.latest_entry::<DayClose>(row?.1.value())?);
        }
        Ok((closes, false))
    }
}

/// Adds totals to sums; both come in the order of their keys. What a shop sold on a month's days is mostly the same every
/// day, so there is little that is new.
struct Adding<'s> {
    sums: &'s mut Vec<Part>,
    place: usize,
    news: Vec<Part>,
}

impl<'s> Adding<'s> {
    const fn new(sums: &'s mut Vec<Part>) -> Self {
        Self { sums, place: 0, news: Vec::new() }
    }

    fn add(&mut self, key: &str, total: TotalRef<'_>) {
        while let Some(sum) = self.sums.get_mut(self.place) {
            match sum.key.as_str().cmp(key) {
                Ordering::Less => self.place += 1,
                Ordering::Equal => return sum.total.add(total),
                Ordering::Greater => break,
            }
        }
        self.news.push(Part { key: Name::cut(key), total: total.into() });
    }

    fn end(mut self) {
        if !self.news.is_empty() {
            self.sums.append(&mut self.news);
            self.sums.sort_by(|one, other| one.key.as_str().cmp(other.key.as_str()));
        }
    }
}

/// Totals since the last end of a day, without what they do not say.
pub(super) fn day_state(
    table: &impl ReadableTable<(u32, u8, &'static str), &'static [u8]>,
) -> Result<DayState, StoreError> {
    let whole = parts(table, SINCE_CLOSE, Dimension::Whole)?;
    Ok(DayState {
        whole: whole.first().map(|part| part.total.sums).unwrap_or_default(),
        tenders: parts(table, SINCE_CLOSE, Dimension::Tender)?,
        taxes: parts(table, SINCE_CLOSE, Dimension::Tax)?,
        ..DayState::default()
    })
}

/// The totals of one day by one dimension.
pub(super) fn parts(
    table: &impl ReadableTable<(u32, u8, &'static str), &'static [u8]>,
    day: u32,
    by: Dimension,
) -> Result<Vec<Part>, StoreError> {
    let mut parts = Vec::new();
    each_part(table, day, by, |key, total| parts.push(Part { key: Name::cut(key), total: total.into() }))?;
    Ok(parts)
}

/// Takes the totals of one day by one dimension, in the order of their keys.
fn each_part(
    table: &impl ReadableTable<(u32, u8, &'static str), &'static [u8]>,
    day: u32,
    by: Dimension,
    mut take: impl FnMut(&str, TotalRef<'_>),
) -> Result<(), StoreError> {
    let number = by as u8;
    for row in table.range((day, number, "")..(day, number.saturating_add(1), ""))? {
        let (place, bytes) = row?;
        let (_, _, key) = place.value();
        match TotalRef::read(bytes.value()) {
            Ok(total) => take(key, total),
            Err(error) => log::error!("a total cannot be read: {error}"),
        }
    }
    Ok(())
}

/// The next business day that has anything.
fn next_day(
    table: &impl ReadableTable<(u32, u8, &'static str), &'static [u8]>,
    day: Day,
) -> Result<Option<Day>, StoreError> {
    let next = table.range((day.0.saturating_add(1), 0, "")..)?.next().transpose()?;
    Ok(next.map(|(place, _)| Day(place.value().0)))
}
