//! What a backtest says, before anybody decides how to write it down.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

use super::compare::{Change, Field};
use super::count::{Delta, Table};
use super::gates::LimitCheck;
use super::rules::RuleChanges;
use super::simulation::{Actors, Repaired, Resources, SimulatedContainment, Sums};
use super::{Backtest, Skipped};
use crate::domain::account::AccountId;
use crate::domain::action::Strength;
use crate::domain::finding::ResponseKind;
use crate::recorded::replay::Counts;

/// The format of [`Report`] as JSON.
pub const FORMAT: u32 = 1;
/// How many findings are shown of each group.
pub const EXAMPLES: usize = 3;
/// How many rows a table has.
pub const ROWS: usize = 50;

/// What a change of policies would have done.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// 1; another number when fields are renamed or go away.
    pub format: u32,
    /// The policies in force, and what they would have led to.
    pub old: Side,
    /// Those that would replace them.
    pub new: Side,
    /// As what accounts the agent would have acted in.
    pub basis: Basis,
    /// What was read.
    pub read: Read,
    /// How the rules differ.
    pub rules: RuleChanges,
    /// How the findings differ.
    pub findings: Findings,
    /// Who would have been contained.
    pub containments: Changes<ContainmentRow>,
    /// What would have been done to resources.
    pub resources: Changes<ResourceRow>,
    /// Events with findings that the agent would not have answered.
    pub not_answered: Skipped,
    /// The limits that were set, and whether they hold.
    pub gates: Vec<LimitCheck>,
}

/// One set of policies.
#[derive(Debug, Clone, Serialize)]
pub struct Side {
    /// The folder or bundle, as it was named.
    pub policies: String,
    /// SHA-256 of its bundle.
    pub digest: String,
    /// How many rules it has.
    pub rules: usize,
    /// What it would have led to.
    pub answers: Sums,
}

/// In what mode the accounts are supposed to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// No `accounts.toml`: every account whose events were evaluated enforces.
    EveryAccountEnforces,
    /// As `accounts.toml` says.
    AccountsFile,
    /// As `accounts.toml` says, but with every mode at `enforce`.
    AccountsFileEnforced,
}

/// What was read.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Read {
    /// How many files.
    pub files: u64,
    /// What was in them.
    #[serde(flatten)]
    pub counts: Counts,
    /// Events that a rule of either side evaluated.
    pub evaluated: u64,
    /// Time of the first event with a finding.
    pub first: Option<Timestamp>,
    /// Time of the last event with a finding.
    pub last: Option<Timestamp>,
}

/// How the findings differ.
#[derive(Debug, Clone, Serialize)]
pub struct Findings {
    /// All of them.
    pub all: Delta,
    /// By rule, most moved first.
    pub by_rule: Table,
    /// By account.
    pub by_account: Table,
    /// By principal: the user, or the role without its session.
    pub by_principal: Table,
    /// The rules that would find most.
    pub noisiest_rules: Table,
    /// The principals about whom most would be found.
    pub noisiest_principals: Table,
    /// By day, in UTC. Days without findings are left out.
    pub by_day: BTreeMap<Date, Delta>,
    /// What appeared, vanished and changed, by rule, with the first examples.
    pub groups: Vec<NamedGroup>,
}

/// Findings of one rule that changed in the same way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Group {
    /// How many.
    pub count: u64,
    /// For changed findings: what differs, and in how many of them.
    pub fields: BTreeMap<Field, u64>,
    /// The first by time.
    pub examples: Vec<Example>,
}

/// Groups by how they changed and by rule.
pub type Groups = BTreeMap<(Change, String), Group>;

/// A group and its name.
#[derive(Debug, Clone, Serialize)]
pub struct NamedGroup {
    /// How the findings changed.
    pub change: Change,
    /// The rule's id.
    pub rule: String,
    /// The findings.
    #[serde(flatten)]
    pub group: Group,
}

/// A finding that shows what a group is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Example {
    /// When the call was made.
    pub time: Timestamp,
    /// CloudTrail's `eventID`.
    pub event_id: String,
    /// `eventName`.
    pub event_name: String,
    /// The account whose trail holds it.
    pub account: AccountId,
    /// Its Region.
    pub region: String,
    /// Who made it.
    pub principal: String,
    /// The resource that the finding is about.
    pub resource: Option<String>,
    /// What the rule says.
    pub message: String,
    /// The file it stands in.
    pub file: String,
    /// Its line there, or the number of the record.
    pub line: u64,
}

/// What would have been done on either side, and what is different.
#[derive(Debug, Clone, Serialize)]
pub struct Changes<R> {
    /// How many with the old policies.
    pub old: u64,
    /// How many with the new ones.
    pub new: u64,
    /// How many only with the new ones, or more strongly.
    pub appeared: u64,
    /// How many only with the old ones, or more strongly.
    pub vanished: u64,
    /// What is different first.
    pub rows: Vec<R>,
    /// How many rows are not shown.
    pub left_out: u64,
}

/// How a response differs from one side to the other. In the order in which it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Trend {
    /// Only with the new policies.
    Appeared,
    /// With both, and with the new ones harder.
    Harder,
    /// Only with the old ones.
    Vanished,
    /// With both, and with the new ones softer.
    Softer,
    /// With both.
    Same,
    /// With neither: approval would have been asked for.
    #[serde(rename = "asked")]
    WouldAsk,
}

/// What would have become of an actor.
#[derive(Debug, Clone, Serialize)]
pub struct ContainmentRow {
    /// The user's ARN, or the role's with its session.
    pub principal: String,
    /// How it differs.
    pub change: Trend,
    /// With the old policies.
    pub old: Option<SimulatedContainment>,
    /// With the new ones.
    pub new: Option<SimulatedContainment>,
}

