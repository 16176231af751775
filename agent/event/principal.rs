//! Who made a call: the identity that containment would act on.
//!
//! It reads one `userIdentity` and believes nothing else: who assumed the role before is
//! another record's business, and whether the principal may be contained is `decision`'s.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::fields::{at, owned, text};
use crate::config::{AccountId, Config};

/// The path that IAM reserves for service-linked roles.
const SERVICE_LINKED_PATH: &str = "/aws-service-role/";
/// The path that IAM reserves for the roles of Identity Center.
const SSO_PATH: &str = "/aws-reserved/sso.amazonaws.com/";
/// How Identity Center begins the names of its roles.
const SSO_NAME: &str = "AWSReservedSSO_";
/// How the agent begins the names of its sessions.
const AGENT_SESSION: &str = "keepwatch-";
/// The source identity of the agent's sessions.
const AGENT_SOURCE_IDENTITY: &str = "keepwatch";

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

/// Finds out who a `userIdentity` is. Whatever it holds, somebody comes out: at worst
/// [`PrincipalKind::Unknown`] with nothing known.
#[must_use]
pub fn resolve(user_identity: &Value) -> Principal {
    let context = at(user_identity, "sessionContext");
    let issuer = at(context, "sessionIssuer");
    let caller = text(user_identity, "arn").and_then(Arn::read);
    let issued_by = text(issuer, "arn").and_then(Arn::read);
    let seen = Seen { user_identity, issuer, caller, issued_by };
    let kind = seen.kind();
    let arn = seen.arn(kind);
    let service_linked = arn.as_deref().is_some_and(|arn| arn.contains(SERVICE_LINKED_PATH));
    Principal {
        kind,
        account: seen.account(),
        name: seen.name(kind),
        session: seen.session(kind),
        arn,
        unique_id: owned(user_identity, "principalId"),
        access_key: owned(user_identity, "accessKeyId"),
        issued_at: owned(at(context, "attributes"), "creationDate"),
        source_identity: owned(context, "sourceIdentity"),
        invoked_by: owned(user_identity, "invokedBy"),
        flags: Flags { service_linked, ..Flags::default() },
    }
}

impl Principal {
    /// The same principal, with what only the configuration knows: whether it is this agent
    /// or a break-glass identity.
    #[must_use]
    pub fn flagged(mut self, config: &Config) -> Self {
        self.flags.agent = self.is_agent(config);
        self.flags.break_glass = self.arn.as_ref().is_some_and(|arn| config.never.break_glass.contains(arn));
        self
    }

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

    /// INVARIANT: role, session name and source identity must all agree. An attacker who
    /// holds one of them must not become invisible.
    fn is_agent(&self, config: &Config) -> bool {
        let own_role = self.kind == PrincipalKind::AssumedRole && self.is_role_of(config);
        let own_session = self.session.as_deref().is_some_and(|session| session.starts_with(AGENT_SESSION));
        own_role && own_session && self.source_identity.as_deref() == Some(AGENT_SOURCE_IDENTITY)
    }

    /// Whether it is the read or the respond role of an account that the agent watches. Role
    /// names are unique in an account whatever their path, so the name and the account suffice.
    fn is_role_of(&self, config: &Config) -> bool {
        let Some(role) = self.arn.as_deref().and_then(Arn::read) else {
            return false;
        };
        let watched = role.account.parse::<AccountId>().is_ok_and(|id| config.account(&id).is_some());
        let named = |name: &str| role.service == "iam" && role.name() == name;
        watched && (named(&config.roles.read) || named(&config.roles.respond))
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

/// A `userIdentity` and the two ARNs in it, taken apart.
struct Seen<'a> {
    user_identity: &'a Value,
    issuer: &'a Value,
    caller: Option<Arn<'a>>,
    issued_by: Option<Arn<'a>>,
}

impl Seen<'_> {
    fn kind(&self) -> PrincipalKind {
        match text(self.user_identity, "type") {
            Some("IAMUser") => PrincipalKind::IamUser,
            Some("Root") => PrincipalKind::Root,
            Some("AssumedRole") => self.role_kind(),
            Some("AWSService") => PrincipalKind::Service,
            Some("FederatedUser") => PrincipalKind::FederatedUser,
            Some("SAMLUser") => PrincipalKind::SamlUser,
            Some("WebIdentityUser") => PrincipalKind::WebIdentityUser,
            Some("IdentityCenterUser") => PrincipalKind::IdentityCenterUser,
            Some("AWSAccount") => PrincipalKind::AwsAccount,
            // A service's own event names no caller, only the service.
            None if self.caller.is_none() && text(self.user_identity, "invokedBy").is_some() => PrincipalKind::Service,
            Some(_) | None => PrincipalKind::Unknown,
        }
    }

