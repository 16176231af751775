//! Which rules there are, and which of them an event or a resource concerns.
//!
//! All of it comes from the METADATA blocks in the bundle's manifest; a block that does not
//! say what the agent must know refuses the whole bundle. Finding the rules of an event
//! allocates nothing and costs the same however many rules there are.

use std::collections::{BTreeMap, HashMap};

use foldhash::fast::RandomState;
use serde::Deserialize;

use super::bundle::build::FORMER_PARTS;
use super::bundle::{Annotation, Entrypoint, Manifest};
use super::engine::EntrypointId;
use super::error::PolicyError;
use crate::domain::account::Mode;
use crate::domain::finding::{Rule, Severity};
use crate::domain::resource::Kind;

/// A rule in the catalogue.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The rule.
    pub rule: Rule,
    /// What it is about, in a sentence or two.
    pub description: String,
    /// The path of its entry point.
    pub entrypoint: String,
    /// What it evaluates.
    pub subscription: Subscription,
    /// The list in `data.approved` of whoever may do what it is about.
    pub approved: Option<String>,
    /// Whether it asks not to be acted on yet.
    pub shadow: bool,
    /// The number by which the module knows it.
    pub(super) id: EntrypointId,
}

/// What a rule evaluates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subscription {
    /// These events.
    Events(Vec<EventPattern>),
    /// Resources of this kind.
    Resources(Kind),
}

/// Events of one source by their name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventPattern {
    /// CloudTrail's `eventSource`.
    pub source: String,
    /// Its `eventName`, or how it begins.
    pub name: Name,
}

impl std::fmt::Display for EventPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.name {
            Name::Is(name) => write!(f, "{}:{name}", self.source),
            Name::BeginsWith(start) => write!(f, "{}:{start}*", self.source),
        }
    }
}

/// The name of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// This one.
    Is(String),
    /// Any that begins so.
    BeginsWith(String),
}

impl Name {
    /// Whether every name that the other stands for is one of these.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Is(own), Self::Is(name)) => own == name,
            (Self::Is(_), Self::BeginsWith(_)) => false,
            (Self::BeginsWith(start), Self::Is(name) | Self::BeginsWith(name)) => name.starts_with(start.as_str()),
        }
    }
}

/// `custom` in a METADATA block.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Custom {
    id: String,
    severity: Severity,
    mode: Mode,
    #[serde(default)]
    events: Vec<String>,
    kind: Option<Kind>,
    #[serde(default)]
    controls: Vec<String>,
    #[serde(default)]
    attack: Vec<String>,
    runbook: Option<String>,
    approved: Option<String>,
    #[serde(default)]
    shadow: bool,
}

/// By names that rules ask for. Every event is looked up, so the hash is a quick one; whoever
/// names events fills no map.
type Named<T> = HashMap<String, T, RandomState>;

/// Every rule of a bundle, in the order of their ids, and who wants what.
#[derive(Debug, Default)]
pub struct Catalogue {
    entries: Vec<Entry>,
    by_source: Named<Source>,
    by_kind: BTreeMap<Kind, Vec<usize>>,
}

/// The rules that want events of one source, as places in the catalogue.
#[derive(Debug, Default)]
struct Source {
    exact: Named<Vec<usize>>,
    prefixes: Vec<(String, usize)>,
}

impl Catalogue {
    /// Reads a manifest. `number` finds an entry point in the module.
    ///
    /// # Errors
    /// When there is no rule, or one that has no METADATA, an incomplete one, the id of
    /// another rule, or is not in the module.
    pub fn read(manifest: &Manifest, number: impl Fn(&str) -> Option<EntrypointId>) -> Result<Self, PolicyError> {
        if manifest.entrypoints.is_empty() {
            return Err(PolicyError::Module("no rule in it is an entry point".to_owned()));
        }
        let mut entries = Vec::new();
        for entrypoint in &manifest.entrypoints {
            let entry = entry(entrypoint, number(&entrypoint.path));
            let named = |detail| PolicyError::Rule { entrypoint: entrypoint.path.clone(), detail };
            entries.push(entry.map_err(named)?);
        }
        entries.sort_by(|a, b| a.rule.id.cmp(&b.rule.id));
        refuse_duplicate_ids(&entries)?;
        Ok(Self::index(entries))
    }

