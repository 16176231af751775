//! `keepwatch policy explain`: which rules asked for an event, and why each fired or did not.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use jiff::Timestamp;
use serde_json::Value;

use crate::author::explain;
use crate::author::explain::{Explanation, Reason};
use crate::author::{Work, documents};
use crate::cli::{Verdict, load_policies, say, say_json};

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// A CloudTrail record, its EventBridge envelope, a resource with AWS's responses, or a document as rules see it;
    /// `-` for stdin. A record's account is taken for a production account that observes.
    event: PathBuf,
    /// Ask this rule, by its id, whether it asked for the event or not.
    #[arg(long, value_name = "ID")]
    rule: Option<String>,
    /// The folder of policies.
    #[arg(long, default_value = "policies")]
    folder: PathBuf,
    /// Print everything as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Verdict> {
    let document = document(&arguments.event)?;
    let now: Timestamp = text(&document, "/now").parse().unwrap_or(Timestamp::UNIX_EPOCH);
    let policies = load_policies(&arguments.folder)?;
    let work = Work::all(&arguments.folder);
    let mut explanations = Vec::new();
    for entry in policies.rules() {
        let asked = arguments.rule.as_ref().map(|id| *id == entry.rule.id);
        match (asked, explain::is_subscribed(entry, &document)) {
            (Some(false), _) => {}
            (Some(true), _) | (None, true) => {
                explanations.push(explain::explain(&work, &policies, entry, &document, now)?);
            }
            (None, false) => explanations.push(explain::unasked(entry)),
        }
    }
    if explanations.is_empty() {
        let ids: Vec<_> = policies.rules().iter().map(|entry| entry.rule.id.as_str()).collect();
        bail!("no rule has the id `{}`; there are {}", arguments.rule.as_deref().unwrap_or_default(), ids.join(", "));
    }
    explanations.sort_by_key(Explanation::rank);
    if arguments.json {
        say_json(&explanations)?;
    } else {
        print(&explanations)?;
    }
    Ok(if explanations.iter().all(|one| one.agrees && one.failure.is_none()) { Verdict::Well } else { Verdict::Wrong })
}

/// The document that the rules evaluate.
fn document(path: &Path) -> anyhow::Result<Value> {
    let mut read = String::new();
    if path == Path::new("-") {
        std::io::stdin().read_to_string(&mut read).context("cannot read stdin")?;
    } else {
        read = std::fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    }
    let mut found = documents::read(&read)
        .map_err(|problem| anyhow!(problem))
        .with_context(|| format!("cannot use `{}`", path.display()))?;
    match (found.pop(), found.len()) {
        (Some(document), 0) => Ok(document),
        (None, _) => bail!("`{}` holds no event", path.display()),
        (Some(_), more) => bail!(
            "`{}` holds {} events; say one, such as `jq '.Records[0]' FILE | keepwatch policy explain -`",
            path.display(),
            more + 1
        ),
    }
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// What fired first, then what was asked and did not fire; whoever was not asked in one line.
fn print(all: &[Explanation]) -> anyhow::Result<()> {
    let (asked, others): (Vec<_>, Vec<_>) = all.iter().partition(|one| one.findings.is_some() || one.failure.is_some());
    asked.iter().try_for_each(|one| print_one(one))?;
    match others.as_slice() {
        [] => Ok(()),
        [one] => say(format!("{} did not ask for it: it asks for {}", one.rule, one.asks_for)),
        several => {
            let ids: Vec<&str> = several.iter().map(|one| one.rule.as_str()).collect();
            say(format!("{} rules did not ask for it: {}", ids.len(), ids.join(", ")))
        }
    }
}

fn print_one(one: &Explanation) -> anyhow::Result<()> {
    let Explanation { rule, asked_for_it, findings, failure, agrees, bodies, .. } = one;
    let findings = findings.as_deref().unwrap_or_default();
    let asked = if *asked_for_it { "asked for it" } else { "did not ask for it" };
    let verdict = match (failure, findings.is_empty()) {
        (Some(failure), _) => format!("FAILED: {failure}"),
        (None, true) => "did not fire".to_owned(),
        (None, false) => "fired".to_owned(),
    };
    let agrees = if *agrees { "" } else { "; BUT `opa` FINDS SOMETHING ELSE" };
    say(format!("{rule} {asked} and {verdict}{agrees}"))?;
    for finding in findings {
        say(format!("  finding: {}", text(finding, "/message")))?;
        let propose: Vec<&str> =
            finding["propose"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let resource = finding["resource"].as_str().map(|arn| format!(" on {arn}")).unwrap_or_default();
        if !propose.is_empty() {
            say(format!("    proposes: {}{resource}", propose.join(", ")))?;
        }
    }
    for body in bodies {
        match &body.failed {
            Some(reason) => print_reason(reason, 1)?,
            None => say(format!("  {}:{}: holds", body.at.file, body.at.line))?,
        }
    }
    Ok(())
}

fn print_reason(reason: &Reason, depth: usize) -> anyhow::Result<()> {
    let Reason { at, values, because, .. } = reason;
    let indent = "  ".repeat(depth);
    say(format!("{indent}{}:{}: does not hold: {}", at.file, at.line, at.text))?;
    for (name, value) in values {
        say(format!("{indent}    {name} = {value}"))?;
    }
    because.iter().try_for_each(|inner| print_reason(inner, depth + 1))
}
