//! The form of PostgreSQL's tables, release by release.

use tokio_postgres::{Client, Error};

use super::DatabaseError;

/// What brings the tables from one version to the next. What a release has had is never changed: another one is added.
const MIGRATIONS: [&str; 2] = [include_str!("migrations/0001.sql"), include_str!("migrations/0002.sql")];

/// Names the lock that instances which start at once take in turn: "storebox" in ASCII.
const LOCK: i64 = i64::from_be_bytes(*b"storebox");

/// Where the version stands: in a table of one row.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS schema (
        is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
        version integer NOT NULL
    );
    INSERT INTO schema (version) VALUES (0) ON CONFLICT DO NOTHING";

/// Brings the tables to this release, all of the way or not at all.
///
/// # Errors
/// [`DatabaseError`].
pub(super) async fn migrate(client: &mut Client) -> Result<(), DatabaseError> {
    let failed = DatabaseError::Postgres;
    let transaction = client.transaction().await.map_err(failed)?;
    // It goes with the transaction, even if this process ends.
    transaction.batch_execute(&format!("SELECT pg_advisory_xact_lock({LOCK})")).await.map_err(failed)?;
    transaction.batch_execute(SCHEMA).await.map_err(failed)?;
    let row = transaction.query_typed_one("SELECT version FROM schema", &[]).await.map_err(failed)?;
    let found: i32 = row.try_get(0).map_err(failed)?;
    let known = i32::try_from(MIGRATIONS.len()).unwrap_or(i32::MAX);
    if found > known {
        return Err(DatabaseError::Newer { found, known });
    }
    let done = usize::try_from(found).unwrap_or_default();
    for (version, migration) in (1..).zip(MIGRATIONS).skip(done) {
        let step = format!("{migration};\nUPDATE schema SET version = {version}");
        transaction.batch_execute(&step).await.map_err(failed)?;
        log::info!("the database's tables have version {version} now");
    }
    transaction.commit().await.map_err(failed)
}

/// Whether somebody else's transaction came in between, so that this one may be tried again.
pub(super) fn is_conflict(error: &Error) -> bool {
    use tokio_postgres::error::SqlState;
    error
        .code()
        .is_some_and(|code| [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED].contains(code))
}
