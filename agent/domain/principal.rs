//! Who made a call: the identity that containment would act on.

use serde::{Deserialize, Serialize};

/// How names of the agent's sessions begin.
pub const AGENT_SESSION_PREFIX: &str = "keepwatch-";
/// The source identity of the agent's sessions.
pub const AGENT_SOURCE_IDENTITY: &str = "keepwatch";

/// What kind of identity made a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PrincipalKind {
    /// An IAM user, by a long-term key or a session of its own.
    IamUser,
    /// The account's root user.
    Root,
    /// A session of an ordinary role.
    AssumedRole,
    /// A session of a role that Identity Center made (`AWSReservedSSO_*`).
    RoleSessionSso,
    /// A session of a service-linked role.
    ServiceLinkedRole,
    /// An AWS service by itself.
    Service,
    /// A session from `GetFederationToken`.
    FederatedUser,
    /// A SAML user before a role is assumed.
    SamlUser,
    /// A web identity before a role is assumed.
    WebIdentityUser,
    /// A user of Identity Center with a bearer token.
    IdentityCenterUser,
    /// Another AWS account.
    AwsAccount,
    /// None of these, or not said.
    Unknown,
}

/// What is known about a principal beyond its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Flags {
    /// It is this agent: role, session name and source identity all say so.
    pub agent: bool,
    /// It is one of the organisation's break-glass identities.
    pub break_glass: bool,
    /// It is a service-linked role.
    pub service_linked: bool,
}

/// Who made a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Principal {
    /// What kind of identity it is.
    pub kind: PrincipalKind,
    /// The account it belongs to.
    pub account: Option<String>,
    /// The user's or role's name, without path. For a federated user, the user who issued it;
    /// for a user of Identity Center, its user id.
    pub name: Option<String>,
    /// The user's ARN, or the role's (with path): what `aws:PrincipalArn` holds. A session that
    /// does not say who issued it yields its role's ARN without path.
    pub arn: Option<String>,
    /// The role session's name, or the federated user's.
    pub session: Option<String>,
    /// `principalId`: what `aws:userid` holds (`AROA…:session` for a role session).
    pub unique_id: Option<String>,
    /// Id of the key that signed the call.
    pub access_key: Option<String>,
    /// When the session was issued, RFC 3339.
    pub issued_at: Option<String>,
    /// The source identity that the session carries through role chaining.
    pub source_identity: Option<String>,
    /// The AWS service that made the call on the principal's behalf.
    pub invoked_by: Option<String>,
    /// What else is known.
    pub flags: Flags,
}

impl Principal {
    /// What identifies the actor from one event to the next: the user, or the role with its
    /// session. `None` for services, which no attacker is.
    #[must_use]
    pub fn correlation(&self) -> Option<String> {
        match self.kind {
            PrincipalKind::Service | PrincipalKind::ServiceLinkedRole => None,
            PrincipalKind::AssumedRole | PrincipalKind::RoleSessionSso => self.role_session(),
            PrincipalKind::IamUser | PrincipalKind::Root | PrincipalKind::FederatedUser => self.arn_or_id(),
            PrincipalKind::Unknown if self.session.is_some() => self.role_session(),
            PrincipalKind::SamlUser
            | PrincipalKind::WebIdentityUser
            | PrincipalKind::IdentityCenterUser
            | PrincipalKind::AwsAccount
            | PrincipalKind::Unknown => self.arn_or_id(),
        }
    }

    fn role_session(&self) -> Option<String> {
        match (&self.arn, &self.session) {
            (Some(role), Some(session)) => Some(format!("{role}/{session}")),
            (Some(_), None) | (None, _) => self.arn_or_id(),
        }
    }

    fn arn_or_id(&self) -> Option<String> {
        self.arn.clone().or_else(|| self.unique_id.clone()).or_else(|| self.name.clone())
    }
}
