//! Cases for tests.

use std::collections::BTreeMap;

use serde_json::json;

use crate::domain::action::Strength;
use crate::domain::case::{CaseRecord, CaseSubject, EventFacts, StepRecord};
use crate::domain::enrichment::{Activity, Enrichment, Origin};
use crate::domain::examples;
use crate::domain::finding::{Finding, ResponseKind, Rule};
use crate::domain::outcome::StepOutcome;
use crate::domain::plan::Step;
use crate::domain::principal::Principal;
use crate::domain::resource::vault::VaultChange;
use crate::ledger::Incident;

const VAULT: &str = "arn:aws:backup:eu-west-1:111122223333:backup-vault:main";

pub(super) fn incident() -> Incident {
    Incident {
        id: "KW-7F3A2C01".to_owned(),
        correlation: "111122223333/arn:aws:iam::111122223333:user/mallory".to_owned(),
        account: "111122223333".parse().expect("an id"),
        title: "Recovery point deleted by hand".to_owned(),
        opened: "2026-01-02T03:04:05Z".parse().expect("a time"),
    }
}

pub(super) fn contained() -> CaseRecord {
    CaseRecord {
        subject: CaseSubject::Event { event: Box::new(event()) },
        account_name: "securecart-prod".to_owned(),
        findings: vec![finding()],
        plan: Some("KW-7F3A2C01.1".to_owned()),
        steps: steps(),
        enrichment: Enrichment {
            at_stake: vec!["vault `main` holds 3 recovery points, the newest of 2026-01-01T05:00:00Z".to_owned()],
            owners: BTreeMap::from([(VAULT.to_owned(), "team-ledger".to_owned())]),
            activity: Some(Activity {
                region: "eu-west-1".parse().expect("a Region"),
                near: vec![("DeleteRecoveryPoint".to_owned(), 3), ("ListBackupVaults".to_owned(), 1)],
                near_goes_on: false,
                seen: Some((
                    "2025-11-02T09:00:00Z".parse().expect("a time"),
                    "2026-01-02T03:04:06Z".parse().expect("a time"),
                )),
                seen_earlier: false,
            }),
            origin: Some(Origin {
                country: Some("NL".to_owned()),
                asn: Some(64500),
                organisation: Some("Example".to_owned()),
            }),
        },
        ..examples::case()
    }
}

fn steps() -> Vec<StepRecord> {
    let title = || "keepwatch KW-7F3A2C01".to_owned();
    let (hold, release) = (VaultChange::Hold { title: title() }, VaultChange::ReleaseHold { title: title() });
    let hold = examples::step(ResponseKind::Freeze, examples::change("main", hold), examples::change("main", release));
    vec![
        done(examples::quarantine("mallory", Strength::Soft), StepOutcome::Done),
        done(examples::versioning("invoices"), StepOutcome::Done),
        done(hold, StepOutcome::Unverified),
    ]
}

fn done(step: Step, outcome: StepOutcome) -> StepRecord {
    StepRecord { step, outcome: Some(outcome) }
}

fn event() -> EventFacts {
    let access_key = Some("AKIAEXAMPLE7Q2X".to_owned());
    EventFacts { principal: Principal { access_key, ..examples::user("mallory") }, ..examples::event() }
}

fn finding() -> Finding {
    Finding {
        rule: Rule {
            controls: vec!["ISO 27001:2022 A.8.13".to_owned()],
            attack: vec!["T1490".to_owned()],
            runbook: Some("docs/runbooks/recovery_point_deleted.md".to_owned()),
            ..examples::rule("BKP-01")
        },
        message: "`mallory` deleted recovery point `rp-1` from vault `main`".to_owned(),
        resource: Some(VAULT.to_owned()),
        evidence: json!({}),
        ..examples::finding("BKP-01", &[ResponseKind::Contain, ResponseKind::Freeze])
    }
}
