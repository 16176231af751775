//! Sessions of assumed roles: kept while they are good, renewed before they end, dropped when
//! AWS no longer accepts them. One account's refusal never touches another's session.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::future::ProvideCredentials as Provided;
use aws_sdk_sts::Client;
use aws_sdk_sts::config::{Credentials, ProvideCredentials};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::sts;
use crate::config::Roles;
use crate::domain::account::AccountId;
use crate::domain::action::Action;
use crate::domain::cloud::CloudError;
use crate::domain::principal::AGENT_SESSION_PREFIX;
use crate::domain::region::Partition;
use crate::ops::waited;

/// Longest session name that STS takes.
const NAME_CHARS: usize = 64;
/// How long a session that reads is good for.
const READ_SECONDS: i32 = 3600;
/// How long a session that responds is good for: the shortest that STS gives.
const RESPOND_SECONDS: i32 = 900;
/// How long before its end a session is renewed.
const RENEW_BEFORE_END: Duration = Duration::from_mins(5);
/// How long a session that could not be renewed is used before the next try.
const RENEWAL_PAUSE: Duration = Duration::from_secs(30);

/// What is asked of STS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AssumeRoleRequest {
    pub role_arn: String,
    pub session_name: String,
    pub external_id: String,
    pub seconds: i32,
    /// The session policy, when the session may do less than the role.
    pub policy: Option<String>,
}

impl AssumeRoleRequest {
    /// To read in an account.
    pub fn read(partition: Partition, roles: &Roles, account: &AccountId) -> Self {
        Self {
            role_arn: role_arn(partition, account, &roles.read),
            session_name: session_name("read"),
            external_id: roles.external_id.clone(),
            seconds: READ_SECONDS,
            policy: None,
        }
    }

    /// To carry out this action for this incident, and nothing else.
    pub fn respond(
        partition: Partition,
        roles: &Roles,
        account: &AccountId,
        (incident, action): (&str, &Action),
    ) -> Self {
        Self {
            role_arn: role_arn(partition, account, &roles.respond),
            session_name: session_name(incident),
            external_id: roles.external_id.clone(),
            seconds: RESPOND_SECONDS,
            policy: Some(action.session_policy(partition, account)),
        }
    }
}

fn role_arn(partition: Partition, account: &AccountId, name: &str) -> String {
    partition.global_arn("iam", account.as_str(), &format!("role/{name}"))
}

/// A name that STS takes: what it does not allow becomes a dash.
fn session_name(purpose: &str) -> String {
    let allowed =
        |letter: char| if letter.is_ascii_alphanumeric() || "_+=,.@-".contains(letter) { letter } else { '-' };
    AGENT_SESSION_PREFIX.chars().chain(purpose.chars().map(allowed)).take(NAME_CHARS).collect()
}

/// One role, assumed when first needed.
pub(super) struct Session {
    sts: Client,
    request: AssumeRoleRequest,
    held: Mutex<Option<CachedSession>>,
}

struct CachedSession {
    credentials: Credentials,
    renew_at: Instant,
    ends_at: Instant,
}

impl Session {
    pub fn new(sts: Client, request: AssumeRoleRequest) -> Self {
        Self { sts, request, held: Mutex::new(None) }
    }

    /// Credentials that are good for a while. However many ask at once, STS is asked once.
    pub async fn credentials(&self) -> Result<Credentials, CloudError> {
        waited::during(async {
            let mut held = self.held.lock().await;
            if let Some(good) = held.as_ref().filter(|held| Instant::now() < held.renew_at) {
                return Ok(good.credentials.clone());
            }
            let answer = sts::assume_role(&self.sts, &self.request).await;
            renewed(&mut held, answer, self.request.seconds)
        })
        .await
    }

    /// Drops the session that these credentials belong to, unless another has taken its place.
    pub async fn forget(&self, used: &Credentials) {
        let mut held = self.held.lock().await;
        if held.as_ref().is_some_and(|held| held.credentials.access_key_id() == used.access_key_id()) {
            *held = None;
        }
    }
}

impl CachedSession {
    fn new(credentials: Credentials, seconds: i32) -> Self {
        let now = Instant::now();
        let good_for = Duration::from_secs(seconds.unsigned_abs().into());
        Self { credentials, renew_at: now + good_for.saturating_sub(RENEW_BEFORE_END), ends_at: now + good_for }
    }
}

