//! The policy engine against the crate `opa-wasm`.
//!
//! Every shipped rule evaluates every published record, and every example that lies
//! beside a rule, whole and with each of its fields missing in turn. Both engines must say
//! the same. It takes an `opa`, found as the agent finds it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use jiff::Timestamp;
use keepwatch::author::fixtures;
use keepwatch::domain::finding::Finding;
use keepwatch::policy::Policies;
use keepwatch::policy::bundle::Bundle;
use keepwatch::policy::bundle::build::{build, opa};
use keepwatch::policy::catalogue::Entry;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::published;

pub const NOW: &str = "2026-11-21T12:00:00Z";

pub fn now() -> Timestamp {
    NOW.parse().unwrap()
}

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The shipped policies, built once for all tests here.
static SHIPPED: LazyLock<(TempDir, PathBuf, Policies)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("bundle.tar.gz");
    build(&root().join("policies"), &bundle).unwrap();
    let policies = Policies::load(&bundle).unwrap();
    (folder, bundle, policies)
});

pub fn shipped() -> &'static Policies {
    &SHIPPED.2
}

/// Every published CloudTrail record as a document for an event rule.
fn published_records() -> Vec<Value> {
    published::records().into_iter().map(|(_, record)| event_document(record)).collect()
}

/// A document for an event rule. What the principal is hardly matters here: both engines get it.
fn event_document(event: Value) -> Value {
    let identity = &event["userIdentity"];
    let name = identity["userName"].as_str().or(identity["sessionContext"]["sessionIssuer"]["userName"].as_str());
    json!({
        "principal": {
            "kind": if identity["type"] == "IAMUser" { "iam_user" } else { "assumed_role" },
            "account": identity["accountId"], "name": name, "arn": identity["arn"], "session": null,
            "flags": {"agent": false, "break_glass": false, "service_linked": false},
        },
        "account": {"id": "111122223333", "name": "shop", "class": "production", "mode": "enforce", "ou": null, "tags": {}},
        "now": NOW,
        "event": event,
    })
}

/// The documents in `fires.json` or `silent.json` beside a rule.
pub fn examples(entry: &Entry, file: &str) -> Vec<Value> {
    let place = entry.entrypoint.trim_end_matches("/findings");
    let examples = fixtures::read(&root().join("policies"), place, file).unwrap();
    assert!(!examples.is_empty(), "{place}: `{file}` has no example");
    examples.into_iter().map(|example| example.document).collect()
}

/// The document with each of its fields, at any depth, left out in turn.
fn mutilated(document: &Value) -> Vec<Value> {
    let mut pointers = Vec::new();
    collect_fields(document, String::new(), &mut pointers);
    let without = |(parent, key): &(String, String)| {
        let mut copy = document.clone();
        copy.pointer_mut(parent)?.as_object_mut()?.remove(key);
        Some(copy)
    };
    pointers.iter().filter_map(without).collect()
}

pub fn collect_fields(value: &Value, at: String, into: &mut Vec<(String, String)>) {
    let escaped = |key: &str| key.replace('~', "~0").replace('/', "~1");
    for (key, inner) in value.as_object().into_iter().flatten() {
        into.push((at.clone(), key.clone()));
        collect_fields(inner, format!("{at}/{}", escaped(key)), into);
    }
    for (index, inner) in value.as_array().into_iter().flatten().enumerate() {
        collect_fields(inner, format!("{at}/{index}"), into);
    }
}

/// The crate `opa-wasm` with the shipped policies.
struct Oracle {
    runtime: tokio::runtime::Runtime,
    store: wasmtime::Store<()>,
    policy: opa_wasm::Policy<opa_wasm::DefaultContext>,
}

impl Oracle {
    fn new(bundle: &Path) -> Self {
        let bundle = Bundle::read(bundle).unwrap();
        let engine = wasmtime::Engine::default();
        let module = wasmtime::Module::new(&engine, roomy(bundle.wasm)).unwrap();
        let mut store = wasmtime::Store::new(&engine, ());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let policy = runtime.block_on(async {
            let policy = opa_wasm::Runtime::new(&mut store, &module).await.unwrap();
            policy.with_data(&mut store, &bundle.data).await.unwrap()
        });
        Self { runtime, store, policy }
    }

