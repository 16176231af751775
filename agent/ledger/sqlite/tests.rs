//! What the store promises, as sentences.

use std::sync::Barrier;

use super::*;
use crate::domain::action::Strength;
use crate::domain::case::DedupKey;
use crate::domain::examples;
use crate::domain::examples::account_id;
use crate::domain::outcome::{Outcome, StepOutcome};
use crate::domain::plan::Plan;
use crate::domain::reason::Because;
use crate::domain::resource::Kind;
use crate::domain::resource::bucket::{BucketDesired, Versioning};
use crate::ledger::{State, chain};

fn at(minute: u32) -> Timestamp {
    format!("2026-03-01T{:02}:{:02}:00Z", 10 + minute / 60, minute % 60).parse().unwrap()
}

fn incident(id: &str) -> Incident {
    Incident {
        id: id.to_owned(),
        correlation: format!("{}/mallory", account_id()),
        account: account_id(),
        title: "Recovery point deleted by hand".to_owned(),
        opened: at(0),
    }
}

struct KeyedIncident {
    key: DedupKey,
    incident: Incident,
}

fn case(key: DedupKey) -> KeyedIncident {
    KeyedIncident { key, incident: incident("KW-7F3A2C01") }
}

/// A case that leads to one plan.
fn once(event: &str) -> KeyedIncident {
    case(DedupKey::Event { event: event.to_owned(), account: account_id() })
}

/// A case that leads to another plan when the last one is finished.
fn again(arn: &str) -> KeyedIncident {
    case(DedupKey::Resource { arn: arn.to_owned() })
}

fn claim(case: &KeyedIncident, plan: &Plan) -> Claim {
    Claim { key: case.key.clone(), incident: case.incident.clone(), plan: plan.clone(), case: examples::case() }
}

fn quarantine(strength: Strength) -> Step {
    examples::quarantine("mallory", strength)
}

fn plan(steps: Vec<Step>) -> Plan {
    Plan { account: account_id(), steps, proposed: false }
}

fn proposal(steps: Vec<Step>) -> Plan {
    Plan { proposed: true, ..plan(steps) }
}

fn outcome(steps: &[StepOutcome]) -> Outcome {
    Outcome { steps: steps.to_vec() }
}

fn memory() -> Sqlite {
    Sqlite::open_in_memory().unwrap()
}

fn unreported(state: State, outcome: &Outcome) -> Record {
    Record { state, outcome: outcome.clone(), report: None }
}

fn reported(state: State, outcome: &Outcome) -> Record {
    Record { report: Some(examples::case()), ..unreported(state, outcome) }
}

async fn claimed(ledger: &Sqlite, case: &KeyedIncident, plan: &Plan) -> PlanRecord {
    ledger.claim(&claim(case, plan), at(1)).await.unwrap().expect("a plan to carry out")
}

/// Claims and records a plan whose steps were all done.
async fn finished(ledger: &Sqlite, case: &KeyedIncident, plan: &Plan) -> PlanRecord {
    let stored = claimed(ledger, case, plan).await;
    let done = outcome(&vec![StepOutcome::Done; plan.steps.len()]);
    ledger.record(&stored, reported(State::Done, &done), at(2)).await.unwrap();
    stored
}

async fn kinds(ledger: &Sqlite) -> Vec<String> {
    ledger.entries().await.unwrap().into_iter().map(|entry| entry.kind).collect()
}

#[tokio::test]
async fn a_new_case_gets_the_plan_that_was_made_for_it() {
    let ledger = memory();
    let wanted = plan(vec![quarantine(Strength::Soft)]);
    let stored = claimed(&ledger, &once("act:1"), &wanted).await;
    assert_eq!((stored.id.as_str(), stored.state), ("KW-7F3A2C01.1", State::Claimed));
    assert_eq!((stored.plan, stored.case, stored.claimed), (wanted, examples::case(), at(1)));
    assert_eq!(kinds(&ledger).await, ["claimed"]);
}