    /// Every rule, in the order of their ids.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The rules that evaluate an event.
    pub fn subscribers_of_event(&self, source: &str, name: &str) -> impl Iterator<Item = &Entry> {
        let source = self.by_source.get(source);
        let exact = source.and_then(|source| source.exact.get(name)).into_iter().flatten();
        let prefixes = source.into_iter().flat_map(|source| &source.prefixes);
        let begun = prefixes.filter(move |(start, _)| name.starts_with(start.as_str())).map(|(_, place)| place);
        exact.chain(begun).filter_map(|place| self.entries.get(*place))
    }

    /// The rules that evaluate a kind of resource.
    pub fn rules_of_kind(&self, kind: Kind) -> impl Iterator<Item = &Entry> {
        self.by_kind.get(&kind).into_iter().flatten().filter_map(|place| self.entries.get(*place))
    }

    fn index(entries: Vec<Entry>) -> Self {
        let mut catalogue = Self::default();
        for (place, entry) in entries.iter().enumerate() {
            match &entry.subscription {
                Subscription::Events(patterns) => patterns.iter().for_each(|pattern| catalogue.add(pattern, place)),
                Subscription::Resources(kind) => catalogue.by_kind.entry(*kind).or_default().push(place),
            }
        }
        Self { entries, ..catalogue }
    }

    fn add(&mut self, pattern: &EventPattern, place: usize) {
        let source = self.by_source.entry(pattern.source.clone()).or_default();
        match &pattern.name {
            Name::Is(name) => source.exact.entry(name.clone()).or_default().push(place),
            Name::BeginsWith(start) => source.prefixes.push((start.clone(), place)),
        }
    }
}

/// The catalogue's entry for an entry point, or what is wrong with its METADATA.
pub(crate) fn entry(entrypoint: &Entrypoint, id: Option<EntrypointId>) -> Result<Entry, String> {
    let id = id.ok_or("the module does not have it")?;
    let [Annotation { title, description, custom }] = entrypoint.annotations.as_slice() else {
        return Err("it has no METADATA block of its own".to_owned());
    };
    let custom: Custom =
        Custom::deserialize(custom).map_err(|error| format!("`custom` in its METADATA is not right: {error}"))?;
    for (field, text) in [("title", title), ("custom.id", &custom.id)] {
        if text.trim().is_empty() {
            return Err(format!("its METADATA has no `{field}`"));
        }
    }
    let subscription = subscription(&entrypoint.path, &custom.events, custom.kind)?;
    let Custom { id: name, severity, mode, controls, attack, runbook, approved, shadow, .. } = custom;
    let rule = Rule { id: name, title: title.clone(), severity, mode, controls, attack, runbook };
    let (description, entrypoint) = (description.clone(), entrypoint.path.clone());
    Ok(Entry { rule, description, entrypoint, subscription, approved, shadow, id })
}

/// What a rule evaluates: its folder says which, its METADATA what exactly.
fn subscription(path: &str, events: &[String], kind: Option<Kind>) -> Result<Subscription, String> {
    match (path.split('/').next(), events, kind) {
        (Some("events"), [], None) => Err("it evaluates events, so its METADATA needs `custom.events`".to_owned()),
        (Some("events"), _, None) => patterns(events).map(Subscription::Events),
        (Some("resources"), [], Some(kind)) => Ok(Subscription::Resources(kind)),
        (Some("resources"), [], None) => Err("it evaluates resources, so its METADATA needs `custom.kind`".to_owned()),
        (Some("events" | "resources"), ..) => {
            Err("`custom.events` is for event rules and `custom.kind` for resource rules".to_owned())
        }
        (Some(root), ..) => Err(misplaced(root)),
        (None, ..) => Err(misplaced("")),
    }
}

/// Why no rule can be in this root of packages.
fn misplaced(root: &str) -> String {
    match FORMER_PARTS.into_iter().find(|(former, _)| *former == root) {
        Some((former, today)) => format!(
            "its bundle was built for an earlier keepwatch: rename the folder `{former}` to `{today}` and the packages \
             in it, then build again with `keepwatch policy build`"
        ),
        None => "its package is neither in `events` nor in `resources`".to_owned(),
    }
}

