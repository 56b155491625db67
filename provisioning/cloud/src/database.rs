//! Where the cloud keeps what it knows: redb in a folder of its own, or PostgreSQL that many instances share.

mod embedded;
mod migrations;
mod pool;
mod postgres;

use std::fmt;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use storebox_core::id::StoreId;
use storebox_core::time::Timestamp;
use storebox_provisioning::identity::BoxId;
use tokio::sync::Semaphore;
use tokio::time::timeout_at;

pub use self::pool::Server;
use crate::clock;
use crate::fleet::alerts::{AlertRow, WatchRow};
use crate::fleet::{AuthorityRow, BoxRow, ClaimRow, Rows, StoreRow, TokenDigest};

/// How long a request waits for the database: for its turn, for a connection, and for every attempt together. A box gives
/// up a little later, and asks again.
const WAIT: Duration = Duration::from_secs(10);

/// Rows of a list that is worked off bit by bit: the rest comes with the next look.
const SOME: usize = 200;

/// The database of one cloud.
pub struct Database {
    engine: Engine,
    /// How many transactions may be under way; more wait their turn.
    turns: Semaphore,
}

enum Engine {
    Embedded(embedded::Embedded),
    Postgres(Box<postgres::Postgres>),
}

impl Database {
    /// Opens the embedded one, or makes it.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub fn embedded(file: &Path) -> Result<Self, DatabaseError> {
        // Its transactions come one after another.
        Ok(Self { engine: Engine::Embedded(embedded::Embedded::open(file)?), turns: Semaphore::new(1) })
    }

    /// Connects to PostgreSQL and brings its tables to this release.
    ///
    /// # Errors
    /// [`DatabaseError`]. Tables are as they were then.
    pub async fn postgres(server: Server) -> Result<Self, DatabaseError> {
        let turns = Semaphore::new(server.connections());
        Ok(Self { engine: Engine::Postgres(Box::new(postgres::Postgres::open(server).await?)), turns })
    }

    /// Has something decided in one transaction, which is durable when this returns. Transactions of every instance behave
    /// as if they came one after another, so a decision may be made more than once before one of them holds.
    ///
    /// # Errors
    /// [`DatabaseError`]. Nothing was changed then, unless the connection broke while the transaction was being kept:
    /// whoever asked does not know, and asks again.
    pub async fn transact<T>(
        &self,
        mut decide: impl FnMut(&mut Transaction<'_>) -> Result<T, DatabaseError>,
    ) -> Result<T, DatabaseError> {
        let deadline = clock::after(WAIT);
        let _turn = timeout_at(deadline, self.turns.acquire()).await.map_err(|_| DatabaseError::Slow)?;
        // It waits for others and for the disk.
        tokio::task::block_in_place(|| match &self.engine {
            Engine::Embedded(embedded) => embedded.transact(&mut decide),
            Engine::Postgres(postgres) => postgres.transact(deadline, &mut decide),
        })
    }

    /// Reads what was so at one moment. It holds nobody up.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn look<T>(
        &self,
        mut see: impl FnMut(&mut Transaction<'_>) -> Result<T, DatabaseError>,
    ) -> Result<T, DatabaseError> {
        let deadline = clock::after(WAIT);
        let _turn = timeout_at(deadline, self.turns.acquire()).await.map_err(|_| DatabaseError::Slow)?;
        tokio::task::block_in_place(|| match &self.engine {
            Engine::Embedded(embedded) => embedded.transact(&mut see),
            Engine::Postgres(postgres) => postgres.look(deadline, &mut see),
        })
    }
}

/// The rows of one transaction.
pub struct Transaction<'c>(Session<'c>);

enum Session<'c> {
    Embedded(&'c embedded::Session),
    Postgres(&'c postgres::Session<'c>),
}

/// What a row is found by.
#[derive(Clone, Copy, Debug)]
enum Key<'k> {
    Claim(&'k TokenDigest),
    Store(StoreId),
    Device(BoxId),
    Authority,
    Watch,
    Alert(&'k str),
}

impl Transaction<'_> {
    fn get<V: DeserializeOwned>(&self, key: Key<'_>) -> Result<Option<V>, DatabaseError> {
        match &self.0 {
            Session::Embedded(session) => session.get(key),
            Session::Postgres(session) => session.get(key),
        }
    }

    fn put(&self, key: Key<'_>, row: &(impl Serialize + fmt::Debug + Sync)) -> Result<(), DatabaseError> {
        match &self.0 {
            Session::Embedded(session) => session.put(key, row),
            Session::Postgres(session) => session.put(key, row),
        }
    }
}