/// A plan as those see it who did not claim it first.
fn begun(stored: PlanRecord) -> PlanRecord {
    PlanRecord { resumed: true, ..stored }
}

#[tokio::test]
async fn an_interrupted_attempt_s_plan_is_carried_out_not_the_new_one() {
    let ledger = memory();
    let first = plan(vec![quarantine(Strength::Soft)]);
    let stored = claimed(&ledger, &once("act:1"), &first).await;
    let again = claimed(&ledger, &once("act:1"), &plan(Vec::new())).await;
    assert_eq!(again, begun(stored));
    assert_eq!(kinds(&ledger).await, ["claimed"]);
}

#[tokio::test]
async fn a_finished_event_is_not_handled_again_and_writes_nothing() {
    let ledger = memory();
    finished(&ledger, &once("act:1"), &plan(Vec::new())).await;
    let before = ledger.writes();
    let again = ledger.claim(&claim(&once("act:1"), &plan(Vec::new())), at(3)).await.unwrap();
    assert_eq!((again, ledger.writes()), (None, before));
}

#[tokio::test]
async fn drift_that_comes_back_is_repaired_again() {
    let ledger = memory();
    let drift = again("bucket");
    finished(&ledger, &drift, &plan(vec![examples::versioning("logs")])).await;
    let second = claimed(&ledger, &drift, &plan(vec![examples::versioning("logs")])).await;
    assert_eq!(second.id, "KW-7F3A2C01.2");
}

#[tokio::test]
async fn a_proposal_waits_and_is_taken_by_one_person_only() {
    let ledger = memory();
    let ask = again("bucket");
    let stored = claimed(&ledger, &ask, &proposal(vec![examples::versioning("logs")])).await;
    ledger.record(&stored, reported(State::Proposed, &Outcome::default()), at(2)).await.unwrap();
    assert_eq!(ledger.claim(&claim(&ask, &plan(Vec::new())), at(3)).await.unwrap(), None);

    let taken = ledger.take_proposed(&stored.id, "alice", at(4)).await.unwrap().unwrap();
    assert_eq!((taken.state, taken.outcome), (State::Claimed, None));
    assert_eq!(ledger.take_proposed(&stored.id, "alice", at(5)).await.unwrap(), None);
    assert_eq!(kinds(&ledger).await, ["claimed", "proposed", "approved"]);
}

#[tokio::test]
async fn only_an_approved_proposal_is_unfinished() {
    let ledger = memory();
    let crashed = claimed(&ledger, &once("ask:1"), &proposal(vec![examples::versioning("logs")])).await;
    assert_eq!(ledger.unfinished().await.unwrap(), [], "nobody said yes to it");
    ledger.record(&crashed, unreported(State::Proposed, &Outcome::default()), at(2)).await.unwrap();
    let taken = ledger.take_proposed(&crashed.id, "alice", at(3)).await.unwrap().unwrap();
    assert_eq!(ledger.unfinished().await.unwrap(), [begun(taken)]);
}

#[tokio::test]
async fn what_a_dead_agent_had_begun_is_unfinished_until_it_is_recorded() {
    let ledger = memory();
    let stored = claimed(&ledger, &once("act:1"), &plan(vec![quarantine(Strength::Soft)])).await;
    finished(&ledger, &once("act:2"), &plan(Vec::new())).await;
    assert_eq!(ledger.unfinished().await.unwrap(), [begun(stored)]);
}

#[tokio::test]
async fn steps_can_be_added_until_a_plan_is_recorded() {
    let ledger = memory();
    let stored = claimed(&ledger, &once("act:1"), &plan(vec![quarantine(Strength::Soft)])).await;
    let extended = ledger.extend(&stored, &[examples::versioning("logs")], at(2)).await.unwrap();
    assert_eq!(ledger.plan(&stored.id).await.unwrap(), Some(begun(extended.clone())));
    assert_eq!(extended.plan.steps, [quarantine(Strength::Soft), examples::versioning("logs")]);
    assert_eq!(ledger.repairs_of("arn:aws:s3:::logs", at(0)).await.unwrap(), 1);

    let done = outcome(&[StepOutcome::Done, StepOutcome::Done]);
    ledger.record(&extended, unreported(State::Done, &done), at(3)).await.unwrap();
    ledger.extend(&extended, &[examples::versioning("logs")], at(4)).await.unwrap_err();
}

