//! What the types of `accounts.toml` cannot say: values that contradict each other, or that would
//! silently protect nobody.
//!
//! Nothing here asks AWS; `keepwatch doctor` does.

use std::collections::BTreeSet;

use super::{Config, Exemption};
use crate::domain::arn::Arn;

/// How many messages may be handled at once; each may hold a message of 1 MB.
const MAX_CONCURRENCY: usize = 1_000;

/// Something that cannot be meant.
#[derive(Debug)]
pub(super) struct Complaint {
    /// What stands in the file.
    word: String,
    /// What is wrong with it, and what it takes.
    why: String,
}

impl Complaint {
    fn new(word: &str, why: impl Into<String>) -> Self {
        Self { word: word.to_owned(), why: why.into() }
    }

    /// The complaint with the last line that has the word, and a caret under it. What is
    /// commented out is not meant.
    pub(super) fn in_text(&self, text: &str) -> String {
        let Self { word, why } = self;
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with('#'));
        let found = lines.filter_map(|(number, line)| Some((number, line, line.find(word)?))).last();
        let Some((number, line, column)) = found else {
            return why.clone();
        };
        let number = number + 1;
        let gutter = " ".repeat(number.to_string().len());
        let (indent, carets) = (" ".repeat(column), "^".repeat(word.len()));
        format!(
            "at line {number}, column {}\n{gutter} |\n{number} | {line}\n{gutter} | {indent}{carets}\n{why}",
            column + 1
        )
    }
}

/// Whether a file that can be read can also be meant.
pub(super) fn check(config: &Config) -> Result<(), Complaint> {
    accounts(config)?;
    intake(config)?;
    roles(config)?;
    never(config)?;
    config.exemptions.iter().try_for_each(|exemption| self::exemption(config, exemption))?;
    if let Some((word, why)) = config.policies.complaint() {
        return Err(Complaint::new(word, why));
    }
    refuse(config.sweep.every_minutes == 0, "every_minutes", "`every_minutes` must be at least 1")
}

fn refuse(is_wrong: bool, word: &str, why: &str) -> Result<(), Complaint> {
    if is_wrong { Err(Complaint::new(word, why)) } else { Ok(()) }
}

fn accounts(config: &Config) -> Result<(), Complaint> {
    let partition = config.intake.region.partition();
    let mut seen = BTreeSet::new();
    refuse(config.accounts.is_empty(), "account", "no account is named: nothing would be guarded")?;
    for account in &config.accounts {
        let id = account.id.as_str();
        refuse(!seen.insert(&account.id), id, "this account id stands twice")?;
        refuse(account.regions.is_empty(), id, "this account has no `regions`: name at least one")?;
        if let Some(region) = account.regions.iter().find(|region| region.partition() != partition) {
            let why = format!("this Region lies in another partition than the queue's, which is `{partition}`");
            return Err(Complaint::new(region, why));
        }
    }
    Ok(())
}

fn intake(config: &Config) -> Result<(), Complaint> {
    let intake = &config.intake;
    refuse(intake.concurrency == 0, "concurrency", "`concurrency` must be at least 1")?;
    refuse(intake.concurrency > MAX_CONCURRENCY, "concurrency", "`concurrency` must be at most 1000")?;
    let why = "`dead_letters` must be another queue: a dead letter would come back as a message";
    refuse(intake.queue == intake.dead_letters, "dead_letters", why)?;
    let slack = config.notify.slack.as_ref().filter(|slack| !slack.is_channel_id());
    let why = "`channel` takes Slack's id of the channel, such as `C0KEEPWATCH`: names can change";
    refuse(slack.is_some(), "channel", why)
}

/// Source: IAM User Guide, "IAM name requirements" for roles.
fn roles(config: &Config) -> Result<(), Complaint> {
    let roles = &config.roles;
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || "_+=,.@-".contains(letter);
    for name in [&roles.agent, &roles.read, &roles.respond] {
        let is_name = (1..=64).contains(&name.len()) && name.chars().all(allowed);
        refuse(!is_name, name, "this is no role's name: it takes the name alone, without path or ARN")?;
    }
    let why = "`read` and `respond` must be two roles: planning must not be able to write";
    refuse(roles.read == roles.respond, "respond", why)
}

/// One that matches nobody protects nobody, without a word.
fn never(config: &Config) -> Result<(), Complaint> {
    for arn in &config.never.break_glass {
        let is_exact = is_identity(arn, config) && !arn.contains('*');
        let why = "`break_glass` takes exact ARNs of users, roles or root, such as `arn:…:iam::111122223333:user/break-glass`";
        refuse(!is_exact, arn, why)?;
    }
    for pattern in &config.never.contain {
        let why = "`contain` takes ARNs of users and roles, with `*` for any run, such as `arn:…:iam::*:role/app`";
        refuse(!pattern.contains('*') && !is_identity(pattern, config), pattern, why)?;
    }
    Ok(())
}

