//! The calls of `calls.toml`, and which of them the shipped rules ask for.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

use super::random::Random;
use super::template::Template;

/// A call as it stands in the table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    call: String,
    weight: u64,
    #[serde(default)]
    by: By,
    #[serde(default)]
    global: bool,
    rule: Option<String>,
    request: Option<String>,
    response: Option<String>,
    additional: Option<String>,
    resources: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rows {
    read: Vec<Row>,
    write: Vec<Row>,
    wanted: Vec<Row>,
    violation: Vec<Row>,
}

/// Who makes a call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    #[default]
    Person,
    Role,
    Service,
    /// AWS Backup, deleting what has expired.
    Lifecycle,
}

/// What a record counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    Read,
    Write,
    Subscribed,
    Violation,
}

#[derive(Debug)]
pub struct Call {
    pub source: String,
    pub name: String,
    pub by: By,
    /// The rule that finds it.
    pub rule: Option<String>,
    pub request: Template,
    pub response: Template,
    pub additional: Option<Template>,
    pub resources: Option<Template>,
    weight: u64,
    global: bool,
}

/// The table.
pub struct Calls {
    read: Vec<Call>,
    write: Vec<Call>,
    wanted: Vec<Call>,
    violation: Vec<Call>,
}

impl Calls {
    pub fn load() -> Result<Self> {
        let rows: Rows = toml::from_str(include_str!("calls.toml")).context("`calls.toml` is not what it should be")?;
        let class = |rows: Vec<Row>| rows.into_iter().map(call).collect::<Result<Vec<_>>>();
        Ok(Self {
            read: class(rows.read)?,
            write: class(rows.write)?,
            wanted: class(rows.wanted)?,
            violation: class(rows.violation)?,
        })
    }

    /// A call of this class that can be recorded in this region.
    pub fn draw(&self, class: Class, home: bool, random: &mut Random) -> Result<&Call> {
        let possible = || self.of(class).iter().filter(|call| home || !call.global);
        let mut left = random.below(possible().map(|call| call.weight).sum());
        for call in possible() {
            match left.checked_sub(call.weight) {
                None => return Ok(call),
                Some(rest) => left = rest,
            }
        }
        bail!("`calls.toml` has no call of class {class:?} for every region")
    }

    fn of(&self, class: Class) -> &[Call] {
        match class {
            Class::Read => &self.read,
            Class::Write => &self.write,
            Class::Subscribed => &self.wanted,
            Class::Violation => &self.violation,
        }
    }

    /// Refuses rules that ask for something else than the table says: the corpus would not have
    /// the share of wanted events that it was asked for.
    pub fn agree_with(&self, asked: &BTreeSet<String>) -> Result<()> {
        for class in [Class::Read, Class::Write, Class::Subscribed, Class::Violation] {
            let should = matches!(class, Class::Subscribed | Class::Violation);
            for Call { source, name, .. } in self.of(class) {
                let is = is_asked(asked, source, name);
                let word = if is { "ask" } else { "do not ask" };
                ensure!(
                    is == should,
                    "the rules {word} for `{source}:{name}`, which `calls.toml` has under {class:?}: move it there"
                );
            }
        }
        Ok(())
    }
}

fn call(row: Row) -> Result<Call> {
    let (source, name) = row.call.split_once(':').with_context(|| format!("`{}` is not `source:Name`", row.call))?;
    let template = |text: Option<&str>| text.map(Template::parse).transpose();
    Ok(Call {
        source: source.to_owned(),
        name: name.to_owned(),
        by: row.by,
        rule: row.rule,
        request: Template::parse(row.request.as_deref().unwrap_or("null"))?,
        response: Template::parse(row.response.as_deref().unwrap_or("null"))?,
        additional: template(row.additional.as_deref())?,
        resources: template(row.resources.as_deref())?,
        weight: row.weight,
        global: row.global,
    })
}

fn is_asked(asked: &BTreeSet<String>, source: &str, name: &str) -> bool {
    let begins =
        |pattern: &String| pattern.strip_suffix('*').is_some_and(|start| format!("{source}:{name}").starts_with(start));
    asked.contains(&format!("{source}:{name}")) || asked.iter().any(begins)
}

/// The events that the rules of a policies folder ask for, from their METADATA.
pub fn asked_for(policies: &Path) -> Result<BTreeSet<String>> {
    let mut asked = BTreeSet::new();
    read_folder(&policies.join("events"), &mut asked)?;
    ensure!(!asked.is_empty(), "no rule in `{}` asks for an event", policies.display());
    Ok(asked)
}

fn read_folder(folder: &Path, asked: &mut BTreeSet<String>) -> Result<()> {
    let listed = std::fs::read_dir(folder).with_context(|| format!("cannot read `{}`", folder.display()))?;
    for entry in listed {
        let path = entry?.path();
        if path.is_dir() {
            read_folder(&path, asked)?;
        } else if path.extension().is_some_and(|extension| extension == "rego") {
            asked.extend(events(&std::fs::read_to_string(&path)?));
        }
    }
    Ok(())
}

/// `source:Name` in the `events:` of METADATA blocks, on its line or on those below it.
fn events(rego: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut within = false;
    for line in rego.lines().map_while(|line| Some(line.strip_prefix('#').map(str::trim))) {
        let Some(line) = line else {
            within = false;
            continue;
        };
        let list = line.strip_prefix("events:");
        within = list.is_some() || (within && line.starts_with("- "));
        let items = list.unwrap_or(if within { line } else { "" });
        let words = items.split(['[', ']', ',', '"', ' ']).filter(|word| word.contains(".amazonaws.com:"));
        found.extend(words.map(str::to_owned));
    }
    found
}
