//! Reading one field of a record that may hold anything, and saying what it held instead.
//!
//! Whoever wrote the record also reads our error texts: what is quoted is short and printable.

use serde_json::Value;

/// The most of somebody else's text that an error repeats.
const QUOTED_CHARS: usize = 40;

/// A field that is a non-empty string. Some exporters change the names' casing, so another
/// spelling counts when the exact one is missing.
#[must_use]
pub fn text<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    member(object, name)?.as_str().filter(|text| !text.is_empty())
}

/// A field that is a non-empty string, as our own.
#[must_use]
pub fn owned(object: &Value, name: &str) -> Option<String> {
    text(object, name).map(str::to_owned)
}

/// A field of an object, whatever it holds; `null` for what is not there.
#[must_use]
pub fn at<'a>(object: &'a Value, name: &str) -> &'a Value {
    member(object, name).unwrap_or(&Value::Null)
}

/// What a value is, for an error text: never what it says.
#[must_use]
pub const fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// The start of a text, in backticks and without control characters.
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut start: String = text.chars().filter(|symbol| !symbol.is_control()).take(QUOTED_CHARS).collect();
    if start.len() < text.len() {
        start.push('…');
    }
    format!("`{start}`")
}

fn member<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    let members = object.as_object()?;
    members.get(name).or_else(|| members.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_field_in_another_casing_counts_when_the_exact_one_is_missing() {
        assert_eq!(text(&json!({"accountid": "1"}), "accountId"), Some("1"));
        assert_eq!(text(&json!({"accountid": "1", "accountId": "2"}), "accountId"), Some("2"));
    }

    #[test]
    fn what_is_quoted_is_short_and_printable() {
        assert_eq!(quoted("a\u{7}b\n"), "`ab…`");
        assert!(quoted(&"ü".repeat(10_000)).chars().count() <= QUOTED_CHARS + 3);
    }
}
