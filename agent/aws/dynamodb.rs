//! Amazon DynamoDB: what protects tables.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{PointInTimeRecoverySpecification, PointInTimeRecoveryStatus, TableDescription};

use super::call::ServiceClient;
use super::read::Reader;
use crate::domain::cloud::CloudError;
use crate::domain::region::Region;
use crate::domain::resource::Place;
use crate::domain::resource::table::{ReadTables, TableChange, TableLive};

/// The window of a table whose window was never said.
const DEFAULT_RECOVERY_DAYS: i32 = 35;

type DynamoDb = ServiceClient<Client>;

impl ReadTables for Reader {
    async fn tables(&self, region: &Region) -> Result<Vec<String>, CloudError> {
        tables(self.clients(region).dynamodb()).await
    }

    async fn table(&self, region: &Region, name: &str) -> Result<TableLive, CloudError> {
        table(self.clients(region).dynamodb(), name).await
    }
}

/// Carries out a change to a table.
pub async fn change(dynamodb: &DynamoDb, place: &Place, change: &TableChange) -> Result<(), CloudError> {
    match change {
        TableChange::SetRecoveryDays(days) => update_continuous_backups(dynamodb, &place.name, *days).await,
        TableChange::SetDeletionProtection(protection) => update_table(dynamodb, &place.name, *protection).await,
    }
}

/// Names of the tables of the Region.
async fn tables(dynamodb: &DynamoDb) -> Result<Vec<String>, CloudError> {
    let list = || dynamodb.client.list_tables().into_paginator().items().send().try_collect();
    dynamodb.ask("dynamodb:ListTables", "*", list).await
}

/// A table's protection.
async fn table(dynamodb: &DynamoDb, name: &str) -> Result<TableLive, CloudError> {
    let (table, recovery_days) = tokio::try_join!(described(dynamodb, name), recovery_days(dynamodb, name))?;
    let tags = tags(dynamodb, table.table_arn().unwrap_or(name)).await?;
    Ok(TableLive {
        status: table.table_status().map_or_else(String::new, |status| status.as_str().to_owned()),
        recovery_days,
        deletion_protection: table.deletion_protection_enabled().unwrap_or_default(),
        tags,
    })
}

async fn described(dynamodb: &DynamoDb, name: &str) -> Result<TableDescription, CloudError> {
    let describe = || dynamodb.client.describe_table().table_name(name).send();
    let answer = dynamodb.ask("dynamodb:DescribeTable", name, describe).await?;
    answer.table.ok_or_else(|| CloudError::Gone { target: name.to_owned() })
}

/// How many days point-in-time recovery may reach back. `ContinuousBackupsStatus` is always on
/// and says nothing.
async fn recovery_days(dynamodb: &DynamoDb, name: &str) -> Result<Option<i32>, CloudError> {
    let describe = || dynamodb.client.describe_continuous_backups().table_name(name).send();
    let answer = dynamodb.ask("dynamodb:DescribeContinuousBackups", name, describe).await?;
    let recovery = answer.continuous_backups_description.and_then(|backups| backups.point_in_time_recovery_description);
    let on = recovery.filter(|one| one.point_in_time_recovery_status == Some(PointInTimeRecoveryStatus::Enabled));
    Ok(on.map(|recovery| recovery.recovery_period_in_days.unwrap_or(DEFAULT_RECOVERY_DAYS)))
}

async fn tags(dynamodb: &DynamoDb, arn: &str) -> Result<BTreeMap<String, String>, CloudError> {
    let mut tags = BTreeMap::new();
    let mut next = None;
    loop {
        let list = || dynamodb.client.list_tags_of_resource().resource_arn(arn).set_next_token(next.clone()).send();
        let page = dynamodb.ask("dynamodb:ListTagsOfResource", arn, list).await?;
        tags.extend(page.tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)));
        next = page.next_token.filter(|token| !token.is_empty());
        if next.is_none() {
            return Ok(tags);
        }
    }
}

/// Turns point-in-time recovery on, with a window of so many days.
async fn update_continuous_backups(dynamodb: &DynamoDb, name: &str, days: i32) -> Result<(), CloudError> {
    const CALL: &str = "dynamodb:UpdateContinuousBackups";
    let wanted = PointInTimeRecoverySpecification::builder().point_in_time_recovery_enabled(true);
    let wanted = wanted.recovery_period_in_days(days).build().map_err(|error| CloudError::Failed {
        call: CALL.to_owned(),
        target: name.to_owned(),
        detail: error.to_string(),
    })?;
    let update = || {
        let request = dynamodb.client.update_continuous_backups().table_name(name);
        request.point_in_time_recovery_specification(wanted.clone()).send()
    };
    dynamodb.ask(CALL, name, update).await.map(drop)
}

/// Turns a table's deletion protection on or off.
async fn update_table(dynamodb: &DynamoDb, name: &str, protection: bool) -> Result<(), CloudError> {
    let update = || dynamodb.client.update_table().table_name(name).deletion_protection_enabled(protection).send();
    dynamodb.ask("dynamodb:UpdateTable", name, update).await.map(drop)
}
