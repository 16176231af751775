//! Replay, backtest, the live agent and OPA itself find the same, word for word.
//!
//! What they evaluate: each published CloudTrail record that a rule asks for, and the examples
//! beside the event rules; whole, and with each field in turn missing or in a list that
//! says who did what to what. Only the event's id is another: it says which of them it is.
//! Compared are rule, event, message, resource, proposal and evidence; a backtest keeps none.
//!
//! A rule that read the clock would differ here, and be named: the agent evaluates at the present
//! moment, everybody else at the event's. No shipped one does. The agent's own calls are not
//! among the events: it alone passes them over.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;

use keepwatch::config::Config;
use keepwatch::domain::event::Event;
use keepwatch::policy::Policies;
use keepwatch::policy::catalogue::Entry;
use keepwatch::policy::input::EventInput;
use keepwatch::recorded::backtest::Bench;
use keepwatch::recorded::replay::source::Source;
use keepwatch::recorded::replay::{Replay, Selection};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::backtest::{Edit, KEY_RULE, SHIPPED, bundle};
use super::engine_oracle::{ask_opa, collect_fields, examples, root, shipped};
use crate::support::lab::{As, Lab, SECURITY};
use crate::support::published;

/// What one side found: of each event and rule, what it says.
type Output = BTreeMap<(String, String), Vec<Value>>;

/// The fields of a record that rules look into; the others are what every record has.
const DECISIVE: [&str; 5] = ["userIdentity", "requestParameters", "errorCode", "errorMessage", "resources"];

/// SQS takes so many messages in one call.
const BATCH: usize = 10;
/// So many are in the queue at once, to be handled within the lab's patience on any machine.
const PORTION: usize = 100;

/// The rules ask for 22 of the published records, IAM's and CloudTrail's: nobody published one of AWS
/// Backup or KMS that they ask for. With their variations they are so many events, which no split
/// of a rule may make fewer.
const PUBLISHED: usize = 646;

/// The events, and the accounts they happened in.
struct Stage {
    folder: TempDir,
    records: Vec<Value>,
}

impl Stage {
    fn set() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let records: Vec<Value> = published::records()
            .into_iter()
            .map(|(place, record)| named(record, place))
            .chain(of_rules())
            .filter(is_wanted)
            .flat_map(variations)
            .collect();
        let stage = Self { folder, records };
        let ids: BTreeSet<&str> = stage.records.iter().map(id).collect();
        assert_eq!(ids.len(), stage.records.len(), "an event that comes twice is handled once");
        let lines: Vec<String> = stage.records.iter().map(Value::to_string).collect();
        fs::write(stage.events(), lines.join("\n")).unwrap();
        fs::write(stage.accounts(), stage.observing()).unwrap();
        stage
    }

    fn events(&self) -> PathBuf {
        self.folder.path().join("events.jsonl")
    }

    fn accounts(&self) -> PathBuf {
        self.folder.path().join("accounts.toml")
    }

    /// The shipped accounts and those of the records, none of which is changed. The examples
    /// have a break-glass role of their own.
    fn observing(&self) -> String {
        let mut text = include_str!("../accounts.toml").replace("mode = \"enforce\"", "mode = \"observe\"");
        text = text.replace(":user/break-glass\"]", ":role/break-glass\"]");
        for account in self.unknown_to_all() {
            text += &format!("\n[[account]]\nid = \"{account}\"\nname = \"of-{account}\"\n");
            text += "class = \"production\"\nregions = [\"eu-west-1\"]\n";
        }
        text
    }

    /// Accounts of records that the lab's world knows nothing of.
    fn unknown_to_all(&self) -> BTreeSet<String> {
        let known = Config::load(&root().join("accounts.toml")).unwrap();
        let accounts = self.records.iter().map(|record| Event::parse(record.clone()).unwrap().account);
        accounts.filter(|id| known.account(id).is_none()).map(|id| id.to_string()).collect()
    }
}