#[tokio::test]
async fn recording_twice_reports_nothing_twice() {
    let ledger = memory();
    let stored = finished(&ledger, &once("act:1"), &plan(Vec::new())).await;
    let before = ledger.writes();
    ledger.record(&stored, reported(State::Done, &Outcome::default()), at(9)).await.unwrap();
    assert_eq!(ledger.writes(), before);
    assert_eq!(ledger.undelivered().await.unwrap().len(), 1);
    assert_eq!(kinds(&ledger).await, ["claimed", "recorded"]);
}

#[tokio::test]
async fn an_undone_plan_stays_undone_and_keeps_what_came_of_it() {
    let ledger = memory();
    let stored = finished(&ledger, &once("act:1"), &plan(vec![quarantine(Strength::Soft)])).await;
    let done = outcome(&[StepOutcome::Done]);
    ledger.record(&stored, unreported(State::Undone, &done), at(3)).await.unwrap();
    ledger.record(&stored, unreported(State::Done, &done), at(4)).await.unwrap();
    let read = ledger.plan(&stored.id).await.unwrap().unwrap();
    assert_eq!((read.state, read.outcome), (State::Undone, Some(done)));
}

#[tokio::test]
async fn cases_of_one_actor_within_an_hour_are_one_incident() {
    let ledger = memory();
    finished(&ledger, &once("act:1"), &plan(Vec::new())).await;
    let mine = incident("KW-7F3A2C01");
    assert_eq!(ledger.open_incident(&mine.correlation, at(60)).await.unwrap(), Some(mine.clone()));
    assert_eq!(ledger.open_incident(&mine.correlation, at(61)).await.unwrap(), None);
    assert_eq!(ledger.open_incident("somebody else", at(2)).await.unwrap(), None);
}

#[tokio::test]
async fn two_that_open_an_incident_at_once_end_in_the_same() {
    let ledger = memory();
    claimed(&ledger, &once("act:1"), &plan(Vec::new())).await;
    let late = KeyedIncident { incident: incident("KW-OTHER"), ..once("act:2") };
    assert_eq!(claimed(&ledger, &late, &plan(Vec::new())).await.id, "KW-7F3A2C01.2");
}

#[tokio::test]
async fn an_incident_s_id_never_stands_for_two() {
    let ledger = memory();
    claimed(&ledger, &once("act:1"), &plan(Vec::new())).await;
    let other = Incident { correlation: "somebody else".to_owned(), ..incident("KW-7F3A2C01") };
    let stored = claimed(&ledger, &KeyedIncident { incident: other, ..once("act:2") }, &plan(Vec::new())).await;
    assert_eq!(stored.id, "KW-7F3A2C01-2.1");
}

#[tokio::test]
async fn the_budget_counts_what_the_agent_did_by_itself() {
    let ledger = memory();
    let steps = vec![quarantine(Strength::Hard), quarantine(Strength::Soft), examples::versioning("logs")];
    finished(&ledger, &once("act:1"), &plan(steps.clone())).await;
    finished(&ledger, &case(DedupKey::Undo { plan: "KW-7F3A2C01.1".to_owned() }), &plan(steps.clone())).await;
    finished(&ledger, &once("ask:1"), &proposal(steps)).await;
    let expected = Usage { hard: 1, soft: 1, repairs: 1 };
    assert_eq!(ledger.usage(Some(&account_id()), at(0)).await.unwrap(), expected);
    assert_eq!(ledger.usage(None, at(0)).await.unwrap(), expected);
    assert_eq!(ledger.usage(None, at(2)).await.unwrap(), Usage::default(), "an hour later it is forgotten");
    let other = "444455556666".parse().unwrap();
    assert_eq!(ledger.usage(Some(&other), at(0)).await.unwrap(), Usage::default());
}

