//! A lab of its own for each test, the agent's real binary in it, and real boto3 as whoever
//! holds the keys.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::sync::Mutex;
use std::thread::sleep;
use std::time::{Duration, Instant};

use keepwatch::aws::{AccessKey, SdkSettings};
use keepwatch::domain::region::Partition;
use serde_json::{Value, json};
use tempfile::TempDir;

const WAIT_TIMEOUT: Duration = Duration::from_secs(40);

pub const PRODUCTION: &str = "111122223333";
pub const BACKUP: &str = "222233334444";
pub const SECURITY: &str = "333344445555";
pub const REGION: &str = "eu-west-1";

/// A local AWS with its own folder for the agent's store.
pub struct Lab {
    process: Child,
    caller: Mutex<Caller>,
    pub ready: Value,
    pub folder: TempDir,
}

/// boto3, kept running.
struct Caller {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

/// Who calls.
#[derive(Clone, Copy)]
pub enum As<'a> {
    Attacker,
    Root(&'a str),
    Keys(&'a Value),
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Puts a file into a bucket: endpoint, account, Region, bucket, key, file.
const UPLOAD: &str = "import boto3, sys
endpoint, account, region, bucket, key, file = sys.argv[1:]
s3 = boto3.client('s3', endpoint_url=endpoint, region_name=region, aws_access_key_id=account, aws_secret_access_key='test')
s3.put_object(Bucket=bucket, Key=key, Body=open(file, 'rb').read())";

fn interpreter() -> Command {
    let tools = std::env::var_os("KEEPWATCH_CACHE")
        .map_or_else(|| root().join(".tools"), |cache| PathBuf::from(cache).join("tools"));
    let python = tools.join("lab/bin/python");
    assert!(python.exists(), "`{}` is missing: run `make tools`", python.display());
    Command::new(python)
}

fn python(module: &str) -> Command {
    let mut command = interpreter();
    command.args(["-m", module]).env("PYTHONPATH", root().join("tests")).current_dir(root());
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

impl Lab {
    /// Starts a lab with the world of the demo.
    pub fn start() -> Self {
        Self::start_in(Partition::Aws)
    }

    /// The same world in another partition, where an ARN of `aws` names nothing.
    pub fn start_in(partition: Partition) -> Self {
        let arguments = ["--world", "securecart", "--partition", partition.name()];
        let mut process = python("lab").args(arguments).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready = serde_json::from_str(&line).expect("the lab says when it is ready");
        let mut caller = python("lab.client").spawn().unwrap();
        let (input, output) = (caller.stdin.take().unwrap(), BufReader::new(caller.stdout.take().unwrap()));
        let caller = Mutex::new(Caller { process: caller, input, output });
        let lab = Self { process, caller, ready, folder: TempDir::new().unwrap() };
        std::fs::write(lab.accounts(), lab.accounts_in(partition)).unwrap();
        lab
    }

    /// The `accounts.toml` that the agent starts with.
    fn accounts(&self) -> PathBuf {
        self.folder.path().join("lab-accounts.toml")
    }

    /// Changes the `accounts.toml` of whatever starts from now on.
    pub fn configure(&self, change: impl FnOnce(String) -> String) {
        let accounts = std::fs::read_to_string(self.accounts()).unwrap();
        std::fs::write(self.accounts(), change(accounts)).unwrap();
    }

    /// The shipped `accounts.toml`, with the ARNs and Regions of a partition.
    fn accounts_in(&self, partition: Partition) -> String {
        let shipped = std::fs::read_to_string(root().join("accounts.toml")).unwrap();
        if partition == Partition::Aws {
            return shipped;
        }
        let regions = format!("regions = {}", self.ready["world"]["regions"]);
        let line = |line: &str| if line.starts_with("regions = ") { regions.clone() } else { line.to_owned() };
        let text: Vec<String> = shipped.lines().map(line).collect();
        text.join("\n").replace(REGION, self.home()).replace("arn:aws:", &format!("arn:{partition}:"))
    }

    /// The Region that its world lives in.
    pub fn home(&self) -> &str {
        self.ready["region"].as_str().unwrap()
    }

    /// How the agent's own keys reach this lab.
    pub fn settings(&self) -> SdkSettings {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let agent = &self.ready["agent"];
        let key = AccessKey {
            id: text(&agent["access_key_id"]),
            secret: text(&agent["secret_access_key"]),
            session_token: Some(text(&agent["session_token"])),
        };
        SdkSettings::at_endpoint(&text(&self.ready["endpoint"]), &self.home().parse().unwrap(), key)
    }

    pub fn world(&self, key: &str) -> String {
        self.ready["world"][key].as_str().unwrap_or_else(|| panic!("the world has no `{key}`")).to_owned()
    }

    pub fn recovery_point(&self, number: usize) -> String {
        self.ready["world"]["recovery_points"][number].as_str().unwrap().to_owned()
    }

    /// One call in the home Region, as it is answered: `Err` holds AWS's error code and message.
    pub fn call(&self, who: As, service: &str, operation: &str, params: Value) -> Result<Value, Value> {
        self.at(self.home()).call(who, service, operation, params)
    }

    /// A Region to call in.
    pub fn at<'a>(&'a self, region: &'a str) -> At<'a> {
        At { lab: self, region }
    }

    /// A call that must work.
    pub fn done(&self, who: As, service: &str, operation: &str, params: Value) -> Value {
        self.call(who, service, operation, params).unwrap_or_else(|error| panic!("{operation}: {error}"))
    }

    /// The control API.
    pub fn control(&self, path: &str, body: Option<Value>) -> Value {
        let url = format!("{}/_lab/{path}", self.ready["endpoint"].as_str().unwrap());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let client = reqwest::Client::new();
            let request = body.map_or_else(|| client.get(&url), |body| client.post(&url).json(&body));
            request.send().await.unwrap().error_for_status().unwrap().json().await.unwrap()
        })
    }

    pub fn slack(&self) -> Vec<Value> {
        self.control("slack/messages", None).as_array().unwrap().clone()
    }

    /// Where the agent hears of presses: it takes a free port and logs it.
    pub fn actions(&self) -> String {
        let log = self.log();
        let address = log.rsplit("on http://").next().unwrap().split('"').next().unwrap();
        format!("http://{address}/slack/actions")
    }

    /// Presses a button as somebody; answers with the agent's status.
    pub fn press(&self, user: &str, button: &str, target: &str) -> i64 {
        self.press_so(json!({"user": user, "action_id": button, "value": target}))
    }

    /// As [`Lab::press`], with more to say about it.
    pub fn press_so(&self, mut press: Value) -> i64 {
        press["url"] = json!(self.actions());
        self.control("slack/press", Some(press))["status"].as_i64().unwrap()
    }

    /// Sends the last press again, to the letter.
    pub fn press_again(&self) -> i64 {
        self.control("slack/again", Some(json!({"url": self.actions()})))["status"].as_i64().unwrap()
    }

    /// How often something was shown to one person alone.
    pub fn shown_alone(&self, user: &str, words: &str) -> usize {
        let ephemerals = self.control("slack/ephemerals", None);
        let is_it = |one: &&Value| one["user"] == user && one["text"].as_str().unwrap().contains(words);
        ephemerals.as_array().unwrap().iter().filter(is_it).count()
    }

    /// Everything that was posted to Slack, as one text.
    pub fn slack_text(&self) -> String {
        serde_json::to_string(&self.slack()).unwrap()
    }

    /// Calls of write operations that the agent made, by CloudTrail's names.
    pub fn responses(&self) -> Vec<String> {
        let records = self.control("records?since=0", None);
        let by_agent = |record: &&Value| {
            record.pointer("/userIdentity/sessionContext/sessionIssuer/userName") == Some(&json!("KeepwatchRespond"))
                && record["errorCode"].is_null()
        };
        let records = records.as_array().unwrap().iter().map(|one| &one["record"]);
        records.filter(by_agent).map(|record| record["eventName"].as_str().unwrap().to_owned()).collect()
    }

    /// Puts a file into a bucket of an account, as its root.
    pub fn upload(&self, account: &str, (bucket, key): (&str, &str), file: &Path) {
        let endpoint = self.ready["endpoint"].as_str().unwrap();
        let mut command = interpreter();
        command.args(["-c", UPLOAD, endpoint, account, self.home(), bucket, key]).arg(file);
        let said = command.output().unwrap();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    }

    pub fn store(&self) -> PathBuf {
        self.folder.path().join("keepwatch.db")
    }

    /// The agent's binary in this lab.
    pub fn keepwatch(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keepwatch"));
        let agent = &self.ready["agent"];
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        command
            .args(arguments)
            .current_dir(root())
            .env("AWS_ENDPOINT_URL", text(&self.ready["endpoint"]))
            .env("AWS_REGION", self.home())
            .env("KEEPWATCH_CONFIG", self.accounts())
            .env("AWS_ACCESS_KEY_ID", text(&agent["access_key_id"]))
            .env("AWS_SECRET_ACCESS_KEY", text(&agent["secret_access_key"]))
            .env("AWS_SESSION_TOKEN", text(&agent["session_token"]))
            .env("KEEPWATCH_SLACK_API", text(&self.ready["slack"]))
            .env("KEEPWATCH_SLACK_TOKEN", text(&self.ready["slack_token"]))
            .env("KEEPWATCH_SLACK_SIGNING_SECRET", text(&self.ready["slack_signing_secret"]))
            .env("KEEPWATCH_POLICIES", root().join("target/policies/bundle.tar.gz"))
            .env("KEEPWATCH_STORE", self.store())
            .env("KEEPWATCH_LISTEN", "127.0.0.1:0")
            .env("KEEPWATCH_CACHE_DIR", "")
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.keepwatch(arguments).output().unwrap()
    }

    /// The JSON that a command prints; it must end well.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Learns baselines, then starts the agent.
    pub fn watch(&self) -> Agent {
        let swept = self.run(&["sweep", "--once"]);
        assert!(swept.status.success(), "{}", String::from_utf8_lossy(&swept.stderr));
        let agent = self.agent(&[]);
        self.eventually("the first sweep is over", || self.log().contains("swept"));
        agent
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("agent.log")).unwrap_or_default()
    }

    /// Starts the agent with more in its environment.
    pub fn agent(&self, environment: &[(&str, &str)]) -> Agent {
        let polling = |lab: &Self| lab.log().matches("polling `").count();
        let before = polling(self);
        let log =
            std::fs::File::options().create(true).append(true).open(self.folder.path().join("agent.log")).unwrap();
        let process =
            self.keepwatch(&["run"]).envs(environment.iter().copied()).stdout(Stdio::null()).stderr(log).spawn();
        let agent = Agent { process: process.unwrap() };
        self.eventually("the agent polls", || polling(self) > before);
        agent
    }

    /// Waits until something is true, and fails with the agent's log when it never is.
    pub fn eventually(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let began = Instant::now();
        while !holds() {
            assert!(began.elapsed() < WAIT_TIMEOUT, "never came true: {what}\n{}", self.log());
            sleep(Duration::from_millis(50));
        }
    }

    pub fn quarantined(&self, user: &str) -> bool {
        let policies = self.done(As::Root(PRODUCTION), "iam", "list_user_policies", json!({"UserName": user}));
        policies["PolicyNames"]
            .as_array()
            .unwrap()
            .iter()
            .any(|name| name.as_str().unwrap().starts_with("KeepwatchQuarantine-"))
    }

    /// Whether nothing waits in a queue and nobody is at any of its messages.
    pub fn is_empty(&self, queue_url: &str) -> bool {
        let names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"];
        let params = json!({"QueueUrl": queue_url, "AttributeNames": names});
        let answer = self.done(As::Root(SECURITY), "sqs", "get_queue_attributes", params);
        names.iter().all(|name| answer["Attributes"][name] == "0")
    }

    pub fn incidents(&self) -> Vec<Value> {
        self.json(&["incident", "list", "--json"]).as_array().unwrap().clone()
    }

    /// Plans that are finished, over all incidents.
    pub fn finished(&self) -> Vec<Value> {
        let plans = self.incidents().into_iter().flat_map(|incident| incident["plans"].as_array().unwrap().clone());
        plans.filter(|plan| plan["state"] == "done").collect()
    }
}

/// One Region of the lab.
pub struct At<'a> {
    lab: &'a Lab,
    region: &'a str,
}

