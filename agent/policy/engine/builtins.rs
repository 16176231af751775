//! The builtins that OPA's wasm leaves to its host, each as OPA itself answers.
//!
//! They see values, not the wasm that calls them, and reach nothing: no clock, no network. A
//! refused call makes the expression undefined, as in OPA's non-strict mode; it never stops
//! the rule.

use jiff::Timestamp;
use serde_json::Value;

use super::sprintf::sprintf;

/// A builtin that the agent has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Builtin {
    /// `sprintf(format, values)`.
    Sprintf,
    /// `time.parse_rfc3339_ns(text)`.
    ParseRfc3339Ns,
    /// `time.now_ns()`: the same moment throughout an evaluation.
    NowNs,
    /// `strings.any_prefix_match(search, base)`.
    AnyPrefixMatch,
    /// `strings.any_suffix_match(search, base)`.
    AnySuffixMatch,
    /// `urlquery.decode(text)`.
    UrlqueryDecode,
}

impl Builtin {
    /// The builtin of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "sprintf" => Some(Self::Sprintf),
            "time.parse_rfc3339_ns" => Some(Self::ParseRfc3339Ns),
            "time.now_ns" => Some(Self::NowNs),
            "strings.any_prefix_match" => Some(Self::AnyPrefixMatch),
            "strings.any_suffix_match" => Some(Self::AnySuffixMatch),
            "urlquery.decode" => Some(Self::UrlqueryDecode),
            _ => None,
        }
    }

    /// The builtin's answer; `None` is undefined.
    pub(super) fn call(self, arguments: &[Value], now_ns: i64) -> Option<Value> {
        match (self, arguments) {
            (Self::Sprintf, [Value::String(format), Value::Array(values)]) => {
                sprintf(format, values).map(Value::String)
            }
            (Self::ParseRfc3339Ns, [Value::String(text)]) => parse_rfc3339_ns(text).map(Value::from),
            (Self::NowNs, []) => Some(Value::from(now_ns)),
            (Self::AnyPrefixMatch, [search, base]) => any_match(search, base, |text, affix| text.starts_with(affix)),
            (Self::AnySuffixMatch, [search, base]) => any_match(search, base, |text, affix| text.ends_with(affix)),
            (Self::UrlqueryDecode, [Value::String(text)]) => urlquery_decode(text).map(Value::from),
            (Self::Sprintf | Self::ParseRfc3339Ns | Self::NowNs | Self::UrlqueryDecode, _) => None,
            (Self::AnyPrefixMatch | Self::AnySuffixMatch, _) => None,
        }
    }
}

/// A text whose `%XX` are bytes and whose `+` are spaces; `None` where `%` begins no such thing.
/// Go keeps bytes that are no UTF-8, and writes U+FFFD for each of them.
fn urlquery_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => 16 * hex_digit(rest.next()?)? + hex_digit(rest.next()?)?,
            b'+' => b' ',
            other => other,
        });
    }
    let mut decoded = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        decoded.push_str(chunk.valid());
        decoded.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    Some(decoded)
}

fn hex_digit(byte: u8) -> Option<u8> {
    u8::try_from(char::from(byte).to_digit(16)?).ok()
}

/// Nanoseconds since 1970 of a moment as RFC 3339 writes it. Jiff reads more than that, so
/// the shape is checked first; Go reads nine digits of a fraction and drops the rest.
fn parse_rfc3339_ns(text: &str) -> Option<i64> {
    let (moment, zone) = text.split_at_checked("2006-01-02T15:04:05".len())?;
    if !has_shape(moment, "dddd-dd-ddTdd:dd:dd") || moment.ends_with(":60") {
        return None;
    }
    let digits = zone.strip_prefix(['.', ',']).map_or("", leading_digits);
    let zone = if digits.is_empty() { zone } else { zone.get(1 + digits.len()..)? };
    if zone != "Z" && !has_shape(zone, "+dd:dd") && !has_shape(zone, "-dd:dd") {
        return None;
    }
    let fraction = digits.get(..9).unwrap_or(digits);
    let point = if fraction.is_empty() { "" } else { "." };
    let parsed: Timestamp = format!("{moment}{point}{fraction}{zone}").parse().ok()?;
    i64::try_from(parsed.as_nanosecond()).ok()
}