#[tokio::test]
async fn a_step_that_did_nothing_costs_nothing_once_recorded() {
    let ledger = memory();
    let stored =
        claimed(&ledger, &once("act:1"), &plan(vec![quarantine(Strength::Hard), examples::versioning("logs")])).await;
    assert_eq!(ledger.usage(None, at(0)).await.unwrap(), Usage { hard: 1, soft: 0, repairs: 1 });
    let failed = StepOutcome::Failed { error: "denied".to_owned() };
    ledger.record(&stored, unreported(State::Done, &outcome(&[failed, StepOutcome::Already])), at(2)).await.unwrap();
    assert_eq!(ledger.usage(None, at(0)).await.unwrap(), Usage { hard: 0, soft: 0, repairs: 1 });
}

#[tokio::test]
async fn a_repair_of_many_steps_is_one_repair() {
    let ledger = memory();
    finished(&ledger, &once("state:1"), &plan(vec![examples::versioning("logs"), examples::versioning("logs")])).await;
    finished(
        &ledger,
        &case(DedupKey::Undo { plan: "KW-7F3A2C01.1".to_owned() }),
        &plan(vec![examples::versioning("logs")]),
    )
    .await;
    assert_eq!(ledger.repairs_of("arn:aws:s3:::logs", at(0)).await.unwrap(), 1);
    assert_eq!(ledger.repairs_of("arn:aws:s3:::other", at(0)).await.unwrap(), 0);
}

#[tokio::test]
async fn a_baseline_is_kept_and_the_same_one_is_not_written_again() {
    let ledger = memory();
    let place = Place {
        kind: Kind::Bucket,
        account: account_id(),
        region: "eu-west-1".parse().unwrap(),
        name: "logs".to_owned(),
    };
    let desired = BucketDesired { versioning: Some(Versioning::Enabled), ..BucketDesired::default() }.into();
    assert_eq!(ledger.baseline(&place).await.unwrap(), None);
    ledger.keep_baseline(&place, &desired, at(1)).await.unwrap();
    let before = ledger.writes();
    ledger.keep_baseline(&place, &desired, at(2)).await.unwrap();
    assert_eq!(ledger.baseline(&place).await.unwrap(), Some(desired));
    assert_eq!(ledger.writes(), before);
    assert_eq!(kinds(&ledger).await, ["baseline"]);
}

#[tokio::test]
async fn looking_writes_nothing() {
    let ledger = memory();
    ledger.open_incident("x", at(0)).await.unwrap();
    ledger.usage(None, at(0)).await.unwrap();
    ledger.undelivered().await.unwrap();
    ledger.stale_threads().await.unwrap();
    assert_eq!(ledger.writes(), 0);
}

