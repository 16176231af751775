//! `policy test`: every test by `opa test` and in the agent's own engine, every example in the
//! engine, and how much of each rule the tests reach.
//!
//! OPA's interpreter and its wasm are two programs; where they differ, the agent does what no
//! test said. So a test counts only when both agree.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use tempfile::TempDir;

use super::ast::{self, Module, list};
use super::fixtures;
use super::{Lint, Work, described, joined};
use crate::policy::Policies;
use crate::policy::bundle::Bundle;
use crate::policy::bundle::build;
use crate::policy::bundle::files;
use crate::policy::engine::{Compiler, Limits};
use crate::policy::error::PolicyError;

/// What a trial came to.
#[derive(Debug, Serialize)]
pub struct Trial {
    /// Every test, in the order of the files.
    pub tests: Vec<Test>,
    /// What is wrong with the rules' examples.
    pub examples: Vec<Lint>,
    /// The rules and libraries that have no test.
    pub untested: Vec<String>,
    /// Percent of the lines that tests and examples reach, by file.
    pub coverage: BTreeMap<String, f64>,
    /// Why the agent's engine cannot run them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unbuilt: Option<String>,
}

/// A test in both engines.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Test {
    /// The file that it stands in.
    pub file: String,
    /// Its line.
    pub line: u64,
    /// Its package and name, with `/` between the parts.
    pub name: String,
    /// What `opa test` says.
    pub opa: Outcome,
    /// What the agent's engine says; nothing when it could not be built.
    pub ours: Option<Outcome>,
}

/// What became of a test.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It holds.
    Passed,
    /// It does not, or could not be evaluated; why, if known.
    Failed(String),
    /// Its author put it off (`todo_test_…`).
    Skipped,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed => f.write_str("passes"),
            Self::Failed(why) if why.is_empty() => f.write_str("fails"),
            Self::Failed(why) => write!(f, "fails ({why})"),
            Self::Skipped => f.write_str("is skipped"),
        }
    }
}

impl Test {
    /// Whether one engine says that it holds and the other that it does not.
    #[must_use]
    pub fn diverges(&self) -> bool {
        self.ours.as_ref().is_some_and(|ours| (*ours == Outcome::Passed) != (self.opa == Outcome::Passed))
    }

    /// Whether anything about it is wrong.
    #[must_use]
    pub fn is_wrong(&self) -> bool {
        self.diverges() || matches!(self.opa, Outcome::Failed(_))
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, name, opa, ours } = self;
        let test = name.rsplit('/').next().unwrap_or(name);
        match ours {
            Some(ours) if self.diverges() => write!(
                f,
                "{file}:{line}: {test} diverges: in `opa test` it {opa}, in the agent's engine it {ours}\n  next: say it \
                 otherwise; they are known to differ over `with input.x as input`, and over a test without `input`, \
                 which is `{{}}` in the agent's engine"
            ),
            Some(_) | None => write!(f, "{file}:{line}: {test} {opa}"),
        }
    }
}

impl Trial {
    /// Whether all is well, and every rule is reached by at least this many percent.
    #[must_use]
    pub fn passed(&self, threshold: Option<f64>) -> bool {
        let well = self.unbuilt.is_none() && self.examples.is_empty() && self.untested.is_empty();
        let well = well && !self.tests.iter().any(Test::is_wrong);
        well && threshold.is_none_or(|threshold| self.below(threshold).is_empty())
    }

    /// The files that the tests reach less of.
    #[must_use]
    pub fn below(&self, threshold: f64) -> Vec<&str> {
        self.coverage.iter().filter(|(_, percent)| **percent < threshold).map(|(file, _)| file.as_str()).collect()
    }
}

/// Tries a folder of policies, or one rule of it. `now` is what `time.now_ns` answers in tests.
///
/// # Errors
/// When the folder is none, or `opa` or a file is missing.
pub fn run(work: &Work, now: Timestamp) -> Result<Trial, PolicyError> {
    std::thread::scope(|scope| {
        let coverage = scope.spawn(|| coverage(work));
        let (trial, _) = uncovered(work, now)?;
        Ok(Trial { coverage: joined(coverage)?, ..trial })
    })
}