/// A rule's events. What another of its patterns covers is left out, or the rule would evaluate
/// an event twice.
fn patterns(events: &[String]) -> Result<Vec<EventPattern>, String> {
    let mut kept: Vec<EventPattern> = Vec::new();
    for event in events {
        let new = pattern(event).ok_or_else(|| {
            format!("`{event}` in its `custom.events` is not `source:Name`, such as `backup.amazonaws.com:DeleteRecoveryPoint`")
        })?;
        let covers = |a: &EventPattern, b: &EventPattern| a.source == b.source && a.name.covers(&b.name);
        if !kept.iter().any(|old| covers(old, &new)) {
            kept.retain(|old| !covers(&new, old));
            kept.push(new);
        }
    }
    Ok(kept)
}

fn pattern(event: &str) -> Option<EventPattern> {
    let (source, name) = event.split_once(':')?;
    let (start, open) = name.strip_suffix('*').map_or((name, false), |start| (start, true));
    let spelt = |text: &str, more: &[char]| text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(&c));
    let sound = !source.is_empty() && source == source.to_ascii_lowercase() && spelt(source, &['.', '-']);
    if !sound || name.is_empty() || !spelt(start, &['_', '-']) {
        return None;
    }
    let name = if open { Name::BeginsWith(start.to_owned()) } else { Name::Is(start.to_owned()) };
    Some(EventPattern { source: source.to_owned(), name })
}

