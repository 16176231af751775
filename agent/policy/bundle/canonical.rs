//! What OPA hashes of a JSON file in a signed bundle: its text without white space, keys
//! sorted, strings written as Go writes them.
//!
//! Numbers keep the digits that they were written with, as OPA's do. It evaluates nothing.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// How deeply a document may be nested: as deeply as `serde_json` reads.
const DEPTH: usize = 128;

/// A JSON document as OPA hashes it; the error says why it is none.
pub(super) fn canonical(json: &[u8]) -> Result<Vec<u8>, String> {
    let document: &RawValue = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    let mut out = Vec::with_capacity(json.len());
    write(document, 0, &mut out)?;
    Ok(out)
}

fn write(value: &RawValue, depth: usize, out: &mut Vec<u8>) -> Result<(), String> {
    if depth > DEPTH {
        return Err(format!("it is nested more than {DEPTH} levels deep"));
    }
    let text = value.get();
    match text.bytes().next() {
        Some(b'{') => {
            // Of two fields with one name the last one counts, for OPA and for the agent.
            let fields: BTreeMap<String, &RawValue> = parse(text)?;
            out.push(b'{');
            for (place, (name, field)) in fields.iter().enumerate() {
                out.extend((place > 0).then_some(b','));
                string(name, out);
                out.push(b':');
                write(field, depth + 1, out)?;
            }
            out.push(b'}');
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = parse(text)?;
            out.push(b'[');
            for (place, item) in items.iter().enumerate() {
                out.extend((place > 0).then_some(b','));
                write(item, depth + 1, out)?;
            }
            out.push(b']');
        }
        Some(b'"') => string(&parse::<String>(text)?, out),
        Some(_) | None => out.extend_from_slice(text.as_bytes()),
    }
    Ok(())
}

fn parse<'a, T: serde::Deserialize<'a>>(text: &'a str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

/// A string as Go's encoder writes it when it does not escape HTML.
fn string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for c in text.chars() {
        match c {
            '"' => out.extend(b"\\\""),
            '\\' => out.extend(b"\\\\"),
            '\u{8}' => out.extend(b"\\b"),
            '\u{c}' => out.extend(b"\\f"),
            '\n' => out.extend(b"\\n"),
            '\r' => out.extend(b"\\r"),
            '\t' => out.extend(b"\\t"),
            // Go escapes these two everywhere, because JavaScript once took them for line ends.
            '\0'..='\u{1f}' | '\u{2028}' | '\u{2029}' => out.extend(format!("\\u{:04x}", u32::from(c)).bytes()),
            _ => out.extend(c.encode_utf8(&mut [0; 4]).bytes()),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(json: &str) -> String {
        String::from_utf8(canonical(json.as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn keys_are_sorted_and_spaces_are_gone() {
        assert_eq!(
            said("{\"b\": [1, {\"d\": null, \"c\": true}],\n \"a\": {}}"),
            r#"{"a":{},"b":[1,{"c":true,"d":null}]}"#
        );
    }

    #[test]
    fn numbers_keep_their_digits() {
        assert_eq!(said("[1.0, 1e2, 123456789012345678901234567890]"), "[1.0,1e2,123456789012345678901234567890]");
    }

    #[test]
    fn strings_are_as_go_writes_them() {
        assert_eq!(said(r#""<a&b>\u00e9\/""#), "\"<a&b>é/\"");
        assert_eq!(said(r#""\u0001\b\f\n\t\u2028\u007f""#), "\"\\u0001\\b\\f\\n\\t\\u2028\u{7f}\"");
    }

    #[test]
    fn depth_has_an_end() {
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        assert!(canonical(deep.as_bytes()).unwrap_err().contains("128 levels deep"));
    }
}
