//! The store of a single agent: one SQLite file in WAL mode.
//!
//! Every call runs on a thread that may block, so the runtime never waits for the disk.
//! Claims and records have a connection of their own, quick lookups another, and whoever
//! lists incidents or entries a third, so containment never queues behind a slow reader.

mod bundles;
mod consents;
mod counts;
mod outbox;
mod plans;
mod rows;
mod shadows;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use super::chain::Entry;
use super::{Adopted, Claim, Consent, Delivery, Incident, Ledger, LedgerError, PlanRecord, Record, Thread, Usage};
use crate::domain::account::AccountId;
use crate::domain::case::CaseRecord;
use crate::domain::plan::Step;
use crate::domain::resource::{Desired, Place};
use rows::SqliteError;

/// The schema of a new store.
const SCHEMA: &str = include_str!("schema.sql");

/// The version of the schema, kept in `user_version`. Versions 1 to 3 kept alerts as records of
/// cases, and are not read any more.
const SCHEMA_VERSION: u32 = 4;

/// How long a call waits while another process, such as `keepwatch undo`, writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection that one call at a time uses.
type Shared = Arc<Mutex<Connection>>;

/// The store in a file. Clones share it.
#[derive(Debug, Clone)]
pub struct Sqlite {
    writer: Shared,
    reader: Shared,
    scanner: Shared,
    writes: Arc<AtomicU64>,
}

