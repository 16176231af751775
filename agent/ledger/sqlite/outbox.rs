//! What is to be reported, and the threads in which it is.

use jiff::Timestamp;
use rusqlite::{Connection, Params, Row, Transaction, params};

use super::rows;
use super::rows::{SqliteError, micros};
use crate::domain::case::{CaseRecord, CaseSubject, CaseUpdate};
use crate::domain::enrichment::Enrichment;
use crate::domain::reason::{Because, Reason};
use crate::ledger::{Delivery, Incident, Thread, item};

/// Stores an update of a case for delivery.
pub(super) fn put(db: &Transaction<'_>, incident: &Incident, case: &CaseRecord) -> Result<(), SqliteError> {
    db.prepare_cached("INSERT INTO deliveries (incident, record) VALUES (?, ?)")?
        .execute(params![incident.id, item::case(case)?])?;
    Ok(())
}

const DELIVERIES: &str = "d.number, d.record, d.tries FROM deliveries d JOIN incidents i ON i.id = d.incident";

/// See [`crate::ledger::Ledger::undelivered`]. Of one incident no more than a few messages'
/// worth, so that a storm does not fill the memory or hide the others.
pub(super) fn undelivered(db: &Connection) -> Result<Vec<Delivery>, SqliteError> {
    let sql = format!(
        "SELECT {}, {DELIVERIES} JOIN (
             SELECT number, row_number() OVER (PARTITION BY incident ORDER BY number) AS place
             FROM deliveries WHERE delivered IS NULL
         ) w ON w.number = d.number WHERE w.place <= 500 ORDER BY d.number",
        rows::INCIDENT
    );
    deliveries(db, &sql, [])
}

/// See [`crate::ledger::Ledger::reported`].
pub(super) fn reported(db: &Connection, incident: &str) -> Result<Vec<Delivery>, SqliteError> {
    let sql = format!("SELECT {}, {DELIVERIES} WHERE d.incident = ? ORDER BY d.number", rows::INCIDENT);
    deliveries(db, &sql, [incident])
}

fn deliveries(db: &Connection, sql: &str, parameters: impl Params) -> Result<Vec<Delivery>, SqliteError> {
    let mut statement = db.prepare_cached(sql)?;
    let mut found = statement.query(parameters)?;
    let mut deliveries = Vec::new();
    while let Some(row) = found.next()? {
        deliveries.push(delivery(row)?);
    }
    Ok(deliveries)
}

fn delivery(row: &Row<'_>) -> Result<Delivery, SqliteError> {
    let incident = rows::incident(row)?;
    let (number, text): (i64, String) = (row.get(5)?, row.get(6)?);
    let case = serde_json::from_str(&text).unwrap_or_else(|error| unreadable(&incident, number, &error));
    Ok(Delivery { number, incident, case, tries: row.get(7)? })
}

/// What is reported in place of an entry that is damaged: that there was one.
fn unreadable(incident: &Incident, number: i64, error: &serde_json::Error) -> CaseRecord {
    CaseRecord {
        subject: CaseSubject::Unreadable,
        update: CaseUpdate::Response,
        at: incident.opened,
        account: incident.account.clone(),
        account_name: String::new(),
        region: None,
        bundle: None,
        findings: Vec::new(),
        reasons: vec![Reason::general(Because::DamagedEntry { number, error: error.to_string() })],
        plan: None,
        steps: Vec::new(),
        enrichment: Enrichment::default(),
        people: Vec::new(),
    }
}

pub(super) fn trying(db: &Transaction<'_>, numbers: &[i64]) -> Result<(), SqliteError> {
    let mut statement = db.prepare_cached("UPDATE deliveries SET tries = tries + 1 WHERE number = ?")?;
    numbers.iter().try_for_each(|number| Ok(statement.execute([number]).map(drop)?))
}

pub(super) fn delivered(db: &Transaction<'_>, numbers: &[i64], now: Timestamp) -> Result<(), SqliteError> {
    let sql = "UPDATE deliveries SET delivered = ? WHERE number = ? AND delivered IS NULL";
    let mut statement = db.prepare_cached(sql)?;
    numbers.iter().try_for_each(|number| Ok(statement.execute(params![micros(now), number]).map(drop)?))
}

pub(super) fn thread(db: &Connection, incident: &str) -> Result<Option<Thread>, SqliteError> {
    let mut statement = db.prepare_cached("SELECT channel, ts, shown FROM threads WHERE incident = ?")?;
    let mut found = statement.query([incident])?;
    let read = |row: &Row<'_>| Ok(Thread { channel: row.get(0)?, ts: row.get(1)?, shown: row.get(2)? });
    found.next()?.map(read).transpose()
}

pub(super) fn keep_thread(db: &Transaction<'_>, incident: &str, thread: &Thread) -> Result<(), SqliteError> {
    db.prepare_cached(
        "INSERT INTO threads (incident, channel, ts, shown) VALUES (?, ?, ?, ?)
         ON CONFLICT (incident) DO UPDATE SET channel = excluded.channel, ts = excluded.ts, shown = excluded.shown",
    )?
    .execute(params![incident, thread.channel, thread.ts, thread.shown])?;
    Ok(())
}

/// See [`crate::ledger::Ledger::stale_threads`].
pub(super) fn stale_threads(db: &Connection) -> Result<Vec<(Incident, Thread)>, SqliteError> {
    let sql = format!(
        "SELECT {}, t.channel, t.ts, t.shown FROM threads t JOIN incidents i ON i.id = t.incident
         WHERE EXISTS (
             SELECT 1 FROM deliveries d
             WHERE d.incident = t.incident AND d.number > t.shown AND d.delivered IS NOT NULL
         ) ORDER BY t.shown",
        rows::INCIDENT
    );
    let mut statement = db.prepare_cached(&sql)?;
    let mut found = statement.query([])?;
    let mut stale = Vec::new();
    while let Some(row) = found.next()? {
        let thread = Thread { channel: row.get(5)?, ts: row.get(6)?, shown: row.get(7)? };
        stale.push((rows::incident(row)?, thread));
    }
    Ok(stale)
}
