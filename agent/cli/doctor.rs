//! `keepwatch doctor`: what is not set up, where, and what to do next. Reads only.

use clap::Args;
use serde::Serialize;

use super::{PolicyPlace, Verdict, connect, known_shadows, load_config, rules_at, say, say_json};
use crate::aws::Aws;
use crate::config::Config;
use crate::domain::account::Account;
use crate::domain::cloud::Readers as _;
use crate::notify::slack::button::Answers;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The accounts that are watched.
    #[arg(long, env = "KEEPWATCH_CONFIG", default_value = "accounts.toml")]
    config: std::path::PathBuf,
    #[command(flatten)]
    policies: PolicyPlace,
    /// Look at this account only.
    #[arg(long)]
    account: Option<String>,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Check {
    /// What, and where.
    what: String,
    /// What is wrong; nothing when all is well.
    wrong: Option<String>,
    /// What to do about it.
    next: Option<String>,
}

impl Check {
    fn at(what: impl Into<String>, answer: Result<(), impl ToString>, next: impl Into<String>) -> Self {
        let wrong = answer.err().map(|error| error.to_string());
        let next = wrong.is_some().then(|| next.into());
        Self { what: what.into(), wrong, next }
    }
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<Verdict> {
    let config = load_config(&arguments.config)?;
    let aws = connect(&config).await;
    let mut checks = policies(&arguments.policies, &config, aws.as_ref().ok()).await;
    checks.push(slack(&config));
    match aws {
        Ok(aws) => checks.append(&mut cloud(&aws, &config, arguments.account.as_deref()).await),
        Err(error) => checks.push(Check::at("the agent's own credentials", Err(error), "run it with the hub's role")),
    }
    if arguments.json {
        say_json(&checks)?;
    } else {
        checks.iter().try_for_each(show)?;
    }
    Ok(if checks.iter().all(|check| check.wrong.is_none()) { Verdict::Well } else { Verdict::Wrong })
}

fn show(check: &Check) -> anyhow::Result<()> {
    let Some(wrong) = &check.wrong else {
        return say(format!("ok     {}", check.what));
    };
    say(format!("WRONG  {}: {wrong}", check.what))?;
    check.next.iter().try_for_each(|next| say(format!("       next: {next}")))
}

/// The policies as `run` would load them: from the same place, trusted in the same way.
async fn policies(place: &PolicyPlace, config: &Config, aws: Option<&Aws>) -> Vec<Check> {
    let source = place.source(&config.policies);
    let what = format!("policies in `{source}`");
    let next = "run `keepwatch policy check`, or `keepwatch policy verify` on a signed bundle";
    let usable = rules_at(&source, config, aws).await;
    let shadow = usable.as_ref().ok().map(|(rules, _)| {
        let named = known_shadows(rules, &config.policies.shadow_rules);
        Check::at(
            "`shadow_rules` in accounts.toml",
            named,
            "name rules by their ids, as `keepwatch policy check` shows them",
        )
    });
    let usable = Check::at(what, usable.map(drop).map_err(|error| format!("{error:#}")), next);
    std::iter::once(usable).chain(shadow).collect()
}

fn slack(config: &Config) -> Check {
    let notifier = crate::notify::notifier::Notifier::from_config(&config.notify, Answers::Commands).map(drop);
    Check::at("where notifications go", notifier, "set KEEPWATCH_SLACK_TOKEN, or `token_file` in accounts.toml")
}

async fn cloud(aws: &Aws, config: &Config, only: Option<&str>) -> Vec<Check> {
    let who = aws.identity().await.map(drop);
    let mut checks =
        vec![Check::at("the agent's own credentials", who, "run it with the role that deploy/hub.yaml makes")];
    checks.push(queue(aws, config).await);
    checks.push(rule(aws, config).await);
    for account in config.accounts() {
        if only.is_none_or(|only| only == account.id.as_str()) {
            checks.append(&mut roles(aws, config, account).await);
        }
    }
    checks.append(&mut missing(aws, config).await);
    checks
}

async fn queue(aws: &Aws, config: &Config) -> Check {
    let intake = &config.intake;
    let what = format!("queues `{}` and `{}` in {}", intake.queue, intake.dead_letters, intake.region);
    Check::at(what, aws.queue(intake).await.map(drop), "deploy deploy/hub.yaml in the agent's account")
}

/// Whether an enabled rule of the bus points at the queue.
async fn rule(aws: &Aws, config: &Config) -> Check {
    let (bus, queue) = (&config.intake.bus, &config.intake.queue);
    let what = format!("a rule of bus `{bus}` that feeds `{queue}`");
    Check::at(what, fed(aws, bus, queue).await, "deploy deploy/hub.yaml again, or enable the rule")
}

async fn fed(aws: &Aws, bus: &str, queue: &str) -> Result<(), String> {
    let suffix = format!(":{queue}");
    let rules = aws.rules(bus).await.map_err(|error| error.to_string())?;
    for rule in rules.iter().filter(|rule| rule.enabled) {
        let targets = aws.targets(bus, &rule.name).await.map_err(|error| error.to_string())?;
        if targets.iter().any(|target| target.ends_with(&suffix)) {
            return Ok(());
        }
    }
    Err("none of its enabled rules points at the queue".to_owned())
}

async fn roles(aws: &Aws, config: &Config, account: &Account) -> Vec<Check> {
    let deploy = "deploy deploy/member.yaml there; its external id and hub account must be those of accounts.toml";
    let read = aws.reader(account).await.map(drop);
    let respond = aws.check_respond_role(account).await;
    let what = |role: &str| format!("role `{role}` in account `{}` ({})", account.name, account.id);
    vec![Check::at(what(&config.roles.read), read, deploy), Check::at(what(&config.roles.respond), respond, deploy)]
}

/// The organisation's active accounts that accounts.toml does not name.
async fn missing(aws: &Aws, config: &Config) -> Vec<Check> {
    let what = "the organisation's list of accounts";
    match aws.organisation().await {
        Err(error) => {
            let next = "make the agent's account a delegated administrator of the organisation";
            vec![Check::at(what, Err(error), next)]
        }
        Ok(members) => {
            let unknown = members.into_iter().filter(|one| one.status == "ACTIVE" && config.account(&one.id).is_none());
            let unlisted = |member: crate::aws::Member| {
                let next =
                    format!("add an [[account]] with id = \"{}\", and deploy deploy/member.yaml there", member.id);
                Check::at(format!("account `{}` ({})", member.name, member.id), Err("not in accounts.toml"), next)
            };
            let mut checks: Vec<Check> = unknown.map(unlisted).collect();
            checks.insert(0, Check::at(what, Ok::<(), String>(()), ""));
            checks
        }
    }
}
