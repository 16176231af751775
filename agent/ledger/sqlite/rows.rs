//! Between rows and values: moments, JSON, words, and the chain's entries.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::store;
use crate::domain::account::AccountId;
use crate::ledger::chain::Entry;
use crate::ledger::{Incident, LedgerError, State, item};

/// Why a call failed, before it is said what the call was for.
#[derive(Debug)]
pub(super) enum SqliteError {
    /// SQLite refused.
    Sql(rusqlite::Error),
    /// What was or is to be stored is wrong.
    Ledger(LedgerError),
}

impl From<rusqlite::Error> for SqliteError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<LedgerError> for SqliteError {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

impl SqliteError {
    /// The store's error for this operation.
    pub(super) fn at(self, operation: &'static str) -> LedgerError {
        match self {
            Self::Sql(error) => store(operation, error),
            Self::Ledger(error) => error,
        }
    }

    pub(super) fn damaged(what: &'static str, error: impl ToString) -> Self {
        Self::Ledger(LedgerError::Damaged { what, detail: error.to_string() })
    }
}

/// A moment as it is stored. A finer one is cut to microseconds.
pub(super) fn micros(moment: Timestamp) -> i64 {
    moment.as_microsecond()
}

pub(super) fn moment(micros: i64) -> Result<Timestamp, SqliteError> {
    Timestamp::from_microsecond(micros).map_err(|error| SqliteError::damaged("moment", error))
}

pub(super) fn from_json<T: DeserializeOwned>(what: &'static str, text: &str) -> Result<T, SqliteError> {
    serde_json::from_str(text).map_err(|error| SqliteError::damaged(what, error))
}

pub(super) const fn word(state: State) -> &'static str {
    match state {
        State::Claimed => "claimed",
        State::Proposed => "proposed",
        State::Done => "done",
        State::Undone => "undone",
        State::Denied => "denied",
    }
}

pub(super) fn state(word: &str) -> Result<State, SqliteError> {
    match word {
        "claimed" => Ok(State::Claimed),
        "proposed" => Ok(State::Proposed),
        "done" => Ok(State::Done),
        "undone" => Ok(State::Undone),
        "denied" => Ok(State::Denied),
        other => Err(SqliteError::damaged("state", other)),
    }
}

/// The columns of an incident, in the order in which [`incident`] reads them.
pub(super) const INCIDENT: &str = "i.id, i.correlation, i.account, i.title, i.opened";

/// Reads an incident from the first five columns of a row.
pub(super) fn incident(row: &Row<'_>) -> Result<Incident, SqliteError> {
    let account: String = row.get(2)?;
    let account: AccountId = account.parse().map_err(|error| SqliteError::damaged("incident", error))?;
    Ok(Incident {
        id: row.get(0)?,
        correlation: row.get(1)?,
        account,
        title: row.get(3)?,
        opened: moment(row.get(4)?)?,
    })
}

/// Adds an entry to the chain, in the transaction that it records.
pub(super) fn append(db: &Transaction<'_>, at: Timestamp, kind: &str, body: Value) -> Result<(), SqliteError> {
    let newest = "SELECT number, hash FROM entries ORDER BY number DESC LIMIT 1";
    let last: Option<(i64, String)> =
        db.prepare_cached(newest)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let last = last.map(|(number, hash)| (number.unsigned_abs(), hash));
    let entry = Entry::after(last, at, kind, body);
    db.prepare_cached("INSERT INTO entries (number, at, kind, body, previous, hash) VALUES (?, ?, ?, ?, ?, ?)")?
        .execute(params![
            entry.number.cast_signed(),
            entry.at.to_string(),
            entry.kind,
            item::json("ledger entry", &entry.body)?,
            entry.previous,
            entry.hash
        ])?;
    Ok(())
}

/// The whole chain.
pub(super) fn entries(db: &Connection) -> Result<Vec<Entry>, SqliteError> {
    let mut statement = db.prepare("SELECT number, at, kind, body, previous, hash FROM entries ORDER BY number")?;
    let mut rows = statement.query([])?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        entries.push(entry(row)?);
    }
    Ok(entries)
}

fn entry(row: &Row<'_>) -> Result<Entry, SqliteError> {
    let (number, at, body): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(3)?);
    Ok(Entry {
        number: number.cast_unsigned(),
        at: at.parse().map_err(|error| SqliteError::damaged("entry", error))?,
        kind: row.get(2)?,
        body: from_json("entry", &body)?,
        previous: row.get(4)?,
        hash: row.get(5)?,
    })
}
