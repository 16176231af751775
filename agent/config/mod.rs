//! `accounts.toml`: the organisation, its accounts, and how far the agent may go in each.
//!
//! Read once at the start; what it does not understand is an error that points at the line.
//! It holds no secrets: they come from the environment or from a file.

mod checks;
mod identities;
mod notify;
pub mod policies;

use crate::domain::account::{Account, AccountId, Mode};
use crate::domain::region::{Partition, Region};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Deserialize;

pub use notify::{NotAMention, NotAUserId, Notify, OnCall, Slack, UserId};
use policies::PolicySettings;

/// Everything that `accounts.toml` says.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The most that may happen anywhere. `observe` until it says otherwise.
    #[serde(default)]
    pub mode: Mode,
    /// The AWS organisation.
    pub organisation: Organisation,
    /// Where events come from.
    pub intake: Intake,
    /// How accounts are entered.
    pub roles: Roles,
    /// Who is never contained.
    #[serde(default)]
    pub never: Never,
    /// Who is notified.
    #[serde(default)]
    pub notify: Notify,
    /// How much may be done in an hour.
    #[serde(default)]
    pub budgets: Budgets,
    /// Rules that do not apply to a resource for a while.
    #[serde(default, rename = "exemption")]
    pub exemptions: Vec<Exemption>,
    /// How often every resource is read.
    #[serde(default)]
    pub sweep: Sweep,
    /// Where the rules come from, and how far they are trusted.
    #[serde(default)]
    pub policies: PolicySettings,
    /// Every account that the agent watches.
    #[serde(rename = "account")]
    accounts: Vec<Account>,
}

/// The AWS organisation that the accounts belong to.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Organisation {
    /// Its id, `o-…`.
    pub id: String,
}

/// The queue that events arrive in.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Intake {
    /// The queue's name, in the agent's own account.
    pub queue: String,
    /// The queue for messages that cannot be handled.
    pub dead_letters: String,
    /// The Region that both are in. Its partition is the one that the agent guards.
    pub region: Region,
    /// Name of the event bus that feeds the queue.
    #[serde(default = "default_bus")]
    pub bus: String,
    /// How many messages are handled at once.
    #[serde(default = "default_concurrency")]
    pub concurrency: usize,
}

/// The roles that the agent assumes in every account.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Roles {
    /// Name of the agent's own role in the account it runs in.
    #[serde(default = "default_agent_role")]
    pub agent: String,
    /// Name of the role that reads.
    pub read: String,
    /// Name of the role that acts.
    pub respond: String,
    /// The external id that both demand.
    pub external_id: String,
}

/// Principals that are never contained, beyond those that the code names.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Never {
    /// Exact ARNs of break-glass users and roles: always alerted, never contained.
    pub break_glass: BTreeSet<String>,
    /// ARNs of users and roles, `*` matching any run of characters.
    pub contain: Vec<String>,
}

/// How much may be done on its own authority in any hour; beyond it, people are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Budgets {
    /// Hard quarantines in one account. 3 unless set.
    pub hard_containments: u32,
    /// Soft quarantines in one account. 10 unless set.
    pub soft_containments: u32,
    /// Changes to resources in one account. 20 unless set.
    pub repairs: u32,
    /// Repairs of one resource: as many in an hour are a fight, and the next one is not
    /// made. 3 unless set.
    pub repairs_of_one_resource: u32,
    /// The organisation's allowance, as a multiple of an account's. 3 unless set.
    pub organisation_factor: u32,
}

impl Default for Budgets {
    fn default() -> Self {
        Self {
            hard_containments: 3,
            soft_containments: 10,
            repairs: 20,
            repairs_of_one_resource: 3,
            organisation_factor: 3,
        }
    }
}

/// A rule that does not apply to a resource for a while.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exemption {
    /// The rule's id, such as `BKT-01`.
    pub rule: String,
    /// ARN of the resource, `*` matching any run of characters.
    pub resource: String,
    /// Why.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// The last day on which it holds; it is over at that day's end in UTC.
    pub expires: jiff::civil::Date,
}

/// How often every resource of every account is read.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sweep {
    /// Minutes between the starts of two sweeps. 60 unless set.
    pub every_minutes: u32,
}

impl Default for Sweep {
    fn default() -> Self {
        Self { every_minutes: 60 }
    }
}

/// Why `accounts.toml` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("cannot read `{}`", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not what it should be; the text shows line and caret.
    #[error("`{}` is not valid\n{detail}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong, where.
        detail: String,
    },
}

