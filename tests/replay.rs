//! `keepwatch replay` as a user runs it: over a trail's bucket, and over what an earlier run left.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::support::lab::{As, Lab, PRODUCTION, SECURITY};
use crate::support::published;

const DELETION: &str = include_str!("fixtures/cloudtrail/user_deletes_recovery_point.json");

fn replay(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keepwatch"));
    command.args(["replay", "--json"]).env("KEEPWATCH_POLICIES", "target/policies/bundle.tar.gz");
    command.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap()
}

fn summary(output: &Output) -> Value {
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().next_back().unwrap_or_default();
    serde_json::from_str::<Value>(last).unwrap_or_else(|_| panic!("{said}"))["summary"].clone()
}

fn findings(text: &[u8]) -> Vec<Value> {
    String::from_utf8_lossy(text).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_trail_s_bucket_is_replayed_from_where_it_lies() {
    let lab = Lab::start();
    let deletion = json!({"BackupVaultName": lab.world("vault"), "RecoveryPointArn": lab.recovery_point(0)});
    lab.done(As::Attacker, "backup", "delete_recovery_point", deletion);
    lab.control("flush", Some(json!({})));
    let trails = lab.done(As::Root(PRODUCTION), "cloudtrail", "describe_trails", json!({}));
    let bucket = trails["trailList"][0]["S3BucketName"].as_str().unwrap();
    let replay = |more: &[&str]| {
        let place = format!("s3://{bucket}/AWSLogs/");
        let mut command = lab.keepwatch(&["replay", &place, "--json"]);
        command.args(more).env("AWS_ACCESS_KEY_ID", SECURITY).env("AWS_SECRET_ACCESS_KEY", "test");
        command.env_remove("AWS_SESSION_TOKEN");
        command.output().unwrap()
    };
    let output = replay(&[]);
    let found = findings(&output.stdout);
    assert_eq!(found.len(), 1, "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!((&found[0]["rule"]["id"], &found[0]["account"]), (&json!("BKP-01"), &json!(PRODUCTION)));
    assert!(found[0]["file"].as_str().unwrap().starts_with(&format!("s3://{bucket}/AWSLogs/{PRODUCTION}/CloudTrail/")));
    assert!(summary(&output)["records"].as_u64() >= Some(1));
    for other in [["--account-id", "999999999999"], ["--region", "ap-south-2"], ["--until", "2001-01-01T00:00:00Z"]] {
        let output = replay(&other);
        assert!(findings(&output.stdout).is_empty(), "{other:?}");
    }
    assert_eq!(findings(&replay(&["--account-id", PRODUCTION, "--since", "2001-01-01T00:00:00Z"]).stdout), found);
}

#[test]
fn a_replay_that_was_broken_off_goes_on_and_says_everything_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let events = folder.path().join("events");
    fs::create_dir(&events).unwrap();
    let put = |name: &str| fs::write(events.join(name), DELETION).unwrap();
    let run =
        || replay(&[&events.display().to_string(), "--output", &path("findings.jsonl"), "--resume", &path("journal")]);
    put("a.json");
    put("b.json");
    assert_eq!(summary(&run())["findings"], 2);
    // What a run that dies in the middle of a file leaves behind.
    let written = fs::read(path("findings.jsonl")).unwrap();
    fs::write(path("findings.jsonl"), [written, b"{\"half\":".to_vec()].concat()).unwrap();
    put("c.json");
    let output = run();
    assert_eq!((&summary(&output)["findings"], &summary(&output)["files"]), (&json!(3), &json!(3)));
    let found = findings(&fs::read(path("findings.jsonl")).unwrap());
    let files: Vec<_> =
        found.iter().map(|line| Path::new(line["file"].as_str().unwrap()).file_name().unwrap().to_owned()).collect();
    assert_eq!(files, ["a.json", "b.json", "c.json"]);
    let other = replay(&[
        &events.display().to_string(),
        "--output",
        &path("findings.jsonl"),
        "--resume",
        &path("journal"),
        "--region",
        "eu-west-1",
    ]);
    assert!(!other.status.success() && String::from_utf8_lossy(&other.stderr).contains("name another journal"));
    assert_eq!(findings(&fs::read(path("findings.jsonl")).unwrap()).len(), 3, "the findings are not touched");
}

#[test]
fn a_place_that_is_not_there_leaves_the_findings_of_another_run_alone() {
    let folder = tempfile::tempdir().unwrap();
    let findings = folder.path().join("findings.jsonl");
    fs::write(&findings, "of another run").unwrap();
    let output = replay(&["no-such-place", "--output", &findings.display().to_string()]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("cannot replay `no-such-place`"), "{said}");
    assert_eq!(fs::read_to_string(&findings).unwrap(), "of another run");
}

/// Records of every rule's examples, whole and with each of their fields missing in turn.
fn variations() -> Vec<Value> {
    let whole = |event: &Value| {
        let mut record = json!({"eventVersion": "1.08", "eventTime": "2026-01-02T03:04:05Z", "eventID": "e",
            "awsRegion": "eu-west-1", "recipientAccountId": PRODUCTION, "userIdentity": {"type": "IAMUser"}});
        for (name, value) in event.as_object().unwrap() {
            record[name] = value.clone();
        }
        record
    };
    let mut records = Vec::new();
    for rule in glob("policies/events") {
        for name in ["fires.json", "silent.json"] {
            let documents: Value = serde_json::from_slice(&fs::read(rule.join(name)).unwrap()).unwrap();
            let examples = documents.as_array().unwrap().iter().map(&whole);
            for record in examples {
                records.extend(without_each(&record));
                records.push(record);
            }
        }
    }
    records
}

/// The folders of rules.
fn glob(folder: &str) -> Vec<std::path::PathBuf> {
    let below = |folder: &Path| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    below(Path::new(folder)).iter().flat_map(|service| below(service)).collect()
}

/// A value with each member at its first three levels missing in turn.
fn without_each(value: &Value) -> Vec<Value> {
    let mut found = Vec::new();
    for (name, inner) in value.as_object().into_iter().flatten() {
        let mut less = value.clone();
        less.as_object_mut().unwrap().remove(name);
        found.push(less);
        for inner in without_each(inner) {
            let mut other = value.clone();
            other[name] = inner;
            found.push(other);
        }
    }
    found
}

/// A bundle that does not say what its rules read.
fn forgetful(bundle: &Path, copy: &Path) {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(fs::File::open(bundle).unwrap()));
    let mut made =
        tar::Builder::new(flate2::write::GzEncoder::new(fs::File::create(copy).unwrap(), Default::default()));
    let mut dropped = 0;
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_path_buf();
        if path.ends_with("reads.json") {
            dropped += 1;
            continue;
        }
        let mut header = entry.header().clone();
        let name = path.strip_prefix("/").unwrap_or(&path).to_owned();
        made.append_data(&mut header, name, &mut entry).unwrap();
    }
    made.into_inner().unwrap().finish().unwrap();
    assert_eq!(dropped, 1);
}

#[test]
fn the_prefilter_never_overlooks_a_finding() {
    let folder = tempfile::tempdir().unwrap();
    let (events, bundle) = (folder.path().join("events.jsonl"), folder.path().join("bundle.tar.gz"));
    let records: Vec<String> = variations().iter().map(Value::to_string).collect();
    assert!(records.len() > 500, "{}", records.len());
    fs::write(&events, records.join("\n")).unwrap();
    forgetful(Path::new("target/policies/bundle.tar.gz"), &bundle);
    let places = [events, published::folder()].map(|place| place.display().to_string());
    let found = |bundle: &str| {
        let mut arguments: Vec<&str> = places.iter().map(String::as_str).collect();
        arguments.extend(["--policies", bundle]);
        findings(&replay(&arguments).stdout)
    };
    let whole = found(&bundle.display().to_string());
    assert!(whole.len() > 100, "{}", whole.len());
    assert_eq!(found("target/policies/bundle.tar.gz"), whole);
}