/// Whether it is the ARN of a user, a role or the root user of the guarded partition.
fn is_identity(text: &str, config: &Config) -> bool {
    Arn::read(text).is_some_and(|Arn { partition, service, region, account, resource }| {
        let is_account = account == "*" || (account.len() == 12 && account.bytes().all(|digit| digit.is_ascii_digit()));
        let named = resource == "root"
            || ["user/", "role/"].iter().any(|kind| resource.strip_prefix(kind).is_some_and(|name| !name.is_empty()));
        partition == config.intake.region.partition().name()
            && service == "iam"
            && region.is_empty()
            && is_account
            && named
    })
}

fn exemption(config: &Config, exemption: &Exemption) -> Result<(), Complaint> {
    let Exemption { rule, resource, reason, owner, .. } = exemption;
    let partition = config.intake.region.partition();
    let is_known = resource.contains('*') || Arn::read(resource).is_some_and(|arn| arn.partition == partition.name());
    let why = "an exemption's `resource` takes an ARN of this partition, with `*` for any run";
    refuse(!is_known, if resource.is_empty() { "resource" } else { resource }, why)?;
    refuse(reason.trim().is_empty(), "reason", &format!("the exemption of `{rule}` must say why"))?;
    refuse(owner.trim().is_empty(), "owner", &format!("the exemption of `{rule}` must say who answers for it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHIPPED: &str = include_str!("../../accounts.toml");

    fn refused(from: &str, to: &str) -> String {
        assert!(SHIPPED.contains(from), "{from}");
        Config::parse(&SHIPPED.replacen(from, to, 1)).expect_err(to)
    }

    #[test]
    fn whoever_is_never_contained_is_named_so_that_it_matches() {
        let exact = "arn:aws:iam::111122223333:user/break-glass";
        for nobody in
            ["break-glass", "", "arn:aws-cn:iam::111122223333:user/break-glass", "arn:aws:iam::*:user/break-glass"]
        {
            assert!(refused(exact, nobody).contains("`break_glass` takes exact ARNs"), "{nobody}");
        }
        let root = SHIPPED.replacen(exact, "arn:aws:iam::111122223333:root", 1);
        assert!(Config::parse(&root).is_ok(), "root is the commonest break-glass identity");
        for nobody in ["securecart-payments", "", "arn:aws:iam::111122223333:group/x"] {
            assert!(
                refused("arn:aws:iam::*:role/securecart-payments", nobody).contains("`contain` takes ARNs"),
                "{nobody}"
            );
        }
    }

    #[test]
    fn an_exemption_says_of_what_why_and_who() {
        let exemption = |resource: &str, reason: &str, owner: &str| {
            format!(
                "[[exemption]]\nrule = \"BKT-01\"\nresource = \"{resource}\"\nreason = \"{reason}\"\nowner = \"{owner}\"\nexpires = \"2030-01-01\"\n\n[[account]]"
            )
        };
        let bucket = "arn:aws:s3:::shop-*";
        assert!(Config::parse(&SHIPPED.replacen("[[account]]", &exemption(bucket, "move", "alice"), 1)).is_ok());
        for (resource, reason, owner) in
            [("shop", "move", "alice"), ("", "move", "alice"), (bucket, " ", "alice"), (bucket, "move", "")]
        {
            refused("[[account]]", &exemption(resource, reason, owner));
        }
    }

    #[test]
    fn what_cannot_work_is_refused_at_the_start() {
        for (from, to, words) in [
            ("\"eu-central-1\"", "\"cn-north-1\"", "another partition"),
            ("keepwatch-events-dlq", "keepwatch-events", "another queue"),
            ("region = \"eu-west-1\"", "region = \"eu-west-1\"\nconcurrency = 9000000000000000000", "at most 1000"),
            ("\"KeepwatchRespond\"", "\"KeepwatchRead\"", "two roles"),
            ("\"KeepwatchRead\"", "\"arn:aws:iam::111122223333:role/KeepwatchRead\"", "without path or ARN"),
            ("C0KEEPWATCH", "#keepwatch", "Slack's id of the channel"),
        ] {
            let complaint = refused(from, to);
            assert!(complaint.contains(words) && complaint.contains('^'), "{complaint}");
        }
    }

    #[test]
    fn the_caret_stands_where_it_counts_and_not_in_a_comment() {
        let commented = format!("{SHIPPED}\n# 111122223333 is prod\n");
        let complaint = Config::parse(
            &commented.replace("222233334444", "111122223333").replace("# 111122223333 is prod", "# 111122223333"),
        );
        let complaint = complaint.expect_err("twice");
        assert!(complaint.contains("| id = "), "{complaint}");
    }
}
