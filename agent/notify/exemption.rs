//! The entry in `accounts.toml` that would exempt a finding. Pure.
//!
//! It only drafts the entry: an exemption holds once people have reviewed and added it.

use std::collections::BTreeSet;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use toml::Value;

use crate::domain::finding::Finding;

/// How long a drafted exemption holds.
const HOLDS: SignedDuration = SignedDuration::from_hours(14 * 24);

/// An exemption for each rule and resource that is named; `None` when no resource is.
#[must_use]
pub fn draft(findings: &[Finding], owner: &str, now: Timestamp) -> Option<String> {
    let named = |finding: &Finding| Some((finding.rule.id.clone(), finding.resource.clone()?));
    let meant: BTreeSet<(String, String)> = findings.iter().filter_map(named).collect();
    let day = now.saturating_add(HOLDS).unwrap_or(now).to_zoned(jiff::tz::TimeZone::UTC).date();
    let drafts: Vec<String> = meant.iter().map(|(rule, resource)| one(rule, resource, owner, day)).collect();
    (!drafts.is_empty()).then(|| drafts.join("\n"))
}

fn one(rule: &str, resource: &str, owner: &str, expires: Date) -> String {
    let quoted = |text: &str| Value::from(text).to_string();
    format!(
        "[[exemption]]\nrule = {}\nresource = {}\nreason = \"\"\nowner = {}\nexpires = \"{expires}\"\n",
        quoted(rule),
        quoted(resource),
        quoted(owner),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::notify::examples;

    #[test]
    fn a_draft_is_what_accounts_toml_understands_once_it_says_why() {
        let now = "2026-03-01T10:00:00Z".parse().unwrap();
        let mut findings = examples::contained().findings;
        findings[0].resource = Some("arn:aws:s3:::odd\"name".to_owned());
        let draft = draft(&[findings.clone(), findings].concat(), "slack:U0ALICE", now).unwrap();
        let accounts = format!("{}\n{draft}", include_str!("../../accounts.toml"));
        assert!(Config::parse(&accounts).unwrap_err().contains("must say why"));
        let config = Config::parse(&accounts.replace("reason = \"\"", "reason = \"a move\"")).unwrap();
        let [exemption] = config.exemptions.as_slice() else { panic!("{draft}") };
        assert_eq!((exemption.rule.as_str(), exemption.resource.as_str()), ("BKP-01", "arn:aws:s3:::odd\"name"));
        assert_eq!((exemption.owner.as_str(), exemption.expires.to_string()), ("slack:U0ALICE", "2026-03-15".into()));
    }

    #[test]
    fn nothing_is_drafted_for_a_finding_about_no_resource() {
        let mut findings = examples::contained().findings;
        findings[0].resource = None;
        assert_eq!(draft(&findings, "slack:U0ALICE", Timestamp::UNIX_EPOCH), None);
    }
}
