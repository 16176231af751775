//! What a store keeps as one item: JSON that can be read back, and never too much of it.
//!
//! DynamoDB takes 400 KB an item, names included (its quotas page, *Item size*). A store in a
//! file holds itself to the same, so that what works on one agent works on many.

use serde::Serialize;
use serde_json::Value;

use super::LedgerError;
use crate::domain::case::CaseRecord;
use crate::domain::finding::Finding;
use crate::domain::reason::{Because, Reason};

/// The most that one item may hold, in bytes.
pub const MAX_ITEM_BYTES: usize = 350_000;

/// How many findings, and how many reasons, are kept of a case that would not fit.
const KEPT: usize = 20;

/// How much is kept of a text of a case that would not fit, in bytes.
const TEXT_BYTES: usize = 512;

/// A value as an item.
///
/// # Errors
/// When it is too large, or cannot be written as JSON.
pub fn json(what: &'static str, value: &impl Serialize) -> Result<String, LedgerError> {
    let text =
        serde_json::to_string(value).map_err(|error| LedgerError::Damaged { what, detail: error.to_string() })?;
    if text.len() > MAX_ITEM_BYTES {
        return Err(LedgerError::TooLarge { what, bytes: text.len() });
    }
    Ok(text)
}

/// A case as an item. Evidence that is nested too deeply or is too large is left out, and then
/// whatever else an attacker can make long: the alert about an attack must arrive.
///
/// # Errors
/// When its steps alone are too large; whoever plans sees to it that they are not.
pub fn case(case: &CaseRecord) -> Result<String, LedgerError> {
    let readable = |text: &String| serde_json::from_str::<CaseRecord>(text).is_ok();
    if let Some(text) = json("case", case).ok().filter(readable) {
        return Ok(text);
    }
    let mut case = case.clone();
    for finding in &mut case.findings {
        finding.evidence = Value::Null;
    }
    json("case", &case).or_else(|_| json("case", &shortened(case)))
}

/// A finding as an item, without its evidence where it only fits so.
///
/// # Errors
/// When its rule alone is too large.
pub fn finding(finding: &Finding) -> Result<String, LedgerError> {
    json("finding", finding).or_else(|_| {
        let mut finding = Finding { evidence: Value::Null, ..finding.clone() };
        shorten_finding(&mut finding);
        json("finding", &finding)
    })
}

/// What of a case says enough.
fn shortened(mut case: CaseRecord) -> CaseRecord {
    let left_out = case.findings.len().saturating_sub(KEPT);
    case.findings.sort_by_key(|finding| std::cmp::Reverse(finding.rule.severity));
    case.findings.truncate(KEPT);
    case.findings.iter_mut().for_each(shorten_finding);
    case.reasons.truncate(KEPT);
    if left_out > 0 {
        case.reasons.push(Reason::general(Because::FindingsLeftOut { findings: left_out }));
    }
    if let Some(event) = case.subject.event_mut() {
        [&mut event.id, &mut event.name, &mut event.source].into_iter().for_each(shorten);
        [&mut event.user_agent, &mut event.source_ip, &mut event.error_code].into_iter().flatten().for_each(shorten);
    }
    case
}

fn shorten_finding(finding: &mut Finding) {
    shorten(&mut finding.message);
    finding.resource.iter_mut().for_each(shorten);
}

fn shorten(text: &mut String) {
    text.truncate(text.floor_char_boundary(TEXT_BYTES));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::examples;
    use crate::domain::finding::Severity;

    fn read_back(record: &CaseRecord) -> CaseRecord {
        let text = case(record).expect("it fits");
        assert!(text.len() <= MAX_ITEM_BYTES, "{}", text.len());
        serde_json::from_str(&text).expect("it can be read back")
    }

    fn with_evidence(evidence: Value) -> CaseRecord {
        let mut record = examples::case();
        record.findings[0].evidence = evidence;
        record
    }

    #[test]
    fn a_case_that_fits_is_kept_whole() {
        let record = with_evidence(json!({ "points": 3 }));
        assert_eq!(read_back(&record), record);
    }

    #[test]
    fn evidence_that_could_not_be_read_back_or_does_not_fit_is_left_out() {
        let deep = (0..126).fold(json!(1), |inner, _| json!([inner]));
        let large = Value::String("x".repeat(MAX_ITEM_BYTES));
        for evidence in [deep, large] {
            assert_eq!(read_back(&with_evidence(evidence)), with_evidence(Value::Null));
        }
    }

    #[test]
    fn of_a_flood_the_worst_is_kept_and_the_rest_counted() {
        let mut record = with_evidence(Value::Null);
        let mut finding = record.findings.remove(0);
        finding.message = "é".repeat(4_000);
        finding.rule.severity = Severity::Low;
        record.findings = vec![finding.clone(); 100];
        finding.rule.severity = Severity::Critical;
        record.findings.push(finding);
        let kept = read_back(&record);
        assert_eq!((kept.findings.len(), kept.findings[0].rule.severity), (KEPT, Severity::Critical));
        assert_eq!(kept.findings[0].message.len(), TEXT_BYTES);
        let because = &kept.reasons.last().expect("a reason").because;
        assert_eq!(*because, Because::FindingsLeftOut { findings: 81 });
    }

    #[test]
    fn what_is_too_large_is_no_item() {
        let error = json("plan", &"x".repeat(MAX_ITEM_BYTES)).expect_err("it is too large");
        assert_eq!(error.to_string(), "a plan of 350002 bytes is too large for the store, which takes 350000");
    }
}