    /// Its answer; `None` where a builtin's error ends its evaluation, which for OPA itself
    /// is only undefined.
    fn ask(&mut self, entry: &Entry, document: &Value) -> Option<Value> {
        let answer = self.policy.evaluate(&mut self.store, &entry.entrypoint, document);
        self.runtime.block_on(answer).ok()
    }
}

/// The module with 64 pages of imported memory to start with, instead of the few that OPA writes
/// down for its constants and that the shipped rules do not fit in.
fn roomy(mut wasm: Vec<u8>) -> Vec<u8> {
    let import = b"\x03env\x06memory\x02\x00";
    let at = wasm.windows(import.len()).position(|window| window == import).unwrap() + import.len();
    assert!(wasm[at] < 64, "the module asks for {} pages by itself", wasm[at]);
    wasm[at] = 64;
    wasm
}

/// A result set with the members of its set in order.
fn in_order(mut result_set: Value) -> Value {
    if let Some(members) = result_set.pointer_mut("/0/result").and_then(Value::as_array_mut) {
        members.sort_by_cached_key(Value::to_string);
    }
    result_set
}

#[test]
fn the_engine_says_what_the_oracle_says_on_every_rule_and_record() {
    let mut oracle = Oracle::new(&SHIPPED.1);
    let records = published_records();
    let (mut compared, mut findings, mut of_opa) = (0, 0, 0);
    for entry in shipped().rules() {
        let own = examples(entry, "fires.json").into_iter().chain(examples(entry, "silent.json"));
        let own: Vec<Value> = own.flat_map(|whole| mutilated(&whole).into_iter().chain([whole])).collect();
        let mut unanswered = Vec::new();
        for document in records.iter().chain(&own) {
            let Some(theirs) = oracle.ask(entry, document) else {
                unanswered.push(document);
                continue;
            };
            let ours = ours(entry, document);
            assert_eq!(ours, in_order(theirs), "{} on {document}", entry.entrypoint);
            compared += 1;
            findings += ours.pointer("/0/result").and_then(Value::as_array).map_or(0, Vec::len);
        }
        let theirs = ask_opa(entry, &unanswered);
        assert_eq!(theirs.len(), unanswered.len());
        for (document, theirs) in unanswered.iter().zip(theirs) {
            let theirs = in_order(json!([{ "result": theirs }]));
            assert_eq!(ours(entry, document), theirs, "{} on {document}", entry.entrypoint);
            of_opa += 1;
        }
    }
    println!("{compared} answers as of `opa-wasm`, {findings} findings among them; {of_opa} as of `opa eval`");
    assert!(compared > shipped().rules().len() * records.len() / 2, "{compared}");
}

fn ours(entry: &Entry, document: &Value) -> Value {
    in_order(serde_json::from_slice(&shipped().evaluate(entry, document, now()).unwrap()).unwrap())
}

/// What OPA itself finds in documents, where the crate has no answer.
pub fn ask_opa(entry: &Entry, documents: &[&Value]) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("documents.json");
    fs::write(&file, json!({ "documents": documents }).to_string()).unwrap();
    let rule = entry.entrypoint.replace('/', ".");
    let query = format!("[found | some document in data.documents; found := data.{rule} with input as document]");
    let mut command = Command::new(opa());
    command.args(["eval", "--format=raw", "--ignore=*_test.rego", "--ignore=fires.json", "--ignore=silent.json"]);
    for part in ["events", "resources", "lib", "data"] {
        command.arg("--data").arg(root().join("policies").join(part));
    }
    let said = command.arg("--data").arg(file).arg(query).output().unwrap();
    serde_json::from_slice(&said.stdout).unwrap()
}

#[test]
fn every_rule_fires_on_its_example_and_is_silent_on_the_other() {
    for entry in shipped().rules() {
        for document in examples(entry, "fires.json") {
            let found = shipped().evaluate_rule(entry, &document, now());
            assert!(!found.is_empty() && found.iter().all(is_evaluated), "{}: {found:?}", entry.entrypoint);
        }
        for document in examples(entry, "silent.json") {
            assert_eq!(shipped().evaluate_rule(entry, &document, now()), [], "{}", entry.entrypoint);
        }
    }
}

fn is_evaluated(finding: &Finding) -> bool {
    !finding.message.contains("could not be evaluated")
}
