//! The ten conditions as rules for every engine, and any number of further rules for Keepwatch.
//!
//! The further rules have the same kind of conditions and ask for events that no record has:
//! what they cost is what having them costs.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

/// Sources that the further rules are spread over, as real ones are.
const SOURCES: [&str; 8] = ["backup", "cloudtrail", "ec2", "iam", "kms", "rds", "s3", "sts"];

/// Arguments of `rules`.
#[derive(clap::Args)]
pub struct Arguments {
    /// The folder to write; what is in it goes
    folder: PathBuf,
    /// The first rule that Keepwatch gets; the ten conditions are the rules 0 to 9
    #[arg(long, default_value_t = 0)]
    from: usize,
    /// The first rule that it does not get
    #[arg(long, default_value_t = 10)]
    to: usize,
    /// The `capabilities.json` that the rules are compiled with
    #[arg(long, default_value = "policies/capabilities.json")]
    capabilities: PathBuf,
}

#[derive(Deserialize)]
struct Conditions {
    condition: Vec<Condition>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Condition {
    name: String,
    events: Vec<String>,
    rego: String,
    sigma: String,
    jq: String,
}

pub fn run(args: &Arguments) -> Result<()> {
    let Conditions { condition: conditions } =
        toml::from_str(include_str!("conditions.toml")).context("`conditions.toml` is not what it should be")?;
    ensure!(args.from < args.to, "`--from` is not below `--to`: there would be no rule");
    if args.folder.exists() {
        fs::remove_dir_all(&args.folder).with_context(|| format!("cannot empty `{}`", args.folder.display()))?;
    }
    let keepwatch = args.folder.join("keepwatch");
    for number in args.from..args.to {
        match conditions.get(number) {
            Some(condition) => write_rule(&keepwatch, condition)?,
            None => write_rule(&keepwatch, &further(number))?,
        }
    }
    fs::copy(&args.capabilities, keepwatch.join("capabilities.json"))
        .with_context(|| format!("cannot copy `{}`", args.capabilities.display()))?;
    fs::write(args.folder.join("conditions.rego"), rego(&conditions))?;
    fs::write(args.folder.join("conditions.yml"), sigma(&conditions))?;
    fs::write(args.folder.join("conditions.jq"), jq(&conditions))?;
    Ok(())
}

fn further(number: usize) -> Condition {
    let service = SOURCES.get(number % SOURCES.len()).copied().unwrap_or("s3");
    let event = format!("DeleteThing{number:04}");
    Condition {
        name: format!("thing_{number:04}_deleted"),
        events: vec![format!("{service}.amazonaws.com:{event}")],
        rego: format!(
            "\tinput.eventSource == \"{service}.amazonaws.com\"\n\tinput.eventName == \"{event}\"\n\
             \tcontains(input.requestParameters.policy, \"thing-{number:04}\")\n\
             \tnot input.userIdentity.invokedBy == \"{service}.amazonaws.com\"\n"
        ),
        sigma: String::new(),
        jq: String::new(),
    }
}

/// A rule as Keepwatch wants it: the record is `input.event`.
fn write_rule(folder: &Path, Condition { name, events, rego, .. }: &Condition) -> Result<()> {
    let body = rego.replace("input.", "input.event.");
    let text = format!(
        "package events.bench.{name}\n\n# METADATA\n# entrypoint: true\n# title: {name}\n# custom:\n#   id: BENCH-{name}\n\
         #   severity: high\n#   mode: alert\n#   events: {events:?}\nfindings contains finding if {{\n{body}\
         \tfinding := {{\"message\": \"{name}\", \"propose\": []}}\n}}\n",
        body = body.trim_start_matches('\n'),
    );
    let folder = folder.join("events/bench").join(name);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(format!("{name}.rego")), text)?;
    Ok(())
}

fn rego(conditions: &[Condition]) -> String {
    let rule = |Condition { name, rego, .. }: &Condition| {
        format!("\nmatches contains \"{name}\" if {{\n{}}}\n", rego.trim_start_matches('\n'))
    };
    format!("package bench\n{}", conditions.iter().map(rule).collect::<String>())
}

fn sigma(conditions: &[Condition]) -> String {
    let rule = |Condition { name, sigma, .. }: &Condition| {
        format!(
            "title: {name}\nlogsource:\n    product: aws\n    service: cloudtrail\ndetection:\n{}level: high\n",
            sigma.trim_start_matches('\n')
        )
    };
    conditions.iter().map(rule).collect::<Vec<_>>().join("---\n")
}

fn jq(conditions: &[Condition]) -> String {
    let filter = |Condition { name, jq, .. }: &Condition| format!("(select({}) | [.eventID, \"{name}\"])", jq.trim());
    conditions.iter().map(filter).collect::<Vec<_>>().join(",\n") + "\n"
}
