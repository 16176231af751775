//! Notices for tests.

use std::collections::BTreeMap;

use serde_json::json;

use super::context::{Activity, Context};
use super::geoip::Origin;
use super::notification::{EventFacts, Notification, NotificationKind, StepReport};
use crate::domain::account::Mode;
use crate::domain::finding::{Finding, ResponseKind, Rule, Severity};
use crate::domain::outcome::StepOutcome;
use crate::domain::principal::{Flags, Principal, PrincipalKind};
use crate::domain::reason::Reason;
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

pub(super) fn contained() -> Notification {
    Notification {
        kind: NotificationKind::Response,
        at: "2026-01-02T03:04:07.250Z".parse().expect("a time"),
        account: "111122223333".parse().expect("an id"),
        account_name: "securecart-prod".to_owned(),
        bundle: None,
        region: "eu-west-1".to_owned(),
        event: Some(event()),
        findings: vec![finding()],
        reasons: vec![Reason {
            rule: "BKP-01".to_owned(),
            mode: Mode::Enforce,
            because: "global, account and rule mode say `enforce`".to_owned(),
        }],
        plan: Some("KW-7F3A2C01.1".to_owned()),
        steps: vec![
            step(
                ResponseKind::Contain,
                "deny user `mallory` destructive actions (inline policy `KeepwatchQuarantine-KW-7F3A2C01`)",
                StepOutcome::Done,
            ),
            StepReport {
                changes: vec!["- versioning: Suspended".to_owned(), "+ versioning: Enabled".to_owned()],
                ..step(ResponseKind::Restore, "set versioning of bucket `invoices` to Enabled", StepOutcome::Done)
            },
            step(
                ResponseKind::Freeze,
                "hold every recovery point of vault `main` in eu-west-1",
                StepOutcome::Unverified,
            ),
        ],
        at_stake: vec!["vault `main` holds 3 recovery points, the newest of 2026-01-01T05:00:00Z".to_owned()],
        context: Context {
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
        },
        people: Vec::new(),
    }
}

fn step(verb: ResponseKind, action: &str, outcome: StepOutcome) -> StepReport {
    StepReport {
        verb,
        action: action.to_owned(),
        changes: Vec::new(),
        undo: "take it back".to_owned(),
        outcome: Some(outcome),
    }
}

fn event() -> EventFacts {
    EventFacts {
        id: "e1".to_owned(),
        source: "backup.amazonaws.com".to_owned(),
        name: "DeleteRecoveryPoint".to_owned(),
        time: "2026-01-02T03:04:05Z".parse().expect("a time"),
        source_ip: Some("198.51.100.7".to_owned()),
        origin: Some(Origin {
            country: Some("NL".to_owned()),
            asn: Some(64500),
            organisation: Some("Example".to_owned()),
        }),
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
