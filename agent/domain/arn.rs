//! ARNs, taken apart.

/// How Identity Center begins the names of its roles.
const SSO_NAME: &str = "AWSReservedSSO_";

/// An ARN in its parts.
pub struct Arn<'a> {
    /// `aws`, `aws-cn` or `aws-us-gov`.
    pub partition: &'a str,
    /// Such as `iam`.
    pub service: &'a str,
    /// The account's id; empty for a bucket.
    pub account: &'a str,
    /// What follows the account.
    pub resource: &'a str,
}

impl<'a> Arn<'a> {
    /// Takes an ARN apart; `None` when it is none.
    #[must_use]
    pub fn read(text: &'a str) -> Option<Self> {
        let mut parts = text.strip_prefix("arn:")?.splitn(5, ':');
        let (partition, service) = (parts.next()?, parts.next()?);
        let (_region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Self { partition, service, account, resource })
    }

    /// The last segment of the resource: a name without path.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.resource.rsplit('/').next().unwrap_or(self.resource)
    }

    /// Role and session of an `assumed-role`; a session's name has no slash.
    #[must_use]
    pub fn session(&self) -> Option<(&'a str, &'a str)> {
        self.resource.strip_prefix("assumed-role/")?.split_once('/').filter(|(_, session)| !session.is_empty())
    }

    /// Whether it is a session of a role that Identity Center made, as far as its name says.
    #[must_use]
    pub fn is_sso_session(&self) -> bool {
        self.session().is_some_and(|(role, _)| role.starts_with(SSO_NAME))
    }

    /// The ARN of the role of an `assumed-role`, without its path.
    #[must_use]
    pub fn role_of_session(&self) -> Option<String> {
        let rest = self.resource.strip_prefix("assumed-role/")?;
        let role = rest.split('/').next().filter(|role| !role.is_empty())?;
        Some(format!("arn:{}:iam::{}:role/{role}", self.partition, self.account))
    }
}
