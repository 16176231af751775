//! What the live agent would have done about one side's findings, in the time of the events.
//!
//! Decisions, incidents and their threads come from the live agent's own functions. What only
//! an account could answer is supposed: nothing was in place before, every response succeeds,
//! takes one step, and is taken back by nobody.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use jiff::Timestamp;
use serde::Serialize;

use super::EventComparison;
use super::count::MOST_NAMES;
use crate::config::Config;
use crate::domain::account::{Account, AccountId};
use crate::domain::action::Strength;
use crate::domain::finding::{Finding, ResponseKind};
use crate::domain::principal::Principal;
use crate::domain::reason::{Reason, Usage};
use crate::domain::resource::Target;
use crate::domain::response::Response;
use crate::ledger::open_since;
use crate::respond::agent::HOUR;
use crate::respond::decision::{DecisionContext, RecentRepairs, decide};

/// One side's answers so far.
#[derive(Debug)]
pub struct Simulation<'a> {
    config: &'a Config,
    /// What was spent of the budgets within the hour, oldest first.
    spent: VecDeque<Spent>,
    /// The incidents that may still be open, by what joins their cases.
    open: HashMap<String, Open>,
    /// How many incidents are kept before the closed ones are looked for.
    roomy: usize,
    actors: BTreeMap<String, SimulatedContainment>,
    resources: BTreeMap<(ResponseKind, String), Repaired>,
    sums: Sums,
}

/// What a side's answers sum up to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Sums {
    /// Events that would have been answered.
    pub cases: u64,
    /// Incidents: an actor's or a resource's cases, not an hour apart.
    pub incidents: u64,
    /// Incidents that would have been reported: each is a thread in Slack.
    pub threads: u64,
    /// Responses that would have waited for approval: by mode, budget or never-list.
    pub asked: u64,
}

/// What would have become of an actor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SimulatedContainment {
    /// The strongest containment; none, when people would only have been asked.
    pub strength: Option<Strength>,
    /// When the first containment was, of whatever strength.
    pub first: Option<Timestamp>,
    /// How many events would have led to it, those after the first among them.
    pub times: u64,
    /// How many would have led to a question, and to nothing without an answer.
    pub asked: u64,
    /// The rules that proposed it.
    pub rules: BTreeSet<String>,
}

/// What would have been done to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Repaired {
    /// When first; none, when people would only have been asked.
    pub first: Option<Timestamp>,
    /// How often.
    pub times: u64,
    /// How often people would have been asked.
    pub asked: u64,
}

/// Something that counts against the budgets.
#[derive(Debug)]
struct Spent {
    at: Timestamp,
    account: AccountId,
    /// The number of the case: its responses are one plan.
    case: u64,
    on: On,
}

/// What it was spent on.
#[derive(Debug, PartialEq, Eq)]
enum On {
    Containment(Strength),
    /// The resource's ARN.
    Repair(String),
}

#[derive(Debug, Clone, Copy)]
struct Open {
    active: Timestamp,
    is_reported: bool,
}

/// What each actor would have met with, by the user or the role's session.
pub type Actors = BTreeMap<String, SimulatedContainment>;
/// What would have been done to each resource.
pub type Resources = BTreeMap<(ResponseKind, String), Repaired>;

impl<'a> Simulation<'a> {
    /// Begins, with nobody contained.
    #[must_use]
    pub fn new(config: &'a Config) -> Self {
        Self {
            config,
            spent: VecDeque::new(),
            open: HashMap::new(),
            roomy: 1024,
            actors: BTreeMap::new(),
            resources: BTreeMap::new(),
            sums: Sums::default(),
        }
    }

