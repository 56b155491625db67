//! redb: one process, one file.

use std::path::Path;

use redb::{Database as Redb, ReadableTable, TableDefinition, WriteTransaction};
use serde::Serialize;
use serde::de::DeserializeOwned;
use storebox_core::id::StoreId;
use storebox_core::time::Timestamp;
use storebox_provisioning::identity::BoxId;

use super::{DatabaseError, Key, SOME, Transaction};
use crate::fleet::alerts::{self, AlertRow};
use crate::fleet::{BoxRow, StoreRow};

type Table = TableDefinition<'static, &'static [u8], &'static [u8]>;

const CLAIMS: Table = TableDefinition::new("claims");
const STORES: Table = TableDefinition::new("stores");
const DEVICES: Table = TableDefinition::new("devices");
const SETTINGS: Table = TableDefinition::new("settings");
const ALERTS: Table = TableDefinition::new("alerts");

/// The database.
pub(super) struct Embedded(Redb);

impl Embedded {
    pub(super) fn open(file: &Path) -> Result<Self, DatabaseError> {
        let database = Redb::create(file).map_err(failed)?;
        let transaction = database.begin_write().map_err(failed)?;
        for table in [CLAIMS, STORES, DEVICES, SETTINGS, ALERTS] {
            transaction.open_table(table).map_err(failed)?;
        }
        transaction.commit().map_err(failed)?;
        Ok(Self(database))
    }

    pub(super) fn transact<T>(
        &self,
        decide: &mut impl FnMut(&mut Transaction<'_>) -> Result<T, DatabaseError>,
    ) -> Result<T, DatabaseError> {
        let session = Session(self.0.begin_write().map_err(failed)?);
        let decided = decide(&mut Transaction(super::Session::Embedded(&session)))?;
        session.0.commit().map_err(failed)?;
        Ok(decided)
    }
}

/// One transaction.
pub(super) struct Session(WriteTransaction);

impl Session {
    pub(super) fn get<V: DeserializeOwned>(&self, key: Key<'_>) -> Result<Option<V>, DatabaseError> {
        let table = self.0.open_table(table(key)).map_err(failed)?;
        let row = table.get(bytes(key).as_slice()).map_err(failed)?;
        row.map(|bytes| serde_json::from_slice(bytes.value()).map_err(DatabaseError::Row)).transpose()
    }

    pub(super) fn put(&self, key: Key<'_>, row: &impl Serialize) -> Result<(), DatabaseError> {
        let body = serde_json::to_vec(row).map_err(DatabaseError::Row)?;
        let mut table = self.0.open_table(table(key)).map_err(failed)?;
        table.insert(bytes(key).as_slice(), body.as_slice()).map_err(failed)?;
        Ok(())
    }

    pub(super) fn remove(&self, key: Key<'_>) -> Result<(), DatabaseError> {
        let mut table = self.0.open_table(table(key)).map_err(failed)?;
        table.remove(bytes(key).as_slice()).map_err(failed)?;
        Ok(())
    }

    pub(super) fn silent(&self, before: Timestamp) -> Result<Vec<BoxId>, DatabaseError> {
        let mut silent = Vec::new();
        for (id, row) in self.devices()? {
            if row.seen_at >= before || silent.len() >= SOME {
                continue;
            }
            let store: Option<StoreRow> = self.get(Key::Store(row.store))?;
            if store.is_some_and(|store| alerts::is_watched(id, &row, &store)) {
                silent.push(id);
            }
        }
        Ok(silent)
    }

    pub(super) fn due_alerts(&self, by: Timestamp) -> Result<Vec<String>, DatabaseError> {
        let alerts = self.all(ALERTS, |key| String::from_utf8(key.to_vec()).ok())?;
        let due = alerts.into_iter().filter(|(_, row): &(_, AlertRow)| row.next_at <= by);
        Ok(due.map(|(id, _)| id).take(SOME).collect())
    }

    pub(super) fn devices(&self) -> Result<Vec<(BoxId, BoxRow)>, DatabaseError> {
        self.all(DEVICES, |key| key.try_into().ok().map(BoxId::new))
    }

    pub(super) fn stores(&self) -> Result<Vec<(StoreId, StoreRow)>, DatabaseError> {
        self.all(STORES, |key| key.try_into().ok().map(StoreId::from_bytes))
    }

    fn all<K, V: DeserializeOwned>(
        &self,
        table: Table,
        name: impl Fn(&[u8]) -> Option<K>,
    ) -> Result<Vec<(K, V)>, DatabaseError> {
        let table = self.0.open_table(table).map_err(failed)?;
        let mut rows = Vec::new();
        for row in table.iter().map_err(failed)? {
            let (key, bytes) = row.map_err(failed)?;
            let Some(key) = name(key.value()) else { continue };
            rows.push((key, serde_json::from_slice(bytes.value()).map_err(DatabaseError::Row)?));
        }
        Ok(rows)
    }
}

fn table(key: Key<'_>) -> Table {
    match key {
        Key::Claim(_) => CLAIMS,
        Key::Store(_) => STORES,
        Key::Device(_) => DEVICES,
        Key::Authority | Key::Watch => SETTINGS,
        Key::Alert(_) => ALERTS,
    }
}

fn bytes(key: Key<'_>) -> Vec<u8> {
    match key {
        Key::Claim(token) => token.to_vec(),
        Key::Store(id) => id.to_bytes().to_vec(),
        Key::Device(id) => id.digest().to_vec(),
        Key::Authority => b"authority".to_vec(),
        Key::Watch => b"watch".to_vec(),
        Key::Alert(id) => id.as_bytes().to_vec(),
    }
}

fn failed(error: impl Into<redb::Error>) -> DatabaseError {
    DatabaseError::Redb(Box::new(error.into()))
}
