//! Reading what there is in stock (L9), and how much the store keeps of everything (U14).

use std::ops::Bound;

use redb::{ReadableTable, ReadableTableMetadata};
use storebox_core::entry::Entity;
use storebox_core::limits::CACHE_ROWS_COUNTED;
use storebox_core::record::decode;
use storebox_core::retention::Progress;
use storebox_core::stock::{Level, Movement};
use storebox_core::time::Timestamp;

use super::error::StoreError;
use super::tables::{
    ENDED_ORDERS, ENTRIES, EVENTS, META_CLEANED_UP, OPEN_ORDERS, OUTBOX, REQUESTS, STOCK, STOCK_LOG, TOTALS,
};
use super::view::View;

/// Which items are listed.
#[derive(Clone, Debug, Default)]
pub struct StockFilter {
    /// Those that moved at this time or later.
    pub since: Option<Timestamp>,
    /// Those of which there is little.
    pub low: bool,
    /// Those somebody should look at.
    pub review: bool,
}

/// How much of everything the store keeps.
#[derive(Clone, Copy, Debug, Default)]
pub struct Kept {
    /// Orders that can still change.
    pub open_orders: u64,
    /// Notes of orders that are over; an order that changed afterwards has several.
    pub ended_orders: u64,
    /// When the oldest of them ended.
    pub oldest_ended: Option<Timestamp>,
    /// Items of which stock is counted.
    pub items: u64,
    /// Entries of the log.
    pub events: u64,
    /// What has to be sent.
    pub outbox: u64,
    /// Remembered requests.
    pub requests: u64,
    /// Totals.
    pub totals: u64,
}

impl View {
    /// What there is of an item.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub fn level(&self, item: &str) -> Result<Option<Level>, StoreError> {
        let table = self.transaction.open_table(STOCK)?;
        let bytes = table.get(item)?;
        Ok(bytes.and_then(|bytes| readable(bytes.value())))
    }

    /// Items after one, by their ids, and whether there are more. At most `rows` are looked at.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub fn levels(
        &self,
        after: &str,
        filter: &StockFilter,
        limit: usize,
        rows: usize,
    ) -> Result<LevelPage, StoreError> {
        let table = self.transaction.open_table(STOCK)?;
        let mut page = LevelPage { levels: Vec::new(), last: after.to_owned(), more: false };
        for (index, row) in table.range::<&str>((Bound::Excluded(after), Bound::Unbounded))?.enumerate() {
            if page.levels.len() == limit || index == rows {
                page.more = true;
                break;
            }
            let (item, bytes) = row?;
            item.value().clone_into(&mut page.last);
            let Some(level) = readable::<Level>(bytes.value()) else { continue };
            let wanted = filter.since.is_none_or(|since| level.at >= since)
                && (!filter.low || level.is_low())
                && (!filter.review || level.review.is_some());
            if wanted {
                page.levels.push((item.value().to_owned(), level));
            }
        }
        Ok(page)
    }

    /// Movements of an item, newest first, before the one with a number.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub fn movements(&self, item: &str, before: u64, limit: usize) -> Result<Vec<(u64, Movement)>, StoreError> {
        let table = self.transaction.open_table(STOCK_LOG)?;
        let mut movements = Vec::new();
        for row in table.range((item, 0)..(item, before))?.rev().take(limit) {
            let (place, id) = row?;
            let movement = self.latest_entry::<Movement>(id.value())?;
            movements.extend(movement.map(|movement| (place.value().1, movement)));
        }
        Ok(movements)
    }

    /// How much of everything the store keeps.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub fn kept(&self) -> Result<Kept, StoreError> {
        let ended = self.transaction.open_table(ENDED_ORDERS)?;
        Ok(Kept {
            open_orders: self.transaction.open_table(OPEN_ORDERS)?.len()?,
            ended_orders: ended.len()?,
            oldest_ended: ended.first()?.map(|(_, row)| Timestamp::from_millis(row.value().1)),
            items: self.transaction.open_table(STOCK)?.len()?,
            events: self.transaction.open_table(EVENTS)?.len()?,
            outbox: self.transaction.open_table(OUTBOX)?.len()?,
            requests: self.transaction.open_table(REQUESTS)?.len()?,
            totals: self.transaction.open_table(TOTALS)?.len()?,
        })
    }

    /// Versions kept of all entries of a kind, counted up to [`CACHE_ROWS_COUNTED`].
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub fn versions_kept(&self, entity: Entity) -> Result<u64, StoreError> {
        let table = self.transaction.open_table(ENTRIES)?;
        let number = entity as u8;
        let rows = table.range((number, [0; 16], 0)..=(number, [0xff; 16], u32::MAX))?;
        Ok(rows.take(CACHE_ROWS_COUNTED).count() as u64)
    }

    /// How far cleaning up is.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub fn cleaned_up(&self) -> Result<Progress, StoreError> {
        Ok(self.meta(META_CLEANED_UP)?.unwrap_or_default())
    }
}

/// Items, and where to go on.
#[derive(Clone, Debug)]
pub struct LevelPage {
    /// Item and level.
    pub levels: Vec<(String, Level)>,
    /// The last item looked at.
    pub last: String,
    /// Whether there are more.
    pub more: bool,
}

/// A record that is passed over, and reported, if it cannot be read.
fn readable<R: storebox_core::record::Record>(bytes: &[u8]) -> Option<R> {
    decode(bytes).inspect_err(|error| log::error!("a stock level cannot be read: {error}")).ok()
}