/// Tries rules without asking how much of them the tests reach, and hands over the rules, if
/// they could be built.
///
/// # Errors
/// As [`run`].
pub fn uncovered(work: &Work, now: Timestamp) -> Result<(Trial, Option<Policies>), PolicyError> {
    let (tests, built) = std::thread::scope(|scope| {
        let tested = scope.spawn(|| tested(work));
        let built = built(work);
        (joined(tested), built)
    });
    let tests = tests?;
    let untested = untested(work, &tests);
    let mut trial = Trial { tests, examples: Vec::new(), untested, coverage: BTreeMap::new(), unbuilt: None };
    match built {
        Ok(policies) => {
            trial.examples = fixtures::check(&work.folder, &policies);
            trial.tests.iter_mut().for_each(|test| test.ours = ours(&policies, test, now));
            Ok((trial, Some(policies)))
        }
        Err(error @ (PolicyError::NoCompiler { .. } | PolicyError::Folder { .. })) => Err(error),
        Err(error) => {
            trial.unbuilt = Some(error.to_string());
            Ok((trial, None))
        }
    }
}

/// The rules, and the libraries where all are meant, of which no test speaks.
fn untested(work: &Work, tests: &[Test]) -> Vec<String> {
    let libraries = match work.rule {
        Some(_) => Vec::new(),
        None => ast::files(&work.folder, "lib"),
    };
    let libraries = libraries.iter().map(|file| file.trim_end_matches(".rego").to_owned());
    let is_tested = |place: &String| tests.iter().any(|test| test.name.starts_with(&format!("{place}_test/")));
    work.places().into_iter().chain(libraries).filter(|place| !is_tested(place)).collect()
}

/// The folders that a rule is tested with.
pub(super) fn parts(work: &Work) -> Vec<String> {
    let shared = ["lib", "data"].map(str::to_owned).into_iter().filter(|part| work.folder.join(part).is_dir());
    match &work.rule {
        Some(rule) => std::iter::once(rule.clone()).chain(shared).collect(),
        None => build::parts(&work.folder).into_iter().map(str::to_owned).collect(),
    }
}

fn ask_opa(work: &Work, more: &[&OsStr]) -> Result<Value, PolicyError> {
    let mut command = build::command(&work.folder, "test")?;
    command.args(more).arg("--format=json").args(build::EXAMPLES.map(build::ignore)).args(parts(work));
    let output = build::output(&work.folder, command)?;
    let text = String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).trim().to_owned();
    serde_json::from_slice(&output.stdout)
        .map_err(|_| PolicyError::Compile { folder: work.folder.clone(), detail: text })
}

fn tested(work: &Work) -> Result<Vec<Test>, PolicyError> {
    let results = ask_opa(work, &[])?;
    if let Some(errors) = results.get("errors") {
        return Err(PolicyError::Compile { folder: work.folder.clone(), detail: errors.to_string() });
    }
    let mut tests: Vec<Test> = list(&results).iter().map(test).collect();
    // Whoever works on one rule hears of the libraries' tests what is wrong with them.
    if let Some(rule) = &work.rule {
        tests.retain(|test| test.file.starts_with(&format!("{rule}/")) || test.is_wrong());
    }
    tests.sort();
    Ok(tests)
}

fn test(result: &Value) -> Test {
    let text = |pointer: &str| ast::at(result, pointer).as_str().unwrap_or_default().to_owned();
    let package = text("/package").trim_start_matches("data.").replace('.', "/");
    let name = text("/name");
    let opa = match (result.get("skip"), result.get("error"), result.get("fail")) {
        (Some(_), _, _) => Outcome::Skipped,
        (None, Some(_), _) => Outcome::Failed(text("/error/message")),
        (None, None, Some(_)) => Outcome::Failed(String::new()),
        (None, None, None) => Outcome::Passed,
    };
    // `#01` marks the second rule of a name; both are one rule to wasm.
    let name = name.split('#').next().unwrap_or(&name);
    Test { file: text("/location/file"), line: ast::line(result), name: format!("{package}/{name}"), opa, ours: None }
}

/// Coverage of the rules and of `lib` by tests and examples. Tests that fail leave none.
fn coverage(work: &Work) -> Result<BTreeMap<String, f64>, PolicyError> {
    let workshop = workshop()?;
    let examples = workshop.path().join("examples_test.rego");
    std::fs::write(&examples, as_tests(work)).map_err(|source| PolicyError::Io {
        operation: "write",
        path: examples.clone(),
        source,
    })?;
    let report = match ask_opa(work, &[OsStr::new("--coverage"), examples.as_os_str()]) {
        Err(PolicyError::Compile { .. }) => return Ok(BTreeMap::new()),
        answer => answer?,
    };
    let files = report.get("files").and_then(Value::as_object);
    let meant = |file: &str| !file.ends_with("_test.rego") && (work.rule.is_none() || !file.starts_with("lib/"));
    // OPA leaves a share of nothing out.
    let percent = |(file, of): (&String, &Value)| (file.clone(), ast::at(of, "/coverage").as_f64().unwrap_or(0.0));
    Ok(files.into_iter().flatten().filter(|(file, _)| meant(file)).map(percent).collect())
}

