//! `sprintf` for rules: the part of Go's `fmt` that messages need, exactly as OPA answers it.
//!
//! Verbs `%s %v %d %x %X %q %f %.Nf %t %%` over strings, numbers, booleans and null. A verb
//! that does not fit its value gives Go's own complaint (`%!d(string=x)`). All else, among it
//! flags, widths and collections, is refused and so undefined: better no text than another
//! one than `opa test` shows.

use serde_json::Value;

/// The text; `None` when it would take more of `fmt` than there is here.
pub(super) fn sprintf(format: &str, values: &[Value]) -> Option<String> {
    let mut arguments = values.iter().map(Argument::of).collect::<Option<Vec<_>>>()?.into_iter();
    let mut text = String::new();
    let mut rest = format;
    while let Some((before, after)) = rest.split_once('%') {
        text.push_str(before);
        let (verb, after) = Directive::read(after)?;
        text.push_str(&verb.write(&mut arguments)?);
        rest = after;
    }
    text.push_str(rest);
    text.push_str(&extra(arguments));
    Some(text)
}

/// Go's complaint about values that no verb asked for.
fn extra(left: impl Iterator<Item = Argument>) -> String {
    let each: Vec<_> = left.map(|argument| format!("{}={}", argument.go_type(), argument.plain())).collect();
    if each.is_empty() { String::new() } else { format!("%!(EXTRA {})", each.join(", ")) }
}

/// A value as OPA hands it to Go.
enum Argument {
    Text(String),
    Integer(i64),
    Float(f64),
}

impl Argument {
    /// OPA passes booleans and null as their text, and collections as Rego prints them.
    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Some(Self::Text(text.clone())),
            Value::Bool(yes) => Some(Self::Text(yes.to_string())),
            Value::Null => Some(Self::Text("null".to_owned())),
            Value::Number(number) => number.as_i64().map(Self::Integer).or_else(|| Self::of_float(number.as_f64()?)),
            Value::Array(_) | Value::Object(_) => None,
        }
    }

    /// A float that Go writes without an exponent. Whether OPA passes others as numbers or as
    /// text hangs on how they were once spelt.
    fn of_float(float: f64) -> Option<Self> {
        let plain = (1e-4..1e6).contains(&float.abs()) && float.fract() != 0.0;
        plain.then_some(Self::Float(float))
    }

    const fn go_type(&self) -> &'static str {
        match self {
            Self::Text(_) => "string",
            Self::Integer(_) => "int64",
            Self::Float(_) => "float64",
        }
    }

    /// As `%v` writes it.
    fn plain(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Integer(integer) => integer.to_string(),
            Self::Float(float) => float.to_string(),
        }
    }
}

/// A verb of the format.
enum Directive {
    /// `%%`.
    Percent,
    /// A `%` at the end.
    Missing,
    /// `%.Nf`; with more than floats, Go's complaint would count the places too.
    Fixed(usize),
    /// Any other letter.
    Letter(char),
}

impl Directive {
    /// The verb after a `%`, and what follows it.
    fn read(after: &str) -> Option<(Self, &str)> {
        if let Some(precise) = after.strip_prefix('.') {
            let (digits, rest) = precise.split_once('f')?;
            let plain = !digits.is_empty() && digits.len() <= 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
            return plain.then(|| digits.parse().ok().map(|places| (Self::Fixed(places), rest)))?;
        }
        let Some(letter) = after.chars().next() else {
            return Some((Self::Missing, after));
        };
        let rest = after.get(letter.len_utf8()..)?;
        match letter {
            '%' => Some((Self::Percent, rest)),
            's' | 'v' | 'd' | 'f' | 'x' | 'X' | 'q' | 't' => Some((Self::Letter(letter), rest)),
            _ => None,
        }
    }

