//! The command line: one file per command, and what they share.
//!
//! Answers go to stdout, everything else to stderr. A command exits with 0 when all is well,
//! 1 when it found something wrong or failed, 2 when it was called wrongly.

mod backtest;
mod cache;
mod doctor;
mod events;
mod incident;
mod ledger;
mod policy;
mod replay;
mod run;
mod sweep;
mod undo;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use tokio::runtime::{Handle, Runtime};
use tokio::sync::Notify;

use crate::aws::{Aws, NoCredentials, SdkSettings};
use crate::config::Config;
use crate::config::policies::PolicySettings;
use crate::domain::clock::SystemClock;
use crate::domain::region::Region;
use crate::ledger::sqlite::Sqlite;
use crate::ops::metrics::Metrics;
use crate::policy::Policies;
use crate::policy::bundle::signature::Trust;
use crate::policy::bundle::source::{Fingerprint, PolicyContent, Source};
use crate::policy::engine;
use crate::policy::engine::Compiler;
use crate::respond::agent::Agent;
use crate::respond::execute::WriteDoor;
use crate::respond::geoip::Origins;
use crate::rules::active;
use crate::rules::active::{ActiveRules, Fetched, RuleSet, RulesError};
use crate::rules::backlog::Backlog;

/// Guards an AWS organisation's backups: contains the attacker, restores the resource,
/// notifies responders.
#[derive(Debug, Parser)]
#[command(name = "keepwatch", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Watch the queue and respond, until stopped.
    Run(run::Arguments),
    /// Evaluate recorded CloudTrail events; no account needed.
    Replay(replay::Arguments),
    /// Compare two sets of policies over recorded CloudTrail events: what a change would have done.
    Backtest(backtest::Arguments),
    /// Evaluate every resource of every account as it is now.
    Sweep(sweep::Arguments),
    /// Build, test, check and start policies.
    #[command(subcommand)]
    Policy(policy::Command),
    /// Read the hash-chained ledger.
    #[command(subcommand)]
    Ledger(ledger::Command),
    /// Read incidents: who, what, what was done.
    #[command(subcommand)]
    Incident(incident::Command),
    /// Take back what was done, by plan or by incident.
    Undo(undo::Arguments),
    /// Carry out a plan that waits for approval.
    Approve(undo::ApproveArguments),
    /// Close a plan that waits for approval, without carrying it out.
    Deny(undo::DenyArguments),
    /// Find out what is not set up: roles, queue, rule, missing accounts.
    Doctor(doctor::Arguments),
    /// Compile the module on stdin; how `run` has its policies compiled.
    #[command(name = engine::COMPILE_COMMAND, hide = true)]
    CompileModule {
        /// Where to leave the machine code.
        folder: PathBuf,
    },
}

/// Where things are, for the commands that need the whole agent.
#[derive(Debug, Clone, Args)]
struct Places {
    /// The accounts that are watched.
    #[arg(long, env = "KEEPWATCH_CONFIG", default_value = "accounts.toml")]
    config: PathBuf,
    #[command(flatten)]
    policies: PolicyPlace,
    #[command(flatten)]
    store: StorePlace,
}

/// Where the policies are.
#[derive(Debug, Clone, Args)]
struct PolicyPlace {
    /// A policy bundle, a folder of policies (which takes `opa` to build), or `s3://bucket/key`. Overrides `source`
    /// in accounts.toml; without either it is `policies`.
    #[arg(long, env = "KEEPWATCH_POLICIES")]
    policies: Option<Source>,
}

impl PolicyPlace {
    fn source(&self, settings: &PolicySettings) -> Source {
        let named = self.policies.clone().or_else(|| settings.source.clone());
        named.unwrap_or_else(|| Source::Path(PathBuf::from("policies")))
    }
}

/// Where the store is.
#[derive(Debug, Clone, Args)]
struct StorePlace {
    /// The store: one SQLite file, created when it does not exist.
    #[arg(long, env = "KEEPWATCH_STORE", default_value = "keepwatch.db")]
    store: PathBuf,
}

