//! What `policy check` found, for programs: GitHub's annotations and SARIF 2.1.0.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::author::Lint;

/// One line for each, as GitHub Actions reads it from a job's output.
pub(super) fn github(lints: &[Lint]) -> Vec<String> {
    let line = |lint: &Lint| {
        let Lint { file, line, column, lint, what, why, next } = lint;
        let said: Vec<&str> =
            [what, why, next].into_iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
        let (file, said) = (property(file), escaped(&said.join("\n")));
        format!("::error file={file},line={line},col={column},title={}::{said}", property(lint))
    };
    lints.iter().map(line).collect()
}

/// A message, as GitHub's commands want it.
fn escaped(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property's value, in which commas and colons mean something.
fn property(text: &str) -> String {
    escaped(text).replace(':', "%3A").replace(',', "%2C")
}

/// A log of one run, which code scanning takes.
pub(super) fn sarif(lints: &[Lint]) -> Value {
    let by_name: BTreeMap<&str, &Lint> = lints.iter().rev().map(|lint| (lint.lint.as_str(), lint)).collect();
    let rules: Vec<Value> = by_name
        .iter()
        .map(|(name, lint)| {
            let text = if lint.why.is_empty() { &lint.what } else { &lint.why };
            json!({"id": name, "shortDescription": {"text": text}})
        })
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "keepwatch policy check", "version": env!("CARGO_PKG_VERSION"), "rules": rules}},
            "results": lints.iter().map(result).collect::<Vec<_>>(),
        }],
    })
}

fn result(lint: &Lint) -> Value {
    let Lint { file, line, column, lint, what, next, .. } = lint;
    let text = if next.is_empty() { what.clone() } else { format!("{what}: {next}") };
    json!({
        "ruleId": lint,
        "level": "error",
        "message": {"text": text},
        "locations": [{"physicalLocation": {
            "artifactLocation": {"uri": file},
            "region": {"startLine": line, "startColumn": column},
        }}],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lint() -> Lint {
        Lint {
            file: "policies/events/a,b/c.rego".to_owned(),
            line: 3,
            column: 7,
            lint: "finding".to_owned(),
            what: "100 % wrong: `x`".to_owned(),
            why: "because".to_owned(),
            next: "did you mean `y`?".to_owned(),
        }
    }

    #[test]
    fn an_annotation_is_one_line_whatever_is_in_it() {
        let expected = "::error file=policies/events/a%2Cb/c.rego,line=3,col=7,title=finding::\
                        100 %25 wrong: `x`%0Abecause%0Adid you mean `y`?";
        assert_eq!(github(&[lint()]), [expected]);
    }

    #[test]
    fn sarif_names_rule_file_line_and_column() {
        let log = sarif(&[lint(), lint()]);
        assert_eq!(log["version"], "2.1.0");
        let run = &log["runs"][0];
        assert_eq!(run["tool"]["driver"]["rules"].as_array().unwrap().len(), 1, "a rule is described once");
        let place = &run["results"][1]["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "policies/events/a,b/c.rego");
        assert_eq!(place["region"], json!({"startLine": 3, "startColumn": 7}));
        assert_eq!(run["results"][0]["message"]["text"], "100 % wrong: `x`: did you mean `y`?");
    }
}
