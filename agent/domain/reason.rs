//! Why something was done, or not, and what was done already. Every reason is worded here.

use std::fmt;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::account::Mode;
use super::finding::ResponseKind;
use super::principal::PrincipalKind;

/// How long a first person's approval waits for that of a second one.
pub const APPROVAL_HOLDS: SignedDuration = SignedDuration::from_mins(30);

/// Why something was done, or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The rule's id; none when it is about no single rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The least of the modes that apply.
    pub mode: Mode,
    /// The reason itself.
    pub because: Because,
}

impl Reason {
    /// Whether people hear of it: what is only observed is recorded and nothing more.
    #[must_use]
    pub fn is_reported(&self) -> bool {
        self.mode >= Mode::Alert
    }

    /// A reason that is about no single rule and always reported.
    #[must_use]
    pub const fn general(because: Because) -> Self {
        Self { rule: None, mode: Mode::Enforce, because }
    }
}

/// The reasons that there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Because {
    /// Global, account and rule mode all allow acting.
    Enforced,
    /// The global mode is the least.
    GlobalMode {
        /// It.
        mode: Mode,
    },
    /// The account's mode is the least.
    AccountMode {
        /// It.
        mode: Mode,
        /// What people call the account.
        account: String,
    },
    /// The rule's mode is the least.
    RuleMode {
        /// It.
        mode: Mode,
        /// The rule's id.
        rule: String,
    },
    /// An exemption of accounts.toml applies.
    Exempt {
        /// The last day on which it holds.
        expires: jiff::civil::Date,
        /// Who answers for it.
        owner: String,
        /// Why it was made.
        reason: String,
    },
    /// A list of the policies' data approves whoever did it.
    Approved {
        /// The list in `data.approved`.
        list: String,
    },
    /// Keepwatch itself did it.
    OwnCall,
    /// Containment was proposed, and no event names an actor.
    NoActor,
    /// A response on a resource was proposed, and the finding names none.
    NoResource,
    /// The finding names a resource of a kind that nothing can be done to.
    UnknownKind {
        /// The resource's ARN.
        arn: String,
    },
    /// No IAM policy limits a principal of this kind.
    NotContainable {
        /// The kind.
        principal: PrincipalKind,
    },
    /// The principal belongs to an account that is not watched.
    ForeignActor,
    /// The record does not name the principal.
    NamelessActor,
    /// The principal is never contained without approval.
    NeverList {
        /// The principal's name.
        name: String,
        /// What it is.
        entry: NeverEntry,
    },
    /// The mode asks for approval.
    WaitsForApproval,
    /// People undid a restore of this resource within the day.
    UndoneByPeople {
        /// The resource's ARN.
        arn: String,
    },
    /// Somebody keeps changing the resource back.
    Contested {
        /// The resource's ARN.
        arn: String,
        /// How often it was restored within the hour.
        repairs: u32,
    },
    /// The hourly budget of the account or the organisation is used up.
    BudgetUsedUp {
        /// Of what.
        class: BudgetClass,
        /// How many there were in this account.
        used: u32,
    },
    /// A response was decided and cannot be planned.
    NotPossible {
        /// The response.
        response: ResponseKind,
        /// Why not.
        error: String,
    },
    /// Its step does not fit into the store.
    TooLarge {
        /// The response.
        response: ResponseKind,
        /// How large the step is, in bytes.
        bytes: usize,
    },
    /// There are more findings than a case keeps.
    FindingsLeftOut {
        /// How many.
        findings: usize,
    },
    /// One of the two people that an undo takes has asked for it.
    SecondPersonNeeded {
        /// Who asked.
        person: String,
        /// The plan or incident.
        target: String,
        /// How many plans.
        plans: usize,
    },
    /// An entry of the store cannot be read.
    DamagedEntry {
        /// Its number.
        number: i64,
        /// What is wrong with it.
        error: String,
    },
}

/// Why a principal is on the never-list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NeverEntry {
    /// One of Keepwatch's own roles.
    OwnRole,
    /// A break-glass identity of accounts.toml.
    BreakGlass,
    /// A service-linked role.
    ServiceLinked,
    /// A role that backups or the organisation run on.
    Machinery,
    /// Listed in accounts.toml.
    Configured,
}

/// The budget that a response is charged to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BudgetClass {
    /// Hard quarantines.
    Hard,
    /// Soft quarantines.
    Soft,
    /// Changes to resources.
    Repair,
    /// None: it goes with a step that is charged, or gives back what one took.
    Free,
}