/// What a command found, for the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// All is well.
    Well,
    /// Something is wrong; it was printed.
    Wrong,
}

/// Runs the command that the arguments name.
#[must_use]
pub fn main() -> ExitCode {
    let started = Instant::now();
    let cli = Cli::parse();
    log_to_stderr();
    match dispatch(cli.command, started) {
        Ok(Verdict::Well) => ExitCode::SUCCESS,
        Ok(Verdict::Wrong) => ExitCode::FAILURE,
        Err(error) => {
            print_chain(&error);
            ExitCode::FAILURE
        }
    }
}

fn dispatch(command: Command, started: Instant) -> anyhow::Result<Verdict> {
    match command {
        Command::Run(arguments) => on_runtime(run::run(arguments, started)),
        Command::Replay(arguments) => beside_runtime(|runtime| replay::run(&arguments, runtime)),
        Command::Backtest(arguments) => beside_runtime(|runtime| backtest::run(&arguments, runtime)),
        Command::Sweep(arguments) => on_runtime(sweep::run(arguments, started)),
        Command::Policy(command) => policy::run(&command),
        Command::Ledger(command) => on_runtime(ledger::run(command)),
        Command::Incident(command) => on_runtime(incident::run(command)),
        Command::Undo(arguments) => on_runtime(undo::run(arguments, started)),
        Command::Approve(arguments) => on_runtime(undo::approve(arguments, started)),
        Command::Deny(arguments) => on_runtime(undo::deny(arguments, started)),
        Command::Doctor(arguments) => on_runtime(doctor::run(arguments)),
        Command::CompileModule { folder } => Ok(engine::compile_into(&folder).map(|()| Verdict::Well)?),
    }
}

/// How long threads of the runtime may take to end with the process.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

fn on_runtime(work: impl Future<Output = anyhow::Result<Verdict>>) -> anyhow::Result<Verdict> {
    let runtime = runtime()?;
    let verdict = runtime.block_on(work);
    // A thread that hangs must not keep a process that has come to its end.
    runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
    verdict
}

/// For work on threads of its own, which only waits on the runtime.
fn beside_runtime(work: impl FnOnce(&Handle) -> anyhow::Result<Verdict>) -> anyhow::Result<Verdict> {
    work(runtime()?.handle())
}

/// The agent waits far more than it computes: two threads serve hundreds of accounts.
fn runtime() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()
}

/// How the environment says that AWS is reached.
async fn sdk_settings(region: Option<&Region>) -> SdkSettings {
    let settings = SdkSettings::from_environment(region).await;
    if std::env::var_os("AWS_ENDPOINT_URL_S3").is_some() { settings.with_path_style() } else { settings }
}

/// AWS, with the credentials that the environment gives.
async fn connect(config: &Config) -> Result<Aws, NoCredentials> {
    let settings = sdk_settings(Some(&config.intake.region)).await;
    settings.check_credentials().await?;
    Ok(Aws::new(settings, config))
}

/// Puts the agent together.
async fn agent(places: &Places, ledger: Sqlite, started: Instant) -> anyhow::Result<Agent<Aws, Sqlite>> {
    Ok(agent_and_look(places, ledger, cache::compiler(), started).await?.0)
}