fn id(record: &Value) -> &str {
    record["eventID"].as_str().unwrap()
}

/// A record under a name of its own: that is what every side calls it.
fn named(mut record: Value, name: String) -> Value {
    record["eventID"] = json!(name);
    record
}

fn is_wanted(record: &Value) -> bool {
    Event::parse(record.clone()).is_ok_and(|event| shipped().is_subscribed(&event.source, &event.name))
}

fn event_rules() -> impl Iterator<Item = &'static Entry> {
    shipped().rules().iter().filter(|entry| entry.entrypoint.starts_with("events/"))
}

/// The examples of every rule.
fn of_rules() -> Vec<Value> {
    let mut records = Vec::new();
    for (entry, file) in event_rules().flat_map(|entry| [(entry, "fires.json"), (entry, "silent.json")]) {
        let documents = examples(entry, file).into_iter().enumerate();
        let record = |(number, document): (usize, Value)| {
            named(document["event"].clone(), format!("{} {file} {number}", entry.rule.id))
        };
        records.extend(documents.map(record));
    }
    records
}

/// A record, and the same without each of its decisive fields and with each of them in a list.
fn variations(record: Value) -> Vec<Value> {
    let mut fields = Vec::new();
    collect_fields(&record, String::new(), &mut fields);
    let is_telling = |(parent, field): &(String, String)| {
        DECISIVE.iter().any(|decisive| format!("{parent}/{field}/").starts_with(&format!("/{decisive}/")))
    };
    let mut all = Vec::new();
    for (parent, field) in fields.into_iter().filter(is_telling) {
        let (mut less, mut listed) = (record.clone(), record.clone());
        let value = less.pointer_mut(&parent).unwrap().as_object_mut().unwrap().remove(&field).unwrap();
        listed.pointer_mut(&parent).unwrap()[&field] = json!([value]);
        let name = |how: &str| format!("{} {how} {parent}/{field}", id(&record));
        all.extend([named(less, name("without")), named(listed, name("with a list for"))]);
    }
    all.push(record);
    all
}

/// What is compared of a finding.
fn said(finding: &Value) -> Value {
    let field = |name: &str| finding.get(name).cloned().unwrap_or_default();
    json!({"message": field("message"), "resource": field("resource"), "propose": field("propose"),
        "evidence": field("evidence")})
}

fn put(found: &mut Output, event: &str, rule: &str, finding: &Value) {
    found.entry((event.to_owned(), rule.to_owned())).or_default().push(said(finding));
}

/// What `keepwatch replay` writes.
fn by_replay(stage: &Stage, policies: &Path) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_keepwatch"))
        .args(["replay", "--json", "--policies"])
        .arg(policies)
        .arg("--config")
        .arg(stage.accounts())
        .arg(stage.events())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut found = Output::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        put(&mut found, line["event_id"].as_str().unwrap(), line["rule"]["id"].as_str().unwrap(), &line);
    }
    found
}

/// What a backtest finds with the new policies, evaluated as the command does: its
/// report shows only numbers and examples, which must be those of these findings.
fn by_backtest(stage: &Stage, old: &Path, new: &Path) -> Output {
    let (before, after) = (Policies::load(old).unwrap(), Policies::load(new).unwrap());
    let selection = Selection::default();
    let source = Source::find(&[stage.events().display().to_string()], &selection, &mut |_| true, None).unwrap();
    let config = Config::load(&stage.accounts()).unwrap();
    let replay = Replay { source: &source, selection: &selection, config: Some(&config), workers: 2 };
    let mut found = Output::new();
    let read = replay.run(&Bench { old: &before, new: &after }, |report| {
        for case in report.found.into_iter().filter_map(|judged| judged.case) {
            for finding in &case.new {
                put(&mut found, &case.id, &finding.rule.id, &serde_json::to_value(finding).unwrap());
            }
        }
        ControlFlow::Continue(())
    });
    read.unwrap();
    agrees_with_the_command(stage, (old, new), &found);
    found
}