/// Ids name rules in exemptions and ledgers, so no two rules may share one.
fn refuse_duplicate_ids(sorted: &[Entry]) -> Result<(), PolicyError> {
    let duplicate_ids = sorted.iter().zip(sorted.iter().skip(1)).find(|(a, b)| a.rule.id == b.rule.id);
    let Some((first, second)) = duplicate_ids else {
        return Ok(());
    };
    let detail = format!("its id `{}` is that of `{}` too", first.rule.id, first.entrypoint);
    Err(PolicyError::Rule { entrypoint: second.entrypoint.clone(), detail })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn custom(id: &str) -> Value {
        json!({"id": id, "severity": "high", "mode": "enforce"})
    }

    fn with(mut custom: Value, key: &str, value: Value) -> Value {
        custom[key] = value;
        custom
    }

    fn read(rules: &[(&str, Value)]) -> Result<Catalogue, PolicyError> {
        let entrypoint = |(path, custom): &(&str, Value)| json!({"entrypoint": path, "module": "/policy.wasm", "annotations": [{"title": "T", "custom": custom}]});
        let manifest = json!({"wasm": rules.iter().map(entrypoint).collect::<Vec<_>>()});
        Catalogue::read(&serde_json::from_value(manifest).unwrap(), |path| u32::try_from(path.len()).ok())
    }

    fn event_rule(id: &str, events: &[&str]) -> Value {
        with(custom(id), "events", json!(events))
    }

    fn ids<'a>(entries: impl Iterator<Item = &'a Entry>) -> Vec<&'a str> {
        entries.map(|entry| entry.rule.id.as_str()).collect()
    }

    #[test]
    fn an_event_meets_the_rules_that_asked_for_it_and_no_others() {
        let rules = read(&[
            ("events/a/findings", event_rule("A-1", &["s3.amazonaws.com:PutBucketPolicy", "s3.amazonaws.com:Delete*"])),
            ("events/b/findings", event_rule("B-1", &["s3.amazonaws.com:PutBucketPolicy"])),
            ("events/c/findings", event_rule("C-1", &["iam.amazonaws.com:*"])),
            ("resources/d/findings", with(custom("D-1"), "kind", json!("vault"))),
        ])
        .unwrap();
        assert_eq!(ids(rules.subscribers_of_event("s3.amazonaws.com", "PutBucketPolicy")), ["A-1", "B-1"]);
        assert_eq!(ids(rules.subscribers_of_event("s3.amazonaws.com", "DeleteBucket")), ["A-1"]);
        assert_eq!(ids(rules.subscribers_of_event("iam.amazonaws.com", "AnyThing")), ["C-1"]);
        assert_eq!(ids(rules.subscribers_of_event("s3.amazonaws.com", "PutBucketPolic")), [""; 0]);
        assert_eq!(ids(rules.subscribers_of_event("kms.amazonaws.com", "PutBucketPolicy")), [""; 0]);
        assert_eq!(ids(rules.rules_of_kind(Kind::Vault)), ["D-1"]);
        assert_eq!(ids(rules.rules_of_kind(Kind::Key)), [""; 0]);
    }

    #[test]
    fn a_rule_evaluates_an_event_once_however_often_it_asks() {
        let twice = ["s3.amazonaws.com:PutObject", "s3.amazonaws.com:Put*", "s3.amazonaws.com:PutObject*"];
        let rules = read(&[("events/a/findings", event_rule("A-1", &twice))]).unwrap();
        assert_eq!(ids(rules.subscribers_of_event("s3.amazonaws.com", "PutObject")), ["A-1"]);
    }

    #[test]
    fn a_rule_that_is_not_right_is_named() {
        let refused = [
            ("events/a", custom("A"), "it evaluates events, so its METADATA needs `custom.events`"),
            ("resources/a", custom("A"), "it evaluates resources, so its METADATA needs `custom.kind`"),
            ("lib/a", event_rule("A", &["s:N"]), "its package is neither in `events` nor in `resources`"),
            ("acts/a", event_rule("A", &["s:N"]), "rename the folder `acts` to `events`"),
            ("states/a", with(custom("A"), "kind", json!("vault")), "rename the folder `states` to `resources`"),
            (
                "resources/a",
                event_rule("A", &["s:N"]),
                "`custom.events` is for event rules and `custom.kind` for resource rules",
            ),
            ("resources/a", with(custom("A"), "kind", json!("moon")), "unknown variant `moon`"),
            ("events/a", with(event_rule("A", &["s:N"]), "severity", json!("dire")), "unknown variant `dire`"),
            ("events/a", with(event_rule("A", &["s:N"]), "mode", json!("obey")), "unknown variant `obey`"),
            ("events/a", with(event_rule("A", &["s:N"]), "event", json!([])), "unknown field `event`"),
            ("events/a", event_rule(" ", &["s:N"]), "its METADATA has no `custom.id`"),
            ("events/a", json!({"severity": "low", "mode": "observe"}), "missing field `id`"),
            ("events/a", Value::Null, "`custom` in its METADATA is not right"),
            ("events/a", event_rule("A", &["PutObject"]), "`PutObject` in its `custom.events` is not `source:Name`"),
            ("events/a", event_rule("A", &["s3*.amazonaws.com:N"]), "is not `source:Name`"),
            ("events/a", event_rule("A", &["S3.amazonaws.com:N"]), "is not `source:Name`"),
            ("events/a", event_rule("A", &["s3.amazonaws.com:P*t"]), "is not `source:Name`"),
        ];
        for (path, custom, complaint) in refused {
            let error = read(&[(path, custom)]).unwrap_err().to_string();
            assert!(error.starts_with(&format!("rule `{path}`: ")) && error.contains(complaint), "{error}");
        }
    }

    #[test]
    fn an_id_belongs_to_one_rule() {
        let error =
            read(&[("events/a", event_rule("A", &["s:N"])), ("events/b", event_rule("A", &["s:N"]))]).unwrap_err();
        assert_eq!(error.to_string(), "rule `events/b`: its id `A` is that of `events/a` too");
    }

    #[test]
    fn a_bundle_without_rules_would_see_nothing() {
        assert!(read(&[]).unwrap_err().to_string().ends_with("no rule in it is an entry point"));
    }

    #[test]
    fn an_entry_point_needs_metadata_and_a_module() {
        let bare: Manifest = serde_json::from_value(json!({"wasm": [{"entrypoint": "events/a"}]})).unwrap();
        let error = Catalogue::read(&bare, |_| Some(1)).unwrap_err().to_string();
        assert_eq!(error, "rule `events/a`: it has no METADATA block of its own");
        let error = Catalogue::read(&bare, |_| None).unwrap_err().to_string();
        assert_eq!(error, "rule `events/a`: the module does not have it");
    }
}