/// The agent, and how the source of its rules looked.
async fn agent_and_look(
    places: &Places,
    ledger: Sqlite,
    compiler: Compiler,
    started: Instant,
) -> anyhow::Result<(Agent<Aws, Sqlite>, Fingerprint)> {
    let config = load_config(&places.config)?;
    let source = places.policies.source(&config.policies);
    // A compiler need not wait for AWS; a bundle in S3 must.
    let early = match &source {
        Source::Path(path) => {
            let seen = active::fetch_path_if_changed(path.clone(), &[]);
            Some(tokio::spawn(rules_of(source.clone(), config.policies.clone(), compiler.clone(), seen)))
        }
        Source::S3 { .. } => None,
    };
    let origins = Origins::open(&config.notify.ip_database)?;
    let clouds = connect(&config).await?;
    let door = WriteDoor::new(clouds.write_access());
    let (rules, fingerprint) = match early {
        Some(loading) => loading.await??,
        None => {
            let seen = active::fetch_if_changed(&source, &[], &clouds);
            rules_of(source.clone(), config.policies.clone(), compiler, seen).await?
        }
    };
    let agent = Agent {
        config,
        rules: ActiveRules::new(rules),
        clouds,
        door,
        ledger,
        clock: Arc::new(SystemClock),
        metrics: Metrics::new(started),
        reports: Notify::new(),
        locks: crate::respond::keyed_lock::KeyedLock::default(),
        lookups: crate::respond::lookup_throttle::LookupThrottle::default(),
        origins,
        shadows: Backlog::default(),
    };
    // Before anything is evaluated: a rule in shadow must not act even once.
    let rules = agent.refresh_context().shadowing(RuleSet::clone(&agent.rules.now())).await?;
    known_shadows(&rules, &agent.config.policies.shadow_rules)?;
    agent.rules.swap(rules);
    Ok((agent, fingerprint))
}

/// Whether every rule that accounts.toml wants in shadow is there.
fn known_shadows(rules: &RuleSet, ids: &BTreeSet<String>) -> anyhow::Result<()> {
    rules.unknown_shadow(ids).map_or(Ok(()), |missing| anyhow::bail!(missing))
}

/// The rules that the agent would load from a source; what is in S3 takes credentials.
async fn rules_at(source: &Source, config: &Config, aws: Option<&Aws>) -> anyhow::Result<(RuleSet, Fingerprint)> {
    let (settings, compiler) = (config.policies.clone(), cache::compiler());
    match (source, aws) {
        (Source::Path(path), _) => {
            let seen = active::fetch_path_if_changed(path.clone(), &[]);
            rules_of(source.clone(), settings, compiler, seen).await
        }
        (Source::S3 { .. }, Some(aws)) => {
            rules_of(source.clone(), settings, compiler, active::fetch_if_changed(source, &[], aws)).await
        }
        (Source::S3 { .. }, None) => Err(anyhow::anyhow!("S3 cannot be asked without credentials")),
    }
}

/// The rules that are seen at a source, tried and ready, and how it looked.
async fn rules_of(
    source: Source,
    settings: PolicySettings,
    compiler: Compiler,
    seen: impl Future<Output = Result<Fetched, RulesError>>,
) -> anyhow::Result<(RuleSet, Fingerprint)> {
    let load = async {
        let trust = settings.trust()?;
        let Fetched { fingerprint, content } = seen.await?;
        let content = content.context("it looks like nothing at all")?;
        anyhow::Ok((active::compile(content, &source, trust.as_ref(), &compiler).await?, fingerprint))
    };
    load.await.with_context(|| cannot_use(&source))
}

fn load_config(path: &Path) -> anyhow::Result<Config> {
    Config::load(path).context("cannot start without its accounts")
}

fn load_policies(path: &Path) -> anyhow::Result<Policies> {
    load_from(&Source::Path(path.to_owned()), path, None)
}

/// The policies without the agent: from files only, trusted as `accounts.toml` says.
fn load_trusted(place: &PolicyPlace, config: Option<&Config>) -> anyhow::Result<Policies> {
    let settings = config.map(|config| config.policies.clone()).unwrap_or_default();
    let source = place.source(&settings);
    let Source::Path(path) = &source else {
        anyhow::bail!("this command needs no account, so it fetches nothing: copy `{source}` here first");
    };
    let trust = settings.trust().with_context(|| cannot_use(&source))?;
    load_from(&source, path, trust.as_ref())
}

fn load_from(source: &Source, path: &Path, trust: Option<&Trust>) -> anyhow::Result<Policies> {
    let content = PolicyContent::Path(path.to_owned());
    content.compile(source, trust, &cache::compiler()).with_context(|| cannot_use(source))
}

fn cannot_use(source: &Source) -> String {
    format!("cannot use the policies in `{source}`")
}

