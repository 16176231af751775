//! Rules in shadow: since when, what they found, and who took them out.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};
use serde_json::json;

use super::Sqlite;
use super::rows::{SqliteError, append, from_json, micros, moment};
use crate::domain::case::Recurrence;
use crate::ledger::LedgerError;
use crate::ledger::item;
use crate::ledger::shadow::{Demotion, Promotion, Shadowed, Shadows, Standing, Watched};

/// How many findings of one rule are kept; what they add up to is kept for ever.
const KEPT: u32 = 500;

impl Shadows for Sqlite {
    async fn watch(&self, watched: &[Watched], now: Timestamp) -> Result<(), LedgerError> {
        let watched = watched.to_vec();
        self.write("keep which rules are in shadow", move |db| watch(db, &watched, now)).await
    }

    async fn went_on(&self, seconds: i64, now: Timestamp) -> Result<(), LedgerError> {
        self.write("note how long rules were watched", move |db| went_on(db, seconds, now)).await
    }

    async fn shadow(&self, found: &[Shadowed], now: Timestamp) -> Result<(), LedgerError> {
        let found = found.to_vec();
        self.write("keep shadow findings", move |db| found.iter().try_for_each(|one| keep(db, one, now))).await
    }

    async fn standings(&self) -> Result<Vec<Standing>, LedgerError> {
        self.scan("list rules in shadow", standings).await
    }

    async fn shadowed(&self, rule: &str) -> Result<Vec<Shadowed>, LedgerError> {
        let rule = rule.to_owned();
        self.scan("list shadow findings", move |db| shadowed(db, &rule)).await
    }

    async fn promoted(&self) -> Result<BTreeSet<String>, LedgerError> {
        self.read("look up promoted rules", |db| ids(db, "SELECT rule FROM promotions")).await
    }

    async fn promote(&self, promotion: &Promotion, now: Timestamp) -> Result<(), LedgerError> {
        let promotion = promotion.clone();
        self.write("promote a rule", move |db| promote(db, &promotion, now)).await
    }

    async fn demoted(&self) -> Result<BTreeSet<String>, LedgerError> {
        self.read("look up demoted rules", |db| ids(db, "SELECT rule FROM demotions")).await
    }

    async fn demote(&self, demotion: &Demotion, now: Timestamp) -> Result<(), LedgerError> {
        let demotion = demotion.clone();
        self.write("demote a rule", move |db| demote(db, &demotion, now)).await
    }
}

fn watch(db: &Transaction<'_>, watched: &[Watched], now: Timestamp) -> Result<(), SqliteError> {
    let known = standings(db)?;
    for gone in known.iter().filter(|standing| !watched.iter().any(|one| same(one, &standing.watched))) {
        db.prepare_cached("UPDATE shadow_rules SET ended = ? WHERE rule = ? AND candidate = ?")?.execute(params![
            micros(now),
            gone.watched.rule,
            gone.watched.candidate
        ])?;
    }
    for one in watched.iter().filter(|one| !known.iter().any(|standing| standing.watched == **one)) {
        // Whoever comes back begins anew; a new bundle alone does not: the rule may be the same.
        db.prepare_cached(
            "INSERT INTO shadow_rules (rule, candidate, bundle, title, since) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (rule, candidate) DO UPDATE SET
                 since = iif(ended IS NULL, since, excluded.since), findings = iif(ended IS NULL, findings, 0),
                 last = iif(ended IS NULL, last, NULL), clean_s = iif(ended IS NULL, clean_s, 0),
                 bundle = excluded.bundle, title = excluded.title, ended = NULL",
        )?
        .execute(params![one.rule, one.candidate, one.bundle, one.title, micros(now)])?;
    }
    Ok(())
}

fn same(one: &Watched, other: &Watched) -> bool {
    (&one.rule, one.candidate) == (&other.rule, other.candidate)
}

fn went_on(db: &Transaction<'_>, seconds: i64, now: Timestamp) -> Result<(), SqliteError> {
    db.prepare_cached(
        "UPDATE shadow_rules SET clean_s = clean_s + min(?1, (?2 - coalesce(last, since)) / 1000000) WHERE ended IS NULL",
    )?
    .execute(params![seconds, micros(now)])?;
    Ok(())
}