/// Takes STS's answer. A session that cannot be renewed is used until it really ends.
fn renewed(
    held: &mut Option<CachedSession>,
    answer: Result<Credentials, CloudError>,
    seconds: i32,
) -> Result<Credentials, CloudError> {
    match (answer, held) {
        (Ok(credentials), held) => Ok(held.insert(CachedSession::new(credentials, seconds)).credentials.clone()),
        (Err(_), Some(old)) if Instant::now() < old.ends_at => {
            old.renew_at = Instant::now() + RENEWAL_PAUSE;
            Ok(old.credentials.clone())
        }
        (Err(error), _) => Err(error),
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Session").field(&self.request.role_arn).finish()
    }
}

/// Hands a session's credentials to the SDK's clients, which must not keep them.
#[derive(Debug)]
pub(super) struct FromSession(pub Arc<Session>);

impl ProvideCredentials for FromSession {
    fn provide_credentials<'a>(&'a self) -> Provided<'a>
    where
        Self: 'a,
    {
        Provided::new(async { self.0.credentials().await.map_err(CredentialsError::provider_error) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::resource::key::KeyChange;
    use crate::domain::resource::{Kind, Place};

    const HOUR: i32 = 3600;

    fn key(id: &str) -> Credentials {
        Credentials::new(id, "secret", None, None, "test")
    }

    fn refused() -> CloudError {
        CloudError::Denied { call: "sts:AssumeRole".into(), target: "role".into() }
    }

    #[test]
    fn a_session_name_is_one_that_sts_takes() {
        assert_eq!(session_name("read"), "keepwatch-read");
        assert_eq!(session_name("INC 7/é"), "keepwatch-INC-7--");
        assert_eq!(session_name(&"x".repeat(99)).len(), 64);
    }

    #[test]
    fn a_responding_pass_carries_the_incident_and_only_its_action() {
        let roles = Roles {
            agent: "KeepwatchAgent".into(),
            read: "KeepwatchRead".into(),
            respond: "KeepwatchRespond".into(),
            external_id: "ours".into(),
        };
        let account: AccountId = "111122223333".parse().unwrap();
        let region = Partition::AwsCn.global_region();
        let place = Place { kind: Kind::Key, account: account.clone(), region, name: "k".into() };
        let action = Action::Resource { place, change: KeyChange::Enable.into() };
        for partition in Partition::ALL {
            let read = AssumeRoleRequest::read(partition, &roles, &account);
            assert_eq!(read.role_arn, format!("arn:{partition}:iam::111122223333:role/KeepwatchRead"));
            assert_eq!(read.policy, None);
        }
        let request = AssumeRoleRequest::respond(Partition::AwsCn, &roles, &account, ("INC-1", &action));
        assert_eq!(request.role_arn, "arn:aws-cn:iam::111122223333:role/KeepwatchRespond");
        assert_eq!((request.session_name.as_str(), request.seconds), ("keepwatch-INC-1", 900));
        assert!(request.policy.unwrap().contains("kms:EnableKey"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_is_renewed_five_minutes_before_its_end() {
        let held = CachedSession::new(key("A"), HOUR);
        assert_eq!(held.renew_at, Instant::now() + Duration::from_mins(55));
        assert_eq!(held.ends_at, Instant::now() + Duration::from_mins(60));
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_that_cannot_be_renewed_is_used_until_its_end() {
        let mut held = Some(CachedSession::new(key("A"), HOUR));
        tokio::time::advance(Duration::from_mins(56)).await;
        assert_eq!(renewed(&mut held, Err(refused()), HOUR).unwrap().access_key_id(), "A");
        tokio::time::advance(Duration::from_mins(5)).await;
        assert_eq!(renewed(&mut held, Err(refused()), HOUR), Err(refused()));
        assert_eq!(renewed(&mut held, Ok(key("B")), HOUR).unwrap().access_key_id(), "B");
    }

    #[tokio::test]
    async fn only_the_session_that_was_refused_is_forgotten() {
        let config = aws_sdk_sts::Config::builder().behavior_version_latest().build();
        let request = AssumeRoleRequest {
            role_arn: "role".into(),
            session_name: "keepwatch-read".into(),
            external_id: "ours".into(),
            seconds: HOUR,
            policy: None,
        };
        let session = Session::new(Client::from_conf(config), request);
        *session.held.lock().await = Some(CachedSession::new(key("NEW"), HOUR));
        session.forget(&key("OLD")).await;
        assert_eq!(session.credentials().await.unwrap().access_key_id(), "NEW");
        session.forget(&key("NEW")).await;
        assert!(session.held.lock().await.is_none());
    }
}