/// The report of `keepwatch backtest` counts these findings as new, and shows no other.
fn agrees_with_the_command(stage: &Stage, (old, new): (&Path, &Path), found: &Output) {
    let output = Command::new(env!("CARGO_BIN_EXE_keepwatch"))
        .args(["backtest", "--json"])
        .args([old, new, &stage.events()])
        .arg("--config")
        .arg(stage.accounts())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut counted: BTreeMap<&str, u64> = BTreeMap::new();
    for ((_, rule), findings) in found {
        *counted.entry(rule).or_default() += findings.len() as u64;
    }
    let groups = report["findings"]["groups"].as_array().unwrap();
    let appeared: BTreeMap<&str, u64> =
        groups.iter().map(|group| (group["rule"].as_str().unwrap(), group["count"].as_u64().unwrap())).collect();
    assert_eq!(appeared, counted, "what `keepwatch backtest` counts as new, and what its evaluation found");
    for (rule, example) in groups.iter().flat_map(|group| {
        group["examples"].as_array().unwrap().iter().map(|example| (group["rule"].as_str().unwrap(), example))
    }) {
        let key = (example["event_id"].as_str().unwrap().to_owned(), rule.to_owned());
        let is_it = |one: &Value| one["message"] == example["message"] && one["resource"] == example["resource"];
        assert!(found.get(&key).is_some_and(|all| all.iter().any(is_it)), "{example}");
    }
}

/// What the agent, run as in life, writes into its ledger about messages in its queue.
fn by_agent(stage: &Stage, policies: &Path) -> Output {
    let lab = Lab::start();
    stage.unknown_to_all().iter().for_each(|account| open(&lab, account));
    let accounts = stage.accounts();
    let environment =
        [("KEEPWATCH_CONFIG", accounts.to_str().unwrap()), ("KEEPWATCH_POLICIES", policies.to_str().unwrap())];
    let agent = lab.agent(&environment);
    let queue = lab.world("queue_url");
    for portion in stage.records.chunks(PORTION) {
        send(&lab, portion);
        lab.eventually("every message is handled", || lab.is_empty(&queue));
    }
    assert!(agent.stop().success());
    assert!(lab.is_empty(&format!("{queue}-dlq")), "no message is refused\n{}", lab.log());
    in_ledger(stage, &lab)
}

/// What the ledger holds of these records: the lab's own calls are events, too, and what the
/// agent then finds about a resource does not come from the evaluation of the event that led there.
fn in_ledger(stage: &Stage, lab: &Lab) -> Output {
    let rules: BTreeSet<&str> = event_rules().map(|entry| entry.rule.id.as_str()).collect();
    let records: BTreeSet<&str> = stage.records.iter().map(id).collect();
    let incidents = lab.incidents();
    let plans = incidents.iter().flat_map(|incident| incident["plans"].as_array().unwrap());
    let mut found = Output::new();
    for case in plans.map(|plan| &plan["case"]) {
        let Some(event) = case["subject"]["event"]["id"].as_str().filter(|id| records.contains(id)) else { continue };
        for finding in case["findings"].as_array().unwrap() {
            let rule = finding["rule"]["id"].as_str().unwrap();
            if rules.contains(rule) {
                put(&mut found, event, rule, finding);
            }
        }
    }
    found
}

/// Lets the agent read in an account that is no member of the lab's organisation: it looks at
/// what went on while a trail was stopped.
fn open(lab: &Lab, account: &str) {
    let policy = |mut statement: Value| {
        statement["Effect"] = json!("Allow");
        json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
    };
    let entering = json!(["sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"]);
    let put = |owner: &str, role: &str, statement: Value| {
        let params =
            json!({"RoleName": role, "PolicyName": format!("of-{account}"), "PolicyDocument": policy(statement)});
        lab.done(As::Root(owner), "iam", "put_role_policy", params);
    };
    let hub = json!({"AWS": format!("arn:aws:iam::{SECURITY}:root")});
    let trust = policy(json!({"Action": entering, "Principal": hub}));
    let role = json!({"RoleName": "KeepwatchRead", "AssumeRolePolicyDocument": trust});
    lab.done(As::Root(account), "iam", "create_role", role);
    put(account, "KeepwatchRead", json!({"Action": "*", "Resource": "*"}));
    let resource = format!("arn:aws:iam::{account}:role/KeepwatchRead");
    put(SECURITY, "KeepwatchAgent", json!({"Action": entering, "Resource": resource}));
}