    /// Which kind of role: by path where the session says who issued it. A name alone is no
    /// proof, but all there is otherwise.
    fn role_kind(&self) -> PrincipalKind {
        let path_says = |path| self.issued_by.as_ref().is_some_and(|role| role.resource.contains(path));
        let name_says = self.issued_by.is_none() && self.caller.as_ref().is_some_and(Arn::is_sso_session);
        if path_says(SERVICE_LINKED_PATH) {
            PrincipalKind::ServiceLinkedRole
        } else if path_says(SSO_PATH) || name_says {
            PrincipalKind::RoleSessionSso
        } else {
            PrincipalKind::AssumedRole
        }
    }

    fn account(&self) -> Option<String> {
        let said = || owned(self.user_identity, "accountId");
        let from_arn = |arn: &Option<Arn>| arn.as_ref().map(|arn| arn.account.to_owned()).filter(|id| !id.is_empty());
        said().or_else(|| from_arn(&self.caller)).or_else(|| from_arn(&self.issued_by))
    }

    fn arn(&self, kind: PrincipalKind) -> Option<String> {
        match kind {
            PrincipalKind::AssumedRole | PrincipalKind::RoleSessionSso | PrincipalKind::ServiceLinkedRole => {
                self.role_arn()
            }
            PrincipalKind::Root => owned(self.user_identity, "arn").or_else(|| self.root_arn()),
            PrincipalKind::Unknown => self.role_arn().or_else(|| owned(self.user_identity, "arn")),
            PrincipalKind::IamUser
            | PrincipalKind::Service
            | PrincipalKind::FederatedUser
            | PrincipalKind::SamlUser
            | PrincipalKind::WebIdentityUser
            | PrincipalKind::IdentityCenterUser
            | PrincipalKind::AwsAccount => owned(self.user_identity, "arn"),
        }
    }

    fn role_arn(&self) -> Option<String> {
        let issuer = self.issued_by.as_ref().filter(|arn| arn.resource.starts_with("role/"));
        let from_issuer = issuer.and_then(|_| owned(self.issuer, "arn"));
        from_issuer.or_else(|| self.caller.as_ref()?.role_of_session())
    }

    fn root_arn(&self) -> Option<String> {
        let account: AccountId = self.account()?.parse().ok()?;
        Some(format!("arn:aws:iam::{account}:root"))
    }

    fn name(&self, kind: PrincipalKind) -> Option<String> {
        match kind {
            PrincipalKind::Root | PrincipalKind::Service | PrincipalKind::AwsAccount => None,
            PrincipalKind::IdentityCenterUser => owned(at(self.user_identity, "onBehalfOf"), "userId"),
            PrincipalKind::SamlUser | PrincipalKind::WebIdentityUser => owned(self.user_identity, "userName"),
            PrincipalKind::IamUser => owned(self.user_identity, "userName").or_else(|| self.arn_name()),
            PrincipalKind::AssumedRole
            | PrincipalKind::RoleSessionSso
            | PrincipalKind::ServiceLinkedRole
            | PrincipalKind::FederatedUser
            | PrincipalKind::Unknown => self.issuer_name().or_else(|| self.arn_name()),
        }
    }

    fn issuer_name(&self) -> Option<String> {
        owned(self.issuer, "userName").or_else(|| Some(self.issued_by.as_ref()?.name().to_owned()))
    }

    fn arn_name(&self) -> Option<String> {
        let caller = self.caller.as_ref()?;
        Some(caller.session().map_or_else(|| caller.name(), |(role, _)| role).to_owned())
    }

    fn session(&self, kind: PrincipalKind) -> Option<String> {
        match kind {
            PrincipalKind::AssumedRole
            | PrincipalKind::RoleSessionSso
            | PrincipalKind::ServiceLinkedRole
            | PrincipalKind::Unknown => self.role_session(),
            PrincipalKind::FederatedUser => self.caller.as_ref().map(|arn| arn.name().to_owned()),
            PrincipalKind::IamUser
            | PrincipalKind::Root
            | PrincipalKind::Service
            | PrincipalKind::SamlUser
            | PrincipalKind::WebIdentityUser
            | PrincipalKind::IdentityCenterUser
            | PrincipalKind::AwsAccount => None,
        }
    }

