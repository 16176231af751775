//! What a change of policies would have done: two sets of rules over the same recorded events.
//!
//! One pass reads the events and lets both sides evaluate ([`Bench`]). What either side found is
//! put into the order of the events' time ([`spool`]); in that order it is compared
//! ([`compare`]) and answered on each side as the live agent would have answered it
//! ([`simulation`]). No account is entered and no resource is changed; of the findings only numbers
//! and a few examples are kept.

pub mod compare;
pub mod count;
pub mod gates;
pub mod html;
pub mod json;
pub mod report;
pub mod rules;
pub mod simulation;
pub mod spool;
pub mod text;

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::replay::{EventSink, RecordLocation};
use crate::config::Config;
use crate::domain::account::{Account, AccountId};
use crate::domain::event::Event;
use crate::domain::finding::{Finding, Rule};
use crate::domain::principal::Principal;
use crate::policy::Policies;
use crate::policy::input::EventInput;
use crate::respond::detection::{Subject, event_key};

use compare::{Pair, pairs};
use count::{Delta, Tallies};
use report::{Example, Group, Groups};
use simulation::Simulation;

/// Both sides, side by side.
#[derive(Debug)]
pub struct Bench<'a> {
    /// The policies in force.
    pub old: &'a Policies,
    /// Those that would replace them.
    pub new: &'a Policies,
}

/// An event that at least one side wanted.
#[derive(Debug)]
pub struct ComparedEvent {
    /// The account it happened in, as the rules saw it.
    pub account: Account,
    /// What came of it, if anything did.
    pub case: Option<Box<EventComparison>>,
}

/// An event about which at least one side found something.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventComparison {
    /// The file it stands in.
    pub file: String,
    /// Its line there, or the number of the record.
    pub line: u64,
    /// CloudTrail's `eventID`.
    pub id: String,
    /// `eventName`.
    pub name: String,
    /// When the call was made.
    pub time: Timestamp,
    /// The Region it was made in.
    pub region: String,
    /// The account whose trail holds it.
    pub account: AccountId,
    /// Who made it.
    pub principal: Principal,
    /// What joins cases into an incident.
    pub correlation: String,
    /// What makes a second record the same event again.
    pub key: String,
    /// What the policies in force found.
    pub old: Vec<Finding>,
    /// What the others found.
    pub new: Vec<Finding>,
}

impl EventSink for Bench<'_> {
    type Output = ComparedEvent;

    fn asks_for(&self, source: &str, name: &str) -> bool {
        self.old.is_subscribed(source, name) || self.new.is_subscribed(source, name)
    }

    /// Both evaluate at the event's own time, so that a backtest says the same whenever it is run.
    fn examine(&self, location: RecordLocation<'_>, event: &Event, account: &Account) -> Vec<ComparedEvent> {
        let input = EventInput::new(event, account, event.time);
        let evaluate = |policies: &Policies| policies.evaluate_event(&input).into_iter().map(lean).collect();
        let case = EventComparison::of(location, event, account, (evaluate(self.old), evaluate(self.new)));
        let case = (!case.old.is_empty() || !case.new.is_empty()).then(|| Box::new(case));
        vec![ComparedEvent { account: account.clone(), case }]
    }
}

impl EventComparison {
    fn of(
        location: RecordLocation<'_>,
        event: &Event,
        account: &Account,
        (old, new): (Vec<Finding>, Vec<Finding>),
    ) -> Self {
        Self {
            file: location.file.to_owned(),
            line: location.line,
            id: event.id.clone(),
            name: event.name.clone(),
            time: event.time,
            region: event.region.as_deref().unwrap_or("unknown").to_owned(),
            account: event.account.clone(),
            principal: event.principal.clone(),
            correlation: Subject::Event(event).correlation(account),
            key: event_key(event).to_string(),
            old,
            new,
        }
    }

