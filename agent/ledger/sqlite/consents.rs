//! People's approvals of what takes two of them: kept until a second one comes, or too long.

use jiff::Timestamp;
use rusqlite::{Connection, Transaction, params};
use serde_json::json;

use super::outbox;
use super::rows::{SqliteError, append, micros};
use crate::domain::case::CaseRecord;
use crate::domain::reason::APPROVAL_HOLDS;
use crate::ledger::{Consent, Incident, item};

/// See [`crate::ledger::Ledger::consent`].
pub(super) fn consent(
    db: &Transaction<'_>,
    consent: &Consent,
    (incident, case): (&Incident, &CaseRecord),
    now: Timestamp,
) -> Result<Vec<String>, SqliteError> {
    let Consent { target, plans, person } = consent;
    let about = item::json("list of plans", plans)?;
    let since = now.saturating_sub(APPROVAL_HOLDS).unwrap_or(Timestamp::MIN);
    db.prepare_cached("DELETE FROM consents WHERE target = ? AND (at < ? OR plans <> ?)")?.execute(params![
        target,
        micros(since),
        about
    ])?;
    let fresh = db
        .prepare_cached("INSERT OR IGNORE INTO consents (target, person, plans, at) VALUES (?, ?, ?, ?)")?
        .execute(params![target, person, about, micros(now)])?;
    let people = people(db, target)?;
    if fresh > 0 {
        append(db, now, "consented", json!({ "target": target, "plans": plans, "people": [person] }))?;
        if people.len() == 1 {
            outbox::put(db, incident, case)?;
        }
    }
    Ok(people)
}

fn people(db: &Connection, target: &str) -> Result<Vec<String>, SqliteError> {
    let mut statement = db.prepare_cached("SELECT person FROM consents WHERE target = ? ORDER BY at, person")?;
    let found = statement.query_map([target], |row| row.get(0))?;
    Ok(found.collect::<Result<_, _>>()?)
}
