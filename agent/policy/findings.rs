//! From what a rule returned to [`Finding`]s. Whatever is not a set of findings becomes a
//! finding itself: a rule that cannot be evaluated must be seen, not missed.

use serde::Deserialize;
use serde_json::{Value, json};

use super::engine::Failure;
use crate::domain::account::Mode;
use crate::domain::finding::{Finding, ResponseKind, Rule};

/// OPA's answer to one query.
#[derive(Deserialize)]
struct Answer {
    result: Value,
}

/// A finding as a rule writes it. An unknown key is an error: a misspelt `propose` would
/// silently propose nothing.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    message: String,
    resource: Option<String>,
    propose: Vec<ResponseKind>,
    #[serde(default)]
    evidence: Value,
}

/// What a rule found, or why it could not be evaluated.
pub(super) fn findings(rule: &Rule, answer: Result<Vec<u8>, Failure>) -> Vec<Finding> {
    match answer.and_then(|result_set| members(&result_set)) {
        Ok(members) => members.into_iter().map(|member| finding(rule, member)).collect(),
        Err(failure) => vec![unevaluated(rule, &failure)],
    }
}

/// What a rule found, where nothing may be wrong with any of it.
pub(super) fn strictly(rule: &Rule, result_set: &[u8]) -> Result<Vec<Finding>, Failure> {
    members(result_set)?.into_iter().map(|member| written(rule, member)).collect()
}

/// Puts findings in an order that does not hang on how a set was stored.
pub(super) fn sort(findings: &mut Vec<Finding>) {
    findings.sort_by_cached_key(|finding| {
        (finding.rule.id.clone(), finding.message.clone(), finding.resource.clone(), finding.evidence.to_string())
    });
    findings.dedup();
}

/// The members of the set that a rule is.
fn members(result_set: &[u8]) -> Result<Vec<Value>, Failure> {
    match result_set {
        b"[]" => return Err(Failure::Undefined),
        br#"[{"result":[]}]"# => return Ok(Vec::new()),
        _ => {}
    }
    let answers: Vec<Answer> = serde_json::from_slice(result_set).map_err(|error| malformed(&error))?;
    match answers.into_iter().next().map(|answer| answer.result) {
        None => Err(Failure::Undefined),
        Some(Value::Array(members)) => Ok(members),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => {
            Err(Failure::Malformed("a set of findings is due".to_owned()))
        }
    }
}

fn finding(rule: &Rule, member: Value) -> Finding {
    written(rule, member).unwrap_or_else(|failure| unevaluated(rule, &failure))
}

fn written(rule: &Rule, member: Value) -> Result<Finding, Failure> {
    let Written { message, resource, propose, evidence } =
        serde_json::from_value(member).map_err(|error| malformed(&error))?;
    if message.trim().is_empty() {
        return Err(Failure::Malformed("its `message` is empty".to_owned()));
    }
    Ok(Finding { rule: rule.clone(), message, resource, propose, evidence, approved: None })
}

/// The finding that stands for a rule that could not be evaluated. It proposes nothing and goes
/// no further than telling people.
fn unevaluated(rule: &Rule, failure: &Failure) -> Finding {
    Finding {
        rule: Rule { mode: rule.mode.min(Mode::Alert), ..rule.clone() },
        message: format!("rule `{}` could not be evaluated: {failure}", rule.id),
        resource: None,
        propose: Vec::new(),
        evidence: json!({ "failure": failure.word() }),
        approved: None,
    }
}

fn malformed(error: &serde_json::Error) -> Failure {
    Failure::Malformed(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::examples;
    use crate::domain::finding::Severity;

    fn rule() -> Rule {
        examples::rule("BKP-01")
    }

    fn read(result_set: &str) -> Vec<Finding> {
        let mut read = findings(&rule(), Ok(result_set.as_bytes().to_vec()));
        sort(&mut read);
        read
    }

    #[test]
    fn an_empty_set_is_no_finding() {
        assert_eq!(read(r#"[{"result":[]}]"#), []);
        assert_eq!(read(r#"[ {"result": []} ]"#), []);
    }

    #[test]
    fn findings_carry_their_rule_and_stand_in_order() {
        let found = read(
            r#"[{"result":[{"message":"b","propose":["contain","contain_hard"],"evidence":{"n":1}},
                           {"message":"a","resource":"arn:x","propose":[]}]}]"#,
        );
        assert_eq!(found.iter().map(|one| one.message.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(found[0].resource.as_deref(), Some("arn:x"));
        assert_eq!(found[1].propose, [ResponseKind::Contain, ResponseKind::ContainHard]);
        assert_eq!(found[1].rule, rule());
    }

    #[test]
    fn undefined_is_a_finding_that_proposes_nothing() {
        let found = read("[]");
        assert_eq!(found[0].message, "rule `BKP-01` could not be evaluated: its result is undefined");
        assert_eq!((found[0].rule.mode, found[0].rule.severity), (Mode::Alert, Severity::Critical));
        assert!(found[0].propose.is_empty());
        assert_eq!(found[0].evidence["failure"], "undefined");
    }

    #[test]
    fn a_rule_that_observes_is_not_raised_to_an_alert() {
        let observed = Rule { mode: Mode::Observe, ..rule() };
        assert_eq!(findings(&observed, Err(Failure::Undefined))[0].rule.mode, Mode::Observe);
    }

    #[test]
    fn a_malformed_finding_does_not_hide_a_good_one() {
        let found =
            read(r#"[{"result":[{"message":"m","propose":["explode"]},{"message":"a","propose":["freeze"]}]}]"#);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].propose, [ResponseKind::Freeze]);
        assert!(found[1].message.contains("could not be evaluated: its result is not what a rule returns"));
        assert!(found[1].message.contains("unknown variant `explode`"), "{}", found[1].message);
    }

    #[test]
    fn anything_else_than_a_set_of_findings_is_malformed() {
        for odd in [
            r#"[{"result":true}]"#,
            r#"[{"result":{"message":"m","propose":[]}}]"#,
            r#"[{"result":["text"]}]"#,
            r#"[{"result":[{"message":"m"}]}]"#,
            r#"[{"result":[{"message":"m","propose":[],"actor":"x"}]}]"#,
            "no json",
        ] {
            assert_eq!(read(odd)[0].evidence["failure"], "malformed", "{odd}");
        }
    }
}
