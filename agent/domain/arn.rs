//! ARNs, taken apart and put together.

use std::fmt;

/// How Identity Center begins the names of its roles.
const SSO_NAME: &str = "AWSReservedSSO_";

/// An ARN in its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arn<'a> {
    /// `aws`, `aws-cn` or `aws-us-gov`.
    pub partition: &'a str,
    /// Such as `iam`.
    pub service: &'a str,
    /// Its Region; empty for what has none, and for a bucket.
    pub region: &'a str,
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
        let (region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Self { partition, service, region, account, resource })
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
        let resource = &format!("role/{role}");
        Some(Arn { partition: self.partition, service: "iam", region: "", account: self.account, resource }.to_string())
    }
}

impl fmt::Display for Arn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { partition, service, region, account, resource } = self;
        write!(f, "arn:{partition}:{service}:{region}:{account}:{resource}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_apart_goes_together_again() {
        for arn in [
            "arn:aws:iam::111122223333:role/ops/deployer",
            "arn:aws-cn:backup:cn-north-1:111122223333:backup-vault:main",
            "arn:aws-us-gov:s3:::bucket",
        ] {
            assert_eq!(Arn::read(arn).unwrap().to_string(), arn);
        }
        assert_eq!(Arn::read("arn:aws:s3"), None);
    }

    #[test]
    fn a_sessions_role_is_in_the_sessions_partition() {
        for partition in ["aws", "aws-cn", "aws-us-gov"] {
            let session = format!("arn:{partition}:sts::111122223333:assumed-role/deployer/mallory");
            let role = format!("arn:{partition}:iam::111122223333:role/deployer");
            assert_eq!(Arn::read(&session).unwrap().role_of_session(), Some(role));
        }
    }
}