impl Sqlite {
    /// Opens the store, and makes it when there is none, readable by its owner alone.
    ///
    /// # Errors
    /// When the file cannot be used, or another version of keepwatch or another program wrote it.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        let operation = "open";
        if path.exists() {
            examine(path)?; // before anything of somebody else's is changed
        }
        keep_private(path).map_err(|error| store(operation, error))?;
        let writer = connect(path, OpenFlags::default()).map_err(|error| error.at(operation))?;
        prepare(&writer).map_err(|error| error.at(operation))?;
        let read = || connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX);
        let reader = read().map_err(|error| error.at(operation))?;
        let scanner = read().map_err(|error| error.at(operation))?;
        Ok(Self::of(writer, reader, scanner))
    }

    /// Opens a store that exists already.
    ///
    /// # Errors
    /// When there is none, and as [`Self::open`].
    pub fn open_existing(path: &Path) -> Result<Self, LedgerError> {
        if path.exists() { Self::open(path) } else { Err(LedgerError::NoStore) }
    }

    /// Opens a store that exists for looking only; an agent may be using it.
    ///
    /// # Errors
    /// When there is none, it cannot be read, or another version of keepwatch wrote it.
    pub fn open_read_only(path: &Path) -> Result<Self, LedgerError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        if !path.exists() {
            return Err(LedgerError::NoStore);
        }
        let connection = connect(path, flags).map_err(|error| error.at("open"))?;
        known(version(&connection).map_err(|error| error.at("open"))?)?;
        Ok(Self::single(connection))
    }

    /// A store that is gone when it is dropped.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn open_in_memory() -> Result<Self, LedgerError> {
        let connection = Connection::open_in_memory().map_err(|error| store("open", error))?;
        tune(&connection).map_err(|error| error.at("open"))?;
        prepare(&connection).map_err(|error| error.at("open"))?;
        Ok(Self::single(connection))
    }

    fn of(writer: Connection, reader: Connection, scanner: Connection) -> Self {
        let share = |connection| Arc::new(Mutex::new(connection));
        Self { writer: share(writer), reader: share(reader), scanner: share(scanner), writes: Arc::default() }
    }

    fn single(connection: Connection) -> Self {
        let shared = Arc::new(Mutex::new(connection));
        Self { writer: Arc::clone(&shared), reader: Arc::clone(&shared), scanner: shared, writes: Arc::default() }
    }

    /// Runs one transaction that may write. What another process commits meanwhile is seen
    /// or waited for, never overwritten.
    async fn write<T, W>(&self, operation: &'static str, work: W) -> Result<T, LedgerError>
    where
        T: Send + 'static,
        W: FnOnce(&Transaction<'_>) -> Result<T, SqliteError> + Send + 'static,
    {
        let writes = Arc::clone(&self.writes);
        on(&self.writer, operation, move |connection| {
            let before = connection.total_changes();
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let answer = work(&transaction)?;
            transaction.commit()?;
            if connection.total_changes() > before {
                writes.fetch_add(1, Ordering::Relaxed);
            }
            Ok(answer)
        })
        .await
    }

    /// Looks something up.
    async fn read<T, W>(&self, operation: &'static str, work: W) -> Result<T, LedgerError>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> Result<T, SqliteError> + Send + 'static,
    {
        on(&self.reader, operation, |connection| work(connection)).await
    }

    /// Reads much.
    async fn scan<T, W>(&self, operation: &'static str, work: W) -> Result<T, LedgerError>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> Result<T, SqliteError> + Send + 'static,
    {
        on(&self.scanner, operation, |connection| work(connection)).await
    }
}

/// Runs work on a connection, on a thread that may block. A call that nobody waits for any
/// more is finished all the same.
async fn on<T, W>(shared: &Shared, operation: &'static str, work: W) -> Result<T, LedgerError>
where
    T: Send + 'static,
    W: FnOnce(&mut Connection) -> Result<T, SqliteError> + Send + 'static,
{
    let shared = Arc::clone(shared);
    let answer = tokio::task::spawn_blocking(move || {
        // A panic rolled its transaction back, so the connection is as good as before.
        let mut connection = shared.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut connection)
    });
    answer.await.map_err(|error| store(operation, error))?.map_err(|error| error.at(operation))
}

fn store(operation: &'static str, error: impl std::error::Error + Send + Sync + 'static) -> LedgerError {
    LedgerError::Store { operation, source: Box::new(error) }
}

/// Makes the file before SQLite does, so that it is never readable by others. SQLite gives
/// its companions (`-wal`, `-shm`) the same rights.
fn keep_private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};

    let mut options = std::fs::OpenOptions::new();
    let file = options.create(true).truncate(false).write(true).mode(0o600).open(path)?;
    file.set_permissions(std::fs::Permissions::from_mode(0o600))
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, SqliteError> {
    let connection = Connection::open_with_flags(path, flags)?;
    tune(&connection)?;
    Ok(connection)
}

/// FULL: a claim holds the only undo there is, so it must outlive a power cut, too.
fn tune(connection: &Connection) -> Result<(), SqliteError> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    connection.pragma_update(None, "recursive_triggers", "ON")?; // REPLACE deletes, too
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// Makes the schema in a new store, and refuses a store of another version.
fn prepare(connection: &Connection) -> Result<(), SqliteError> {
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    match version(&transaction)? {
        0 => {
            transaction.execute_batch(SCHEMA)?;
            transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        }
        other => known(other)?,
    }
    transaction.commit()?;
    Ok(())
}

/// Whether a file that is there is a store of this version, or empty yet.
fn examine(path: &Path) -> Result<(), LedgerError> {
    let look = || -> Result<(u32, bool), SqliteError> {
        let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let tables = connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get::<_, u32>(0))?;
        Ok((version(&connection)?, tables > 0))
    };
    match look().map_err(|error| error.at("open"))? {
        (0, false) => Ok(()),
        (0, true) => Err(LedgerError::NotAStore),
        (found, _) => known(found),
    }
}

fn version(connection: &Connection) -> Result<u32, SqliteError> {
    Ok(connection.query_row("PRAGMA user_version", [], |row| row.get(0))?)
}

/// Whether stores of a version can be used.
fn known(found: u32) -> Result<(), LedgerError> {
    let next = match found {
        SCHEMA_VERSION => return Ok(()),
        ..SCHEMA_VERSION => format!(
            "this keepwatch knows none before {SCHEMA_VERSION}: undo with the earlier keepwatch what must be undone, \
             then move the file away; `keepwatch run` makes a new one"
        ),
        _ => format!("this keepwatch knows none after {SCHEMA_VERSION}: use the newer keepwatch"),
    };
    Err(LedgerError::OtherVersion { found, next })
}

impl Ledger for Sqlite {
    async fn open_incident(&self, correlation: &str, now: Timestamp) -> Result<Option<Incident>, LedgerError> {
        let correlation = correlation.to_owned();
        self.read("look for an open incident", move |db| plans::open_incident(db, &correlation, now)).await
    }

    async fn claim(&self, claim: &Claim, now: Timestamp) -> Result<Option<PlanRecord>, LedgerError> {
        let claim = claim.clone();
        self.write("claim a plan", move |db| plans::claim(db, &claim, now)).await
    }

    async fn extend(&self, stored: &PlanRecord, steps: &[Step], now: Timestamp) -> Result<PlanRecord, LedgerError> {
        let (id, steps) = (stored.id.clone(), steps.to_vec());
        self.write("extend a plan", move |db| plans::extend(db, &id, &steps, now)).await
    }

    async fn unfinished(&self) -> Result<Vec<PlanRecord>, LedgerError> {
        self.scan("list unfinished plans", plans::unfinished).await
    }

    async fn record(&self, stored: &PlanRecord, record: Record, now: Timestamp) -> Result<(), LedgerError> {
        let id = stored.id.clone();
        self.write("record a plan", move |db| plans::record(db, &id, &record, now)).await
    }

    async fn usage(&self, account: Option<&AccountId>, since: Timestamp) -> Result<Usage, LedgerError> {
        let account = account.map(ToString::to_string);
        self.read("count what was done", move |db| counts::usage(db, account.as_deref(), since)).await
    }

    async fn repairs_of(&self, arn: &str, since: Timestamp) -> Result<u32, LedgerError> {
        let arn = arn.to_owned();
        self.read("count repairs", move |db| counts::repairs_of(db, &arn, since)).await
    }

    async fn taken_back(&self, arn: &str, since: Timestamp) -> Result<bool, LedgerError> {
        let arn = arn.to_owned();
        self.read("look up undos", move |db| counts::taken_back(db, &arn, since)).await
    }

    async fn plan(&self, id: &str) -> Result<Option<PlanRecord>, LedgerError> {
        let id = id.to_owned();
        self.read("look up a plan", move |db| plans::by_id(db, &id)).await
    }

    async fn take_proposed(&self, id: &str, person: &str, now: Timestamp) -> Result<Option<PlanRecord>, LedgerError> {
        let (id, person) = (id.to_owned(), person.to_owned());
        self.write("take a proposed plan", move |db| plans::take_proposed(db, &id, &person, now)).await
    }

    async fn consent(
        &self,
        consent: &Consent,
        incident: &Incident,
        case: &CaseRecord,
        now: Timestamp,
    ) -> Result<Vec<String>, LedgerError> {
        let (consent, incident, case) = (consent.clone(), incident.clone(), case.clone());
        self.write("store a consent", move |db| consents::consent(db, &consent, (&incident, &case), now)).await
    }

    fn writes(&self) -> u64 {
        self.writes.load(Ordering::Relaxed)
    }

    async fn incidents(&self) -> Result<Vec<(Incident, Vec<PlanRecord>)>, LedgerError> {
        self.scan("list incidents", plans::incidents).await
    }

    async fn baseline(&self, place: &Place) -> Result<Option<Desired>, LedgerError> {
        let place = place.clone();
        self.read("look up a baseline", move |db| counts::baseline(db, &place)).await
    }

    async fn keep_baseline(&self, place: &Place, desired: &Desired, now: Timestamp) -> Result<(), LedgerError> {
        let (place, desired) = (place.clone(), desired.clone());
        self.write("keep a baseline", move |db| counts::keep_baseline(db, &place, &desired, now)).await
    }

    async fn undelivered(&self) -> Result<Vec<Delivery>, LedgerError> {
        self.scan("list what is to be reported", outbox::undelivered).await
    }

    async fn trying(&self, numbers: &[i64]) -> Result<(), LedgerError> {
        let numbers = numbers.to_vec();
        self.write("note a delivery's try", move |db| outbox::trying(db, &numbers)).await
    }

    async fn delivered(&self, numbers: &[i64], now: Timestamp) -> Result<(), LedgerError> {
        let numbers = numbers.to_vec();
        self.write("note a delivery", move |db| outbox::delivered(db, &numbers, now)).await
    }

    async fn thread(&self, incident: &str) -> Result<Option<Thread>, LedgerError> {
        let incident = incident.to_owned();
        self.scan("look up a thread", move |db| outbox::thread(db, &incident)).await
    }

    async fn keep_thread(&self, incident: &str, thread: &Thread) -> Result<(), LedgerError> {
        let (incident, thread) = (incident.to_owned(), thread.clone());
        self.write("keep a thread", move |db| outbox::keep_thread(db, &incident, &thread)).await
    }

    async fn reported(&self, incident: &str) -> Result<Vec<Delivery>, LedgerError> {
        let incident = incident.to_owned();
        self.scan("list what was reported", move |db| outbox::reported(db, &incident)).await
    }

    async fn stale_threads(&self) -> Result<Vec<(Incident, Thread)>, LedgerError> {
        self.scan("list stale threads", outbox::stale_threads).await
    }

    async fn adopt(&self, adopted: &Adopted, now: Timestamp) -> Result<(), LedgerError> {
        let adopted = adopted.clone();
        self.write("note the policy bundle", move |db| bundles::adopt(db, &adopted, now)).await
    }

    async fn entries(&self) -> Result<Vec<Entry>, LedgerError> {
        self.scan("read the ledger", rows::entries).await
    }
}

#[cfg(test)]
mod tests;
