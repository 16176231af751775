//! Incidents and plans: claimed, extended, proposed, recorded, each in one transaction with
//! its entry in the chain.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Params, Row, Transaction, params};
use serde_json::{Value, json};

use super::outbox;
use super::rows;
use super::rows::{SqliteError, append, from_json, micros, moment, word};
use crate::domain::case::{CaseRecord, DedupKey, Recurrence};
use crate::domain::plan::Step;
use crate::ledger::{Claim, Incident, PlanRecord, Record, State, charge, item, open_since};

/// How long after it was proposed a plan that people denied is not proposed again.
const DENIED_FOR: SignedDuration = SignedDuration::from_hours(24);

pub(super) fn open_incident(
    db: &Connection,
    correlation: &str,
    now: Timestamp,
) -> Result<Option<Incident>, SqliteError> {
    let sql = format!(
        "SELECT {} FROM incidents i WHERE i.correlation = ? AND i.active > ? ORDER BY i.active DESC LIMIT 1",
        rows::INCIDENT
    );
    let mut statement = db.prepare_cached(&sql)?;
    let mut found = statement.query(params![correlation, micros(open_since(now))])?;
    found.next()?.map(rows::incident).transpose()
}

/// See [`crate::ledger::Ledger::claim`]. The transaction holds the write lock from its
/// start, so of two that claim one case the second sees the first one's plan.
pub(super) fn claim(db: &Transaction<'_>, claim: &Claim, now: Timestamp) -> Result<Option<PlanRecord>, SqliteError> {
    let key = item::json("dedup key", &claim.key)?;
    let latest = one(db, "WHERE p.dedup_key = ? ORDER BY p.attempt DESC LIMIT 1", [&key])?;
    match (latest.as_ref().map(|stored| stored.state), claim.key.recurrence()) {
        // What a person approved is carried out by whoever they asked, and by no sweep beside it.
        (Some(State::Claimed), _) => return if is_approved(db, &key)? { Ok(None) } else { Ok(latest) },
        (Some(State::Proposed), _) | (Some(State::Done | State::Undone | State::Denied), Recurrence::Once) => {
            return Ok(None);
        }
        (Some(State::Denied), Recurrence::WhenFinished) if was_proposed_lately(latest.as_ref(), now) => {
            return Ok(None);
        }
        (Some(State::Done | State::Undone | State::Denied), Recurrence::WhenFinished) | (None, _) => {}
    }
    let incident = settle_incident(db, &claim.incident, now)?;
    let id = insert_plan(db, &incident, (&key, claim), now)?;
    insert_steps(db, &id, &claim.plan.steps)?;
    let mut body = json!({
        "plan": id,
        "case": claim.key,
        "bundle": claim.case.bundle,
        "proposed": claim.plan.proposed,
        "steps": claim.plan.steps,
    });
    name(&mut body, Some(&claim.case));
    append(db, now, "claimed", body)?;
    Ok(by_id(db, &id)?.map(|stored| PlanRecord { resumed: false, ..stored }))
}

/// Whether the latest plan of a case was approved by a person.
fn is_approved(db: &Connection, key: &str) -> Result<bool, SqliteError> {
    let mut statement =
        db.prepare_cached("SELECT approved FROM plans WHERE dedup_key = ? ORDER BY attempt DESC LIMIT 1")?;
    Ok(statement.query_row([key], |row| row.get(0))?)
}

/// Names in an entry whoever asked for what it records.
fn name(body: &mut Value, case: Option<&CaseRecord>) {
    if let (Some(body), Some(people)) = (body.as_object_mut(), case.map(|case| &case.people))
        && !people.is_empty()
    {
        body.insert("people".to_owned(), json!(people));
    }
}

/// Whether the latest plan, which people denied, was proposed so lately that asking again would only nag.
fn was_proposed_lately(latest: Option<&PlanRecord>, now: Timestamp) -> bool {
    latest.is_some_and(|stored| now.duration_since(stored.claimed) < DENIED_FOR)
}

/// The incident that a new plan joins, now active. Two cases of one correlation that began
/// at the same time become one incident; an id that stands for something else gets a suffix.
fn settle_incident(db: &Transaction<'_>, wanted: &Incident, now: Timestamp) -> Result<Incident, SqliteError> {
    let incident = match open_incident(db, &wanted.correlation, now)? {
        Some(open) if correlation_of(db, &wanted.id)?.is_none() => open,
        Some(_) | None => Incident { id: free_id(db, wanted)?, ..wanted.clone() },
    };
    db.prepare_cached(
        "INSERT INTO incidents (id, correlation, account, title, opened, active) VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET active = max(active, excluded.active)",
    )?
    .execute(params![
        incident.id,
        incident.correlation,
        incident.account.as_str(),
        incident.title,
        micros(incident.opened),
        micros(now)
    ])?;
    Ok(incident)
}