fn keep(db: &Transaction<'_>, one: &Shadowed, now: Timestamp) -> Result<(), SqliteError> {
    let rule = &one.finding.rule.id;
    // An event is the same one when it is delivered again; a resource is looked at anew.
    let anew = one.subject.recurrence() == Recurrence::WhenFinished;
    let counted = db
        .prepare_cached(
            "INSERT INTO shadow_findings (rule, candidate, bundle, subject, account, principal, message, finding, last)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
             ON CONFLICT (rule, candidate, subject, message) DO UPDATE SET
                 count = count + 1, last = excluded.last, bundle = excluded.bundle WHERE ?10",
        )?
        .execute(params![
            rule,
            one.candidate,
            one.bundle,
            item::json("subject", &one.subject)?,
            one.account.as_str(),
            one.principal,
            one.finding.message,
            item::finding(&one.finding)?,
            micros(now),
            anew
        ])?;
    if counted == 0 {
        return Ok(());
    }
    // The finding may come before it is noted that its rule is in shadow.
    db.prepare_cached(
        "INSERT INTO shadow_rules (rule, candidate, bundle, title, since, findings, last) VALUES (?1, ?2, ?3, ?4, ?5, 1, ?5)
         ON CONFLICT (rule, candidate) DO UPDATE SET findings = findings + 1, last = excluded.last, clean_s = 0",
    )?
    .execute(params![rule, one.candidate, one.bundle, one.finding.rule.title, micros(now)])?;
    db.prepare_cached(
        "DELETE FROM shadow_findings WHERE number IN (
             SELECT number FROM shadow_findings WHERE rule = ?1 AND candidate = ?2
             ORDER BY last DESC, number DESC LIMIT -1 OFFSET ?3
         )",
    )?
    .execute(params![rule, one.candidate, KEPT])?;
    Ok(())
}

fn standings(db: &Connection) -> Result<Vec<Standing>, SqliteError> {
    let mut statement = db.prepare_cached(
        "SELECT rule, candidate, bundle, title, since, findings, last, clean_s FROM shadow_rules
         WHERE ended IS NULL ORDER BY rule, candidate",
    )?;
    let mut rows = statement.query([])?;
    let mut standings = Vec::new();
    while let Some(row) = rows.next()? {
        standings.push(standing(row)?);
    }
    Ok(standings)
}

fn standing(row: &Row<'_>) -> Result<Standing, SqliteError> {
    let last: Option<i64> = row.get(6)?;
    let watched = Watched { rule: row.get(0)?, candidate: row.get(1)?, bundle: row.get(2)?, title: row.get(3)? };
    Ok(Standing {
        watched,
        since: moment(row.get(4)?)?,
        findings: row.get(5)?,
        last: last.map(moment).transpose()?,
        clean_seconds: row.get(7)?,
    })
}

fn shadowed(db: &Connection, rule: &str) -> Result<Vec<Shadowed>, SqliteError> {
    let mut statement = db.prepare_cached(
        "SELECT candidate, bundle, subject, account, principal, finding FROM shadow_findings
         WHERE rule = ? ORDER BY last DESC, number DESC",
    )?;
    let mut rows = statement.query([rule])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let (subject, account, finding): (String, String, String) = (row.get(2)?, row.get(3)?, row.get(5)?);
        found.push(Shadowed {
            candidate: row.get(0)?,
            bundle: row.get(1)?,
            subject: from_json("shadow finding", &subject)?,
            account: account.parse().map_err(|error| SqliteError::damaged("shadow finding", error))?,
            principal: row.get(4)?,
            finding: from_json("shadow finding", &finding)?,
        });
    }
    Ok(found)
}

fn ids(db: &Connection, query: &str) -> Result<BTreeSet<String>, SqliteError> {
    let mut statement = db.prepare_cached(query)?;
    let rules = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(rules)
}

fn promote(db: &Transaction<'_>, promotion: &Promotion, now: Timestamp) -> Result<(), SqliteError> {
    let Promotion { rule, by, reason, days } = promotion;
    let counted = "SELECT since, findings, bundle FROM shadow_rules WHERE rule = ? AND candidate = 0 AND ended IS NULL";
    let counted: Option<(i64, u32, String)> =
        db.prepare_cached(counted)?.query_row([rule], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?;
    let (since, findings, bundle) =
        counted.ok_or_else(|| SqliteError::damaged("rule", format!("`{rule}` is not in shadow")))?;
    db.prepare_cached(
        "INSERT INTO promotions (rule, by, reason, at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (rule) DO UPDATE SET by = excluded.by, reason = excluded.reason, at = excluded.at",
    )?
    .execute(params![rule, by, reason, micros(now)])?;
    db.prepare_cached("DELETE FROM demotions WHERE rule = ?")?.execute([rule])?;
    db.prepare_cached("UPDATE shadow_rules SET ended = ? WHERE rule = ? AND candidate = 0")?
        .execute(params![micros(now), rule])?;
    let body = json!({ "rule": rule, "by": by, "reason": reason, "days": days, "since": moment(since)?,
        "findings": findings, "bundle": bundle });
    append(db, now, "promoted", body)
}

fn demote(db: &Transaction<'_>, demotion: &Demotion, now: Timestamp) -> Result<(), SqliteError> {
    let Demotion { rule, by, reason } = demotion;
    db.prepare_cached(
        "INSERT INTO demotions (rule, by, reason, at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (rule) DO UPDATE SET by = excluded.by, reason = excluded.reason, at = excluded.at",
    )?
    .execute(params![rule, by, reason, micros(now)])?;
    db.prepare_cached("DELETE FROM promotions WHERE rule = ?")?.execute([rule])?;
    append(db, now, "demoted", json!({ "rule": rule, "by": by, "reason": reason }))
}
