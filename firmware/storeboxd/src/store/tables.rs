//! The tables of the store and the version of their layout.

use redb::{Key, ReadTransaction, Table, TableDefinition, TableError, Value, WriteTransaction};
use serde::{Deserialize, Serialize};
use storebox_core::id::StoreId;
use storebox_core::record::{Record, RecordError, v1};
use storebox_core::time::{Hlc, Timestamp};

/// An order's history: (order, version) → `Recorded`. Append-only.
pub type OrderChanges<'a> = Table<'a, ([u8; 16], u32), &'static [u8]>;

pub(super) const ORDER_CHANGES: TableDefinition<'_, ([u8; 16], u32), &[u8]> = TableDefinition::new("order_changes");
/// Orders that can still change. Everything else about them is in their history.
pub(super) const OPEN_ORDERS: TableDefinition<'_, [u8; 16], ()> = TableDefinition::new("open_orders");
/// A terminal's own name for an order → order.
pub(super) const CLIENT_IDS: TableDefinition<'_, &str, [u8; 16]> = TableDefinition::new("client_ids");
/// The log: number → `Event`. The oldest are removed.
pub(super) const EVENTS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("events");
/// (lane, number of the event) → `OutboxEntry`.
pub(super) const OUTBOX: TableDefinition<'_, (u8, u64), &[u8]> = TableDefinition::new("outbox");
/// Idempotency key and scope → `Remembered`.
pub(super) const REQUESTS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("requests");
/// Conflict → `RefusedWrite`.
pub(super) const REFUSED: TableDefinition<'_, [u8; 16], &[u8]> = TableDefinition::new("refused_writes");
/// Device → `Device`.
pub(super) const DEVICES: TableDefinition<'_, [u8; 16], &[u8]> = TableDefinition::new("devices");
/// (entity, id, version) → the entry's record.
pub(super) const ENTRIES: TableDefinition<'_, (u8, [u8; 16], u32), &[u8]> = TableDefinition::new("entries");
/// Card payments that somebody still has something to do about, be it only to wait.
pub(super) const OPEN_PAYMENTS: TableDefinition<'_, [u8; 16], ()> = TableDefinition::new("open_payments");
/// (business day, card) → what the card was charged while the cloud was away, in minor units.
pub(super) const CARD_DAYS: TableDefinition<'_, (u32, [u8; 32]), i64> = TableDefinition::new("card_days");
/// (kind, number) → `Account`.
pub(super) const ACCOUNTS: TableDefinition<'_, (u8, &str), &[u8]> = TableDefinition::new("accounts");
/// (business day, dimension, key) → `Total`; the day [`SINCE_CLOSE`] is what no end of a day holds yet. Kept for ever.
pub(super) const TOTALS: TableDefinition<'_, (u32, u8, &str), &[u8]> = TableDefinition::new("totals");
/// Business day → `PackedTotals` by item, once it is over. What is counted for it later is beside it in [`TOTALS`].
pub(super) const ITEM_DAYS: TableDefinition<'_, u32, &[u8]> = TableDefinition::new("item_days");
/// Number of the end of a day → its entry.
pub(super) const DAY_CLOSES: TableDefinition<'_, u32, [u8; 16]> = TableDefinition::new("day_closes");
/// Item → `Level`.
pub(super) const STOCK: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("stock");
/// (item, number among its movements) → movement. The oldest are removed.
pub(super) const STOCK_LOG: TableDefinition<'_, (&str, u64), [u8; 16]> = TableDefinition::new("stock_log");
/// Number of the event of a change that left an order over → (order, when in milliseconds since 1970).
pub(super) const ENDED_ORDERS: TableDefinition<'_, u64, ([u8; 16], u64)> = TableDefinition::new("ended_orders");
/// What an employee signs in with, in small letters → employee.
pub(super) const EMPLOYEE_LOGINS: TableDefinition<'_, &str, [u8; 16]> = TableDefinition::new("employee_logins");
/// (word in small letters, customer).
pub(super) const CUSTOMER_WORDS: TableDefinition<'_, (&str, [u8; 16]), ()> = TableDefinition::new("customer_words");
/// (moment it is listed under, in milliseconds since 1970, shift).
pub(super) const SHIFT_TIMES: TableDefinition<'_, (u64, [u8; 16]), ()> = TableDefinition::new("shift_times");
/// (employee, moment it is listed under, shift).
pub(super) const EMPLOYEE_SHIFTS: TableDefinition<'_, ([u8; 16], u64, [u8; 16]), ()> =
    TableDefinition::new("employee_shifts");
