//! What budgets and the fight breaker count, and the states that were last seen to be right.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::rows::{SqliteError, append, from_json, micros};
use crate::domain::reason::Usage;
use crate::domain::resource::{Desired, Kind, Place};
use crate::ledger::item;

/// See [`crate::ledger::Ledger::usage`]. A claimed plan counts before it is recorded, so
/// that many at once cannot spend the same allowance.
pub(super) fn usage(db: &Connection, account: Option<&str>, since: Timestamp) -> Result<Usage, SqliteError> {
    let mut statement = db.prepare_cached(
        "SELECT s.charge, count(*) FROM plans p JOIN steps s ON s.plan = p.id
         WHERE p.claimed >= ?1 AND p.authority = 'agent' AND s.counts AND (?2 IS NULL OR p.account = ?2)
         GROUP BY s.charge",
    )?;
    let mut rows = statement.query(params![micros(since), account])?;
    let mut usage = Usage::default();
    while let Some(row) = rows.next()? {
        let (charge, count): (String, u32) = (row.get(0)?, row.get(1)?);
        match charge.as_str() {
            "hard" => usage.hard = count,
            "soft" => usage.soft = count,
            "repair" => usage.repairs = count,
            _ => {}
        }
    }
    Ok(usage)
}

/// See [`crate::ledger::Ledger::repairs_of`]. A plan is one repair, however many steps it
/// takes; taking a repair back is none.
pub(super) fn repairs_of(db: &Connection, arn: &str, since: Timestamp) -> Result<u32, SqliteError> {
    let mut statement = db.prepare_cached(
        "SELECT count(DISTINCT p.id) FROM steps s JOIN plans p ON p.id = s.plan
         WHERE s.resource = ? AND s.counts AND s.charge = 'repair' AND p.claimed >= ?
           AND (p.authority = 'agent' OR (p.authority = 'approval' AND p.approved))",
    )?;
    Ok(statement.query_row(params![arn, micros(since)], |row| row.get(0))?)
}

/// See [`crate::ledger::Ledger::taken_back`]. It counts from the claim on: the undo's own
/// changes must not be answered while it is at work. One that changed nothing counts no more.
pub(super) fn taken_back(db: &Connection, arn: &str, since: Timestamp) -> Result<bool, SqliteError> {
    let mut statement = db.prepare_cached(
        "SELECT count(*) FROM steps s JOIN plans p ON p.id = s.plan
         WHERE s.resource = ? AND s.counts AND p.authority = 'undo' AND p.claimed >= ?",
    )?;
    Ok(statement.query_row(params![arn, micros(since)], |row| row.get::<_, u32>(0))? > 0)
}

/// A baseline as it is stored: what is desired, and of which kind.
#[derive(Serialize, Deserialize)]
struct Baseline<D> {
    kind: Kind,
    desired: D,
}

pub(super) fn baseline(db: &Connection, place: &Place) -> Result<Option<Desired>, SqliteError> {
    let parse = |text: String| {
        let Baseline::<Value> { kind, desired } = from_json("baseline", &text)?;
        Desired::read(kind, desired).map_err(|error| SqliteError::damaged("baseline", error))
    };
    stored_baseline(db, place)?.map(parse).transpose()
}

/// See [`crate::ledger::Ledger::keep_baseline`]. What is kept already is not written again.
pub(super) fn keep_baseline(
    db: &Transaction<'_>,
    place: &Place,
    desired: &Desired,
    now: Timestamp,
) -> Result<(), SqliteError> {
    let text = item::json("baseline", &Baseline { kind: desired.kind(), desired })?;
    if stored_baseline(db, place)?.as_ref() == Some(&text) {
        return Ok(());
    }
    db.prepare_cached(
        "INSERT INTO baselines (arn, account, desired, kept) VALUES (?, ?, ?, ?)
         ON CONFLICT (arn, account) DO UPDATE SET desired = excluded.desired, kept = excluded.kept",
    )?
    .execute(params![place.arn(), place.account.as_str(), text, micros(now)])?;
    let body = json!({ "resource": place.arn(), "account": place.account, "desired": desired });
    append(db, now, "baseline", body)
}

fn stored_baseline(db: &Connection, place: &Place) -> Result<Option<String>, SqliteError> {
    let mut statement = db.prepare_cached("SELECT desired FROM baselines WHERE arn = ? AND account = ?")?;
    Ok(statement.query_row(params![place.arn(), place.account.as_str()], |row| row.get(0)).optional()?)
}
