//! PostgreSQL: many instances of the cloud, one state.
//!
//! Decisions are serializable (PostgreSQL's `SERIALIZABLE`), so that they come out as if one instance had made them one
//! after another. Where two came too close the server lets one of them fail, and that one is made again.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};
use serde::Serialize;
use serde::de::DeserializeOwned;
use storebox_core::id::StoreId;
use storebox_core::time::Timestamp;
use storebox_provisioning::identity::BoxId;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_postgres::types::{Json, ToSql, Type};
use tokio_postgres::{Error, IsolationLevel, Row};

use super::migrations::{self, is_conflict};
use super::pool::{Connection, Pool, Server};
use super::{DatabaseError, Key, SOME, Transaction};
use crate::clock;
use crate::fleet::{BoxRow, StoreRow};

/// How often a decision is made again before whoever asked is told to come later.
const ATTEMPTS: u32 = 16;
/// The longest pause before that, in milliseconds; the first one is of a millisecond.
const PAUSE_MS: u64 = 128;
/// How long an instance that starts waits for others to bring the tables to their release.
const MIGRATION: Duration = Duration::from_secs(60);

/// The database.
pub(super) struct Postgres(Pool);

impl Postgres {
    pub(super) async fn open(server: Server) -> Result<Self, DatabaseError> {
        let (pool, deadline) = (Pool::new(server), clock::after(MIGRATION));
        let mut connection = pool.take(deadline).await?;
        let migrated = timeout_at(deadline, async {
            connection.client.batch_execute("SET statement_timeout = 0").await.map_err(DatabaseError::Postgres)?;
            migrations::migrate(&mut connection.client).await
        });
        migrated.await.map_err(|_| DatabaseError::Slow)??;
        // The next one is made as they all are.
        drop(connection);
        Ok(Self(pool))
    }