fn leading_digits(text: &str) -> &str {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    text.get(..end).unwrap_or_default()
}

/// Whether a text has a shape in which `d` stands for any digit.
fn has_shape(text: &str, shape: &str) -> bool {
    let fits = |(byte, expected): (u8, u8)| if expected == b'd' { byte.is_ascii_digit() } else { byte == expected };
    text.len() == shape.len() && text.bytes().zip(shape.bytes()).all(fits)
}

/// Whether any of the texts has any of the affixes; both may be one string or many.
fn any_match(search: &Value, base: &Value, has: fn(&str, &str) -> bool) -> Option<Value> {
    let (texts, affixes) = (strings(search)?, strings(base)?);
    Some(Value::Bool(texts.iter().any(|text| affixes.iter().any(|affix| has(text, affix)))))
}

fn strings(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(text) => Some(vec![text]),
        Value::Array(items) => items.iter().map(Value::as_str).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ask(name: &str, arguments: Value) -> Option<Value> {
        Builtin::named(name).unwrap().call(arguments.as_array().unwrap(), 7)
    }

    #[test]
    fn now_is_what_the_caller_says() {
        assert_eq!(ask("time.now_ns", json!([])), Some(json!(7)));
    }

    #[test]
    fn moments_are_read_as_go_reads_them() {
        let parse = |text: &str| ask("time.parse_rfc3339_ns", json!([text]));
        assert_eq!(parse("1970-01-01T00:00:01Z"), Some(json!(1_000_000_000)));
        assert_eq!(parse("1970-01-01T01:00:00.5+01:00"), Some(json!(500_000_000)));
        assert_eq!(parse("1970-01-01T00:00:00.1234567899Z"), Some(json!(123_456_789)));
        assert_eq!(parse("2026-11-21T03:04:05.000000001Z"), Some(json!(1_795_230_245_000_000_001_i64)));
        let refused = [
            "",
            "2026-11-21",
            "2026-11-21 03:04:05Z",
            "2026-11-21t03:04:05Z",
            "2026-11-21T03:04:05",
            "2026-11-21T03:04:05.Z",
            "2026-11-21T03:04:60Z",
            "2026-02-30T00:00:00Z",
            "2026-11-21T03:04:05+0100",
            "2026-11-21T03:04:05Z[UTC]",
            "9999-01-01T00:00:00Z",
            "ééééééééééééééé",
        ];
        for text in refused {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn escapes_are_bytes_and_a_broken_one_is_undefined() {
        let decode = |text: &str| ask("urlquery.decode", json!([text]));
        assert_eq!(decode("%7B%22a%22%3a+%c3%A9%7d"), Some(json!("{\"a\": é}")));
        assert_eq!(decode("é%2B"), Some(json!("é+")));
        assert_eq!(decode("%ff%E2%82x"), Some(json!("\u{fffd}\u{fffd}\u{fffd}x")));
        for broken in ["%", "%7", "%zz", "a%2", "%+1", "%é1"] {
            assert_eq!(decode(broken), None, "{broken}");
        }
        assert_eq!(ask("urlquery.decode", json!([7])), None);
    }

    #[test]
    fn an_affix_of_any_text_is_enough() {
        assert_eq!(ask("strings.any_prefix_match", json!(["abc", ["x", "ab"]])), Some(json!(true)));
        assert_eq!(ask("strings.any_prefix_match", json!([["q", "abc"], "bc"])), Some(json!(false)));
        assert_eq!(ask("strings.any_suffix_match", json!([["q", "abc"], ["bc"]])), Some(json!(true)));
        assert_eq!(ask("strings.any_suffix_match", json!([[], []])), Some(json!(false)));
    }

    #[test]
    fn arguments_of_another_type_are_undefined() {
        assert_eq!(ask("strings.any_prefix_match", json!([["a", 1], "a"])), None);
        assert_eq!(ask("time.parse_rfc3339_ns", json!([1])), None);
        assert_eq!(ask("sprintf", json!(["%d", 1])), None);
    }
}