/// What was done on the agent's own authority since a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Hard quarantines.
    pub hard: u32,
    /// Soft quarantines.
    pub soft: u32,
    /// Changes to resources.
    pub repairs: u32,
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Enforced => f.write_str("global, account and rule mode are `enforce`"),
            Self::GlobalMode { mode } => write!(f, "the global mode is `{mode}`"),
            Self::AccountMode { mode, account } => write!(f, "account `{account}` is in mode `{mode}`"),
            Self::RuleMode { mode, rule } => write!(f, "rule `{rule}` is in mode `{mode}`"),
            Self::Exempt { expires, owner, reason } => write!(f, "exempt until {expires} by {owner}: {reason}"),
            Self::Approved { list } => write!(f, "who did it is approved by `data.approved.{list}`"),
            Self::OwnCall => f.write_str("Keepwatch itself did it"),
            Self::NoActor => f.write_str("nobody to contain: no event says who did it"),
            Self::NoResource => f.write_str("the rule names no resource to act on"),
            Self::UnknownKind { arn } => write!(f, "nothing can be done to `{arn}`: unknown kind"),
            Self::NotContainable { principal } => write!(f, "cannot be contained here: {}", advice(*principal)),
            Self::ForeignActor => {
                f.write_str("cannot be contained: it belongs to an account that is not in accounts.toml")
            }
            Self::NamelessActor => f.write_str("cannot be contained: the record does not name it"),
            Self::NeverList { name, entry } => write!(f, "`{name}` is {entry}: never contained without approval"),
            Self::WaitsForApproval => f.write_str("waits for approval"),
            Self::UndoneByPeople { arn } => write!(f, "a repair of `{arn}` was undone within the day"),
            Self::Contested { arn, repairs } => {
                write!(f, "a fight over `{arn}`: restored {repairs} times within the hour, and changed back each time")
            }
            Self::BudgetUsedUp { class, used } => {
                write!(f, "the budget is used up: {used} {class} in this account within the hour")
            }
            Self::TooLarge { response, bytes } => {
                write!(f, "`{response}` is not possible: its step of {bytes} bytes is more than the store keeps")
            }
            Self::FindingsLeftOut { findings } => write!(f, "{findings} more findings are not kept here"),
            Self::NotPossible { response, error } => write!(f, "`{response}` is not possible: {error}"),
            Self::SecondPersonNeeded { person, target, plans } => write!(
                f,
                "`{person}` wants to undo `{target}` ({plans} plan(s)); releasing an actor or a vault takes two people: \
                 a second one must ask for it within {} minutes",
                APPROVAL_HOLDS.as_mins()
            ),
            Self::DamagedEntry { number, error } => {
                write!(f, "entry {number} of this incident is damaged in the store and cannot be shown: {error}")
            }
        }
    }
}

impl fmt::Display for NeverEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OwnRole => "one of Keepwatch's own roles",
            Self::BreakGlass => "a break-glass identity",
            Self::ServiceLinked => "a service-linked role",
            Self::Machinery => "a role that backups or the organisation run on",
            Self::Configured => "on the never-list of accounts.toml",
        })
    }
}

impl fmt::Display for BudgetClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hard => "hard containments",
            Self::Soft => "soft containments",
            Self::Repair => "repairs",
            Self::Free => "steps without a budget",
        })
    }
}

/// What to do about a principal that no IAM policy limits.
const fn advice(kind: PrincipalKind) -> &'static str {
    match kind {
        PrincipalKind::Root => "the root user is bound by no IAM policy: rotate its password and keys, deny it by SCP",
        PrincipalKind::RoleSessionSso => {
            "Identity Center owns this role: disable the user there and remove the assignment"
        }
        PrincipalKind::ServiceLinkedRole | PrincipalKind::Service => {
            "an AWS service did it: find who made the service do it"
        }
        PrincipalKind::FederatedUser => "contain the IAM user that issued this federation token",
        PrincipalKind::SamlUser | PrincipalKind::WebIdentityUser | PrincipalKind::IdentityCenterUser => {
            "the identity provider owns this user: block it there"
        }
        PrincipalKind::AwsAccount => "it came from another account: block it in the resource's policy",
        PrincipalKind::Unknown => "the record does not say who did it",
        PrincipalKind::IamUser | PrincipalKind::AssumedRole => "the record does not say enough about it",
    }
}