/// The examples as tests that always hold: OPA counts the lines that they reach.
fn as_tests(work: &Work) -> String {
    let mut text = "package examples_test\n".to_owned();
    for (place, rule) in work.places().into_iter().zip(1..) {
        let read = |name| fixtures::read(&work.folder, &place, name).unwrap_or_default();
        for (example, number) in [read(fixtures::FIRES), read(fixtures::SILENT)].concat().iter().zip(1..) {
            let (findings, document) = (place.replace('/', "."), &example.document);
            text +=
                &format!("\ntest_{rule}_{number} if count(data.{findings}.findings) >= 0 with input as {document}\n");
        }
    }
    text
}

fn workshop() -> Result<TempDir, PolicyError> {
    tempfile::tempdir().map_err(|source| PolicyError::Io {
        operation: "write a bundle in",
        path: std::env::temp_dir(),
        source,
    })
}

/// The rules that are meant, as the agent would load them.
pub(super) fn rules(work: &Work) -> Result<Policies, PolicyError> {
    compiled(work, &[], &build::rules_only())
}

/// Rules and tests in one module, each an entry point.
fn built(work: &Work) -> Result<Policies, PolicyError> {
    let libraries = if work.rule.is_none() { ast::tests(&work.folder, "lib") } else { Vec::new() };
    let own = work.places().iter().flat_map(|place| ast::tests(&work.folder, place)).collect();
    let modules = ast::parse(&work.folder, &[libraries, own].concat())?;
    compiled(work, &modules, &build::EXAMPLES.map(build::ignore))
}

/// Rules and these tests in one module, without the files that an option leaves out.
fn compiled(work: &Work, tests: &[Module], without: &[String]) -> Result<Policies, PolicyError> {
    files::refuse_misplaced(&work.folder)?;
    let workshop = workshop()?;
    let bundle = workshop.path().join("tests.tar.gz");
    let mut command = build::command(&work.folder, "build")?;
    command.args(["--target=wasm", "--prune-unused", build::CAPABILITIES, "--output"]).arg(&bundle);
    for module in tests {
        let names = module.rules().filter_map(|rule| rule.pointer("/head/ref/0/value")?.as_str());
        let tests: std::collections::BTreeSet<&str> = names.filter(|name| name.starts_with("test_")).collect();
        let package = module.package();
        command.args(tests.iter().map(|test| format!("--entrypoint={package}/{test}")));
    }
    command.args(without).args(parts(work));
    let output = build::output(&work.folder, command)?;
    if !output.status.success() {
        let text = [output.stdout, output.stderr].concat();
        let detail = String::from_utf8_lossy(&text).trim().to_owned();
        return Err(PolicyError::Compile { folder: work.folder.clone(), detail });
    }
    let mut bundle = Bundle::read(&bundle)?;
    // Tests are no rules: they have no METADATA and want no events.
    bundle.manifest.entrypoints.retain(|entrypoint| entrypoint.path.ends_with("/findings"));
    let policies = Policies::of(bundle, Limits::default(), &Compiler::here())?;
    for entry in policies.rules() {
        if let Some(file) = described::twin(work, &entry.rule.id)? {
            let detail = format!("its id `{}` is that of `{file}` too", entry.rule.id);
            return Err(PolicyError::Rule { entrypoint: entry.entrypoint.clone(), detail });
        }
    }
    Ok(policies)
}

/// What the agent's engine says of a test. Its input is empty, as in `opa test`.
fn ours(policies: &Policies, test: &Test, now: Timestamp) -> Option<Outcome> {
    if test.opa == Outcome::Skipped {
        return None;
    }
    let answer = policies.answer(&test.name, &Value::Object(serde_json::Map::new()), now)?;
    Some(match answer.map(|text| serde_json::from_slice::<Value>(&text).unwrap_or_default()) {
        Err(failure) => Outcome::Failed(failure.to_string()),
        Ok(results) => match results.pointer("/0/result") {
            Some(result) if holds(result) => Outcome::Passed,
            Some(_) | None => Outcome::Failed(String::new()),
        },
    })
}

/// A test with cases is an object of them.
fn holds(result: &Value) -> bool {
    match result {
        Value::Bool(holds) => *holds,
        Value::Object(cases) => !cases.is_empty() && cases.values().all(holds),
        Value::Array(_) => !list(result).is_empty(),
        Value::Null | Value::Number(_) | Value::String(_) => true,
    }
}