    /// Answers one event's findings.
    pub fn take(&mut self, case: &EventComparison, account: &Account, findings: &[Finding]) {
        if findings.is_empty() {
            return;
        }
        let hour_ago = case.time.saturating_sub(HOUR).unwrap_or(Timestamp::MIN);
        while self.spent.pop_front_if(|spent| spent.at < hour_ago).is_some() {}
        let past = findings.iter().filter_map(|finding| finding.resource.clone());
        let past = past.map(|arn| (arn.clone(), self.past(&arn))).collect();
        let decision = decide(
            findings,
            &DecisionContext {
                config: self.config,
                account,
                principal: Some(&case.principal),
                usage: self.usage(|spent| spent.account == account.id),
                usage_everywhere: self.usage(|_| true),
                past: &past,
                now: case.time,
            },
        );
        self.sums.cases += 1;
        self.join_incident(case, decision.reasons.iter().any(Reason::is_reported));
        decision.act.iter().for_each(|response| self.act(case, findings, response));
        decision.ask.iter().for_each(|response| self.ask(findings, response));
    }

    /// What it came to.
    #[must_use]
    pub fn finish(self) -> (Sums, Actors, Resources) {
        (self.sums, self.actors, self.resources)
    }

    fn act(&mut self, case: &EventComparison, findings: &[Finding], response: &Response) {
        let spent = match response {
            Response::Contain { principal, strength } => {
                let held = self.actors.entry(actor(principal)).or_insert_with(SimulatedContainment::nobody);
                held.times += 1;
                held.rules.extend(proposers(findings));
                held.first = held.first.or(Some(case.time));
                let is_needed = held.strength < Some(*strength); // none is less than any
                held.strength = held.strength.max(Some(*strength));
                is_needed.then_some(On::Containment(*strength))
            }
            Response::Freeze(target) => (self.repair(case, response, target) == 1).then(|| On::Repair(target.arn())),
            Response::Restore(target) | Response::Copy(target) => {
                self.repair(case, response, target);
                Some(On::Repair(target.arn()))
            }
        };
        let number = self.sums.cases;
        self.spent.extend(spent.map(|on| Spent { at: case.time, account: case.account.clone(), case: number, on }));
    }

    /// Notes a response and tells how many times it would have been done by now.
    fn repair(&mut self, case: &EventComparison, response: &Response, target: &Target) -> u64 {
        let repaired = self.resources.entry((response.verb(), target.arn())).or_insert(Repaired::NOT);
        repaired.first = repaired.first.or(Some(case.time));
        repaired.times += 1;
        repaired.times
    }

    /// Notes a question. What is in force already is planned by nobody, so nobody is asked.
    fn ask(&mut self, findings: &[Finding], response: &Response) {
        match response {
            Response::Contain { principal, strength } => {
                let (name, room) = (actor(principal), self.actors.len() < MOST_NAMES);
                let in_force = |held: &SimulatedContainment| held.strength >= Some(*strength);
                if self.actors.get(&name).is_some_and(in_force) {
                    return;
                }
                if room || self.actors.contains_key(&name) {
                    let held = self.actors.entry(name).or_insert_with(SimulatedContainment::nobody);
                    held.asked += 1;
                    held.rules.extend(proposers(findings));
                }
            }
            Response::Freeze(target) | Response::Restore(target) | Response::Copy(target) => {
                let (key, room) = ((response.verb(), target.arn()), self.resources.len() < MOST_NAMES);
                if room || self.resources.contains_key(&key) {
                    self.resources.entry(key).or_insert(Repaired::NOT).asked += 1;
                }
            }
        }
        self.sums.asked += 1;
    }

    /// The incident that a case belongs to: an open one, or a new one.
    fn join_incident(&mut self, case: &EventComparison, is_reported: bool) {
        let since = open_since(case.time);
        if self.open.len() >= self.roomy {
            self.open.retain(|_, open| open.active > since);
            self.roomy = 1024.max(2 * self.open.len());
        }
        let found = self.open.get(&case.correlation).filter(|open| open.active > since).copied();
        self.sums.incidents += u64::from(found.is_none());
        let was_reported = found.is_some_and(|open| open.is_reported);
        self.sums.threads += u64::from(is_reported && !was_reported);
        let open = Open { active: case.time, is_reported: is_reported || was_reported };
        self.open.insert(case.correlation.clone(), open);
    }