/// (employee, shift) of shifts that nobody clocked out of.
pub(super) const OPEN_SHIFTS: TableDefinition<'_, ([u8; 16], [u8; 16]), ()> = TableDefinition::new("open_shifts");
/// The audit log: number → `AuditEntry`. Append-only.
pub(super) const AUDIT: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("audit");
/// (order, ticket): the tickets of an order.
pub(super) const ORDER_TICKETS: TableDefinition<'_, ([u8; 16], [u8; 16]), ()> = TableDefinition::new("order_tickets");
/// (station, ticket): what a station has before it, oldest first.
pub(super) const OPEN_TICKETS: TableDefinition<'_, (&str, [u8; 16]), ()> = TableDefinition::new("open_tickets");
/// (business day, station) → `KitchenTimes`.
pub(super) const KITCHEN_TIMES: TableDefinition<'_, (u32, &str), &[u8]> = TableDefinition::new("kitchen_times");
/// Order → `Quarantined`.
pub(super) const QUARANTINE: TableDefinition<'_, [u8; 16], &[u8]> = TableDefinition::new("quarantine");
/// (kind, id) → `catalogue::Kept`, deletions among them.
pub(super) const CATALOGUE: TableDefinition<'_, (u8, &str), &[u8]> = TableDefinition::new("catalogue");
/// Single records by name: see the `META_` constants.
pub(super) const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");

pub(super) const META_SCHEMA: &str = "schema";
pub(super) const META_IDENTITY: &str = "identity";
pub(super) const META_COUNTERS: &str = "counters";
pub(super) const META_SETTINGS: &str = "settings";
pub(super) const META_CONNECTIVITY: &str = "connectivity";
/// The end of the audit log's chain.
pub(super) const META_AUDIT: &str = "audit_head";
pub(super) const META_CATALOGUE: &str = "catalogue";
/// What waits for the cloud, in minor units: an `i64`, little endian.
pub(super) const META_QUEUED: &str = "queued_payments";
pub(super) const META_FORCED: &str = "forced_offline";
pub(super) const META_PERIOD: &str = "period";
/// The first business day that is not in [`ITEM_DAYS`]: a `u32`, little endian.
pub(super) const META_PACKED: &str = "packed_days";
pub(super) const META_CLEANED_UP: &str = "cleaned_up";

/// Stands for the business day in [`TOTALS`] that has no date: everything since the last end of a day.
pub(super) const SINCE_CLOSE: u32 = u32::MAX;

/// The layout this program writes. A store with a higher number is not opened.
pub const SCHEMA: u32 = 1;

/// Makes one layout into the next, within the transaction that opens the store.
pub(super) type Migration = fn(&WriteTransaction) -> Result<(), super::StoreError>;

/// Steps from each older layout to the next: `MIGRATIONS[0]` makes layout 2 out of layout 1. A step that renames
/// or drops anything the previous release reads must wait for the release after it.
pub(super) const MIGRATIONS: [Migration; 0] = [];
const _: () = assert!(MIGRATIONS.len() + 1 == SCHEMA as usize, "every layout needs a step that leads to it");

/// Who this store is. Made once, with the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Names the store until the cloud does.
    pub store: StoreId,
    /// Names this file's log: cursors of another box or of a restored file are told apart by it.
    pub log: u32,
    /// When the file was made.
    pub made_at: Timestamp,
}

impl Record for Identity {
    const VERSION: u8 = 1;

    fn from_version(version: u8, body: &[u8]) -> Result<Self, RecordError> {
        v1(version, body)
    }
}

/// What the next change continues from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counters {
    /// Number of the last event; the first is 1.
    pub(super) last_event: u64,
    /// Serial of the last order number given out.
    pub(super) last_serial: u32,
    /// Last reading of the clock that orders everything.
    pub(super) clock: Hlc,
}

impl Record for Counters {
    const VERSION: u8 = 1;

    fn from_version(version: u8, body: &[u8]) -> Result<Self, RecordError> {
        v1(version, body)
    }
}

/// A record that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Quarantined {
    /// When it was noticed.
    pub(super) at: Timestamp,
    /// What is wrong with it.
    pub(super) reason: String,
}