    /// Who made the call, without the session: sessions are as many as calls.
    fn who(&self) -> &str {
        let Principal { arn, unique_id, name, invoked_by, .. } = &self.principal;
        [arn, unique_id, name, invoked_by].into_iter().flatten().next().map_or("nobody named", String::as_str)
    }

    fn example(&self, finding: &Finding) -> Example {
        Example {
            time: self.time,
            event_id: self.id.clone(),
            event_name: self.name.clone(),
            account: self.account.clone(),
            region: self.region.clone(),
            principal: self.who().to_owned(),
            resource: finding.resource.clone(),
            message: finding.message.clone(),
            file: self.file.clone(),
            line: self.line,
        }
    }
}

/// A finding without what is neither compared nor decided by.
fn lean(finding: Finding) -> Finding {
    let rule = Rule { controls: Vec::new(), attack: Vec::new(), runbook: None, ..finding.rule };
    Finding { rule, evidence: Value::Null, ..finding }
}

/// The comparison so far.
#[derive(Debug)]
pub struct Backtest<'a> {
    config: &'a Config,
    old: Simulation<'a>,
    new: Simulation<'a>,
    findings: Delta,
    rules: Tallies,
    accounts: Tallies,
    principals: Tallies,
    days: BTreeMap<Date, Delta>,
    groups: Groups,
    /// The first and the last event with a finding.
    period: Option<(Timestamp, Timestamp)>,
    /// The event before, to know a second record of it.
    before: String,
    skipped: Skipped,
}

/// Events with findings that the live agent would not have answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// Records of an event that another record had already.
    pub repeated: u64,
    /// The agent's own calls.
    pub own: u64,
    /// Events of accounts that `accounts.toml` does not name.
    pub unwatched: u64,
}

impl<'a> Backtest<'a> {
    /// Begins. The configuration says what would have been done about findings.
    #[must_use]
    pub fn new(config: &'a Config) -> Self {
        Self {
            config,
            old: Simulation::new(config),
            new: Simulation::new(config),
            findings: Delta::default(),
            rules: Tallies::default(),
            accounts: Tallies::default(),
            principals: Tallies::default(),
            days: BTreeMap::new(),
            groups: Groups::default(),
            period: None,
            before: String::new(),
            skipped: Skipped::default(),
        }
    }

    /// Takes in the next case. INVARIANT: cases come in the order of their time, and records
    /// of one event one after the other.
    pub fn take(&mut self, mut case: EventComparison) {
        self.period = Some((self.period.map_or(case.time, |(first, _)| first), case.time));
        for pair in pairs(&case.old, &case.new) {
            self.count(&case, &pair);
        }
        if self.before == case.key {
            self.skipped.repeated += 1;
            return;
        }
        self.before.clone_from(&case.key);
        case.principal = case.principal.flagged(self.config);
        if case.principal.flags.agent {
            self.skipped.own += 1;
        } else if let Some(account) = self.config.account(&case.account) {
            self.old.take(&case, account, &case.old);
            self.new.take(&case, account, &case.new);
        } else {
            self.skipped.unwatched += 1;
        }
    }

    fn count(&mut self, case: &EventComparison, pair: &Pair<'_>) {
        let delta = Delta::of(pair);
        let finding = pair.finding();
        self.findings += delta;
        self.rules.add(&finding.rule.id, delta);
        self.accounts.add(case.account.as_str(), delta);
        self.principals.add(case.who(), delta);
        *self.days.entry(case.time.to_zoned(TimeZone::UTC).date()).or_default() += delta;
        if let Some(change) = pair.change() {
            let group = self.groups.entry((change, finding.rule.id.clone())).or_default();
            group.take(pair, || case.example(finding));
        }
    }
}

impl Group {
    fn take(&mut self, pair: &Pair<'_>, example: impl FnOnce() -> Example) {
        self.count += 1;
        for field in pair.differences() {
            *self.fields.entry(field).or_default() += 1;
        }
        if self.examples.len() < report::EXAMPLES {
            self.examples.push(example());
        }
    }
}

#[cfg(test)]
mod tests;
