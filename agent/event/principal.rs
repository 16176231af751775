//! Who made a call: the identity that containment would act on.
//!
//! It reads one `userIdentity` and believes nothing else: who assumed the role before is
//! another record's business, and whether the principal may be contained is `decision`'s.

use serde_json::Value;

use super::fields::{at, owned, text};
use crate::domain::arn::Arn;
use crate::domain::principal::{Flags, Principal, PrincipalKind};

/// How the resource of a service-linked role's ARN begins: IAM reserves the path.
const SERVICE_LINKED_PATH: &str = "role/aws-service-role/";
/// How the resource of an Identity Center role's ARN begins: IAM reserves the path.
const SSO_PATH: &str = "role/aws-reserved/sso.amazonaws.com/";

/// Finds out who a `userIdentity` is. Whatever it holds, somebody comes out: at worst
/// [`PrincipalKind::Unknown`] with nothing known.
#[must_use]
pub fn resolve(user_identity: &Value) -> Principal {
    let context = at(user_identity, "sessionContext");
    let issuer = at(context, "sessionIssuer");
    let caller = text(user_identity, "arn").and_then(Arn::read);
    let issued_by = text(issuer, "arn").and_then(Arn::read);
    let seen = UserIdentity { user_identity, issuer, caller, issued_by };
    let kind = seen.kind();
    let arn = seen.arn(kind);
    let service_linked =
        arn.as_deref().and_then(Arn::read).is_some_and(|arn| arn.resource.starts_with(SERVICE_LINKED_PATH));
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

/// A `userIdentity` and the two ARNs in it, taken apart.
struct UserIdentity<'a> {
    user_identity: &'a Value,
    issuer: &'a Value,
    caller: Option<Arn<'a>>,
    issued_by: Option<Arn<'a>>,
}

impl UserIdentity<'_> {
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
        let path_says = |path| self.issued_by.as_ref().is_some_and(|role| role.resource.starts_with(path));
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
            PrincipalKind::Unknown => self.role_arn().or_else(|| owned(self.user_identity, "arn")),
            // Without an ARN nothing says in which partition it is, so none is made up.
            PrincipalKind::IamUser
            | PrincipalKind::Root
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::event::examples;

    fn of(example: &str) -> Principal {
        resolve(&examples::read(example)["userIdentity"])
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
    fn only_a_path_that_begins_with_a_reserved_one_is_reserved() {
        for reserved in ["aws-service-role/backup.amazonaws.com", "aws-reserved/sso.amazonaws.com"] {
            let arn = format!("arn:aws:iam::111122223333:role/x/{reserved}/r");
            let principal = resolve(&json!({"type": "AssumedRole", "sessionContext": {"sessionIssuer": {"arn": arn}}}));
            assert_eq!((principal.kind, principal.flags.service_linked), (PrincipalKind::AssumedRole, false), "{arn}");
        }
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
    fn the_rarer_kinds_are_distinguished() {
        let federated = of("federated_user");
        assert_eq!((federated.kind, federated.name.as_deref()), (PrincipalKind::FederatedUser, Some("mallory")));
        assert_eq!(federated.session.as_deref(), Some("pipeline"));
        let center = of("identity_center_user");
        assert_eq!(center.kind, PrincipalKind::IdentityCenterUser);
        assert_eq!(center.name.as_deref(), Some("90677e0a-1111-4222-8333-444455556666"));
        let stranger = of("external_account");
        assert_eq!((stranger.kind, stranger.account.as_deref()), (PrincipalKind::AwsAccount, Some("999988887777")));
        let root = json!({"type": "Root", "accountId": "111122223333", "principalId": "111122223333", "arn": ""});
        let root = resolve(&root);
        assert_eq!((root.kind, root.arn.as_deref()), (PrincipalKind::Root, None), "nothing says which partition");
        assert_eq!(root.correlation().as_deref(), Some("111122223333"));
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
}