/// Puts records into the agent's queue.
fn send(lab: &Lab, records: &[Value]) {
    for batch in records.chunks(BATCH) {
        let entry = |(number, record)| json!({"Id": format!("m{number}"), "MessageBody": body(record).to_string()});
        let entries: Vec<Value> = batch.iter().enumerate().map(entry).collect();
        let params = json!({"QueueUrl": lab.world("queue_url"), "Entries": entries});
        let answer = lab.done(As::Root(SECURITY), "sqs", "send_message_batch", params);
        assert_eq!(answer["Successful"].as_array().unwrap().len(), batch.len(), "{answer}");
    }
}

/// A record as EventBridge delivers it.
fn body(record: &Value) -> Value {
    let source = record["eventSource"].as_str().unwrap().replace(".amazonaws.com", "");
    json!({"version": "0", "id": id(record), "detail-type": "AWS API Call via CloudTrail",
        "source": format!("aws.{source}"), "account": record["recipientAccountId"], "time": record["eventTime"],
        "region": record["awsRegion"], "resources": [], "detail": record})
}

/// What OPA finds by evaluating the rules themselves, every rule on every document.
fn by_opa(stage: &Stage) -> Output {
    let config = Config::load(&stage.accounts()).unwrap();
    let documents: Vec<Value> = stage.records.iter().map(|record| document(record, &config)).collect();
    let documents: Vec<&Value> = documents.iter().collect();
    let mut found = Output::new();
    for entry in event_rules() {
        let answers = ask_opa(entry, &documents);
        assert_eq!(answers.len(), documents.len(), "{} is defined for every document", entry.entrypoint);
        for (record, findings) in stage.records.iter().zip(&answers) {
            for finding in findings.as_array().unwrap() {
                put(&mut found, id(record), &entry.rule.id, finding);
            }
        }
    }
    found
}

/// What a rule sees of a record.
fn document(record: &Value, config: &Config) -> Value {
    let event = Event::parse(record.clone()).unwrap().flagged(config);
    let account = config.account(&event.account).unwrap();
    serde_json::to_value(EventInput::new(&event, account, event.time)).unwrap()
}

/// One of the ways to evaluate.
struct Side {
    name: &'static str,
    found: Output,
    evidence: Evidence,
}

enum Evidence {
    Kept,
    LeftOut,
}

impl Side {
    const fn new(name: &'static str, found: Output) -> Self {
        Self { name, found, evidence: Evidence::Kept }
    }

    /// What it says about an event by a rule, in an order that does not hang on how it came.
    fn says(&self, about: &(String, String)) -> Vec<Value> {
        let mut findings = self.found.get(about).cloned().unwrap_or_default();
        findings.sort_by_cached_key(Value::to_string);
        findings
    }
}

/// Each event and rule about which the sides are not of one mind, with who says what.
fn differences(sides: &[Side]) -> Vec<String> {
    let about: BTreeSet<&(String, String)> = sides.iter().flat_map(|side| side.found.keys()).collect();
    let opinions = about.into_iter().map(|about| (about, opinions(sides, about)));
    opinions.filter(|(_, opinions)| opinions.len() > 1).map(|(about, opinions)| difference(about, opinions)).collect()
}