fn open_store(place: &StorePlace) -> anyhow::Result<Sqlite> {
    Sqlite::open(&place.store).with_context(|| format!("cannot open the store `{}`", place.store.display()))
}

/// Opens the store of an agent that has run; a name that is misspelt makes no store.
fn open_existing_store(place: &StorePlace) -> anyhow::Result<Sqlite> {
    Sqlite::open_existing(&place.store).with_context(|| format!("cannot open the store `{}`", place.store.display()))
}

/// Opens the store for looking; a name that is misspelt makes no store.
fn look_into_store(place: &StorePlace) -> anyhow::Result<Sqlite> {
    Sqlite::open_read_only(&place.store).with_context(|| format!("cannot read the store `{}`", place.store.display()))
}

/// Prints a line to stdout. A reader that went away (`| head`) is no error of ours.
fn say(text: impl std::fmt::Display) -> anyhow::Result<()> {
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        answer => Ok(answer?),
    }
}

fn say_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    say(serde_json::to_string_pretty(value)?)
}

fn log_to_stderr() {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_env("KEEPWATCH_LOG").unwrap_or_else(|_| EnvFilter::new("warn,keepwatch=info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    if std::io::IsTerminal::is_terminal(&std::io::stderr()) {
        log.init();
    } else {
        log.json().flatten_event(true).init();
    }
}

/// `error: what`, then each cause on a line of its own.
fn print_chain(error: &anyhow::Error) {
    let mut text = format!("error: {error}\n");
    for cause in error.chain().skip(1) {
        text.push_str(&format!("  caused by: {cause}\n"));
    }
    let _ = std::io::stderr().write_all(text.as_bytes()); // nowhere is left to complain
}

#[cfg(test)]
mod tests {
    use std::fs;

    use clap::error::ErrorKind;

    use super::*;

    /// The files that people read commands in.
    fn documents() -> Vec<PathBuf> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut files = vec![root.join("README.md"), root.join("agent/author/template/runbook.md")];
        for folder in ["docs", "docs/runbooks", "deploy"] {
            let entries = fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path());
            files.extend(entries.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
        }
        files
    }

    /// The commands on a line: those to be copied, and those that only stand in a sentence.
    fn commands(line: &str) -> (Option<&str>, impl Iterator<Item = &str>) {
        let whole = line.starts_with("keepwatch ").then(|| line.split(" #").next().unwrap());
        (whole, line.split('`').skip(1).step_by(2).filter(|code| code.starts_with("keepwatch ")))
    }

    /// Why nobody could run a command; in a sentence its arguments may be left out.
    fn mistake(command: &str, in_sentence: bool) -> Option<String> {
        let left_out = [ErrorKind::MissingRequiredArgument, ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand];
        let error = Cli::try_parse_from(command.split_whitespace()).err()?;
        (!in_sentence || !left_out.contains(&error.kind())).then(|| error.to_string())
    }

    #[test]
    fn every_command_in_a_document_is_one_that_there_is() {
        let mut found = 0;
        for path in documents() {
            let is_runbook = path.parent().is_some_and(|folder| folder.ends_with("runbooks"));
            for (line, number) in fs::read_to_string(&path).unwrap().lines().zip(1..) {
                let (whole, spans) = commands(line);
                let whole = whole.into_iter().map(|command| (command, false));
                for (command, in_sentence) in whole.chain(spans.map(|command| (command, !is_runbook))) {
                    let mistake = mistake(command, in_sentence);
                    assert_eq!(mistake, None, "{}:{number}: `{command}`", path.display());
                    found += 1;
                }
            }
        }
        assert!(found > 40, "only {found} commands were found");
    }

    #[test]
    fn a_command_that_there_is_not_is_noticed() {
        for wrong in ["keepwatch policy chekc", "keepwatch sweep --one", "keepwatch incident show"] {
            assert!(mistake(wrong, false).is_some(), "{wrong}");
        }
        assert_eq!(mistake("keepwatch undo", true), None);
    }
}
