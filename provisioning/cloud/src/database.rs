//! Where the cloud keeps what it knows: redb in a folder of its own.

use std::fmt;
use std::path::Path;

use redb::{Database as Redb, ReadableTable, TableDefinition, WriteTransaction};
use serde::Serialize;
use serde::de::DeserializeOwned;
use storebox_core::id::StoreId;
use storebox_provisioning::identity::BoxId;

use crate::fleet::{BoxRow, ClaimRow, Rows, StoreRow, TokenDigest};

const CLAIMS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("claims");
const STORES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("stores");
const DEVICES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("devices");

/// The database of one cloud.
pub struct Database(Redb);

impl Database {
    /// Opens it, or makes it.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub fn open(file: &Path) -> Result<Self, DatabaseError> {
        let database = Redb::create(file)?;
        let transaction = database.begin_write()?;
        for table in [CLAIMS, STORES, DEVICES] {
            transaction.open_table(table)?;
        }
        transaction.commit()?;
        Ok(Self(database))
    }

    /// Has something decided in one transaction, which is durable when this returns.
    ///
    /// # Errors
    /// [`DatabaseError`]; nothing was changed then.
    pub fn transact<T>(
        &self,
        decide: impl FnOnce(&mut Transaction) -> Result<T, DatabaseError>,
    ) -> Result<T, DatabaseError> {
        // It waits for others and for the disk.
        tokio::task::block_in_place(|| {
            let mut transaction = Transaction(self.0.begin_write()?);
            let decided = decide(&mut transaction)?;
            transaction.0.commit()?;
            Ok(decided)
        })
    }
}

/// The rows of one transaction.
pub struct Transaction(WriteTransaction);

impl Transaction {
    fn get<V: DeserializeOwned>(
        &self,
        table: TableDefinition<'_, &[u8], &[u8]>,
        key: &[u8],
    ) -> Result<Option<V>, DatabaseError> {
        let table = self.0.open_table(table)?;
        let row = table.get(key)?;
        row.map(|bytes| serde_json::from_slice(bytes.value()).map_err(DatabaseError::Row)).transpose()
    }

    fn put(
        &self,
        table: TableDefinition<'_, &[u8], &[u8]>,
        key: &[u8],
        row: &impl Serialize,
    ) -> Result<(), DatabaseError> {
        let bytes = serde_json::to_vec(row).map_err(DatabaseError::Row)?;
        self.0.open_table(table)?.insert(key, bytes.as_slice())?;
        Ok(())
    }
}

impl Rows for Transaction {
    type Error = DatabaseError;

    fn claim(&mut self, token: &TokenDigest) -> Result<Option<ClaimRow>, DatabaseError> {
        self.get(CLAIMS, token)
    }

    fn put_claim(&mut self, token: &TokenDigest, row: &ClaimRow) -> Result<(), DatabaseError> {
        self.put(CLAIMS, token, row)
    }

    fn store(&mut self, id: StoreId) -> Result<Option<StoreRow>, DatabaseError> {
        self.get(STORES, &id.to_bytes())
    }

    fn put_store(&mut self, id: StoreId, row: &StoreRow) -> Result<(), DatabaseError> {
        self.put(STORES, &id.to_bytes(), row)
    }

    fn device(&mut self, id: BoxId) -> Result<Option<BoxRow>, DatabaseError> {
        self.get(DEVICES, id.digest())
    }

    fn put_device(&mut self, id: BoxId, row: &BoxRow) -> Result<(), DatabaseError> {
        self.put(DEVICES, id.digest(), row)
    }

    fn devices(&mut self) -> Result<Vec<(BoxId, BoxRow)>, DatabaseError> {
        let table = self.0.open_table(DEVICES)?;
        let mut devices = Vec::new();
        for row in table.iter()? {
            let (key, bytes) = row?;
            let Ok(digest) = key.value().try_into() else { continue };
            let device = serde_json::from_slice(bytes.value()).map_err(DatabaseError::Row)?;
            devices.push((BoxId::new(digest), device));
        }
        Ok(devices)
    }
}

/// The database failed.
#[derive(Debug)]
pub enum DatabaseError {
    /// It cannot be read or written.
    Redb(Box<redb::Error>),
    /// A row does not decode.
    Row(serde_json::Error),
}

impl<E: Into<redb::Error>> From<E> for DatabaseError {
    fn from(error: E) -> Self {
        Self::Redb(Box::new(error.into()))
    }
}

impl fmt::Display for DatabaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Redb(error) => write!(f, "the database failed: {error}"),
            Self::Row(error) => write!(f, "a row of the database does not decode: {error}"),
        }
    }
}

impl std::error::Error for DatabaseError {}
