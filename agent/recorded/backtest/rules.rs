//! Which rules were added, removed, and described otherwise. Reads no Rego: what a rule does
//! differently is for the comparison of its findings to say.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::policy::catalogue::{Entry, EventPattern, Name, Subscription};

/// How the rules of one set differ from another's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RuleChanges {
    /// Rules that only the new set has.
    pub added: Vec<Named>,
    /// Rules that only the old set has.
    pub removed: Vec<Named>,
    /// Rules whose METADATA differs.
    pub changed: Vec<Changed>,
    /// Ids of the resource rules among all of these: recorded events do not show what
    /// such a rule would have found.
    pub not_replayed: Vec<String>,
}

/// A rule by its id and title.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Named {
    /// The id.
    pub id: String,
    /// The title.
    pub title: String,
}

/// A rule that is described otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// The id.
    pub id: String,
    /// What differs.
    pub fields: Vec<FieldChange>,
}

/// One thing that a rule says of itself, before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldChange {
    /// Its name in METADATA.
    pub field: &'static str,
    /// What it was.
    pub old: String,
    /// What it is.
    pub new: String,
}

/// Compares two catalogues.
#[must_use]
pub fn compare(old: &[Entry], new: &[Entry]) -> RuleChanges {
    let by_id = |entries: &'_ [Entry]| -> BTreeMap<String, Entry> {
        entries.iter().map(|entry| (entry.rule.id.clone(), entry.clone())).collect()
    };
    let (old, new) = (by_id(old), by_id(new));
    let mut changes = RuleChanges::default();
    for (id, entry) in &new {
        match old.get(id) {
            None => changes.added.push(named(entry)),
            Some(before) => changes.compare(id, before, entry),
        }
    }
    changes.removed = old.iter().filter(|(id, _)| !new.contains_key(*id)).map(|(_, entry)| named(entry)).collect();
    let touched = changes.added.iter().chain(&changes.removed).map(|rule| &rule.id);
    let touched = touched.chain(changes.changed.iter().map(|rule| &rule.id));
    let judges_states = |id: &&String| {
        [&old, &new]
            .iter()
            .any(|side| side.get(*id).is_some_and(|entry| matches!(entry.subscription, Subscription::Resources(_))))
    };
    changes.not_replayed = touched.filter(judges_states).cloned().collect();
    changes
}

impl RuleChanges {
    /// Whether both sets describe the same rules.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }

    fn compare(&mut self, id: &str, old: &Entry, new: &Entry) {
        let differing = described(old).into_iter().zip(described(new)).filter(|(old, new)| old != new);
        let fields: Vec<FieldChange> =
            differing.map(|((field, old), (_, new))| FieldChange { field, old, new }).collect();
        if !fields.is_empty() {
            self.changed.push(Changed { id: id.to_owned(), fields });
        }
    }
}

fn named(entry: &Entry) -> Named {
    Named { id: entry.rule.id.clone(), title: entry.rule.title.clone() }
}

/// Everything that a rule says of itself, the weightiest first.
fn described(entry: &Entry) -> [(&'static str, String); 10] {
    let Entry { rule, description, entrypoint, subscription, .. } = entry;
    let (events, kind) = match subscription {
        Subscription::Events(patterns) => (patterns.iter().map(spelt).collect::<Vec<_>>().join(", "), String::new()),
        Subscription::Resources(kind) => (String::new(), kind.to_string()),
    };
    [
        ("mode", rule.mode.to_string()),
        ("severity", rule.severity.to_string()),
        ("events", events),
        ("kind", kind),
        ("title", rule.title.clone()),
        ("description", description.clone()),
        ("controls", rule.controls.join(", ")),
        ("attack", rule.attack.join(", ")),
        ("runbook", rule.runbook.clone().unwrap_or_default()),
        ("entrypoint", entrypoint.clone()),
    ]
}

fn spelt(EventPattern { source, name }: &EventPattern) -> String {
    match name {
        Name::Is(name) => format!("{source}:{name}"),
        Name::BeginsWith(start) => format!("{source}:{start}*"),
    }
}
