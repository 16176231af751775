//! AWS KMS: customer managed keys, whether they work, and how to keep them.

use std::collections::BTreeMap;

use aws_sdk_kms::Client;
use aws_sdk_kms::types::{KeyManagerType, KeyMetadata};

use super::call::ServiceClient;
use super::timestamp;
use crate::domain::cloud::CloudError;
use crate::domain::resource::key::KeyLive;

type Kms = ServiceClient<Client>;

/// ARNs of the customer managed keys of the Region.
pub async fn keys(kms: &Kms) -> Result<Vec<String>, CloudError> {
    let list = || kms.client.list_keys().into_paginator().items().send().try_collect();
    let listed = kms.ask("kms:ListKeys", "*", list).await?;
    let mut ours = Vec::new();
    for arn in listed.into_iter().filter_map(|key| key.key_arn) {
        if is_customers(kms, &arn).await? {
            ours.push(arn);
        }
    }
    Ok(ours)
}

/// Whether the customer manages a key. AWS's own keys let everybody in their account look,
/// so one that does not is the customer's.
async fn is_customers(kms: &Kms, key: &str) -> Result<bool, CloudError> {
    match describe(kms, key).await {
        Ok(found) => Ok(found.key_manager == Some(KeyManagerType::Customer)),
        Err(CloudError::Denied { .. }) => Ok(true),
        Err(CloudError::Gone { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

async fn describe(kms: &Kms, key: &str) -> Result<KeyMetadata, CloudError> {
    let describe = || kms.client.describe_key().key_id(key).send();
    let answer = kms.ask("kms:DescribeKey", key, describe).await?;
    answer.key_metadata.ok_or_else(|| CloudError::Gone { target: key.to_owned() })
}

/// A key's state.
pub async fn key(kms: &Kms, key: &str) -> Result<KeyLive, CloudError> {
    let (found, tags) = tokio::try_join!(describe(kms, key), tags(kms, key))?;
    Ok(KeyLive {
        state: found.key_state.map_or_else(String::new, |state| state.as_str().to_owned()),
        deletion_date: found.deletion_date.as_ref().and_then(timestamp),
        tags,
    })
}

async fn tags(kms: &Kms, key: &str) -> Result<BTreeMap<String, String>, CloudError> {
    let list = || kms.client.list_resource_tags().key_id(key).into_paginator().items().send().try_collect();
    let tags = kms.ask("kms:ListResourceTags", key, list).await?;
    Ok(tags.into_iter().map(|tag| (tag.tag_key, tag.tag_value)).collect())
}

/// Calls off a key's scheduled deletion.
pub async fn cancel_deletion(kms: &Kms, key: &str) -> Result<(), CloudError> {
    kms.ask("kms:CancelKeyDeletion", key, || kms.client.cancel_key_deletion().key_id(key).send()).await.map(drop)
}

/// Lets a key encrypt and decrypt again.
pub async fn enable(kms: &Kms, key: &str) -> Result<(), CloudError> {
    kms.ask("kms:EnableKey", key, || kms.client.enable_key().key_id(key).send()).await.map(drop)
}

/// Makes a key unusable.
pub async fn disable(kms: &Kms, key: &str) -> Result<(), CloudError> {
    kms.ask("kms:DisableKey", key, || kms.client.disable_key().key_id(key).send()).await.map(drop)
}
