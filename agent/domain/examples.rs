//! Values for unit tests: an account, who acts in it, a rule and what it finds. A test changes
//! what it is about, and nothing else.

use std::collections::BTreeMap;

use serde_json::Value;

use super::account::{Account, AccountClass, AccountId, Mode};
use super::action::{Action, Strength, UserChange};
use super::case::{CaseRecord, CaseSubject, CaseUpdate, EventFacts};
use super::enrichment::Enrichment;
use super::finding::{Finding, ResponseKind, Rule, Severity};
use super::plan::Step;
use super::principal::{Flags, Principal, PrincipalKind};
use super::reason::{Because, Reason};
use super::resource::bucket::{BucketChange, Versioning};
use super::resource::{Change, Place};
use super::undo::Undo;

/// The account that everything happens in.
pub const ACCOUNT: &str = "111122223333";

/// Its id.
pub fn account_id() -> AccountId {
    ACCOUNT.parse().unwrap()
}

/// A production account that is only observed.
pub fn account() -> Account {
    Account {
        id: account_id(),
        name: "prod".to_owned(),
        class: AccountClass::Production,
        regions: Vec::new(),
        mode: Mode::Observe,
        ou: None,
        tags: BTreeMap::new(),
    }
}

/// A user of the account.
pub fn user(name: &str) -> Principal {
    Principal {
        kind: PrincipalKind::IamUser,
        account: Some(ACCOUNT.to_owned()),
        name: Some(name.to_owned()),
        arn: Some(format!("arn:aws:iam::{ACCOUNT}:user/{name}")),
        session: None,
        unique_id: Some("AIDAEXAMPLE".to_owned()),
        access_key: None,
        issued_at: None,
        source_identity: None,
        invoked_by: None,
        flags: Flags::default(),
    }
}

/// A session of a role of the account.
pub fn role(name: &str) -> Principal {
    Principal {
        kind: PrincipalKind::AssumedRole,
        arn: Some(format!("arn:aws:iam::{ACCOUNT}:role/{name}")),
        unique_id: Some("AROAX:session".to_owned()),
        ..user(name)
    }
}

/// A critical rule that may act.
pub fn rule(id: &str) -> Rule {
    Rule {
        id: id.to_owned(),
        title: "Recovery point deleted by hand".to_owned(),
        severity: Severity::Critical,
        mode: Mode::Enforce,
        controls: Vec::new(),
        attack: Vec::new(),
        runbook: None,
    }
}

/// What that rule finds about no resource in particular.
pub fn finding(rule_id: &str, propose: &[ResponseKind]) -> Finding {
    Finding {
        rule: rule(rule_id),
        message: "it happened".to_owned(),
        resource: None,
        propose: propose.to_vec(),
        evidence: Value::Null,
        approved: None,
    }
}

/// What is known of that user's deleting a recovery point.
pub fn event() -> EventFacts {
    EventFacts {
        id: "e1".to_owned(),
        source: "backup.amazonaws.com".to_owned(),
        name: "DeleteRecoveryPoint".to_owned(),
        time: "2026-01-02T03:04:05Z".parse().unwrap(),
        source_ip: Some("198.51.100.7".to_owned()),
        user_agent: Some("Boto3/1.43".to_owned()),
        principal: user("mallory"),
        error_code: None,
        mfa: Some(false),
    }
}

/// The case of it, before anything is planned.
pub fn case() -> CaseRecord {
    CaseRecord {
        subject: CaseSubject::Event { event: Box::new(event()) },
        update: CaseUpdate::Response,
        at: "2026-01-02T03:04:07.250Z".parse().unwrap(),
        account: account_id(),
        account_name: account().name,
        region: "eu-west-1".parse().ok(),
        bundle: None,
        findings: vec![finding("BKP-01", &[ResponseKind::Contain])],
        reasons: vec![Reason { rule: Some("BKP-01".to_owned()), mode: Mode::Enforce, because: Because::Enforced }],
        plan: None,
        steps: Vec::new(),
        enrichment: Enrichment::default(),
        people: Vec::new(),
    }
}

/// A change to a resource of the account in eu-west-1.
pub fn change(name: &str, change: impl Into<Change>) -> Action {
    change_in("eu-west-1", name, change)
}

/// A change to a resource of the account.
pub fn change_in(region: &str, name: &str, change: impl Into<Change>) -> Action {
    let change = change.into();
    let (account, region) = (account_id(), region.parse().unwrap());
    Action::Resource { place: Place { kind: change.kind(), account, region, name: name.to_owned() }, change }
}

/// A step that an action takes back.
pub fn step(verb: ResponseKind, action: Action, undo: Action) -> Step {
    Step { account: account_id(), verb, action, undo: Undo::By { action: undo } }
}

/// The step that quarantines a user.
pub fn quarantine(user: &str, strength: Strength) -> Step {
    let policy = "KeepwatchQuarantine-KW-7F3A2C01".to_owned();
    let change = |change| Action::User { user: user.to_owned(), change };
    let release = change(UserChange::Release { policy: policy.clone() });
    step(ResponseKind::Contain, change(UserChange::Quarantine { policy, strength }), release)
}

/// The step that turns a bucket's versioning on again.
pub fn versioning(bucket: &str) -> Step {
    let set = |versioning| change(bucket, BucketChange::SetVersioning(versioning));
    step(ResponseKind::Restore, set(Versioning::Enabled), set(Versioning::Suspended))
}