impl At<'_> {
    /// One call, as it is answered: `Err` holds AWS's error code and message.
    pub fn call(&self, who: As, service: &str, operation: &str, params: Value) -> Result<Value, Value> {
        let credentials = match who {
            As::Attacker => self.lab.ready["attacker"].clone(),
            As::Root(account) => json!({"access_key_id": account, "secret_access_key": "test"}),
            As::Keys(keys) => keys.clone(),
        };
        let endpoint = &self.lab.ready["endpoint"];
        let request = json!({"id": 1, "endpoint": endpoint, "credentials": credentials, "region": self.region,
            "service": service, "operation": operation, "params": params});
        let mut caller = self.lab.caller.lock().unwrap();
        writeln!(caller.input, "{request}").unwrap();
        let mut line = String::new();
        caller.output.read_line(&mut line).unwrap();
        let mut answer: Value = serde_json::from_str(&line).unwrap();
        match answer.get_mut("error") {
            Some(error) => Err(error.take()),
            None => Ok(answer["ok"].take()),
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = self.caller.lock().unwrap().process.kill();
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A running agent.
pub struct Agent {
    process: Child,
}

impl Agent {
    /// Stops it as an operator would, and returns how it ended.
    pub fn stop(mut self) -> std::process::ExitStatus {
        let _ = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status();
        self.process.wait().unwrap()
    }

    /// Whether it has ended.
    pub fn has_died(&mut self) -> bool {
        self.process.try_wait().unwrap().is_some()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
