//! Policies that are swapped while the agent evaluates: good, bad, good again, under a stream of
//! events. Nothing is evaluated by a mixture, and what cannot be used changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use keepwatch::config::Config;
use keepwatch::domain::clock::Clock;
use keepwatch::domain::cloud::{CloudError, Object, ObjectStore};
use keepwatch::domain::event::Event;
use keepwatch::domain::hash;
use keepwatch::domain::resource::bucket::Versioning;
use keepwatch::ledger::Ledger as _;
use keepwatch::ledger::sqlite::Sqlite;
use keepwatch::ops::metrics::{Metrics, Stopwatch};
use keepwatch::policy::bundle::build::{build, build_signed};
use keepwatch::policy::bundle::signature::Algorithm;
use keepwatch::policy::bundle::source::{Fingerprint, Source};
use keepwatch::policy::engine::compiler::Compiler;
use keepwatch::respond::agent::Agent;
use keepwatch::respond::execute::WriteDoor;
use keepwatch::respond::geoip::Origins;
use keepwatch::respond::keyed_lock::KeyedLock;
use keepwatch::respond::lookup_throttle::LookupThrottle;
use keepwatch::rules::active;
use keepwatch::rules::active::ActiveRules;
use keepwatch::rules::backlog::Backlog;
use keepwatch::rules::refresh::{Looked, Refresher};
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::Notify;

use super::engine_oracle::root;
use super::policy_trust::Signed;
use crate::support::cloud::{FakeCloud, bucket};
use crate::support::lab::{As, Lab, REGION, SECURITY};

pub type Watched = Agent<FakeCloud, Sqlite>;

/// A clock that stands still until it is moved.
pub struct Hands(Mutex<Timestamp>);

impl Hands {
    pub fn forward(&self, span: SignedDuration) {
        let mut now = self.0.lock().unwrap();
        *now += span;
    }
}

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// S3 with one object, or none.
#[derive(Default)]
struct Bucket(Mutex<Option<Object>>);

impl Bucket {
    fn put(&self, path: &Path) {
        let bytes = fs::read(path).unwrap();
        *self.0.lock().unwrap() = Some(Object { tag: hash::digest(&format!("{bytes:?}")), bytes });
    }
}

impl ObjectStore for Bucket {
    async fn tag(&self, bucket: &str, key: &str) -> Result<String, CloudError> {
        self.object(bucket, key).await.map(|object| object.tag)
    }

    async fn object(&self, bucket: &str, key: &str) -> Result<Object, CloudError> {
        let gone = || CloudError::Gone { target: format!("{bucket}/{key}") };
        self.0.lock().unwrap().clone().ok_or_else(gone)
    }
}

/// A folder of policies whose every part says which version it is: an act's rule, a state's
/// rule, the data that both read, and the strategy.
pub fn version(word: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(root().join("policies/capabilities.json"), folder.path().join("capabilities.json")).unwrap();
    let rule = |place: &str, id: &str, wants: &str, message: &str| {
        let package = place.replace('/', ".");
        let text = format!(
            "package {package}\n\n# METADATA\n# entrypoint: true\n# title: {id}\n# custom:\n#   id: {id}\n#   severity: high\n\
             #   mode: enforce\n#   {wants}\nfindings contains {{\"message\": {message}, \"propose\": []}}\n"
        );
        fs::create_dir_all(folder.path().join(place)).unwrap();
        fs::write(folder.path().join(place).join("rule.rego"), text).unwrap();
    };
    rule(
        "events/s3/swap",
        "TST-ACT",
        "events: [\"s3.amazonaws.com:*\"]",
        &format!("concat(\" \", [\"{word}\", data.version])"),
    );
    let desired = "object.get(input, [\"desired\", \"class\"], \"none\")";
    rule(
        "resources/s3/swap",
        "TST-STATE",
        "kind: bucket",
        &format!("concat(\" \", [\"{word}\", data.version, {desired}])"),
    );
    fs::create_dir(folder.path().join("data")).unwrap();
    let resources = json!([{"match": {"kind": "bucket", "name": "*"}, "desired": {"class": word}}]);
    let data = json!({"version": word, "strategies": {"swap": {"resources": resources}}});
    fs::write(folder.path().join("data/data.json"), data.to_string()).unwrap();
    folder
}

