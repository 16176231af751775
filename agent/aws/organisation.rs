//! AWS Organizations: which accounts there are.

use aws_sdk_organizations::Client;
use aws_sdk_organizations::types::Account;

use super::call::ServiceClient;
use crate::domain::account::AccountId;
use crate::domain::cloud::CloudError;

/// An account of the organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its id.
    pub id: AccountId,
    /// What the organisation calls it.
    pub name: String,
    /// `ACTIVE`, `SUSPENDED`, `PENDING_CLOSURE`, …
    pub status: String,
}

/// Every account of the organisation. Only its management account and delegated
/// administrators may ask.
pub(super) async fn accounts(organizations: &ServiceClient<Client>) -> Result<Vec<Member>, CloudError> {
    let list = || organizations.client.list_accounts().into_paginator().send().try_collect();
    let pages = organizations.ask("organizations:ListAccounts", "the organisation", list).await?;
    Ok(pages.into_iter().flat_map(|page| page.accounts.unwrap_or_default()).filter_map(member).collect())
}

/// `state` is the newer of two fields that say the same.
fn member(account: Account) -> Option<Member> {
    let state = account.state.as_ref().map(|state| state.as_str());
    let status = state.or_else(|| account.status.as_ref().map(|status| status.as_str())).unwrap_or_default().to_owned();
    Some(Member { id: account.id?.parse().ok()?, name: account.name.unwrap_or_default(), status })
}