    fn usage(&self, counts: impl Fn(&Spent) -> bool) -> Usage {
        let mut usage = Usage::default();
        for spent in self.spent.iter().filter(|spent| counts(spent)) {
            match spent.on {
                On::Containment(Strength::Hard) => usage.hard += 1,
                On::Containment(Strength::Soft) => usage.soft += 1,
                On::Repair(_) => usage.repairs += 1,
            }
        }
        usage
    }

    fn past(&self, arn: &str) -> RecentRepairs {
        let same = |spent: &&Spent| matches!(&spent.on, On::Repair(repaired) if repaired == arn);
        // As the ledger counts: a plan is one repair, however many steps it takes.
        let repairs = self.spent.iter().filter(same).map(|spent| spent.case).collect::<BTreeSet<_>>().len();
        RecentRepairs { repairs: u32::try_from(repairs).unwrap_or(u32::MAX), taken_back: false }
    }
}

impl SimulatedContainment {
    const fn nobody() -> Self {
        Self { strength: None, first: None, times: 0, asked: 0, rules: BTreeSet::new() }
    }
}

impl Repaired {
    const NOT: Self = Self { first: None, times: 0, asked: 0 };
}

/// The actor's name: the user, or the role with its session.
fn actor(principal: &Principal) -> String {
    principal.correlation().or_else(|| principal.name.clone()).unwrap_or_default()
}