/// An agent in a world of its own, and what keeps its rules fresh.
pub struct Stage {
    pub agent: Arc<Watched>,
    pub refresher: Refresher,
    pub clock: Arc<Hands>,
    pub folder: TempDir,
    objects: Bucket,
}

impl Stage {
    /// An agent with the policies of a source.
    async fn new(source: Source, objects: Bucket, folder: TempDir) -> Self {
        let seen = active::fetch_if_changed(&source, &[], &objects).await.unwrap();
        let set = active::compile(seen.content.unwrap(), &source, None, &Compiler::here()).await.unwrap();
        Self::with(source, (set, seen.fingerprint), objects, folder)
    }

    fn with(
        source: Source,
        (set, fingerprint): (active::RuleSet, Fingerprint),
        objects: Bucket,
        folder: TempDir,
    ) -> Self {
        let clock = Arc::new(Hands(Mutex::new("2026-03-01T10:00:00Z".parse().unwrap())));
        let agent = Agent {
            config: Config::parse(include_str!("../accounts.toml")).unwrap(),
            rules: ActiveRules::new(set),
            clouds: FakeCloud::default(),
            door: WriteDoor::new(FakeCloud::default()),
            ledger: Sqlite::open_in_memory().unwrap(),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            metrics: Metrics::new(Instant::now()),
            reports: Notify::new(),
            locks: KeyedLock::default(),
            lookups: LookupThrottle::default(),
            origins: Origins::default(),
            shadows: Backlog::default(),
        };
        let refresher = Refresher::new(source, "333344445555".parse().unwrap(), fingerprint, clock.now());
        Self { agent: Arc::new(agent), refresher, clock, folder, objects }
    }

    /// An agent with a bundle file.
    pub async fn of_file(policies: &TempDir) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bundle = folder.path().join("bundle.tar.gz");
        build(policies.path(), &bundle).unwrap();
        Self::new(Source::Path(bundle), Bucket::default(), folder).await
    }

    /// Adds to `[policies]`.
    pub fn configure(&mut self, settings: &str) {
        let text = format!("{}\n[policies]\n{settings}\n", include_str!("../accounts.toml"));
        Arc::get_mut(&mut self.agent).unwrap().config = Config::parse(&text).unwrap();
    }

    /// The moment that the agent takes for now.
    pub fn refresher_now(&self) -> Timestamp {
        self.clock.now()
    }

    pub fn bundle(&self) -> std::path::PathBuf {
        self.folder.path().join("bundle.tar.gz")
    }

    pub async fn refresh(&mut self) -> Looked {
        self.refresher.refresh(&self.agent.refresh_context(), &self.objects).await.unwrap()
    }

    /// What is reported about the policies themselves.
    pub async fn reported(&self) -> Vec<String> {
        let undelivered = self.agent.ledger.undelivered().await.unwrap();
        let of_policies = undelivered.iter().filter(|delivery| delivery.case.findings[0].rule.id == "KW-POLICIES");
        of_policies.map(|delivery| delivery.case.findings[0].message.clone()).collect()
    }

    pub async fn chain_of(&self, kind: &str) -> Vec<serde_json::Value> {
        let entries = self.agent.ledger.entries().await.unwrap();
        entries.into_iter().filter(|entry| entry.kind == kind).map(|entry| entry.body).collect()
    }
}

pub fn event(number: u64) -> Event {
    Event::parse(json!({
        "eventID": format!("event-{number}"), "eventSource": "s3.amazonaws.com", "eventName": "PutBucketVersioning",
        "eventTime": "2026-03-01T10:00:00Z", "awsRegion": "eu-west-1", "recipientAccountId": "111122223333",
        "requestParameters": {"bucketName": format!("bucket-{number}")},
        "userIdentity": {"type": "IAMUser", "arn": format!("arn:aws:iam::111122223333:user/u{number}"),
            "accountId": "111122223333", "userName": format!("u{number}")},
    }))
    .unwrap()
}