/// Who says the same about an event and a rule. Whoever left evidence out comes last, and
/// agrees with anybody who says the same besides.
fn opinions(sides: &[Side], about: &(String, String)) -> Vec<(Vec<&'static str>, Vec<Value>)> {
    let mut opinions: Vec<(Vec<&str>, Vec<Value>)> = Vec::new();
    for side in sides {
        let says = side.says(about);
        let is_shared = |other: &[Value]| match side.evidence {
            Evidence::Kept => *other == says,
            Evidence::LeftOut => without_evidence(other.to_vec()) == without_evidence(says.clone()),
        };
        match opinions.iter_mut().find(|(_, other)| is_shared(other)) {
            Some((names, _)) => names.push(side.name),
            None => opinions.push((vec![side.name], says)),
        }
    }
    opinions
}

fn difference((event, rule): &(String, String), opinions: Vec<(Vec<&str>, Vec<Value>)>) -> String {
    let mut text = format!("event `{event}`, rule {rule}:\n");
    for (names, says) in opinions {
        let says = if says.is_empty() { "nothing".to_owned() } else { json!(says).to_string() };
        text += &format!("  {}: {says}\n", names.join(", "));
    }
    text
}

fn without_evidence(mut findings: Vec<Value>) -> Vec<Value> {
    findings.iter_mut().for_each(|finding| finding["evidence"] = Value::Null);
    findings.sort_by_cached_key(Value::to_string);
    findings
}

#[test]
fn replay_backtest_the_live_agent_and_opa_find_the_same() {
    let (stage, policies) = (Stage::set(), &SHIPPED.1);
    let (_kept, without_event_rules) = bundle(&[], &["events"]);
    let backtest = by_backtest(&stage, &without_event_rules, policies);
    let sides = [
        Side::new("keepwatch replay", by_replay(&stage, policies)),
        Side::new("the live agent", by_agent(&stage, policies)),
        Side::new("opa eval", by_opa(&stage)),
        Side { evidence: Evidence::LeftOut, ..Side::new("keepwatch backtest", backtest) },
    ];
    let differences = differences(&sides);
    assert!(differences.is_empty(), "{} differences, such as\n{}", differences.len(), first(&differences));

    let found = &sides[0].found;
    let fired: BTreeSet<&str> = found.keys().map(|(_, rule)| rule.as_str()).collect();
    assert_eq!(fired, event_rules().map(|entry| entry.rule.id.as_str()).collect(), "every event rule has its say");
    let published = stage.records.iter().filter(|record| !id(record).contains(".json ")).count();
    let findings = found.values().flatten().count();
    assert!(published >= PUBLISHED, "{published} events are made of what others published: a rule asks for less now");
    println!("{findings} findings about {} events, {published} of them made of published records", stage.records.len());
}

fn first(differences: &[String]) -> String {
    differences.iter().take(10).cloned().collect()
}

#[test]
fn a_side_that_says_something_else_is_named_with_the_event_and_the_rule() {
    let stage = Stage::set();
    let edit = Edit { file: KEY_RULE, from: "\"evidence\": {\"denied\": true}", to: "\"evidence\": {\"denied\": 1}" };
    let (_kept, changed) = bundle(&[edit], &["events/iam/destructive_grant"]);
    let sides = [Side::new("keepwatch replay", by_replay(&stage, &changed)), Side::new("opa eval", by_opa(&stage))];
    let found = differences(&sides);
    let about = |rule: &str| found.iter().filter(|text| text.contains(&format!("`, rule {rule}:\n"))).count();
    assert!(about("IAM-02") > 0 && about("KMS-01") > 0);
    assert_eq!(about("IAM-02") + about("KMS-01"), found.len(), "the other rules are as they were");
    let grant = found.iter().find(|text| text.starts_with("event `IAM-02 fires.json 0`")).unwrap();
    assert!(grant.contains("  keepwatch replay: nothing\n") && grant.contains("  opa eval: [{"), "{grant}");
    let [replay, opa] = sides;
    let sides = [opa, Side { evidence: Evidence::LeftOut, ..replay }];
    assert!(differences(&sides).iter().all(|text| text.contains("rule IAM-02")), "evidence that nobody keeps");
}