impl Config {
    /// Reads `accounts.toml`.
    ///
    /// # Errors
    /// When the file cannot be read, has a key that is not known, a value of another type, or
    /// two accounts of the same id.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        let mut config = Self::parse(&text).map_err(|detail| ConfigError::Invalid { path: path.to_owned(), detail })?;
        config.policies.settle(path.parent().unwrap_or(Path::new("")));
        Ok(config)
    }

    /// Reads the text of an `accounts.toml`; the error is a text with line and caret.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(text: &str) -> Result<Self, String> {
        let config: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        checks::check(&config).map_err(|complaint| complaint.in_text(text))?;
        Ok(config)
    }

    /// The account with this id, if the agent watches it.
    #[must_use]
    pub fn account(&self, id: &AccountId) -> Option<&Account> {
        self.accounts.iter().find(|account| account.id == *id)
    }

    /// Every account that the agent watches, in the file's order.
    #[must_use]
    pub fn accounts(&self) -> &[Account] {
        &self.accounts
    }

    /// What it would be like to watch these accounts and to enforce everything in them, where
    /// nobody has written an `accounts.toml` yet.
    #[must_use]
    pub fn of_accounts(accounts: Vec<Account>) -> Self {
        let name = |text: &str| text.to_owned();
        let config = Self {
            mode: Mode::Enforce,
            organisation: Organisation { id: String::new() },
            intake: Intake {
                queue: String::new(),
                dead_letters: String::new(),
                region: Partition::Aws.global_region(),
                bus: default_bus(),
                concurrency: default_concurrency(),
            },
            roles: Roles {
                agent: default_agent_role(),
                read: name("KeepwatchRead"),
                respond: name("KeepwatchRespond"),
                external_id: String::new(),
            },
            never: Never::default(),
            notify: Notify::default(),
            budgets: Budgets::default(),
            exemptions: Vec::new(),
            sweep: Sweep::default(),
            policies: PolicySettings::default(),
            accounts,
        };
        config.enforced()
    }

    /// The same, with `enforce` as the global mode and that of every account.
    #[must_use]
    pub fn enforced(mut self) -> Self {
        self.mode = Mode::Enforce;
        self.accounts.iter_mut().for_each(|account| account.mode = Mode::Enforce);
        self
    }
}

fn default_bus() -> String {
    "keepwatch".to_owned()
}

fn default_agent_role() -> String {
    "KeepwatchAgent".to_owned()
}

const fn default_concurrency() -> usize {
    16
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHIPPED: &str = include_str!("../../accounts.toml");

    fn complaint(change: impl Fn(&str) -> String) -> String {
        Config::parse(&change(SHIPPED)).expect_err("it should be refused")
    }

    #[test]
    fn the_shipped_file_is_valid_and_watches_three_accounts() {
        let config = Config::parse(SHIPPED).expect("valid");
        assert_eq!(config.accounts().len(), 3);
        assert_eq!(config.mode, Mode::Enforce);
    }

    #[test]
    fn an_account_observes_until_it_says_otherwise() {
        let silent = SHIPPED.replace("mode = \"enforce\"\n", "");
        let config = Config::parse(&silent).expect("valid");
        assert_eq!(config.mode, Mode::Observe);
        assert!(config.accounts().iter().any(|account| account.mode == Mode::Observe));
    }

    #[test]
    fn an_unknown_key_is_shown_with_line_and_caret() {
        let complaint = complaint(|text| text.replace("class = \"log\"", "klass = \"log\""));
        insta::assert_snapshot!(complaint, @r#"
        TOML parse error at line 64, column 1
           |
        64 | klass = "log"
           | ^^^^^
        unknown field `klass`, expected one of `id`, `name`, `class`, `regions`, `mode`, `ou`, `tags`
        "#);
    }

    #[test]
    fn a_mention_of_nobody_is_shown_with_line_and_caret() {
        let complaint = complaint(|text| text.replace("<!subteam^S0ONCALL>", "@oncall"));
        insta::assert_snapshot!(complaint, @r#"
        TOML parse error at line 36, column 11
           |
        36 | on_call = "@oncall"
           |           ^^^^^^^^^
        `@oncall` mentions nobody on Slack: it takes `<!subteam^S…>`, `<@U…>`, `<!here>` or `<!channel>`
        "#);
    }

    #[test]
    fn an_account_id_takes_twelve_digits() {
        let complaint = complaint(|text| text.replace("333344445555", "33334444555"));
        assert!(complaint.contains("`33334444555` is not an AWS account id: it takes 12 digits"), "{complaint}");
    }

    #[test]
    fn an_account_stands_once() {
        let complaint = complaint(|text| text.replace("222233334444", "111122223333"));
        assert!(complaint.contains("this account id stands twice"), "{complaint}");
        assert!(complaint.contains("^^^^^^^^^^^^"), "{complaint}");
    }
}
