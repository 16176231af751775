//! Values for unit tests: an account, who acts in it, a rule and what it finds. A test changes
//! what it is about, and nothing else.

use std::collections::BTreeMap;

use serde_json::Value;

use super::account::{Account, AccountClass, AccountId, Mode};
use super::finding::{Finding, ResponseKind, Rule, Severity};
use super::principal::{Flags, Principal, PrincipalKind};

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