    fn write(&self, arguments: &mut impl Iterator<Item = Argument>) -> Option<String> {
        let letter = match self {
            Self::Percent => return Some("%".to_owned()),
            Self::Missing => return Some("%!(NOVERB)".to_owned()),
            Self::Fixed(_) => 'f',
            Self::Letter(letter) => *letter,
        };
        let Some(argument) = arguments.next() else {
            return Some(format!("%!{letter}(MISSING)"));
        };
        match (self, &argument) {
            (Self::Fixed(places), Argument::Float(float)) => Some(format!("{float:.places$}")),
            (Self::Letter('f'), Argument::Float(float)) => Some(format!("{float:.6}")),
            (Self::Letter('v'), _) | (Self::Letter('s'), Argument::Text(_)) => Some(argument.plain()),
            (Self::Letter('d'), Argument::Integer(integer)) => Some(integer.to_string()),
            (Self::Letter('q'), Argument::Text(text)) => quoted(text),
            (Self::Letter('x'), Argument::Text(text)) => Some(text.bytes().map(|byte| format!("{byte:02x}")).collect()),
            (Self::Letter('X'), Argument::Text(text)) => Some(text.bytes().map(|byte| format!("{byte:02X}")).collect()),
            (Self::Letter('x'), Argument::Integer(integer)) => Some(hexadecimal(*integer)),
            (Self::Letter('X'), Argument::Integer(integer)) => Some(hexadecimal(*integer).to_uppercase()),
            // Go answers these too, but no message needs them.
            (Self::Letter('q'), Argument::Integer(_))
            | (Self::Letter('x' | 'X'), Argument::Float(_))
            | (Self::Fixed(_), _) => None,
            (Self::Percent | Self::Missing | Self::Letter(_), _) => {
                Some(format!("%!{letter}({}={})", argument.go_type(), argument.plain()))
            }
        }
    }
}

fn hexadecimal(integer: i64) -> String {
    let sign = if integer < 0 { "-" } else { "" };
    format!("{sign}{:x}", integer.unsigned_abs())
}

/// A string as Go quotes it. Which rare characters Go holds printable changes with Unicode's
/// versions: texts with others than letters and digits beyond ASCII are refused.
fn quoted(text: &str) -> Option<String> {
    let mut quoted = String::from('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{b}' => quoted.push_str("\\v"),
            control if control.is_ascii_control() => quoted.push_str(&format!("\\x{:02x}", u32::from(control))),
            plain if plain.is_ascii() || plain.is_alphanumeric() => quoted.push(plain),
            _ => return None,
        }
    }
    quoted.push('"');
    Some(quoted)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Formats, values, and what `opa eval` of OPA 1.20.2 prints for them.
    #[test]
    fn messages_read_as_in_opa() {
        let said = [
            ("plain", json!([]), "plain"),
            ("%s is %s", json!(["a", "b"]), "a is b"),
            ("%d%%", json!([42]), "42%"),
            ("%v %v %v", json!([true, null, "x"]), "true null x"),
            ("%v %v %v", json!([1.5, 0.0001, 100_000.25]), "1.5 0.0001 100000.25"),
            ("%q", json!(["a\"b\\c\n\u{1}é"]), "\"a\\\"b\\\\c\\n\\x01é\""),
            ("%f %.2f %.0f", json!([1.5, 2.345, 2.5]), "1.500000 2.35 2"),
            ("%x %X %x %x", json!(["hi", "hi\u{ff}", 255, -255]), "6869 6869C3BF ff -ff"),
            ("%d", json!(["x"]), "%!d(string=x)"),
            ("%s", json!([5]), "%!s(int64=5)"),
            ("%f", json!([5]), "%!f(int64=5)"),
            ("%t", json!([true]), "%!t(string=true)"),
            ("%s %s", json!(["a"]), "a %!s(MISSING)"),
            ("%s", json!(["a", "b", 1]), "a%!(EXTRA string=b, int64=1)"),
            ("100%", json!([]), "100%!(NOVERB)"),
        ];
        for (format, values, text) in said {
            assert_eq!(sprintf(format, values.as_array().unwrap()).as_deref(), Some(text), "{format}");
        }
    }

    #[test]
    fn what_is_not_exact_is_refused() {
        let refused = [
            ("%5d", json!([1])),
            ("%-s", json!(["a"])),
            ("%.2s", json!(["a"])),
            ("%[1]s", json!(["a"])),
            ("%v", json!([[1, 2]])),
            ("%v", json!([{"a": 1}])),
            ("%d", json!([u64::MAX])),
            ("%q", json!(["\u{200b}"])),
            ("%e", json!([1.5])),
            ("%.1f", json!([2])),
            ("%v", json!([1e21])),
            ("%v", json!([1_234_567.5])),
        ];
        for (format, values) in refused {
            assert_eq!(sprintf(format, values.as_array().unwrap()), None, "{format}");
        }
    }
}
