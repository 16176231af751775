//! Which policy bundle evaluated when, in the chain.

use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, Transaction};

use super::rows::{SqliteError, append, from_json};
use crate::ledger::Adopted;

/// The word in the chain for a bundle that was put in force.
const ADOPTED: &str = "policies";

/// See [`crate::ledger::Ledger::adopt`].
pub(super) fn adopt(db: &Transaction<'_>, adopted: &Adopted, now: Timestamp) -> Result<(), SqliteError> {
    let newest = "SELECT body FROM entries WHERE kind = ? ORDER BY number DESC LIMIT 1";
    let noted: Option<String> = db.prepare_cached(newest)?.query_row([ADOPTED], |row| row.get(0)).optional()?;
    let noted: Option<Adopted> = noted.map(|text| from_json("entry", &text)).transpose()?;
    if noted.as_ref() == Some(adopted) {
        return Ok(());
    }
    let body = serde_json::to_value(adopted).map_err(|error| SqliteError::damaged("value", error))?;
    append(db, now, ADOPTED, body)
}
