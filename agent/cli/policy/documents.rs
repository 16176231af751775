//! Documents for rules, from what an author has at hand: documents as they are, CloudTrail
//! records, their envelopes, log files, one JSON value or one on each line.

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::domain::account::Account;
use crate::domain::event::Event;
use crate::policy::input::ActInput;

/// The documents in a text, in its order.
///
/// # Errors
/// When it is not JSON, or something in it is no record.
pub(super) fn read(text: &str) -> anyhow::Result<Vec<Value>> {
    let values = match serde_json::from_str(text) {
        Ok(whole) => vec![whole],
        Err(error) => {
            let lines: Result<Vec<Value>, _> =
                text.lines().filter(|line| !line.trim().is_empty()).map(serde_json::from_str).collect();
            lines.map_err(|_| error).context("it is neither JSON nor JSON on each line")?
        }
    };
    let mut documents = Vec::new();
    values.into_iter().try_for_each(|value| collect(value, &mut documents))?;
    Ok(documents)
}

fn collect(mut value: Value, into: &mut Vec<Value>) -> anyhow::Result<()> {
    if let Value::Array(items) = value {
        return items.into_iter().try_for_each(|item| collect(item, into));
    }
    for inner in ["Records", "detail"] {
        if let Some(inner) = value.get_mut(inner) {
            return collect(inner.take(), into);
        }
    }
    let whole = value.get("event").is_some() || value.get("resource").is_some();
    into.push(if whole { value } else { of_record(value)? });
    Ok(())
}

/// What rules see of a record. Its account is taken for one in production that observes.
fn of_record(record: Value) -> anyhow::Result<Value> {
    let event = Event::parse(record).context("it is no CloudTrail record")?;
    let account: Account = serde_json::from_value(
        json!({"id": event.account, "name": event.account, "class": "production", "regions": []}),
    )?;
    Ok(serde_json::to_value(ActInput::new(&event, &account, event.time))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_found_however_they_are_wrapped() {
        let record = include_str!("../../../tests/fixtures/cloudtrail/user_deletes_recovery_point.json");
        let one: Value = serde_json::from_str(record).unwrap();
        let wrapped = [
            one.to_string(),
            json!({ "Records": [one] }).to_string(),
            json!({ "detail-type": "AWS API Call via CloudTrail", "detail": one }).to_string(),
            format!("{one}\n\n"),
        ];
        let expected = read(record).unwrap();
        assert_eq!(expected[0]["event"]["eventName"], "DeleteRecoveryPoint");
        for text in wrapped {
            assert_eq!(read(&text).unwrap(), expected, "{text}");
        }
        assert_eq!(read(&format!("{one}\n{one}\n")).unwrap().len(), 2);
        assert_eq!(read(r#"[{"resource": {}}]"#).unwrap(), [json!({"resource": {}})]);
        assert!(read("{").unwrap_err().to_string().contains("neither JSON"));
        assert!(read("[1]").unwrap_err().to_string().contains("no CloudTrail record"));
    }
}
