//! AWS STS: who the agent is, and the roles it assumes.

use aws_sdk_sts::Client;
use aws_sdk_sts::config::Credentials;

use super::error::sort;
use super::sessions::AssumeRoleRequest;
use crate::domain::account::AccountId;
use crate::domain::cloud::CloudError;
use crate::domain::principal::AGENT_SOURCE_IDENTITY;
use crate::ops::waited;

/// Whom AWS takes the agent for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The agent's own account.
    pub account: AccountId,
    /// ARN of its user or role session.
    pub arn: String,
}

/// Assumes a role.
pub(super) async fn assume_role(sts: &Client, request: &AssumeRoleRequest) -> Result<Credentials, CloudError> {
    let call = sts
        .assume_role()
        .role_arn(&request.role_arn)
        .role_session_name(&request.session_name)
        .external_id(&request.external_id)
        .source_identity(AGENT_SOURCE_IDENTITY)
        .duration_seconds(request.seconds)
        .set_policy(request.policy.clone());
    let answer = waited::during(Box::pin(call.send()))
        .await
        .map_err(|error| sort("sts:AssumeRole", &request.role_arn, &error))?;
    let given = answer.credentials.ok_or_else(|| CloudError::Failed {
        call: "sts:AssumeRole".into(),
        target: request.role_arn.clone(),
        detail: "the answer holds no credentials".into(),
    })?;
    Ok(Credentials::new(given.access_key_id, given.secret_access_key, Some(given.session_token), None, "keepwatch"))
}

/// Who the agent is.
pub(super) async fn caller_identity(sts: &Client) -> Result<Identity, CloudError> {
    const CALL: &str = "sts:GetCallerIdentity";
    let answer = waited::during(Box::pin(sts.get_caller_identity().send()))
        .await
        .map_err(|error| sort(CALL, "the agent", &error))?;
    let account = answer.account().unwrap_or_default().parse().map_err(|error| CloudError::Failed {
        call: CALL.into(),
        target: "the agent".into(),
        detail: format!("{error}"),
    })?;
    Ok(Identity { account, arn: answer.arn.unwrap_or_default() })
}
