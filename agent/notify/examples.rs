//! Cases for tests.

use std::collections::BTreeMap;

use serde_json::json;

use crate::domain::account::Mode;
use crate::domain::action::{Action, Strength, UserChange};
use crate::domain::case::{CaseRecord, CaseSubject, CaseUpdate, EventFacts, StepRecord};
use crate::domain::enrichment::{Activity, Enrichment, Origin};
use crate::domain::finding::{Finding, ResponseKind, Rule, Severity};
use crate::domain::outcome::StepOutcome;
use crate::domain::plan::Step;
use crate::domain::principal::{Flags, Principal, PrincipalKind};
use crate::domain::reason::{Because, Reason};
use crate::domain::resource::bucket::{BucketChange, Versioning};
use crate::domain::resource::vault::VaultChange;
use crate::domain::resource::{Change, Place};
use crate::domain::undo::Undo;
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
        update: CaseUpdate::Response,
        at: "2026-01-02T03:04:07.250Z".parse().expect("a time"),
        account: "111122223333".parse().expect("an id"),
        account_name: "securecart-prod".to_owned(),
        bundle: None,
        region: "eu-west-1".to_owned(),
        findings: vec![finding()],
        reasons: vec![Reason { rule: Some("BKP-01".to_owned()), mode: Mode::Enforce, because: Because::Enforced }],
        plan: Some("KW-7F3A2C01.1".to_owned()),
        steps: steps(),
        enrichment: Enrichment {
            at_stake: vec!["vault `main` holds 3 recovery points, the newest of 2026-01-01T05:00:00Z".to_owned()],
            owners: BTreeMap::from([(VAULT.to_owned(), "team-ledger".to_owned())]),
            activity: Some(Activity {
                region: "eu-west-1".to_owned(),
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
        people: Vec::new(),
    }
}

fn steps() -> Vec<StepRecord> {
    let policy = "KeepwatchQuarantine-KW-7F3A2C01".to_owned();
    let mallory = |change| Action::User { user: "mallory".to_owned(), change };
    let title = || "keepwatch KW-7F3A2C01".to_owned();
    vec![
        step(
            ResponseKind::Contain,
            mallory(UserChange::Quarantine { policy: policy.clone(), strength: Strength::Soft }),
            mallory(UserChange::Release { policy }),
            StepOutcome::Done,
        ),
        step(
            ResponseKind::Restore,
            on("invoices", BucketChange::SetVersioning(Versioning::Enabled)),
            on("invoices", BucketChange::SetVersioning(Versioning::Suspended)),
            StepOutcome::Done,
        ),
        step(
            ResponseKind::Freeze,
            on("main", VaultChange::Hold { title: title() }),
            on("main", VaultChange::ReleaseHold { title: title() }),
            StepOutcome::Unverified,
        ),
    ]
}

fn on(name: &str, change: impl Into<Change>) -> Action {
    let change = change.into();
    let account = "111122223333".parse().expect("an id");
    let place =
        Place { kind: change.kind(), account, region: "eu-west-1".parse().expect("a Region"), name: name.to_owned() };
    Action::Resource { place, change }
}

fn step(verb: ResponseKind, action: Action, undo: Action, outcome: StepOutcome) -> StepRecord {
    let account = "111122223333".parse().expect("an id");
    StepRecord { step: Step { account, verb, action, undo: Undo::By { action: undo } }, outcome: Some(outcome) }
}

fn event() -> EventFacts {
    EventFacts {
        id: "e1".to_owned(),
        source: "backup.amazonaws.com".to_owned(),
        name: "DeleteRecoveryPoint".to_owned(),
        time: "2026-01-02T03:04:05Z".parse().expect("a time"),
        source_ip: Some("198.51.100.7".to_owned()),
        user_agent: Some("Boto3/1.43".to_owned()),
        principal: Principal {
            kind: PrincipalKind::IamUser,
            account: Some("111122223333".to_owned()),
            name: Some("mallory".to_owned()),
            arn: Some("arn:aws:iam::111122223333:user/mallory".to_owned()),
            session: None,
            unique_id: None,
            access_key: Some("AKIAEXAMPLE7Q2X".to_owned()),
            issued_at: None,
            source_identity: None,
            invoked_by: None,
            flags: Flags::default(),
        },
        error_code: None,
        mfa: Some(false),
    }
}

fn finding() -> Finding {
    Finding {
        rule: Rule {
            id: "BKP-01".to_owned(),
            title: "Recovery point deleted by hand".to_owned(),
            severity: Severity::Critical,
            mode: Mode::Enforce,
            controls: vec!["ISO 27001:2022 A.8.13".to_owned()],
            attack: vec!["T1490".to_owned()],
            runbook: Some("docs/runbooks/recovery_point_deleted.md".to_owned()),
        },
        message: "`mallory` deleted recovery point `rp-1` from vault `main`".to_owned(),
        resource: Some(VAULT.to_owned()),
        propose: vec![ResponseKind::Contain, ResponseKind::Freeze],
        evidence: json!({}),
        approved: None,
    }
}