fn correlation_of(db: &Connection, id: &str) -> Result<Option<String>, SqliteError> {
    let mut statement = db.prepare_cached("SELECT correlation FROM incidents WHERE id = ?")?;
    Ok(statement.query_row([id], |row| row.get(0)).optional()?)
}

/// The incident's own id, unless an incident of another correlation has it.
fn free_id(db: &Connection, wanted: &Incident) -> Result<String, SqliteError> {
    let mut id = wanted.id.clone();
    let mut suffix = 1;
    while correlation_of(db, &id)?.is_some_and(|taken| taken != wanted.correlation) {
        suffix += 1;
        id = format!("{}-{suffix}", wanted.id);
    }
    Ok(id)
}

fn insert_plan(
    db: &Transaction<'_>,
    incident: &Incident,
    (key, claim): (&str, &Claim),
    now: Timestamp,
) -> Result<String, SqliteError> {
    let next = |sql: &str, of: &str| -> Result<u32, SqliteError> {
        Ok(db.prepare_cached(sql)?.query_row([of], |row| row.get(0))?)
    };
    let number = next("SELECT coalesce(max(number), 0) + 1 FROM plans WHERE incident = ?", &incident.id)?;
    let attempt = next("SELECT coalesce(max(attempt), 0) + 1 FROM plans WHERE dedup_key = ?", key)?;
    let id = format!("{}.{number}", incident.id);
    db.prepare_cached(
        "INSERT INTO plans (id, incident, number, dedup_key, attempt, account, authority, state, plan, record, claimed)
         VALUES (?, ?, ?, ?, ?, ?, ?, 'claimed', ?, ?, ?)",
    )?
    .execute(params![
        id,
        incident.id,
        number,
        key,
        attempt,
        claim.plan.account.as_str(),
        authority(claim),
        item::json("plan", &claim.plan)?,
        item::case(&claim.case)?,
        micros(now)
    ])?;
    Ok(id)
}

/// Who lets a plan be carried out: only what the agent does by itself costs its budgets.
const fn authority(claim: &Claim) -> &'static str {
    match claim.key {
        DedupKey::Undo { .. } => "undo",
        DedupKey::Event { .. }
        | DedupKey::EventApproval { .. }
        | DedupKey::Resource { .. }
        | DedupKey::ResourceApproval { .. }
        | DedupKey::Drift { .. }
        | DedupKey::PoliciesRefused { .. }
        | DedupKey::ShadowRuleMissing { .. }
        | DedupKey::PoliciesOutdated { .. } => {
            if claim.plan.proposed {
                "approval"
            } else {
                "agent"
            }
        }
    }
}

/// Stores steps behind those that the plan has.
fn insert_steps(db: &Transaction<'_>, plan: &str, steps: &[Step]) -> Result<(), SqliteError> {
    let mut statement = db.prepare_cached(
        "INSERT INTO steps (plan, place, charge, resource)
         SELECT ?1, coalesce(max(place), 0) + 1, ?2, ?3 FROM steps WHERE plan = ?1",
    )?;
    for step in steps {
        let resource = charge::resource(&step.action);
        statement.execute(params![plan, charge::word(charge::class_of(&step.action)), resource])?;
    }
    Ok(())
}

/// See [`crate::ledger::Ledger::extend`].
pub(super) fn extend(
    db: &Transaction<'_>,
    id: &str,
    steps: &[Step],
    now: Timestamp,
) -> Result<PlanRecord, SqliteError> {
    let stored = by_id(db, id)?.ok_or_else(|| SqliteError::damaged("plan", format!("`{id}` is not stored")))?;
    if stored.state != State::Claimed {
        return Err(SqliteError::damaged("plan", format!("`{id}` is {} and takes no more steps", word(stored.state))));
    }
    let mut extended = PlanRecord { resumed: false, ..stored };
    extended.plan.steps.extend_from_slice(steps);
    db.prepare_cached("UPDATE plans SET plan = ? WHERE id = ?")?
        .execute(params![item::json("plan", &extended.plan)?, id])?;
    insert_steps(db, id, steps)?;
    append(db, now, "extended", json!({ "plan": id, "steps": steps }))?;
    Ok(extended)
}

/// See [`crate::ledger::Ledger::record`].
pub(super) fn record(db: &Transaction<'_>, id: &str, record: &Record, now: Timestamp) -> Result<(), SqliteError> {
    let stored = by_id(db, id)?.ok_or_else(|| SqliteError::damaged("plan", format!("`{id}` is not stored")))?;
    if !follows(stored.state, record.state) {
        return Ok(()); // somebody recorded it already
    }
    let outcome = (!record.outcome.steps.is_empty()).then_some(&record.outcome);
    let outcome = outcome.map(|outcome| item::json("outcome", outcome)).transpose()?;
    db.prepare_cached("UPDATE plans SET state = ?, outcome = coalesce(?, outcome) WHERE id = ?")?.execute(params![
        word(record.state),
        outcome,
        id
    ])?;
    for (place, step) in (1_i64..).zip(&record.outcome.steps) {
        db.prepare_cached("UPDATE steps SET counts = ? WHERE plan = ? AND place = ?")?.execute(params![
            charge::counts(step),
            id,
            place
        ])?;
    }
    let mut body = json!({ "plan": id, "state": record.state, "outcome": record.outcome.steps });
    name(&mut body, record.report.as_ref());
    append(db, now, kind(record.state), body)?;
    record.report.as_ref().map_or(Ok(()), |case| outbox::put(db, &stored.incident, case))
}