impl Rows for Transaction<'_> {
    type Error = DatabaseError;

    fn claim(&mut self, token: &TokenDigest) -> Result<Option<ClaimRow>, DatabaseError> {
        self.get(Key::Claim(token))
    }

    fn put_claim(&mut self, token: &TokenDigest, row: &ClaimRow) -> Result<(), DatabaseError> {
        self.put(Key::Claim(token), row)
    }

    fn store(&mut self, id: StoreId) -> Result<Option<StoreRow>, DatabaseError> {
        self.get(Key::Store(id))
    }

    fn put_store(&mut self, id: StoreId, row: &StoreRow) -> Result<(), DatabaseError> {
        self.put(Key::Store(id), row)
    }

    fn device(&mut self, id: BoxId) -> Result<Option<BoxRow>, DatabaseError> {
        self.get(Key::Device(id))
    }

    fn put_device(&mut self, id: BoxId, row: &BoxRow) -> Result<(), DatabaseError> {
        self.put(Key::Device(id), row)
    }

    fn devices(&mut self) -> Result<Vec<(BoxId, BoxRow)>, DatabaseError> {
        match &self.0 {
            Session::Embedded(session) => session.devices(),
            Session::Postgres(session) => session.devices(),
        }
    }

    fn stores(&mut self) -> Result<Vec<(StoreId, StoreRow)>, DatabaseError> {
        match &self.0 {
            Session::Embedded(session) => session.stores(),
            Session::Postgres(session) => session.stores(),
        }
    }

    fn authority(&mut self) -> Result<Option<AuthorityRow>, DatabaseError> {
        self.get(Key::Authority)
    }

    fn put_authority(&mut self, row: &AuthorityRow) -> Result<(), DatabaseError> {
        self.put(Key::Authority, row)
    }

    fn watch(&mut self) -> Result<Option<WatchRow>, DatabaseError> {
        self.get(Key::Watch)
    }

    fn put_watch(&mut self, row: &WatchRow) -> Result<(), DatabaseError> {
        self.put(Key::Watch, row)
    }

    fn silent(&mut self, before: Timestamp) -> Result<Vec<BoxId>, DatabaseError> {
        match &self.0 {
            Session::Embedded(session) => session.silent(before),
            Session::Postgres(session) => session.silent(before),
        }
    }

    fn alert(&mut self, id: &str) -> Result<Option<AlertRow>, DatabaseError> {
        self.get(Key::Alert(id))
    }

    fn put_alert(&mut self, id: &str, row: &AlertRow) -> Result<(), DatabaseError> {
        self.put(Key::Alert(id), row)
    }

    fn remove_alert(&mut self, id: &str) -> Result<(), DatabaseError> {
        match &self.0 {
            Session::Embedded(session) => session.remove(Key::Alert(id)),
            Session::Postgres(session) => session.remove_alert(id),
        }
    }

    fn due_alerts(&mut self, by: Timestamp) -> Result<Vec<String>, DatabaseError> {
        match &self.0 {
            Session::Embedded(session) => session.due_alerts(by),
            Session::Postgres(session) => session.due_alerts(by),
        }
    }
}

/// The database failed.
#[derive(Debug)]
pub enum DatabaseError {
    /// The embedded one cannot be read or written.
    Redb(Box<redb::Error>),
    /// PostgreSQL refuses, or the connection broke.
    Postgres(tokio_postgres::Error),
    /// PostgreSQL does not answer.
    Away(tokio_postgres::Error),
    /// It took too long.
    Slow,
    /// Others came in between again and again.
    Contended,
    /// A newer release has brought its tables to a form that is not known here.
    Newer {
        /// The version of the tables.
        found: i32,
        /// The newest that is known here.
        known: i32,
    },
    /// A row does not decode.
    Row(serde_json::Error),
}

impl fmt::Display for DatabaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Redb(error) => write!(f, "the database failed: {error}"),
            Self::Postgres(error) => write!(f, "the database failed: {}", chain(error)),
            Self::Away(error) => write!(f, "the database is away: {}", chain(error)),
            Self::Slow => write!(f, "the database took more than {} s", WAIT.as_secs()),
            Self::Contended => f.write_str("too many asked the database for the same rows at once"),
            Self::Newer { found, known } => write!(
                f,
                "the database is of a newer release: its tables have version {found}, and this release knows up to \
                 {known}; install the newer one"
            ),
            Self::Row(error) => write!(f, "a row of the database does not decode: {error}"),
        }
    }
}

impl std::error::Error for DatabaseError {}

/// An error with what it comes from: PostgreSQL's own says next to nothing by itself.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
