//! `keepwatch policy shadow`, `promote` and `demote`: what rules would have done, and the decision that
//! lets one act, or no more.

use anyhow::{bail, ensure};
use clap::Args;

use crate::cli::{
    Places, StorePlace, Verdict, connect, load_config, look_into_store, open_store, rules_at, say, say_json,
};
use crate::domain::clock::{Clock as _, SystemClock};
use crate::ledger::shadow::{Demotion, Promotion, Shadowed, Shadows as _, Standing};
use crate::policy::bundle::source::Source;
use crate::rules::active::RuleSet;

/// Arguments of `keepwatch policy shadow`.
#[derive(Debug, Args)]
pub(in crate::cli) struct ShadowArguments {
    /// Show what this rule found, newest first.
    rule: Option<String>,
    #[command(flatten)]
    store: StorePlace,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

/// Arguments of `keepwatch policy promote`.
#[derive(Debug, Args)]
pub(in crate::cli) struct PromoteArguments {
    /// The rule's id, such as `BKP-09`.
    rule: String,
    /// Days for which an agent must have watched it without a finding.
    #[arg(long)]
    days: u32,
    /// Who takes it out of shadow.
    #[arg(long)]
    by: String,
    /// Promote it although it found something; it must still be in shadow for these days.
    #[arg(long, requires = "reason")]
    accept_findings: bool,
    /// Why its findings are accepted.
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    places: Places,
}

/// Arguments of `keepwatch policy demote`.
#[derive(Debug, Args)]
pub(in crate::cli) struct DemoteArguments {
    /// The rule's id, such as `BKP-09`.
    rule: String,
    /// Who puts it into shadow.
    #[arg(long)]
    by: String,
    /// Why it must not act.
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    places: Places,
}

/// Lists rules in shadow, or what one of them found.
pub(super) async fn list(arguments: &ShadowArguments) -> anyhow::Result<Verdict> {
    let store = look_into_store(&arguments.store)?;
    match (&arguments.rule, arguments.json) {
        (None, true) => say_json(&store.standings().await?)?,
        (None, false) => {
            let standings = store.standings().await?;
            if standings.is_empty() {
                say("no rule is in shadow")?;
            }
            standings.iter().try_for_each(|standing| say(line(standing)))?;
        }
        (Some(rule), true) => say_json(&store.shadowed(rule).await?)?,
        (Some(rule), false) => show(&store.shadowed(rule).await?)?,
    }
    Ok(Verdict::Well)
}

fn line(standing: &Standing) -> String {
    let Standing { watched, since, findings, last, clean_seconds } = standing;
    let last = last.map_or_else(|| "none".to_owned(), |last| last.to_string());
    let of = if watched.candidate { "  (of the candidate bundle)" } else { "" };
    let hours = clean_seconds / 3600;
    format!(
        "{}  since {since}  {findings} finding(s), last {last}, clean for {hours} h  {}{of}",
        watched.rule, watched.title
    )
}

fn show(found: &[Shadowed]) -> anyhow::Result<()> {
    for Shadowed { subject, account, principal, finding, .. } in found {
        let who = principal.as_deref().unwrap_or("nobody");
        let words: Vec<String> = finding.propose.iter().map(ToString::to_string).collect();
        say(format!("{account}  {subject}  {who}\n    {}\n    would propose: {}", finding.message, words.join(", ")))?;
    }
    Ok(())
}

/// Takes a rule out of shadow, when it has been there long enough.
pub(super) async fn promote(arguments: &PromoteArguments) -> anyhow::Result<Verdict> {
    let PromoteArguments { rule, days, by, accept_findings, reason, places } = arguments;
    ensure!(!by.trim().is_empty(), "`--by` names who takes the rule out of shadow");
    let looked = look_into_store(&places.store)?;
    let standings = looked.standings().await?;
    let own = standings.iter().find(|standing| standing.watched.rule == *rule && !standing.watched.candidate);
    let Some(standing) = own else {
        if standings.iter().any(|standing| standing.watched.rule == *rule) {
            bail!("`{rule}` is in shadow with its whole bundle: publish that bundle as the active one instead");
        }
        check_id(rule, places).await?;
        bail!("`{rule}` is not in shadow: `keepwatch policy shadow` shows what is");
    };
    say(line(standing))?;
    show(&looked.shadowed(rule).await?)?;
    let now = SystemClock.now();
    let ripe = if *accept_findings { standing.is_known_for(*days, now) } else { standing.is_clean_for(*days) };
    if !ripe {
        let lacks = if *accept_findings { "in shadow" } else { "watched without a finding" };
        say(format!("not promoted: it was not {lacks} for {days} day(s)"))?;
        return Ok(Verdict::Wrong);
    }
    if standing.findings > 0 && !accept_findings {
        say("its findings are older than that")?;
    }
    let reason = reason.clone().filter(|_| *accept_findings);
    let promotion = Promotion { rule: rule.clone(), by: by.clone(), reason, days: *days };
    open_store(&places.store)?.promote(&promotion, now).await?;
    say(format!("promoted: `{rule}` is acted on from the agent's next check on, as far as its mode allows"))?;
    Ok(Verdict::Well)
}

/// Puts a rule into shadow at once: one that is wrong must not wait for a release.
pub(super) async fn demote(arguments: &DemoteArguments) -> anyhow::Result<Verdict> {
    let DemoteArguments { rule, by, reason, places } = arguments;
    ensure!(!by.trim().is_empty(), "`--by` names who puts the rule into shadow");
    ensure!(!reason.trim().is_empty(), "`--reason` says why the rule must not act");
    check_id(rule, places).await?;
    let demotion = Demotion { rule: rule.clone(), by: by.clone(), reason: reason.clone() };
    open_store(&places.store)?.demote(&demotion, SystemClock.now()).await?;
    say(format!(
        "demoted: `{rule}` acts no more as soon as the agent looks again; `keepwatch policy shadow` then lists it"
    ))?;
    Ok(Verdict::Well)
}

/// Whether there is such a rule. Where the policies cannot be read it goes on, and says so: to stop
/// a rule must not take more than the store.
async fn check_id(rule: &str, places: &Places) -> anyhow::Result<()> {
    match rules(places).await {
        Ok(rules) => rules.unknown_id(rule).map_or(Ok(()), |unknown| bail!(unknown)),
        Err(error) => say(format!("nobody checked that there is a rule `{rule}`: {error:#}")),
    }
}

/// The rules of the agent whose places these are.
async fn rules(places: &Places) -> anyhow::Result<RuleSet> {
    let config = load_config(&places.config)?;
    let source = places.policies.source(&config.policies);
    let aws = match &source {
        Source::Path(_) => None,
        Source::S3 { .. } => Some(connect(&config).await?),
    };
    Ok(rules_at(&source, &config, aws.as_ref()).await?.0)
}