#[tokio::test]
async fn a_report_waits_until_it_was_delivered() {
    let ledger = memory();
    finished(&ledger, &once("act:1"), &plan(Vec::new())).await;
    finished(&ledger, &once("act:2"), &plan(Vec::new())).await;
    ledger.trying(&[1]).await.unwrap();
    let waiting = ledger.undelivered().await.unwrap();
    let numbers: Vec<(i64, u32)> = waiting.iter().map(|delivery| (delivery.number, delivery.tries)).collect();
    assert_eq!(numbers, [(1, 1), (2, 0)]);
    assert_eq!(waiting[0].case, examples::case());

    ledger.delivered(&[1], at(3)).await.unwrap();
    assert_eq!(ledger.undelivered().await.unwrap().len(), 1);
    assert_eq!(ledger.reported("KW-7F3A2C01").await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_thread_is_stale_until_it_shows_what_was_delivered() {
    let ledger = memory();
    finished(&ledger, &once("act:1"), &plan(Vec::new())).await;
    let thread = Thread { channel: "C1".to_owned(), ts: "1.2".to_owned(), shown: 0 };
    ledger.keep_thread("KW-7F3A2C01", &thread).await.unwrap();
    assert_eq!(ledger.stale_threads().await.unwrap(), [], "nothing arrived yet");
    ledger.delivered(&[1], at(3)).await.unwrap();
    assert_eq!(ledger.stale_threads().await.unwrap(), [(incident("KW-7F3A2C01"), thread.clone())]);
    ledger.keep_thread("KW-7F3A2C01", &Thread { shown: 1, ..thread }).await.unwrap();
    assert_eq!(ledger.stale_threads().await.unwrap(), []);
}

#[tokio::test]
async fn a_damaged_entry_is_reported_and_stops_no_other() {
    let ledger = memory();
    finished(&ledger, &once("act:1"), &plan(Vec::new())).await;
    finished(&ledger, &once("act:2"), &plan(Vec::new())).await;
    ledger.writer.lock().unwrap().execute("UPDATE deliveries SET record = '{' WHERE number = 1", []).unwrap();
    let waiting = ledger.undelivered().await.unwrap();
    assert!(waiting[0].case.is_reported());
    assert!(matches!(waiting[0].case.reasons[0].because, Because::DamagedEntry { number: 1, .. }));
    assert_eq!(waiting[1].case, examples::case());
}

#[tokio::test]
async fn incidents_are_listed_newest_first_with_their_plans() {
    let ledger = memory();
    claimed(&ledger, &once("act:1"), &plan(Vec::new())).await;
    claimed(&ledger, &once("act:2"), &plan(Vec::new())).await;
    let newer = Incident { correlation: "x".to_owned(), opened: at(5), ..incident("KW-NEWER") };
    claimed(&ledger, &KeyedIncident { incident: newer, ..once("act:3") }, &plan(Vec::new())).await;
    let incidents = ledger.incidents().await.unwrap();
    let ids: Vec<(&str, usize)> = incidents.iter().map(|(one, plans)| (one.id.as_str(), plans.len())).collect();
    assert_eq!(ids, [("KW-NEWER", 1), ("KW-7F3A2C01", 2)]);
}

#[tokio::test]
async fn the_ledger_s_entries_cannot_be_changed_through_the_store() {
    let ledger = memory();
    finished(&ledger, &once("act:1"), &plan(Vec::new())).await;
    let tries = [
        "UPDATE entries SET body = '{}'",
        "DELETE FROM entries",
        "INSERT OR REPLACE INTO entries SELECT number, at, 'x', body, previous, hash FROM entries",
    ];
    for sql in tries {
        let error = ledger.writer.lock().unwrap().execute(sql, []).unwrap_err();
        assert!(error.to_string().contains("append-only"), "{error}");
    }
    assert_eq!(chain::verify(&ledger.entries().await.unwrap()), Ok(2));
}

#[tokio::test]
async fn tampering_with_the_file_is_found() {
    let tampering = [
        "UPDATE entries SET body = replace(body, 'KW-7F3A2C01', 'KW-7F3A2D01') WHERE number = 2",
        "UPDATE entries SET at = '2020-01-01T00:00:00Z' WHERE number = 1",
        "UPDATE entries SET kind = 'undone' WHERE number = 2",
        "DELETE FROM entries WHERE number = 2",
        "DELETE FROM entries WHERE number = 1",
        "UPDATE entries SET number = 9 WHERE number = 2",
    ];
    for sql in tampering {
        let ledger = memory();
        finished(&ledger, &once("act:1"), &plan(Vec::new())).await;
        finished(&ledger, &once("act:2"), &plan(Vec::new())).await;
        assert_eq!(chain::verify(&ledger.entries().await.unwrap()), Ok(4));
        let tamper = "DROP TRIGGER entries_are_not_edited; DROP TRIGGER entries_are_not_deleted;";
        ledger.writer.lock().unwrap().execute_batch(&format!("{tamper}{sql}")).unwrap();
        chain::verify(&ledger.entries().await.unwrap()).expect_err(sql);
    }
}

#[tokio::test]
async fn a_claim_outlives_the_process_that_made_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keepwatch.db");
    let steps = plan(vec![quarantine(Strength::Soft)]);
    let before = claimed(&Sqlite::open(&path).unwrap(), &once("act:1"), &steps).await;
    let reopened = Sqlite::open(&path).unwrap();
    let after = claimed(&reopened, &once("act:1"), &plan(Vec::new())).await;
    assert_eq!(after, begun(before));
    assert_eq!(chain::verify(&reopened.entries().await.unwrap()), Ok(1));
}

#[test]
fn two_agents_that_race_for_a_case_get_the_same_plan() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keepwatch.db");
    let start = Barrier::new(2);
    let race = |strength| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let ledger = Sqlite::open(&path).unwrap();
        let mine = plan(vec![quarantine(strength)]);
        (0..20)
            .map(|round| {
                start.wait();
                runtime.block_on(claimed(&ledger, &once(&format!("act:{round}")), &mine))
            })
            .collect::<Vec<_>>()
    };
    let (soft, hard) = std::thread::scope(|scope| {
        let soft = scope.spawn(|| race(Strength::Soft));
        let hard = scope.spawn(|| race(Strength::Hard));
        (soft.join().unwrap(), hard.join().unwrap())
    });
    for (soft, hard) in soft.into_iter().zip(hard) {
        assert_ne!(soft.resumed, hard.resumed, "one of them is the first");
        assert_eq!(begun(soft), begun(hard));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let entries = runtime.block_on(Sqlite::open(&path).unwrap().entries()).unwrap();
    assert_eq!(chain::verify(&entries), Ok(20), "one new plan for each case");
}

