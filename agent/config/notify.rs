//! Who is notified, and who is woken. Secrets are never kept here: they come from the
//! environment or from a file.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};

/// Who is notified, and how.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Notify {
    /// Slack; without it, alerts go to stdout.
    pub slack: Option<Slack>,
    /// Databases in MaxMind's format that say from which country and network an address is.
    pub ip_database: Vec<PathBuf>,
}

/// A Slack workspace. The token comes from `KEEPWATCH_SLACK_TOKEN` or from a file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slack {
    /// Id of the channel that gets a thread for each incident.
    pub channel: String,
    /// File that holds the bot token, when the environment does not.
    #[serde(default)]
    pub token_file: Option<PathBuf>,
    /// Who is woken by critical and high findings, once for each incident.
    #[serde(default)]
    pub on_call: Option<OnCall>,
    /// Who may press buttons, by Slack's user ids; nobody else may.
    #[serde(default)]
    pub responders: BTreeSet<UserId>,
    /// File that holds the app's signing secret, when `KEEPWATCH_SLACK_SIGNING_SECRET` does
    /// not. Without one there are no buttons.
    #[serde(default)]
    pub signing_secret_file: Option<PathBuf>,
}

impl Slack {
    /// Whether the channel is named by its id; a post to a name fails when the first alert comes.
    #[must_use]
    pub fn is_channel_id(&self) -> bool {
        is_id(&self.channel, &['C', 'G', 'D'])
    }
}

/// Slack's id of a person.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UserId(String);

impl UserId {
    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text that is no id of a person on Slack.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a Slack user id: it takes `U…` or `W…`, as a profile's menu copies it")]
pub struct NotAUserId(String);

impl FromStr for UserId {
    type Err = NotAUserId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if is_id(text, &['U', 'W']) { Ok(Self(text.to_owned())) } else { Err(NotAUserId(text.to_owned())) }
    }
}

impl<'de> Deserialize<'de> for UserId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A mention in Slack's own spelling: the one piece of markup that reaches Slack as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnCall(String);

/// A text that mentions nobody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` mentions nobody on Slack: it takes `<!subteam^S…>`, `<@U…>`, `<!here>` or `<!channel>`")]
pub struct NotAMention(String);

impl FromStr for OnCall {
    type Err = NotAMention;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let inner = text.strip_prefix('<').and_then(|text| text.strip_suffix('>'));
        let is_mention = inner.is_some_and(|inner| {
            let group = inner.strip_prefix("!subteam^").is_some_and(|id| is_id(id, &['S']));
            let person = inner.strip_prefix('@').is_some_and(|id| is_id(id, &['U', 'W']));
            group || person || inner == "!here" || inner == "!channel"
        });
        if is_mention { Ok(Self(text.to_owned())) } else { Err(NotAMention(text.to_owned())) }
    }
}

impl fmt::Display for OnCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for OnCall {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Whether a text is one of Slack's ids of this kind: a letter, then capitals and digits.
fn is_id(text: &str, kinds: &[char]) -> bool {
    let rest = text.strip_prefix(kinds);
    rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_id_is_not_a_name() {
        assert_eq!("U0ALICE".parse::<UserId>().expect("an id").as_str(), "U0ALICE");
        for bad in ["alice", "@alice", "U", "S0GROUP", "U0 "] {
            assert!(bad.parse::<UserId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_mention_is_one_of_four_and_nothing_else() {
        for good in ["<!subteam^S0123ABC>", "<@U0123ABC>", "<@W0123ABC>", "<!here>", "<!channel>"] {
            assert_eq!(good.parse::<OnCall>().expect("a mention").to_string(), good);
        }
        for bad in ["", "@oncall", "<!everyone>", "<@U>", "<@U1> <!here>", "<@B012>", "<https://evil.example|@oncall>"]
        {
            assert!(bad.parse::<OnCall>().is_err(), "{bad}");
        }
    }
}
