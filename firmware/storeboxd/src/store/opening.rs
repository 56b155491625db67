//! Making, opening and checking the file.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use redb::{Builder, Database, ReadableDatabase};
use storebox_core::catalogue::Catalogue;
use storebox_core::id::StoreId;
use storebox_core::limits::STORE_CACHE_BYTES;
use storebox_core::record::encode;
use storebox_core::settings::Settings;

use super::error::StoreError;
use super::gate::Gate;
use super::medium::{Medium, Meter, Metered};
use super::tables::{
    self, Counters, Identity, META, META_COUNTERS, META_IDENTITY, META_SCHEMA, META_SETTINGS, MIGRATIONS, SCHEMA,
};
use super::view::View;
use crate::clock::Clock;
use crate::entropy;

/// Makes a new store beside where it will be, and puts it there when it is whole.
pub(super) fn make(
    medium: &dyn Medium,
    meter: &Arc<Meter>,
    clock: &dyn Clock,
    settings: &Settings,
) -> Result<(), StoreError> {
    let backend = Metered { backend: medium.create()?, meter: Arc::clone(meter) };
    let database = builder().create_with_backend(backend)?;
    let made_at = clock.wall();
    let identity = Identity {
        store: StoreId::new(made_at, entropy::for_id()),
        log: u32::from_le_bytes(entropy::random()),
        made_at,
    };
    let mut transaction = database.begin_write()?;
    transaction.set_quick_repair(true);
    tables::make_all(&transaction)?;
    {
        let mut meta = transaction.open_table(META)?;
        meta.insert(META_SCHEMA, SCHEMA.to_le_bytes().as_slice())?;
        meta.insert(META_IDENTITY, encode(&identity)?.as_slice())?;
        meta.insert(META_COUNTERS, encode(&Counters::default())?.as_slice())?;
        meta.insert(META_SETTINGS, encode(settings)?.as_slice())?;
    }
    transaction.commit()?;
    drop(database);
    // What fails while it is closed is told to nobody else.
    match meter.failure() {
        None => Ok(medium.adopt()?),
        Some(_) => Err(StoreError::Io(std::io::Error::other("the disk failed while the new store was closed"))),
    }
}

/// Opens the store that is there, and brings its layout up to today's. A file that is no store of ours, or of a newer
/// release, is not touched.
pub(super) fn open_database(medium: &dyn Medium, meter: &Arc<Meter>) -> Result<Database, StoreError> {
    let gate = Gate::closed(Metered { backend: medium.open()?, meter: Arc::clone(meter) })?;
    // redb takes its own structure on trust in places, and panics over a file that was cut short or damaged.
    let looking = AssertUnwindSafe(|| look_into(gate.clone()));
    let (database, found) = catch_unwind(looking).unwrap_or(Err(StoreError::Foreign))?;
    gate.open()?;
    migrate(&database, found)?;
    Ok(database)
}

/// Opens what is behind the gate, and reads what everything depends on.
fn look_into(gate: Gate) -> Result<(Database, u32), StoreError> {
    let database = builder().create_with_backend(gate).map_err(foreign)?;
    let found = schema_of(&database)?;
    load(&database)?;
    Ok((database, found))
}

pub(super) fn builder() -> Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(STORE_CACHE_BYTES);
    builder
}

/// Tells a file that is no store from a disk that fails.
fn foreign(error: redb::DatabaseError) -> StoreError {
    match &error {
        redb::DatabaseError::Storage(redb::StorageError::Corrupted(_)) => StoreError::Foreign,
        redb::DatabaseError::Storage(redb::StorageError::Io(io)) => match io.kind() {
            std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof => StoreError::Foreign,
            _ => error.into(),
        },
        _ => error.into(),
    }
}

/// The layout of a file, if it is a store of ours that this program knows.
fn schema_of(database: &Database) -> Result<u32, StoreError> {
    match tables::schema_of(&database.begin_read()?)? {
        Some(found @ 1..=SCHEMA) => Ok(found),
        Some(found) => Err(StoreError::Newer { found, known: SCHEMA }),
        None => Err(StoreError::Foreign),
    }
}

/// Brings an older layout up to today's, in one transaction.
fn migrate(database: &Database, found: u32) -> Result<(), StoreError> {
    if found == SCHEMA {
        return Ok(());
    }
    let mut transaction = database.begin_write()?;
    transaction.set_quick_repair(true);
    for step in MIGRATIONS.iter().skip(found as usize - 1) {
        step(&transaction)?;
    }
    transaction.open_table(META)?.insert(META_SCHEMA, SCHEMA.to_le_bytes().as_slice())?;
    log::info!("the store's layout went from {found} to {SCHEMA}");
    Ok(transaction.commit()?)
}

/// What the store continues from.
pub(super) fn load(database: &Database) -> Result<(Identity, Option<Settings>, Counters), StoreError> {
    let nobody = Identity { store: StoreId::from_bytes([0; 16]), log: 0, made_at: Default::default() };
    let view = View { transaction: database.begin_read()?, identity: nobody };
    let identity = view.meta(META_IDENTITY)?.ok_or(StoreError::Foreign)?;
    let counters = view.meta(META_COUNTERS)?.ok_or(StoreError::Foreign)?;
    Ok((identity, view.meta(META_SETTINGS)?, counters))
}

/// The catalogue as it was last committed, to be held in memory.
pub(super) fn load_catalogue(database: &Database) -> Result<Arc<Catalogue>, StoreError> {
    let nobody = Identity { store: StoreId::from_bytes([0; 16]), log: 0, made_at: Default::default() };
    let view = View { transaction: database.begin_read()?, identity: nobody };
    view.catalogue().map(Arc::new)
}