#[tokio::test]
async fn it_can_be_read_while_an_agent_writes_but_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keepwatch.db");
    let agent = Sqlite::open(&path).unwrap();
    let stored = claimed(&agent, &once("act:1"), &plan(Vec::new())).await;
    let looker = Sqlite::open_read_only(&path).unwrap();
    assert_eq!(looker.plan(&stored.id).await.unwrap(), Some(begun(stored)));
    looker.trying(&[1]).await.unwrap_err();
    Sqlite::open_read_only(&folder.path().join("none.db")).unwrap_err();
}

#[tokio::test]
async fn nobody_but_the_owner_can_read_the_files() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keepwatch.db");
    std::fs::write(&path, "").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let ledger = Sqlite::open(&path).unwrap();
    claimed(&ledger, &once("act:1"), &plan(Vec::new())).await;
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{}", file.path().display());
    }
}

#[test]
fn a_store_of_a_newer_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keepwatch.db");
    drop(Sqlite::open(&path).unwrap());
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    for open in [Sqlite::open, Sqlite::open_read_only] {
        let error = open(&path).unwrap_err().to_string();
        assert_eq!(error, "the store's version is 99, and this keepwatch knows none after 4: use the newer keepwatch");
    }
}

#[tokio::test]
async fn two_words_within_half_an_hour_are_two_people() {
    let store = Sqlite::open_in_memory().unwrap();
    let done = store.claim(&claim(&once("e1"), &plan(vec![quarantine(Strength::Soft)])), at(0)).await.unwrap();
    let incident = done.unwrap().incident;
    let word = |person: &str, plans: &[&str]| Consent {
        target: "KW-7F3A2C01".to_owned(),
        plans: plans.iter().map(ToString::to_string).collect(),
        person: person.to_owned(),
    };
    let say = async |person, plans, minute| {
        store.consent(&word(person, plans), &incident, &examples::case(), at(minute)).await.unwrap()
    };
    assert_eq!(say("alice", &["1"], 1).await, ["alice"]);
    assert_eq!(say("alice", &["1"], 20).await, ["alice"], "one person is one approval, and it does not last longer");
    assert_eq!(store.undelivered().await.unwrap().len(), 1, "people hear of it once");
    assert_eq!(say("bob", &["1"], 32).await, ["bob"], "the first approval is too old");
    assert_eq!(say("alice", &["1"], 33).await, ["bob", "alice"]);
    assert_eq!(say("carol", &["1", "2"], 34).await, ["carol"], "more was done since");
    let kinds: Vec<String> = store.entries().await.unwrap().into_iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds.iter().filter(|kind| *kind == "consented").count(), 4);
    assert!(chain::verify(&store.entries().await.unwrap()).is_ok());
}