    /// The session's name, from the ARN, else from `AROA…:session`.
    fn role_session(&self) -> Option<String> {
        let caller = self.caller.as_ref()?;
        if !caller.resource.starts_with("assumed-role/") {
            return None;
        }
        let of_arn = caller.session().map(|(_, session)| session);
        let of_id = || text(self.user_identity, "principalId")?.split_once(':').map(|(_, session)| session);
        of_arn.or_else(of_id).map(str::to_owned)
    }
}

/// An ARN in its parts.
struct Arn<'a> {
    partition: &'a str,
    service: &'a str,
    account: &'a str,
    resource: &'a str,
}

impl<'a> Arn<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let mut parts = text.strip_prefix("arn:")?.splitn(5, ':');
        let (partition, service) = (parts.next()?, parts.next()?);
        let (_region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Self { partition, service, account, resource })
    }

    /// The last segment of the resource: a name without path.
    fn name(&self) -> &'a str {
        self.resource.rsplit('/').next().unwrap_or(self.resource)
    }

    /// Role and session of an `assumed-role`; a session's name has no slash.
    fn session(&self) -> Option<(&'a str, &'a str)> {
        self.resource.strip_prefix("assumed-role/")?.split_once('/').filter(|(_, session)| !session.is_empty())
    }

    fn is_sso_session(&self) -> bool {
        self.session().is_some_and(|(role, _)| role.starts_with(SSO_NAME))
    }

    fn role_of_session(&self) -> Option<String> {
        let rest = self.resource.strip_prefix("assumed-role/")?;
        let role = rest.split('/').next().filter(|role| !role.is_empty())?;
        Some(format!("arn:{}:iam::{}:role/{role}", self.partition, self.account))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::event::examples;

    fn of(example: &str) -> Principal {
        resolve(&examples::read(example)["userIdentity"])
    }

    fn config(break_glass: &str) -> Config {
        Config::parse(&format!(
            r#"
            organisation = {{ id = "o-example" }}
            intake = {{ queue = "q", dead_letters = "d", region = "eu-west-1" }}
            roles = {{ read = "keepwatch-read", respond = "keepwatch-respond", external_id = "x" }}
            never = {{ break_glass = ["{break_glass}"] }}
            [[account]]
            id = "111122223333"
            name = "shop"
            class = "production"
            regions = ["eu-west-1"]
            "#
        ))
        .unwrap()
    }

    #[test]
    fn a_role_session_has_its_role_with_path_and_its_session() {
        let principal = of("role_session_stops_trail");
        assert_eq!(principal.kind, PrincipalKind::AssumedRole);
        assert_eq!(principal.arn.as_deref(), Some("arn:aws:iam::111122223333:role/ops/deployer"));
        assert_eq!(
            (principal.name.as_deref(), principal.session.as_deref()),
            (Some("deployer"), Some("mallory@example"))
        );
        assert_eq!(principal.unique_id.as_deref(), Some("AROAEXAMPLEDEPL:mallory@example"));
        assert_eq!(principal.issued_at.as_deref(), Some("2026-03-04T05:00:00Z"));
        let correlation = "arn:aws:iam::111122223333:role/ops/deployer/mallory@example";
        assert_eq!(principal.correlation().as_deref(), Some(correlation));
    }

    #[test]
    fn a_user_with_a_session_of_its_own_is_still_the_user() {
        let mut identity = examples::read("user_deletes_recovery_point")["userIdentity"].clone();
        identity["accessKeyId"] = json!("ASIAEXAMPLE");
        identity["sessionContext"] = json!({"sessionIssuer": {}, "attributes": {"mfaAuthenticated": "true"}});
        let principal = resolve(&identity);
        assert_eq!((principal.kind, principal.session.as_deref()), (PrincipalKind::IamUser, None));
        assert_eq!(principal.arn.as_deref(), Some("arn:aws:iam::111122223333:user/team/mallory"));
        assert_eq!(principal.correlation(), principal.arn);
    }

    #[test]
    fn reserved_paths_tell_service_linked_and_identity_center_roles() {
        let service = of("service_linked_role_deletes_recovery_point");
        assert_eq!(service.kind, PrincipalKind::ServiceLinkedRole);
        assert!(service.flags.service_linked && service.correlation().is_none());
        let person = of("sso_session_disables_key");
        assert_eq!(person.kind, PrincipalKind::RoleSessionSso);
        assert_eq!(person.source_identity.as_deref(), Some("eve@example.com"));
        assert!(person.correlation().is_some_and(|actor| actor.ends_with("/eve@example.com")));
    }

    #[test]
    fn a_role_cannot_pass_for_service_linked_by_its_name() {
        let identity = json!({"type": "AssumedRole", "arn": "arn:aws:sts::111122223333:assumed-role/AWSServiceRoleForBackup/x",
            "sessionContext": {"sessionIssuer": {"arn": "arn:aws:iam::111122223333:role/AWSServiceRoleForBackup"}}});
        let principal = resolve(&identity);
        assert_eq!((principal.kind, principal.flags.service_linked), (PrincipalKind::AssumedRole, false));
    }

    #[test]
    fn a_service_by_itself_is_nobody_to_contain() {
        let principal = of("service_event_backup_deleted");
        assert_eq!((principal.kind, principal.correlation()), (PrincipalKind::Service, None));
        assert_eq!(principal.invoked_by.as_deref(), Some("backup.amazonaws.com"));
        assert_eq!(resolve(&json!({"type": "AWSService", "invokedBy": "x"})).kind, PrincipalKind::Service);
    }

    #[test]
    fn an_unknown_type_with_a_session_is_read_but_stays_unknown() {
        let principal = of("marketplace_session");
        assert_eq!(principal.kind, PrincipalKind::Unknown);
        assert_eq!(principal.arn.as_deref(), Some("arn:aws:iam::111122223333:role/deployer"));
        assert_eq!(principal.session.as_deref(), Some("mallory@example"));
    }

    #[test]
    fn the_rarer_kinds_are_told_apart() {
        let federated = of("federated_user");
        assert_eq!((federated.kind, federated.name.as_deref()), (PrincipalKind::FederatedUser, Some("mallory")));
        assert_eq!(federated.session.as_deref(), Some("pipeline"));
        let center = of("identity_center_user");
        assert_eq!(center.kind, PrincipalKind::IdentityCenterUser);
        assert_eq!(center.name.as_deref(), Some("90677e0a-1111-4222-8333-444455556666"));
        let stranger = of("external_account");
        assert_eq!((stranger.kind, stranger.account.as_deref()), (PrincipalKind::AwsAccount, Some("999988887777")));
        let root = resolve(&json!({"type": "Root", "accountId": "111122223333", "arn": ""}));
        assert_eq!((root.kind, root.arn.as_deref()), (PrincipalKind::Root, Some("arn:aws:iam::111122223333:root")));
        for (said, kind) in [("SAMLUser", PrincipalKind::SamlUser), ("WebIdentityUser", PrincipalKind::WebIdentityUser)]
        {
            assert_eq!(resolve(&json!({"type": said, "userName": "u", "principalId": "p"})).kind, kind);
        }
    }

    #[test]
    fn somebody_comes_out_of_anything() {
        for odd in [json!(null), json!({}), json!([]), json!({"type": 7, "arn": {}, "sessionContext": "x"})] {
            assert_eq!(resolve(&odd).kind, PrincipalKind::Unknown, "{odd}");
        }
        for arn in ["", "arn", "arn:", "arn:aws:sts::1:assumed-role/", "arn:aws:sts::1:assumed-role//", ":::::"] {
            let principal = resolve(&json!({"type": "AssumedRole", "arn": arn}));
            assert_eq!(principal.kind, PrincipalKind::AssumedRole, "{arn}");
        }
    }

    #[test]
    fn the_agent_is_known_by_role_and_session_and_source_identity_together() {
        let own = examples::read("agent_session_restores_versioning")["userIdentity"].clone();
        let config = config("");
        assert!(resolve(&own).flagged(&config).flags.agent);
        let mut another_session = own.clone();
        another_session["arn"] = json!("arn:aws:sts::111122223333:assumed-role/keepwatch-respond/mallory");
        let mut another_source = own.clone();
        another_source["sessionContext"]["sourceIdentity"] = json!("mallory");
        let mut another_role = own.clone();
        another_role["sessionContext"]["sessionIssuer"]["arn"] = json!("arn:aws:iam::111122223333:role/deployer");
        let mut another_account = own;
        another_account["sessionContext"]["sessionIssuer"]["arn"] =
            json!("arn:aws:iam::999988887777:role/keepwatch-respond");
        for impostor in [another_session, another_source, another_role, another_account] {
            assert!(!resolve(&impostor).flagged(&config).flags.agent, "{impostor}");
        }
    }

    #[test]
    fn break_glass_is_known_by_its_exact_arn() {
        let arn = "arn:aws:iam::111122223333:user/team/mallory";
        assert!(of("user_deletes_recovery_point").flagged(&config(arn)).flags.break_glass);
        assert!(
            !of("user_deletes_recovery_point")
                .flagged(&config("arn:aws:iam::111122223333:user/mallory"))
                .flags
                .break_glass
        );
    }
}
