//! The store's file read without the store: its tables as another program would find them.

use std::collections::{BTreeMap, BTreeSet};

use redb::{Database, ReadableDatabase, ReadableTable, RepairSession, TableDefinition};
use serde::{Deserialize, Serialize};
use storebox_core::conflict::RefusedWrite;
use storebox_core::device::Device;
use storebox_core::entry::Entity;
use storebox_core::event::Event;
use storebox_core::id::{ConflictId, OrderId};
use storebox_core::idempotency::Remembered;
use storebox_core::kitchen::Ticket;
use storebox_core::order::Recorded;
use storebox_core::outbox::OutboxEntry;
use storebox_core::record::{Record, RecordError, decode, v1};
use storebox_core::time::Hlc;

use storeboxd::store::Medium;

use crate::disk::FaultyDisk;

type Bytes = &'static [u8];

pub(crate) const ORDER_CHANGES: TableDefinition<'_, ([u8; 16], u32), Bytes> = TableDefinition::new("order_changes");
pub(crate) const EVENTS: TableDefinition<'_, u64, Bytes> = TableDefinition::new("events");
pub(crate) const META: TableDefinition<'_, &str, Bytes> = TableDefinition::new("meta");
const OPEN_ORDERS: TableDefinition<'_, [u8; 16], ()> = TableDefinition::new("open_orders");
const CLIENT_IDS: TableDefinition<'_, &str, [u8; 16]> = TableDefinition::new("client_ids");
const OUTBOX: TableDefinition<'_, (u8, u64), Bytes> = TableDefinition::new("outbox");
pub(crate) const REQUESTS: TableDefinition<'_, Bytes, Bytes> = TableDefinition::new("requests");
const REFUSED: TableDefinition<'_, [u8; 16], Bytes> = TableDefinition::new("refused_writes");
const DEVICES: TableDefinition<'_, [u8; 16], Bytes> = TableDefinition::new("devices");
const ENTRIES: TableDefinition<'_, (u8, [u8; 16], u32), Bytes> = TableDefinition::new("entries");

/// Everything in the file.
#[derive(Debug)]
pub(crate) struct Tables {
    pub(crate) changes: BTreeMap<OrderId, BTreeMap<u32, Recorded>>,
    pub(crate) open_orders: BTreeSet<OrderId>,
    pub(crate) client_ids: BTreeMap<String, OrderId>,
    pub(crate) events: BTreeMap<u64, Event>,
    pub(crate) outbox: BTreeMap<(u8, u64), OutboxEntry>,
    pub(crate) requests: BTreeMap<Vec<u8>, Remembered>,
    pub(crate) refused: BTreeMap<ConflictId, RefusedWrite>,
    pub(crate) devices: Vec<Device>,
    /// By id and version.
    pub(crate) tickets: BTreeMap<([u8; 16], u32), Ticket>,
    pub(crate) counters: Counters,
}

/// The record the next change continues from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counters {
    pub(crate) last_event: u64,
    pub(crate) last_serial: u32,
    pub(crate) clock: Hlc,
}

impl Record for Counters {
    const VERSION: u8 = 1;

    fn from_version(version: u8, body: &[u8]) -> Result<Self, RecordError> {
        v1(version, body)
    }
}

/// Opens what is on the disk as a plain database, and closes it after `work`.
///
/// Fails if the file would have to be repaired: after any power loss the store is to open at once, however much it
/// holds.
pub(crate) fn with_database<T>(disk: &FaultyDisk, work: impl FnOnce(&Database) -> T) -> Result<T, redb::Error> {
    let mut builder = Database::builder();
    builder.set_repair_callback(RepairSession::abort);
    let database = builder.create_with_backend(disk.backend()?)?;
    Ok(work(&database))
}

/// Whether a copy of what is on the disk opens without being repaired.
pub(crate) fn opens_at_once(disk: &FaultyDisk) -> Result<(), String> {
    if disk.is_blank().map_err(|error| error.to_string())? {
        return Ok(());
    }
    with_database(&disk.twin(), |_| ()).map_err(|error| format!("the file does not open at once: {error}"))
}

/// Reads a copy of what is on the disk; the disk itself is left alone.
pub(crate) fn read(disk: &FaultyDisk) -> Result<Tables, String> {
    with_database(&disk.twin(), read_all)
        .map_err(|error| format!("the file does not open: {error}"))?
        .map_err(|error| format!("the file does not read: {error}"))
}

fn read_all(database: &Database) -> Result<Tables, Box<dyn std::error::Error>> {
    let transaction = database.begin_read()?;
    let mut changes: BTreeMap<OrderId, BTreeMap<u32, Recorded>> = BTreeMap::new();
    for row in transaction.open_table(ORDER_CHANGES)?.iter()? {
        let (key, value) = row?;
        let (id, version) = key.value();
        changes.entry(OrderId::from_bytes(id)).or_default().insert(version, decode(value.value())?);
    }
    let mut tables = Tables {
        changes,
        open_orders: BTreeSet::new(),
        client_ids: BTreeMap::new(),
        events: BTreeMap::new(),
        outbox: BTreeMap::new(),
        requests: BTreeMap::new(),
        refused: BTreeMap::new(),
        devices: Vec::new(),
        tickets: BTreeMap::new(),
        counters: Counters::default(),
    };
    for row in transaction.open_table(OPEN_ORDERS)?.iter()? {
        tables.open_orders.insert(OrderId::from_bytes(row?.0.value()));
    }
    for row in transaction.open_table(CLIENT_IDS)?.iter()? {
        let (key, value) = row?;
        tables.client_ids.insert(key.value().to_owned(), OrderId::from_bytes(value.value()));
    }
    for row in transaction.open_table(EVENTS)?.iter()? {
        let (key, value) = row?;
        tables.events.insert(key.value(), decode(value.value())?);
    }
    for row in transaction.open_table(OUTBOX)?.iter()? {
        let (key, value) = row?;
        tables.outbox.insert(key.value(), decode(value.value())?);
    }
    for row in transaction.open_table(REQUESTS)?.iter()? {
        let (key, value) = row?;
        tables.requests.insert(key.value().to_vec(), decode(value.value())?);
    }
    for row in transaction.open_table(REFUSED)?.iter()? {
        let (key, value) = row?;
        tables.refused.insert(ConflictId::from_bytes(key.value()), decode(value.value())?);
    }
    for row in transaction.open_table(DEVICES)?.iter()? {
        tables.devices.push(decode(row?.1.value())?);
    }
    for row in transaction.open_table(ENTRIES)?.iter()? {
        let (key, value) = row?;
        let (entity, id, version) = key.value();
        if entity == Entity::Ticket as u8 {
            tables.tickets.insert((id, version), decode(value.value())?);
        }
    }
    let meta = transaction.open_table(META)?;
    tables.counters = decode(meta.get("counters")?.ok_or("no counters")?.value())?;
    Ok(tables)
}