/// What would have been done to a resource.
#[derive(Debug, Clone, Serialize)]
pub struct ResourceRow {
    /// What.
    pub response: ResponseKind,
    /// The resource's ARN.
    pub resource: String,
    /// How it differs.
    pub change: Trend,
    /// With the old policies.
    pub old: Option<Repaired>,
    /// With the new ones.
    pub new: Option<Repaired>,
}

/// What a report says beside the comparison.
#[derive(Debug, Clone)]
pub struct About {
    /// The policies' names, digests and numbers of rules, the old ones first.
    pub sides: [(String, String, usize); 2],
    /// As what accounts the agent would have acted in.
    pub basis: Basis,
    /// How many files were read, and what was in them.
    pub read: (u64, Counts),
    /// Events that a rule of either side evaluated.
    pub evaluated: u64,
    /// How the rules differ.
    pub rules: RuleChanges,
}

impl Report {
    /// Sums a comparison up.
    #[must_use]
    pub fn of(backtest: Backtest<'_>, about: About) -> Self {
        let findings = findings(&backtest);
        let (first, last) = backtest.period.unzip();
        let (old_sums, old_actors, old_resources) = backtest.old.finish();
        let (new_sums, new_actors, new_resources) = backtest.new.finish();
        let [old, new] = about.sides;
        let side = |(policies, digest, rules), answers| Side { policies, digest, rules, answers };
        let (files, counts) = about.read;
        Self {
            format: FORMAT,
            old: side(old, old_sums),
            new: side(new, new_sums),
            basis: about.basis,
            read: Read { files, counts, evaluated: about.evaluated, first, last },
            rules: about.rules,
            findings,
            containments: containments(&old_actors, &new_actors),
            resources: resources(&old_resources, &new_resources),
            not_answered: backtest.skipped,
            gates: Vec::new(),
        }
    }
}

fn findings(backtest: &Backtest<'_>) -> Findings {
    let named = |((change, rule), group): (&(Change, String), &Group)| NamedGroup {
        change: *change,
        rule: rule.clone(),
        group: group.clone(),
    };
    Findings {
        all: backtest.findings,
        by_rule: backtest.rules.most_moved(ROWS),
        by_account: backtest.accounts.most_moved(ROWS),
        by_principal: backtest.principals.most_moved(ROWS),
        noisiest_rules: backtest.rules.noisiest(ROWS),
        noisiest_principals: backtest.principals.noisiest(ROWS),
        by_day: backtest.days.clone(),
        groups: backtest.groups.iter().map(named).collect(),
    }
}

fn containments(old: &Actors, new: &Actors) -> Changes<ContainmentRow> {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let row = |name: &String| {
        let (old, new) = (old.get(name).cloned(), new.get(name).cloned());
        let strength = |held: &Option<SimulatedContainment>| held.as_ref().and_then(|held| held.strength);
        let change = trend(strength(&old), strength(&new));
        ContainmentRow { principal: name.clone(), change, old, new }
    };
    let times = |held: &Option<SimulatedContainment>| held.as_ref().map_or(0, |held| held.times + held.asked);
    let weight = |row: &ContainmentRow| (row.change, Reverse(times(&row.new).max(times(&row.old))));
    changes(names.into_iter().map(row).collect(), |row| row.change, weight)
}

fn trend(old: Option<Strength>, new: Option<Strength>) -> Trend {
    match (old, new) {
        (None, None) => Trend::WouldAsk,
        (None, Some(_)) => Trend::Appeared,
        (Some(_), None) => Trend::Vanished,
        (Some(old), Some(new)) if new > old => Trend::Harder,
        (Some(old), Some(new)) if new < old => Trend::Softer,
        (Some(_), Some(_)) => Trend::Same,
    }
}

fn resources(old: &Resources, new: &Resources) -> Changes<ResourceRow> {
    let keys: BTreeSet<&(ResponseKind, String)> = old.keys().chain(new.keys()).collect();
    let row = |key: &(ResponseKind, String)| {
        let (old, new) = (old.get(key).copied(), new.get(key).copied());
        let is_done = |side: Option<Repaired>| side.is_some_and(|repaired| repaired.times > 0);
        let change = match (is_done(old), is_done(new)) {
            (false, false) => Trend::WouldAsk,
            (false, true) => Trend::Appeared,
            (true, false) => Trend::Vanished,
            (true, true) => Trend::Same,
        };
        ResourceRow { response: key.0, resource: key.1.clone(), change, old, new }
    };
    let times = |side: Option<Repaired>| side.map_or(0, |repaired| repaired.times + repaired.asked);
    let weight = |row: &ResourceRow| (row.change, Reverse(times(row.new).max(times(row.old))));
    changes(keys.into_iter().map(row).collect(), |row| row.change, weight)
}

fn changes<R, W: Ord>(mut rows: Vec<R>, trend: impl Fn(&R) -> Trend, weight: impl Fn(&R) -> W) -> Changes<R> {
    let count = |trends: &[Trend]| rows.iter().filter(|row| trends.contains(&trend(row))).count() as u64;
    let both = count(&[Trend::Same, Trend::Harder, Trend::Softer]);
    let (appeared, vanished) = (count(&[Trend::Appeared]), count(&[Trend::Vanished]));
    let (harder, softer) = (count(&[Trend::Harder]), count(&[Trend::Softer]));
    let left_out = rows.len().saturating_sub(ROWS) as u64;
    rows.sort_by_key(weight);
    rows.truncate(ROWS);
    let (old, new) = (both + vanished, both + appeared);
    Changes { old, new, appeared: appeared + harder, vanished: vanished + softer, rows, left_out }
}
