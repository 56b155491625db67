//! Reports: totals that are counted with every sale, and the end of the business day (L12).

use std::collections::BTreeMap;

use redb::{ReadableTable, ReadableTableMetadata};
use storebox_core::command::{Actor, Outcome, Rejection};
use storebox_core::entry::Versioned;
use storebox_core::order::{Order, Recorded};
use storebox_core::people::Permission;
use storebox_core::record::{decode, encode};
use storebox_core::report::{
    CloseDay, Command, DayClose, DayState, Dimension, DrawerMovement, PackedTotals, Period, Total, close_day, count,
    move_cash,
};
use storebox_core::text::Name;
use storebox_core::time::Hlc;

use super::{Decided, Ledger};
use crate::store::error::StoreError;
use crate::store::tables::{DAY_CLOSES, ITEM_DAYS, META_PACKED, META_PERIOD, SINCE_CLOSE, TOTALS};
use crate::store::totals::{day_state, parts};

/// What the commands of one transaction add to totals: each is read and written once, however many sales add to it.
pub(super) type Totals = BTreeMap<(u32, u8, Name), Total>;

impl Ledger<'_> {
    /// Counts what was sold, taken and given back.
    pub(super) fn count_sale(
        &mut self,
        recorded: &Recorded,
        before: Option<&Order>,
        after: &Order,
    ) -> Result<(), StoreError> {
        let (day, hour) = (self.calendar.day(recorded.at.wall), self.calendar.hour(recorded.at.wall));
        for row in count(recorded, before, after, hour) {
            if Dimension::CLOSED.contains(&row.dimension) {
                let since_close = (SINCE_CLOSE, row.dimension as u8, row.key.clone());
                self.totals.entry(since_close).or_default().add(&row.total);
            }
            self.totals.entry((day.0, row.dimension as u8, row.key)).or_default().add(&row.total);
        }
        Ok(())
    }

    /// Writes what was counted.
    pub(super) fn write_totals(&mut self) -> Result<(), StoreError> {
        if self.totals.is_empty() {
            return Ok(());
        }
        let days = self.totals.keys().map(|(day, ..)| *day);
        if let Some(today) = days.filter(|day| *day != SINCE_CLOSE).max() {
            self.pack_a_day_before(today)?;
        }
        let mut table = self.transaction.open_table(TOTALS)?;
        for ((day, dimension, key), more) in std::mem::take(&mut self.totals) {
            let place = (day, dimension, key.as_str());
            let kept = table.get(place)?.map(|bytes| decode::<Total>(bytes.value()));
            let mut total = match kept {
                None => Total::default(),
                Some(Ok(total)) => total,
                Some(Err(error)) => {
                    // What it held is lost; the orders still say it.
                    log::error!(day, dimension; "a total cannot be read and begins anew: {error}");
                    Total::default()
                }
            };
            total.add(&more);
            table.insert(place, encode(&total)?.as_slice())?;
        }
        Ok(())
    }

    /// Packs what was sold by item on the oldest day that is over and not packed yet. One at a time: a store that has
    /// never packed any catches up without keeping a till waiting.
    fn pack_a_day_before(&mut self, today: u32) -> Result<(), StoreError> {
        let first =
            self.meta.get(META_PACKED)?.and_then(|bytes| Some(u32::from_le_bytes(bytes.value().try_into().ok()?)));
        let mut table = self.transaction.open_table(TOTALS)?;
        let first = table.range((first.unwrap_or_default(), 0, "")..)?.next().transpose()?;
        let Some(day) = first.map(|(place, _)| place.value().0).filter(|day| *day < today) else { return Ok(()) };
        let items = parts(&table, day, Dimension::Item)?;
        if !items.is_empty() {
            let packed = encode(&PackedTotals(items))?;
            self.transaction.open_table(ITEM_DAYS)?.insert(day, packed.as_slice())?;
            let by = Dimension::Item as u8;
            table.retain_in((day, by, "")..(day, by.saturating_add(1), ""), |_, _| false)?;
        }
        self.meta.insert(META_PACKED, day.saturating_add(1).to_le_bytes().as_slice())?;
        Ok(())
    }

    /// Ends the business day, or moves cash.
    pub(super) fn close_day(&mut self, command: &Command, actor: Option<&Actor>, at: Hlc) -> Decided {
        // There is no drawer where nobody is.
        let Some(actor) = actor else { return Ok(Err(Rejection::NotAllowed(Permission::Reports))) };
        match command {
            Command::CloseDay(wish) => self.end_day(wish, actor, at),
            Command::MoveCash(movement) => self.move_cash(movement, actor, at),
        }
    }

    fn end_day(&mut self, wish: &CloseDay, actor: &Actor, at: Hlc) -> Decided {
        if let Some(existing) = self.latest::<DayClose>(wish.id.to_bytes())? {
            return Ok(Err(Rejection::EntryExists { existing: Box::new(existing.into_entry()) }));
        }
        // Sales of this very transaction belong to the day that ends.
        self.write_totals()?;
        let mut state: DayState = day_state(&self.transaction.open_table(TOTALS)?)?;
        state.period = self.period()?;
        state.open_orders = self.open_orders.len()?;
        let day = self.calendar.day(at.wall);
        let (close, next) = match close_day(wish, state, actor, day, at.wall) {
            Ok(decided) => decided,
            Err(rejection) => return Ok(Err(rejection)),
        };
        {
            let mut totals = self.transaction.open_table(TOTALS)?;
            totals.retain_in((SINCE_CLOSE, 0, "").., |_, _| false)?;
        }
        self.transaction.open_table(DAY_CLOSES)?.insert(close.number, close.id.to_bytes())?;
        self.keep_period(&next)?;
        self.keep(&close, "closed", Some(actor.device), at)?;
        self.audit(Some(actor), "day.closed", &close.number.to_string(), at)?;
        Ok(Ok(Outcome::Made(Box::new(close.into_entry()))))
    }

    fn move_cash(&mut self, movement: &DrawerMovement, actor: &Actor, at: Hlc) -> Decided {
        let next = match move_cash(movement, self.period()?, actor) {
            Ok(next) => next,
            Err(rejection) => return Ok(Err(rejection)),
        };
        let staff = actor.staff.map(|staff| staff.employee);
        let movement = DrawerMovement { at: at.wall, device: actor.device, staff, ..movement.clone() };
        self.keep_period(&next)?;
        self.keep(&movement, movement.kind.as_str(), Some(actor.device), at)?;
        self.audit(Some(actor), "drawer.moved", &movement.id.to_string(), at)?;
        Ok(Ok(Outcome::Made(Box::new(movement.into_entry()))))
    }

    fn period(&self) -> Result<Period, StoreError> {
        let bytes = self.meta.get(META_PERIOD)?;
        Ok(bytes.map(|bytes| decode(bytes.value())).transpose()?.unwrap_or_default())
    }

    fn keep_period(&mut self, period: &Period) -> Result<(), StoreError> {
        self.meta.insert(META_PERIOD, encode(period)?.as_slice())?;
        Ok(())
    }
}