impl Record for Quarantined {
    const VERSION: u8 = 1;

    fn from_version(version: u8, body: &[u8]) -> Result<Self, RecordError> {
        v1(version, body)
    }
}

/// Something done with every table.
pub(super) trait EveryTable {
    /// Does it with one.
    fn with<K: Key + 'static, V: Value + 'static>(
        &mut self,
        table: TableDefinition<'static, K, V>,
    ) -> Result<(), super::StoreError>;
}

/// Does something with every table there is.
pub(super) fn every_table(work: &mut impl EveryTable) -> Result<(), super::StoreError> {
    work.with(ORDER_CHANGES)?;
    work.with(OPEN_ORDERS)?;
    work.with(CLIENT_IDS)?;
    work.with(EVENTS)?;
    work.with(OUTBOX)?;
    work.with(REQUESTS)?;
    work.with(REFUSED)?;
    work.with(DEVICES)?;
    work.with(QUARANTINE)?;
    work.with(ENTRIES)?;
    work.with(OPEN_PAYMENTS)?;
    work.with(CARD_DAYS)?;
    work.with(ACCOUNTS)?;
    work.with(META)?;
    work.with(CATALOGUE)?;
    work.with(TOTALS)?;
    work.with(ITEM_DAYS)?;
    work.with(DAY_CLOSES)?;
    work.with(STOCK)?;
    work.with(STOCK_LOG)?;
    work.with(ENDED_ORDERS)?;
    work.with(EMPLOYEE_LOGINS)?;
    work.with(AUDIT)?;
    work.with(CUSTOMER_WORDS)?;
    work.with(SHIFT_TIMES)?;
    work.with(EMPLOYEE_SHIFTS)?;
    work.with(OPEN_SHIFTS)?;
    work.with(ORDER_TICKETS)?;
    work.with(OPEN_TICKETS)?;
    work.with(KITCHEN_TIMES)?;
    Ok(())
}

/// Makes every table, so that readers never meet a store without them.
pub(super) fn make_all(transaction: &WriteTransaction) -> Result<(), super::StoreError> {
    struct Make<'t>(&'t WriteTransaction);
    impl EveryTable for Make<'_> {
        fn with<K: Key + 'static, V: Value + 'static>(
            &mut self,
            table: TableDefinition<'static, K, V>,
        ) -> Result<(), super::StoreError> {
            self.0.open_table(table)?;
            Ok(())
        }
    }
    every_table(&mut Make(transaction))
}

/// Reads the layout's number; `None` if the file holds no store of ours.
pub(super) fn schema_of(transaction: &ReadTransaction) -> Result<Option<u32>, super::StoreError> {
    let table = match transaction.open_table(META) {
        Ok(table) => table,
        Err(TableError::TableDoesNotExist(_) | TableError::TableTypeMismatch { .. }) => return Ok(None),
        Err(other) => return Err(other.into()),
    };
    let schema = table.get(META_SCHEMA)?;
    Ok(schema.and_then(|bytes| Some(u32::from_le_bytes(bytes.value().try_into().ok()?))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use storebox_core::record::{decode, encode};

    /// Frozen like the records in `firmware/core/tests/frozen`: these bytes are read for ever.
    #[test]
    fn records_of_the_store_itself_are_read_for_ever() {
        let identity =
            Identity { store: StoreId::from_bytes([1; 16]), log: 0xbeef, made_at: Timestamp::from_millis(1_000) };
        let bytes = [&[1][..], &[1; 16], &[0xef, 0xfd, 0x02, 0xe8, 0x07]].concat();
        assert_eq!(encode(&identity), Ok(bytes.clone()));
        assert_eq!(decode(&bytes), Ok(identity));

        let clock = Hlc { wall: Timestamp::from_millis(1_000), counter: 5 };
        let counters = Counters { last_event: 300, last_serial: 7, clock };
        let bytes = vec![1, 0xac, 0x02, 7, 0xe8, 0x07, 5];
        assert_eq!(encode(&counters), Ok(bytes.clone()));
        assert_eq!(decode(&bytes), Ok(counters));

        let row = Quarantined { at: Timestamp::from_millis(1), reason: "x".to_owned() };
        let bytes = vec![1, 1, 1, b'x'];
        assert_eq!(encode(&row), Ok(bytes.clone()));
        assert_eq!(decode(&bytes), Ok(row));
    }
}
