//! Why a rule may not call some of OPA's builtins, and what it can do instead.

/// What is said of a builtin that rules may not call: why, and what to do.
#[must_use]
pub fn refusal(builtin: &str) -> [&'static str; 2] {
    known(builtin).unwrap_or(ELSE)
}

fn known(builtin: &str) -> Option<[&'static str; 2]> {
    let family = |(starts, _): &&(&[&str], [&str; 2])| starts.iter().any(|start| builtin.starts_with(start));
    REFUSALS.iter().find(family).map(|(_, said)| *said)
}

/// What is added to OPA's own words about a builtin that it may not use: nothing of other mistakes.
#[must_use]
pub fn hint(message: &str) -> String {
    let said = undefined(message).and_then(|builtin| Some((builtin, known(builtin)?)));
    said.map_or_else(String::new, |(builtin, [why, next])| {
        format!("\n\nhint: rules may not call `{builtin}`: {why}; {next}")
    })
}

/// The builtin that OPA says is undefined, in one of its messages.
#[must_use]
pub fn undefined(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("undefined function ")?;
    rest.split_whitespace().next()
}

/// By how the names of builtins begin.
const REFUSALS: &[(&[&str], [&str; 2])] = &[
    (
        &["http.", "net.lookup_ip_addr", "providers.", "opa.runtime"],
        [
            "a rule sees its document and nothing else, so that a replay finds what the agent found",
            "ask for what the document lacks to be put into it, or into `data/`",
        ],
    ),
    (
        &["rand.", "uuid.rfc4122"],
        [
            "the same event must lead to the same findings, live and in a replay",
            "take what identifies the event: `input.event.eventID`",
        ],
    ),
    (
        &["time."],
        [
            "OPA's wasm leaves times to its host, and the agent has `time.parse_rfc3339_ns` and `time.now_ns`",
            "compare nanoseconds: a day is `24 * 3600 * 1000000000`",
        ],
    ),
    (
        &["regex.", "glob."],
        [
            "OPA's wasm leaves it to its host, and keeps at most a hundred compiled patterns",
            "use `split`, `startswith`, `endswith`, `contains` or `indexof`, or at most `regex.match` with a constant",
        ],
    ),
    (
        &["crypto.", "io.jwt.", "hex.", "urlquery.encode"],
        [
            "OPA's wasm leaves it to its host, and no record holds what it would be for",
            "compare the values themselves; `urlquery.decode`, `base64.decode` and `json.unmarshal` are there",
        ],
    ),
    (
        &["json.patch", "json.match_schema", "json.verify_schema", "json.marshal_with_options"],
        ["OPA's wasm leaves it to its host", "use `object.union`, `object.remove`, `object.get` and comprehensions"],
    ),
    (
        &["yaml.", "graphql.", "semver.", "units.", "rego.parse_module", "trace"],
        [
            "OPA's wasm leaves it to its host, and CloudTrail writes nothing of the kind",
            "keep such values in `data/`, parsed",
        ],
    ),
    (
        &["strings.count", "indexof_n", "strings.render_template", "numbers.range_step", "net.cidr_", "graph."],
        [
            "OPA's wasm leaves it to its host",
            "say it with a comprehension; `count(split(text, part)) - 1` counts parts",
        ],
    ),
];

/// What is said of all others.
const ELSE: [&str; 2] = [
    "OPA's wasm leaves it to its host, and the agent does not have it",
    "`capabilities.json` lists the builtins that there are",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_family_says_why_and_what_instead() {
        for (builtin, instead) in [
            ("http.send", "data/"),
            ("time.add_date", "nanoseconds"),
            ("regex.replace", "startswith"),
            ("crypto.sha256", "themselves"),
            ("uuid.rfc4122", "eventID"),
            ("some.other", "capabilities.json"),
        ] {
            assert!(refusal(builtin)[1].contains(instead), "{builtin}: {:?}", refusal(builtin));
        }
    }

    #[test]
    fn the_builtin_is_found_in_what_opa_says() {
        let said = "1 error occurred: x.rego:3: rego_type_error: undefined function crypto.sha256\n";
        assert_eq!(undefined(said), Some("crypto.sha256"));
        assert_eq!(undefined("1 error occurred: x.rego:3: rego_parse_error"), None);
    }
}