/// The rules that proposed containment.
fn proposers(findings: &[Finding]) -> impl Iterator<Item = String> + '_ {
    let contains = |verb: &ResponseKind| matches!(verb, ResponseKind::Contain | ResponseKind::ContainHard);
    let proposes = move |finding: &&Finding| finding.propose.iter().any(contains);
    findings.iter().filter(proposes).map(|finding| finding.rule.id.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::case::{CaseRecord, CaseSubject, CaseUpdate, DedupKey};
    use crate::domain::enrichment::Enrichment;
    use crate::domain::plan::Plan;
    use crate::ledger::sqlite::Sqlite;
    use crate::ledger::{Claim, Incident, Ledger as _};
    use crate::recorded::backtest::tests::{case, enforcing, finding};

    const VAULT: &str = "arn:aws:backup:eu-west-1:111122223333:backup-vault:main";

    /// What one side does about a finding at each of these minutes by these people.
    fn simulated(cases: &[(i64, &str)], finding: &Finding) -> (Sums, Actors, Resources) {
        let config = enforcing();
        let mut side = Simulation::new(&config);
        for (minute, who) in cases {
            let case = case(*minute, who);
            let account = config.account(&case.account).unwrap();
            side.take(&case, account, std::slice::from_ref(finding));
        }
        side.finish()
    }

    #[test]
    fn an_actor_s_cases_are_one_thread_until_an_hour_passes_without_one() {
        let found = finding("A-1", None, &[]);
        let (sums, ..) = simulated(&[(0, "mallory"), (59, "mallory"), (118, "mallory")], &found);
        assert_eq!((sums.cases, sums.incidents, sums.threads), (3, 1, 1));
        let (sums, ..) = simulated(&[(0, "mallory"), (60, "mallory")], &found);
        assert_eq!((sums.incidents, sums.threads), (2, 2), "an hour later the incident is closed");
        let (sums, ..) = simulated(&[(0, "mallory"), (1, "eve")], &found);
        assert_eq!((sums.incidents, sums.threads), (2, 2));
    }

    /// How many incidents the live agent's store makes of the same cases.
    async fn incidents_of_the_store(cases: &[(i64, &str)]) -> usize {
        let ledger = Sqlite::open_in_memory().unwrap();
        for (minute, who) in cases {
            let case = case(*minute, who);
            let open = ledger.open_incident(&case.correlation, case.time).await.unwrap();
            let id = format!("KW-{}", case.id);
            let (correlation, account, title) = (case.correlation.clone(), case.account.clone(), String::new());
            let incident = open.unwrap_or(Incident { id, correlation, account, title, opened: case.time });
            let plan = Plan { account: case.account.clone(), steps: Vec::new(), proposed: false };
            let key = DedupKey::Event { event: case.id.clone(), account: case.account.clone() };
            let claim = Claim { key, incident, plan, case: record(&case) };
            ledger.claim(&claim, case.time).await.unwrap().unwrap();
        }
        ledger.incidents().await.unwrap().len()
    }

    fn record(case: &EventComparison) -> CaseRecord {
        CaseRecord {
            subject: CaseSubject::Resource { arn: VAULT.to_owned(), cause: None },
            update: CaseUpdate::Response,
            at: case.time,
            account: case.account.clone(),
            account_name: String::new(),
            region: case.region.parse().ok(),
            bundle: None,
            findings: Vec::new(),
            reasons: Vec::new(),
            plan: None,
            steps: Vec::new(),
            enrichment: Enrichment::default(),
            people: Vec::new(),
        }
    }

    #[tokio::test]
    async fn it_counts_as_many_incidents_as_the_store_makes() {
        let found = finding("A-1", None, &[]);
        let who = ["mallory", "eve", "trent"];
        // Gaps from none to beyond an hour, in no pattern that repeats within the cases.
        let cases: BTreeSet<(i64, &str)> = (0..300_i64).map(|n| (n * n % 2_003 + n, who[n as usize % 3])).collect();
        for stretch in [1, 7, 20] {
            let cases: Vec<_> = cases.iter().map(|(minute, who)| (minute * stretch, *who)).collect();
            let (sums, ..) = simulated(&cases, &found);
            assert!(sums.incidents > 3 && sums.incidents < 300, "some join and some do not: {}", sums.incidents);
            assert_eq!(sums.incidents as usize, incidents_of_the_store(&cases).await);
        }
    }

    #[test]
    fn what_is_only_observed_is_an_incident_and_no_thread() {
        let mut found = finding("A-1", None, &[ResponseKind::Contain]);
        found.rule.mode = crate::domain::account::Mode::Observe;
        let (sums, actors, _) = simulated(&[(0, "mallory")], &found);
        assert_eq!((sums.incidents, sums.threads, actors.len()), (1, 0, 0));
    }

    #[test]
    fn who_is_contained_stays_contained_and_costs_the_budget_once() {
        let found = finding("A-1", None, &[ResponseKind::ContainHard]);
        let again: Vec<_> = (0..50).map(|minute| (minute, "mallory")).collect();
        let (sums, actors, _) = simulated(&again, &found);
        let held = actors.values().next().unwrap();
        assert_eq!((held.strength, held.times, held.asked), (Some(Strength::Hard), 50, 0));
        assert_eq!((held.first, sums.asked), (Some(case(0, "mallory").time), 0));
        assert!(held.rules.contains("A-1"));
    }

    #[test]
    fn beyond_the_budget_people_are_asked_until_the_hour_is_over() {
        let found = finding("A-1", None, &[ResponseKind::ContainHard]);
        let names = ["u0", "u1", "u2", "u3"];
        let (sums, actors, _) = simulated(&[(0, names[0]), (1, names[1]), (2, names[2]), (3, names[3])], &found);
        let held = |name: &str| actors.iter().find(|(arn, _)| arn.ends_with(name)).unwrap().1;
        assert_eq!((held("u2").strength, held("u3").strength), (Some(Strength::Hard), None));
        assert_eq!((held("u3").asked, sums.asked), (1, 1));
        let (sums, ..) = simulated(&[(0, names[0]), (1, names[1]), (2, names[2]), (61, names[3])], &found);
        assert_eq!(sums.asked, 0);
    }

    #[test]
    fn a_vault_is_held_once_and_a_fight_over_a_resource_is_not_fought() {
        let cases: Vec<_> = (0..6).map(|minute| (minute, "mallory")).collect();
        let (_, _, resources) = simulated(&cases, &finding("A-1", Some(VAULT), &[ResponseKind::Freeze]));
        assert_eq!(resources[&(ResponseKind::Freeze, VAULT.to_owned())].times, 6);
        let (sums, _, resources) =
            simulated(&cases, &finding("A-1", Some(VAULT), &[ResponseKind::Freeze, ResponseKind::Restore]));
        let restored = resources[&(ResponseKind::Restore, VAULT.to_owned())];
        assert_eq!((restored.times, restored.asked, sums.asked), (3, 3, 3));
    }
}
