//! Whole values of which a test means only a part, and copies of folders to change.

use std::fs;
use std::path::Path;

use keepwatch::domain::account::Mode;
use keepwatch::domain::finding::{Finding, Rule, Severity};
use keepwatch::domain::principal::{Flags, Principal, PrincipalKind};
use serde_json::Value;

/// An IAM user of whom nothing is known.
pub fn user() -> Principal {
    Principal {
        kind: PrincipalKind::IamUser,
        account: None,
        name: None,
        arn: None,
        session: None,
        unique_id: None,
        access_key: None,
        issued_at: None,
        source_identity: None,
        invoked_by: None,
        flags: Flags::default(),
    }
}

/// What an enforced rule with this id and severity found, about nothing.
pub fn finding(id: &str, severity: Severity) -> Finding {
    let rule = Rule {
        id: id.to_owned(),
        title: String::new(),
        severity,
        mode: Mode::Enforce,
        controls: Vec::new(),
        attack: Vec::new(),
        runbook: None,
    };
    Finding { rule, message: String::new(), resource: None, approved: None, propose: Vec::new(), evidence: Value::Null }
}

/// Copies a folder with everything below it.
pub fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