#[tokio::test]
async fn a_denied_proposal_is_closed_and_not_made_again_for_a_day() {
    let store = Sqlite::open_in_memory().unwrap();
    let case = again("bucket");
    let proposal = proposal(vec![examples::versioning("invoices")]);
    let propose = async |now| store.claim(&claim(&case, &proposal), now).await.unwrap();
    let stored = propose(at(0)).await.unwrap();
    store.record(&stored, unreported(State::Proposed, &Outcome::default()), at(0)).await.unwrap();
    store.record(&stored, reported(State::Denied, &Outcome::default()), at(1)).await.unwrap();
    assert_eq!(store.plan(&stored.id).await.unwrap().unwrap().state, State::Denied);
    assert!(store.take_proposed(&stored.id, "bob", at(2)).await.unwrap().is_none());
    assert!(propose(at(600)).await.is_none());
    assert!(propose(at(0) + jiff::SignedDuration::from_hours(24)).await.is_some());
}

#[tokio::test]
async fn what_has_begun_cannot_be_denied() {
    let store = Sqlite::open_in_memory().unwrap();
    let stored =
        store.claim(&claim(&once("e1"), &plan(vec![examples::versioning("invoices")])), at(0)).await.unwrap().unwrap();
    store.record(&stored, unreported(State::Denied, &Outcome::default()), at(1)).await.unwrap();
    assert_eq!(store.plan(&stored.id).await.unwrap().unwrap().state, State::Claimed);
}

#[test]
fn a_store_of_an_earlier_version_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keepwatch.db");
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 3).unwrap();
    for open in [Sqlite::open, Sqlite::open_read_only] {
        let error = open(&path).unwrap_err().to_string();
        assert!(error.contains("earlier keepwatch") && error.contains("move the file away"), "{error}");
    }
}

#[tokio::test]
async fn what_a_person_approved_is_handed_to_nobody_else() {
    let store = Sqlite::open_in_memory().unwrap();
    let (case, proposal) = (again("bucket"), proposal(vec![examples::versioning("invoices")]));
    let stored = store.claim(&claim(&case, &proposal), at(0)).await.unwrap().unwrap();
    store.record(&stored, unreported(State::Proposed, &Outcome::default()), at(0)).await.unwrap();
    assert!(store.take_proposed(&stored.id, "alice", at(1)).await.unwrap().is_some_and(|taken| !taken.resumed));
    assert!(store.claim(&claim(&case, &proposal), at(2)).await.unwrap().is_none());
}

#[tokio::test]
async fn an_undo_that_changed_nothing_leaves_repairs_allowed() {
    let store = memory();
    let undo = case(DedupKey::Undo { plan: "KW-7F3A2C01.1".to_owned() });
    let step = examples::versioning("logs");
    let stored = claimed(&store, &undo, &plan(vec![step])).await;
    let arn = "arn:aws:s3:::logs";
    assert!(store.taken_back(arn, at(0)).await.unwrap(), "while it is at work");
    let failed = outcome(&[StepOutcome::Failed { error: "not allowed".to_owned() }]);
    store.record(&stored, unreported(State::Done, &failed), at(2)).await.unwrap();
    assert!(!store.taken_back(arn, at(0)).await.unwrap());
}