    /// Has something decided, again and again if others come in between. Blocks.
    pub(super) fn transact<T>(
        &self,
        deadline: Instant,
        decide: &mut impl FnMut(&mut Transaction<'_>) -> Result<T, DatabaseError>,
    ) -> Result<T, DatabaseError> {
        self.attempts(deadline, IsolationLevel::Serializable, false, decide)
    }

    /// Reads as of one moment. Blocks.
    pub(super) fn look<T>(
        &self,
        deadline: Instant,
        see: &mut impl FnMut(&mut Transaction<'_>) -> Result<T, DatabaseError>,
    ) -> Result<T, DatabaseError> {
        self.attempts(deadline, IsolationLevel::RepeatableRead, true, see)
    }

    fn attempts<T>(
        &self,
        deadline: Instant,
        level: IsolationLevel,
        only_reads: bool,
        decide: &mut impl FnMut(&mut Transaction<'_>) -> Result<T, DatabaseError>,
    ) -> Result<T, DatabaseError> {
        let runtime = Handle::current();
        for attempt in 0..ATTEMPTS {
            let mut connection = runtime.block_on(self.0.take(deadline))?;
            let mut is_keeping = false;
            match attempt_once(&mut connection, (level, only_reads), deadline, decide, &mut is_keeping) {
                Ok(decided) => {
                    self.0.give_back(connection);
                    return Ok(decided);
                }
                Err(DatabaseError::Postgres(error)) if is_conflict(&error) => {
                    self.0.give_back(connection);
                    runtime.block_on(sleep(pause(attempt)));
                }
                // Nothing can have been kept of a connection that broke before.
                Err(DatabaseError::Postgres(error)) if !is_keeping && is_broken(&connection, &error) => self.0.clear(),
                Err(DatabaseError::Postgres(error)) => {
                    if !is_broken(&connection, &error) {
                        self.0.give_back(connection);
                    }
                    return Err(DatabaseError::Postgres(error));
                }
                // What the server still does for it ends with the connection.
                Err(error) => return Err(error),
            }
        }
        Err(DatabaseError::Contended)
    }
}

fn attempt_once<T>(
    connection: &mut Connection,
    (level, only_reads): (IsolationLevel, bool),
    deadline: Instant,
    decide: &mut impl FnMut(&mut Transaction<'_>) -> Result<T, DatabaseError>,
    is_keeping: &mut bool,
) -> Result<T, DatabaseError> {
    let begun = connection.client.build_transaction().isolation_level(level).read_only(only_reads).start();
    let session = Session { transaction: wait(deadline, begun)?, deadline };
    let decided = decide(&mut Transaction(super::Session::Postgres(&session)))?;
    *is_keeping = !only_reads;
    wait(deadline, session.transaction.commit())?;
    Ok(decided)
}

/// Waits for the server, but not for ever.
fn wait<T>(deadline: Instant, answer: impl Future<Output = Result<T, Error>>) -> Result<T, DatabaseError> {
    let answer = Handle::current().block_on(timeout_at(deadline, answer));
    answer.map_err(|_| DatabaseError::Slow)?.map_err(DatabaseError::Postgres)
}

/// Whether the connection is gone, or goes: a server that is being stopped says so first.
fn is_broken(connection: &Connection, error: &Error) -> bool {
    // Class 57: an operator intervened.
    connection.client.is_closed()
        || error.is_closed()
        || error.code().is_some_and(|code| code.code().starts_with("57P"))
}

/// Ever longer, and by chance, so that those who met do not meet again.
fn pause(attempt: u32) -> Duration {
    let mut byte = [0];
    // Without random bytes they may meet again, a bounded number of times.
    let _left_at_zero = SystemRandom::new().fill(&mut byte);
    let longest = 1_u64.checked_shl(attempt).unwrap_or(PAUSE_MS).min(PAUSE_MS);
    Duration::from_micros(longest * 1_000 * (u64::from(byte[0]) + 128) / 384)
}

/// One transaction.
pub(super) struct Session<'c> {
    transaction: tokio_postgres::Transaction<'c>,
    deadline: Instant,
}

impl Session<'_> {
    pub(super) fn get<V: DeserializeOwned>(&self, key: Key<'_>) -> Result<Option<V>, DatabaseError> {
        let (statement, name) = match key {
            Key::Claim(token) => ("SELECT body FROM claims WHERE id = $1", hex(token)),
            Key::Store(id) => ("SELECT body FROM stores WHERE id = $1::uuid", id.to_string()),
            Key::Device(id) => ("SELECT body FROM devices WHERE id = $1", id.to_string()),
            Key::Authority => ("SELECT body FROM settings WHERE id = $1", "authority".to_owned()),
            Key::Watch => ("SELECT body FROM settings WHERE id = $1", "watch".to_owned()),
            Key::Alert(id) => ("SELECT body FROM alerts WHERE id = $1", id.to_owned()),
        };
        let row = wait(self.deadline, self.transaction.query_typed_opt(statement, &[(&name, Type::TEXT)]))?;
        row.map(|row| body(&row, 0)).transpose()
    }

    pub(super) fn put(&self, key: Key<'_>, row: &(impl Serialize + fmt::Debug + Sync)) -> Result<(), DatabaseError> {
        let (table, name) = match key {
            Key::Claim(token) => ("claims (id, body) VALUES ($1", hex(token)),
            Key::Store(id) => ("stores (id, body) VALUES ($1::uuid", id.to_string()),
            Key::Device(id) => ("devices (id, body) VALUES ($1", id.to_string()),
            Key::Authority => ("settings (id, body) VALUES ($1", "authority".to_owned()),
            Key::Watch => ("settings (id, body) VALUES ($1", "watch".to_owned()),
            Key::Alert(id) => ("alerts (id, body) VALUES ($1", id.to_owned()),
        };
        let statement = format!("INSERT INTO {table}, $2) ON CONFLICT (id) DO UPDATE SET body = excluded.body");
        let body = Json(row);
        let values: [(&(dyn ToSql + Sync), Type); 2] = [(&name, Type::TEXT), (&body, Type::JSONB)];
        wait(self.deadline, self.transaction.execute_typed(&statement, &values))?;
        Ok(())
    }

    pub(super) fn remove_alert(&self, id: &str) -> Result<(), DatabaseError> {
        let values: [(&(dyn ToSql + Sync), Type); 1] = [(&id, Type::TEXT)];
        wait(self.deadline, self.transaction.execute_typed("DELETE FROM alerts WHERE id = $1", &values))?;
        Ok(())
    }

    pub(super) fn silent(&self, before: Timestamp) -> Result<Vec<BoxId>, DatabaseError> {
        let silent = "SELECT devices.id FROM devices JOIN stores ON stores.id = (devices.body->>'store')::uuid
            WHERE (devices.body->>'seenAt') COLLATE \"C\" < $1 AND devices.body->>'lostAt' IS NULL
                AND devices.body->>'epoch' <> '0' AND devices.body->>'isRevoked' = 'false'
                AND stores.body->>'holder' = devices.id
            ORDER BY (devices.body->>'seenAt') COLLATE \"C\" LIMIT";
        self.names(silent, before)
    }

    pub(super) fn due_alerts(&self, by: Timestamp) -> Result<Vec<String>, DatabaseError> {
        let due = "SELECT id FROM alerts WHERE (body->>'nextAt') COLLATE \"C\" <= $1
            ORDER BY (body->>'nextAt') COLLATE \"C\" LIMIT";
        self.names(due, by)
    }

    /// The first column of some rows that a moment chooses. Moments as text are in order, until the year 9999.
    fn names<K: FromStr>(&self, statement: &str, at: Timestamp) -> Result<Vec<K>, DatabaseError> {
        let (statement, at) = (format!("{statement} {SOME}"), at.to_string());
        let rows = wait(self.deadline, self.transaction.query_typed(&statement, &[(&at, Type::TEXT)]))?;
        let mut names = Vec::new();
        for row in rows {
            let name: &str = row.try_get(0).map_err(DatabaseError::Postgres)?;
            names.extend(name.parse::<K>());
        }
        Ok(names)
    }

    pub(super) fn devices(&self) -> Result<Vec<(BoxId, BoxRow)>, DatabaseError> {
        self.all("SELECT id, body FROM devices ORDER BY id")
    }

    pub(super) fn stores(&self) -> Result<Vec<(StoreId, StoreRow)>, DatabaseError> {
        self.all("SELECT id::text, body FROM stores ORDER BY id")
    }

    fn all<K: FromStr, V: DeserializeOwned>(&self, statement: &str) -> Result<Vec<(K, V)>, DatabaseError> {
        let mut rows = Vec::new();
        for row in wait(self.deadline, self.transaction.query_typed(statement, &[]))? {
            let name: &str = row.try_get(0).map_err(DatabaseError::Postgres)?;
            let Ok(id) = name.parse() else { continue };
            rows.push((id, body(&row, 1)?));
        }
        Ok(rows)
    }
}

fn body<V: DeserializeOwned>(row: &Row, column: usize) -> Result<V, DatabaseError> {
    // As a value first: a document that is not what it should be is the row's fault and not the connection's.
    let Json(value): Json<serde_json::Value> = row.try_get(column).map_err(DatabaseError::Postgres)?;
    serde_json::from_value(value).map_err(DatabaseError::Row)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