/// Whether a plan that stands so may come to stand so.
const fn follows(before: State, after: State) -> bool {
    match (before, after) {
        (State::Claimed, State::Proposed | State::Done | State::Undone)
        | (State::Proposed, State::Done | State::Undone | State::Denied)
        | (State::Done, State::Undone) => true,
        (_, State::Claimed | State::Proposed)
        | (State::Done | State::Undone | State::Denied, State::Done | State::Denied)
        | (State::Claimed, State::Denied)
        | (State::Undone | State::Denied, State::Undone) => false,
    }
}

/// The word in the chain for a plan that came to stand so.
const fn kind(state: State) -> &'static str {
    match state {
        State::Claimed => "claimed",
        State::Proposed => "proposed",
        State::Done => "recorded",
        State::Undone => "undone",
        State::Denied => "denied",
    }
}

/// See [`crate::ledger::Ledger::take_proposed`].
pub(super) fn take_proposed(
    db: &Transaction<'_>,
    id: &str,
    person: &str,
    now: Timestamp,
) -> Result<Option<PlanRecord>, SqliteError> {
    let taken = db
        .prepare_cached("UPDATE plans SET state = 'claimed', approved = 1 WHERE id = ? AND state = 'proposed'")?
        .execute([id])?;
    if taken == 0 {
        return Ok(None);
    }
    append(db, now, "approved", json!({ "plan": id, "people": [person] }))?;
    Ok(by_id(db, id)?.map(|stored| PlanRecord { resumed: false, ..stored }))
}

/// See [`crate::ledger::Ledger::unfinished`].
pub(super) fn unfinished(db: &Connection) -> Result<Vec<PlanRecord>, SqliteError> {
    let waiting = "WHERE p.state = 'claimed' AND (p.authority <> 'approval' OR p.approved) ORDER BY p.claimed, p.id";
    all(db, waiting, [])
}

/// See [`crate::ledger::Ledger::incidents`].
pub(super) fn incidents(db: &Connection) -> Result<Vec<(Incident, Vec<PlanRecord>)>, SqliteError> {
    let mut incidents: Vec<(Incident, Vec<PlanRecord>)> = Vec::new();
    for stored in all(db, "ORDER BY i.opened DESC, i.id, p.number", [])? {
        match incidents.last_mut() {
            Some((incident, plans)) if *incident == stored.incident => plans.push(stored),
            Some(_) | None => incidents.push((stored.incident.clone(), vec![stored])),
        }
    }
    Ok(incidents)
}

pub(super) fn by_id(db: &Connection, id: &str) -> Result<Option<PlanRecord>, SqliteError> {
    one(db, "WHERE p.id = ?", [id])
}

fn one(db: &Connection, condition: &str, parameters: impl Params) -> Result<Option<PlanRecord>, SqliteError> {
    Ok(all(db, condition, parameters)?.pop())
}

fn all(db: &Connection, condition: &str, parameters: impl Params) -> Result<Vec<PlanRecord>, SqliteError> {
    let sql = format!(
        "SELECT {}, p.id, p.dedup_key, p.plan, p.record, p.state, p.outcome, p.claimed
         FROM plans p JOIN incidents i ON i.id = p.incident {condition}",
        rows::INCIDENT
    );
    let mut statement = db.prepare_cached(&sql)?;
    let mut found = statement.query(parameters)?;
    let mut plans = Vec::new();
    while let Some(row) = found.next()? {
        plans.push(stored(row)?);
    }
    Ok(plans)
}

fn stored(row: &Row<'_>) -> Result<PlanRecord, SqliteError> {
    let (key, plan, case): (String, String, String) = (row.get(6)?, row.get(7)?, row.get(8)?);
    let state: String = row.get(9)?;
    let outcome: Option<String> = row.get(10)?;
    Ok(PlanRecord {
        id: row.get(5)?,
        key: from_json("dedup key", &key)?,
        incident: rows::incident(row)?,
        plan: from_json("plan", &plan)?,
        case: from_json("case", &case)?,
        state: rows::state(&state)?,
        outcome: outcome.map(|text| from_json("outcome", &text)).transpose()?,
        claimed: moment(row.get(11)?)?,
        resumed: true, // read back; only a claim is fresh
    })
}