/// Events without an end, until it is asked to stop.
async fn stream(agent: Arc<Watched>, (next, stop): (Arc<AtomicU64>, Arc<AtomicBool>)) {
    while !stop.load(Ordering::Relaxed) {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let live = bucket(Versioning::Suspended);
        agent.clouds.inside.lock().unwrap().buckets.insert(format!("bucket-{number}"), live);
        agent.handle(event(number), &Stopwatch::idle()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn good_bad_good_under_a_stream_of_events_and_never_a_mixture() {
    let (one, two) = (version("v1"), version("v2"));
    let mut stage = Stage::of_file(&one).await;
    let first = stage.agent.rules.now().policies.digest().to_owned();
    let (next, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let streams: Vec<_> = (0..4)
        .map(|_| tokio::spawn(stream(Arc::clone(&stage.agent), (Arc::clone(&next), Arc::clone(&stop)))))
        .collect();
    let some_more = || {
        let (next, wanted) = (Arc::clone(&next), next.load(Ordering::Relaxed) + 40);
        async move {
            while next.load(Ordering::Relaxed) < wanted {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    };

    some_more().await;
    assert_eq!(stage.refresh().await, Looked::Same);
    fs::write(stage.bundle(), "no bundle at all").unwrap();
    assert!(matches!(stage.refresh().await, Looked::Doubtful(_)));
    some_more().await;
    assert!(matches!(stage.refresh().await, Looked::Refused(_)));
    assert_eq!(stage.agent.rules.now().policies.digest(), first);
    some_more().await;
    build(two.path(), &stage.bundle()).unwrap();
    let Looked::Swapped { from, to } = stage.refresh().await else { panic!("not swapped") };
    assert_eq!(from, first);
    some_more().await;
    stop.store(true, Ordering::Relaxed);
    for stream in streams {
        stream.await.unwrap();
    }

    let words = BTreeMap::from([(first, "v1"), (to, "v2")]);
    let (mut events, mut resources) = (BTreeSet::new(), BTreeSet::new());
    for (_, plans) in stage.agent.ledger.incidents().await.unwrap() {
        for stored in plans.iter().filter(|stored| stored.case.findings[0].rule.id != "KW-POLICIES") {
            let (digest, finding) = (stored.case.bundle.clone().unwrap(), &stored.case.findings[0]);
            let word = words[&digest];
            if finding.rule.id == "TST-ACT" {
                assert_eq!(finding.message, format!("{word} {word}"), "{}", stored.key);
                events.insert((stored.case.event().unwrap().id.clone(), digest));
            } else {
                assert_eq!(finding.message, format!("{word} {word} {word}"), "{}", stored.key);
                resources.insert((stored.case.event().unwrap().id.clone(), digest));
            }
        }
    }
    assert!(events.len() as u64 == next.load(Ordering::Relaxed) && events.len() >= 160, "{} events", events.len());
    assert_eq!(events, resources, "an event and its resource are evaluated by one bundle");
    assert!(
        events.iter().any(|(_, digest)| words[digest] == "v1")
            && events.iter().any(|(_, digest)| words[digest] == "v2")
    );
    let claimed = stage.chain_of("claimed").await;
    assert!(claimed.iter().all(|body| words.contains_key(body["bundle"].as_str().unwrap())), "the ledger knows it too");
}

#[tokio::test]
async fn a_bad_bundle_is_reported_once_and_counted_and_a_good_one_is_noted() {
    let (one, two) = (version("v1"), version("v2"));
    let mut stage = Stage::of_file(&one).await;
    let source = stage.refresher.source.clone();
    for _ in 0..2 {
        stage.agent.refresh_context().adopt(&stage.agent.rules.now(), &source).await.unwrap();
    }
    assert_eq!(stage.chain_of("policies").await.len(), 1, "a restart writes nothing");
    fs::write(stage.bundle(), "no bundle at all").unwrap();
    let looks = [stage.refresh().await, stage.refresh().await, stage.refresh().await, stage.refresh().await];
    assert!(matches!(&looks[..], [Looked::Doubtful(_), Looked::Refused(_), Looked::Refused(_), Looked::Refused(_)]));
    let reported = stage.reported().await;
    assert_eq!(reported.len(), 1, "{reported:?}");
    assert!(
        reported[0].contains("are refused, the active ones stay") && reported[0].contains("is not a policy bundle")
    );
    assert_eq!(stage.agent.metrics.count.policy_refusals.get(), 1);

    let writes = stage.agent.ledger.writes();
    stage.refresh().await;
    assert_eq!(stage.agent.ledger.writes(), writes, "looking writes nothing");
    build(two.path(), &stage.bundle()).unwrap();
    assert!(matches!(stage.refresh().await, Looked::Swapped { .. }));
    let noted = stage.chain_of("policies").await;
    assert_eq!(noted.len(), 2);
    assert_eq!(noted[1]["digest"], stage.agent.rules.now().policies.digest());
    assert_eq!(stage.agent.metrics.count.policy_swaps.get(), 1);
}

#[tokio::test]
async fn a_rule_that_cannot_be_evaluated_at_all_is_not_put_in_force() {
    let (one, two) = (version("v1"), version("v2"));
    let mut stage = Stage::of_file(&one).await;
    let endless = "findings contains {\"message\": \"never\", \"propose\": []} if {\n\thundreds := numbers.range(1, 500)\n\t\
                   some _ in hundreds\n\tsome _ in hundreds\n\tsome _ in hundreds\n\tsome last in hundreds\n\tlast == -1\n}\n";
    let rule = two.path().join("events/s3/swap/rule.rego");
    let text = fs::read_to_string(&rule).unwrap();
    fs::write(&rule, text.split("findings contains").next().unwrap().to_owned() + endless).unwrap();
    build(two.path(), &stage.bundle()).unwrap();
    let Looked::Doubtful(why) = stage.refresh().await else { panic!("it was taken") };
    assert!(why.contains("rule `TST-ACT` cannot be evaluated at all: it took "), "{why}");
}

#[tokio::test]
async fn with_a_key_only_a_signed_bundle_is_swapped_in() {
    let (one, two) = (version("v1"), version("v2"));
    let signed = Signed::new(Algorithm::Es256);
    let mut stage = Stage::of_file(&one).await;
    stage.refresher.trust = Some(signed.trust("keepwatch"));
    build(two.path(), &stage.bundle()).unwrap();
    assert!(matches!(stage.refresh().await, Looked::Doubtful(_)));
    let Looked::Refused(why) = stage.refresh().await else { panic!("it was taken") };
    assert!(why.contains("it is not signed"), "{why}");
    build_signed(two.path(), &stage.bundle(), Some(&signed.signing("keepwatch"))).unwrap();
    assert!(matches!(stage.refresh().await, Looked::Swapped { .. }));
}

#[tokio::test]
async fn a_source_that_is_gone_is_reported_once_when_the_rules_grow_old() {
    let (one, two) = (version("v1"), version("v2"));
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("bundle.tar.gz");
    build(one.path(), &bundle).unwrap();
    let objects = Bucket::default();
    objects.put(&bundle);
    let mut stage = Stage::new("s3://policies/bundle.tar.gz".parse().unwrap(), objects, folder).await;
    assert_eq!(stage.refresh().await, Looked::Same);
    let kept = stage.objects.0.lock().unwrap().take();
    for hours in [0, 23] {
        stage.clock.forward(SignedDuration::from_hours(hours));
        assert!(matches!(stage.refresh().await, Looked::Unreachable(_)));
        assert!(stage.reported().await.is_empty());
    }
    for _ in 0..3 {
        stage.clock.forward(SignedDuration::from_hours(2));
        stage.refresh().await;
    }
    let reported = stage.reported().await;
    assert!(
        reported.len() == 1 && reported[0].contains("since 2026-03-01T10:00:00Z no usable policies were read"),
        "{reported:?}"
    );
    *stage.objects.0.lock().unwrap() = kept;
    assert_eq!(stage.refresh().await, Looked::Same);
    build(two.path(), &stage.bundle()).unwrap();
    stage.objects.put(&stage.bundle());
    assert!(matches!(stage.refresh().await, Looked::Swapped { .. }));
    assert_eq!(stage.reported().await.len(), 1);
}

#[tokio::test]
async fn a_folder_is_swapped_when_a_file_in_it_changes() {
    let one = version("v1");
    let mut stage =
        Stage::new(Source::Path(one.path().to_owned()), Bucket::default(), tempfile::tempdir().unwrap()).await;
    assert_eq!(stage.refresh().await, Looked::Same);
    let data = one.path().join("data/data.json");
    fs::write(&data, fs::read_to_string(&data).unwrap().replace("\"v1\"", "\"v9\"")).unwrap();
    assert!(matches!(stage.refresh().await, Looked::Swapped { .. }));
    assert_eq!(stage.agent.rules.now().policies.data()["version"], "v9");
}

/// The whole of it: a signed bundle in S3, read with the very permission of deploy/hub.yaml.
#[test]
fn an_agent_takes_its_policies_from_s3_and_swaps_them() {
    let (lab, signed) = (Lab::start(), Signed::new(Algorithm::Es256));
    let (bucket, policies) = ("keepwatch-policies", root().join("policies"));
    let place = json!({"LocationConstraint": REGION});
    let params = json!({"Bucket": bucket, "CreateBucketConfiguration": place});
    lab.done(As::Root(SECURITY), "s3", "create_bucket", params);
    let bundle = signed.path("bundle.tar.gz");
    let publish = |from: &Path| {
        build_signed(from, &bundle, Some(&signed.signing("lab"))).unwrap();
        lab.upload(SECURITY, (bucket, "bundle.tar.gz"), &bundle);
    };
    publish(&policies);
    let config = signed.path("accounts.toml");
    let settings = "\n[policies]\nsource = \"s3://keepwatch-policies/bundle.tar.gz\"\nverification_key = \"public.pem\"\n\
                    scope = \"lab\"\ncheck_seconds = 1\n";
    fs::write(&config, include_str!("../accounts.toml").to_owned() + settings).unwrap();
    let from_s3 = [
        ("KEEPWATCH_CONFIG", config.to_str().unwrap()),
        ("KEEPWATCH_POLICIES", "s3://keepwatch-policies/bundle.tar.gz"),
    ];
    let _agent = lab.agent(&from_s3);
    let doctor = lab.keepwatch(&["doctor"]).envs(from_s3).output().unwrap();
    let said = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(said.contains("ok     policies in `s3://keepwatch-policies/bundle.tar.gz`"), "{said}");

    build(&policies, &bundle).unwrap();
    lab.upload(SECURITY, (bucket, "bundle.tar.gz"), &bundle);
    lab.eventually("reported that it is not signed", || lab.slack_text().contains("it is not signed"));
    let params = json!({"BackupVaultName": lab.world("vault"), "RecoveryPointArn": lab.recovery_point(0)});
    lab.done(As::Attacker, "backup", "delete_recovery_point", params);
    lab.eventually("the rules before are in force", || lab.quarantined("ci-deployer"));

    publish(version("v2").path());
    let adopted = || {
        let shown = lab.run(&["ledger", "show", "--json"]);
        let lines = String::from_utf8(shown.stdout).unwrap();
        let entries = lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let digests = entries.filter(|entry| entry["kind"] == "policies").map(|entry| entry["body"]["digest"].clone());
        digests.collect::<Vec<_>>()
    };
    lab.eventually("the new ones are noted in the ledger", || adopted().len() == 2);
    let incident = lab
        .incidents()
        .into_iter()
        .find(|incident| incident["incident"]["title"].as_str().unwrap().contains("Recovery point"));
    assert_eq!(incident.unwrap()["plans"][0]["case"]["bundle"], adopted()[0], "which rules acted is known");
    assert!(lab.run(&["ledger", "verify"]).status.success());
}

#[test]
fn an_agent_that_stays_has_its_rules_compiled_by_a_child() {
    let lab = Lab::start();
    let temporary = TempDir::new().unwrap();
    let agent = lab.agent(&[("TMPDIR", temporary.path().to_str().unwrap())]);
    assert!(!lab.log().contains("in this process"), "{}", lab.log());
    let left: Vec<_> = fs::read_dir(temporary.path()).unwrap().collect();
    assert!(left.is_empty(), "no machine code is left: {left:?}");
    assert!(agent.stop().success());
}

#[test]
fn an_agent_without_a_temporary_folder_compiles_its_rules_itself() {
    let lab = Lab::start();
    let _agent = lab.agent(&[("TMPDIR", "/nonexistent")]);
    assert!(lab.log().contains("compiling policies in this process"), "{}", lab.log());
}

#[test]
fn the_child_of_an_agent_leaves_its_code_for_the_next_start() {
    let lab = Lab::start();
    let cache = TempDir::new().unwrap();
    // Without a temporary folder, what the child made can only have come through the cache.
    let environment = [("TMPDIR", "/nonexistent"), ("KEEPWATCH_CACHE_DIR", cache.path().to_str().unwrap())];
    for _ in 0..2 {
        let agent = lab.agent(&environment);
        assert!(!lab.log().contains("in this process"), "{}", lab.log());
        assert!(fs::read_dir(cache.path().join("compiled/modules")).unwrap().next().is_some());
        assert!(agent.stop().success());
    }
}
