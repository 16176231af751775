//! A DynamoDB table: how far back it can be restored, and whether it can be deleted.

use std::collections::BTreeMap;
use std::fmt::{Formatter, Result as Written};
use std::future::Future;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::difference::{on, replaced};
use super::kind::{Observed, ResourceChange, ResourceKind};
use super::place::{Kind, Place};
use crate::domain::arn::Arn;
use crate::domain::cloud_error::CloudError;
use crate::domain::event::Event;
use crate::domain::region::Region;
use crate::domain::undo::{Reversible, by, keep};

/// The longest window of point-in-time recovery, in days. Source: API reference of DynamoDB,
/// `PointInTimeRecoverySpecification`.
const LONGEST_DAYS: i32 = 35;

/// DynamoDB tables.
pub struct Table;

/// What is read of tables.
pub trait ReadTables: Send + Sync {
    /// Names of the tables of a Region.
    fn tables(&self, region: &Region) -> impl Future<Output = Result<Vec<String>, CloudError>> + Send;
    /// A table's protection.
    fn table(&self, region: &Region, table: &str) -> impl Future<Output = Result<TableLive, CloudError>> + Send;
}

/// A table as DynamoDB reports it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct TableLive {
    /// `ACTIVE`, `UPDATING`, `DELETING`, …
    pub status: String,
    /// How many days point-in-time recovery may reach back; none while it is off.
    pub recovery_days: Option<i32>,
    /// Whether the table is protected from deletion.
    pub deletion_protection: bool,
    /// The table's tags.
    #[serde(skip)]
    pub tags: BTreeMap<String, String>,
}

/// What a table should be.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TableDesired {
    /// How many days point-in-time recovery must reach back at least, 1 to 35.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "days")]
    pub recovery_days: Option<i32>,
    /// Whether the table is protected from deletion.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_protection: Option<bool>,
}

/// A change to a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TableChange {
    /// Turn point-in-time recovery on, with a window of so many days.
    SetRecoveryDays(i32),
    /// Protect the table from deletion, or no longer.
    SetDeletionProtection(bool),
}

impl ResourceKind for Table {
    const KIND: Kind = Kind::Table;
    const NAME: &'static str = "table";
    const SERVICE: &'static str = "dynamodb";
    const ARN_PREFIX: &'static str = "table/";
    const READS: &'static [&'static str] = &[
        "dynamodb:DescribeContinuousBackups",
        "dynamodb:DescribeTable",
        "dynamodb:ListTables",
        "dynamodb:ListTagsOfResource",
    ];

    type Live = TableLive;
    type Desired = TableDesired;
    type Change = TableChange;

    /// DynamoDB takes a table's ARN for its name too. That of another account's table is left to
    /// the record which that account gets of the same call.
    fn touched_by(event: &Event) -> Vec<Place> {
        let settings = ["CreateTable", "DeleteTable", "UpdateContinuousBackups", "UpdateTable"];
        let is_setting = settings.contains(&event.name.as_str());
        let named = Place::named_by(event, Kind::Table, "tableName").filter(|_| is_setting);
        named
            .map(|named| by_arn(&named).unwrap_or(named))
            .filter(|place| place.account == event.account)
            .into_iter()
            .collect()
    }

    fn tags(live: &TableLive) -> &BTreeMap<String, String> {
        &live.tags
    }

    fn or(declared: TableDesired, other: TableDesired) -> TableDesired {
        TableDesired {
            recovery_days: declared.recovery_days.or(other.recovery_days),
            deletion_protection: declared.deletion_protection.or(other.deletion_protection),
        }
    }

    fn baseline(live: &TableLive) -> TableDesired {
        TableDesired {
            recovery_days: live.recovery_days,
            deletion_protection: live.deletion_protection.then_some(true),
        }
    }
}

/// The table that a place is of which the name is a table's ARN.
fn by_arn(named: &Place) -> Option<Place> {
    let Arn { region, account, resource, .. } = Arn::read(&named.name)?;
    let name = resource.strip_prefix(Table::ARN_PREFIX)?.to_owned();
    Some(Place { kind: Kind::Table, account: account.parse().ok()?, region: region.parse().ok()?, name })
}

impl<C: ReadTables> Observed<C> for Table {
    async fn list(region: &Region, cloud: &C) -> Result<Vec<String>, CloudError> {
        cloud.tables(region).await
    }

    async fn read(place: &Place, _: &TableDesired, cloud: &C) -> Result<TableLive, CloudError> {
        cloud.table(&place.region, &place.name).await
    }

    /// The window first: from then on nothing more is lost. A longer one than desired stays.
    async fn restore(
        place: &Place,
        desired: &TableDesired,
        cloud: &C,
    ) -> Result<Vec<Reversible<TableChange>>, CloudError> {
        let live = cloud.table(&place.region, &place.name).await?;
        let window = desired.recovery_days.filter(|days| live.recovery_days < Some(*days));
        let window = window.map(|days| keep(TableChange::SetRecoveryDays(days), &kept(live.recovery_days)));
        let set = TableChange::SetDeletionProtection;
        let protection = desired.deletion_protection.filter(|wanted| *wanted != live.deletion_protection);
        let protection = protection.map(|wanted| by(set(wanted), set(live.deletion_protection)));
        Ok(window.into_iter().chain(protection).collect())
    }

    async fn is_true(change: &TableChange, place: &Place, cloud: &C) -> Result<bool, CloudError> {
        let live = cloud.table(&place.region, &place.name).await?;
        Ok(match change {
            TableChange::SetRecoveryDays(days) => live.recovery_days == Some(*days),
            TableChange::SetDeletionProtection(protection) => live.deletion_protection == *protection,
        })
    }
}

impl ResourceChange for TableChange {
    const PERMISSIONS: &'static [&'static str] = &["dynamodb:UpdateContinuousBackups", "dynamodb:UpdateTable"];

    fn describe(&self, Place { name, .. }: &Place, f: &mut Formatter<'_>) -> Written {
        match self {
            Self::SetRecoveryDays(days) => {
                write!(f, "turn on point-in-time recovery of table `{name}` over {days} day(s)")
            }
            Self::SetDeletionProtection(protection) => {
                write!(f, "turn deletion protection of table `{name}` {}", on(*protection))
            }
        }
    }

    fn permissions(&self) -> &'static [&'static str] {
        match self {
            Self::SetRecoveryDays(_) => &["dynamodb:UpdateContinuousBackups"],
            Self::SetDeletionProtection(_) => &["dynamodb:UpdateTable"],
        }
    }

    fn arns(&self, place: &Place) -> Vec<String> {
        vec![Table::arn(place)]
    }

    fn difference(&self, before: Option<&Self>) -> Vec<String> {
        match (before, self) {
            (Some(Self::SetDeletionProtection(old)), Self::SetDeletionProtection(new)) => {
                replaced("deletion protection", on(*old), on(*new))
            }
            (_, Self::SetDeletionProtection(_) | Self::SetRecoveryDays(_)) => Vec::new(),
        }
    }
}

/// Why a window is not made smaller again: DynamoDB drops at once what no longer fits into it.
fn kept(before: Option<i32>) -> String {
    let was = before.map_or_else(|| "recovery was off".to_owned(), |days| format!("the window was {days} day(s)"));
    format!("{was}; to take it back would destroy what the new window keeps")
}

/// A window that DynamoDB takes.
fn days<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i32>, D::Error> {
    let days = Option::<i32>::deserialize(deserializer)?;
    match days {
        Some(days) if !(1..=LONGEST_DAYS).contains(&days) => {
            Err(serde::de::Error::custom(format!("`recovery_days` must be 1 to {LONGEST_DAYS}, not {days}")))
        }
        days => Ok(days),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An account with one table.
    struct One(TableLive);

    impl ReadTables for One {
        async fn tables(&self, _: &Region) -> Result<Vec<String>, CloudError> {
            Ok(vec!["sessions".to_owned()])
        }

        async fn table(&self, _: &Region, _: &str) -> Result<TableLive, CloudError> {
            Ok(self.0.clone())
        }
    }

    async fn steps(recovery_days: Option<i32>, deletion_protection: bool) -> Vec<String> {
        let account = "111122223333".parse().expect("an account");
        let place =
            Place { kind: Kind::Table, account, region: "eu-west-1".parse().unwrap(), name: "sessions".to_owned() };
        let desired = TableDesired { recovery_days: Some(7), deletion_protection: Some(true) };
        let live = TableLive { status: "ACTIVE".to_owned(), recovery_days, deletion_protection, tags: BTreeMap::new() };
        let steps = Table::restore(&place, &desired, &One(live)).await.expect("it can be read");
        steps.into_iter().map(|(change, undo)| format!("{change:?}, undone by {undo:?}")).collect()
    }

    #[tokio::test]
    async fn what_is_missing_is_restored_and_only_what_destroys_nothing_is_undone() {
        insta::assert_snapshot!(steps(None, false).await.join("\n"), @r#"
        SetRecoveryDays(7), undone by Keep { because: "recovery was off; to take it back would destroy what the new window keeps" }
        SetDeletionProtection(true), undone by By { action: SetDeletionProtection(false) }
        "#);
        assert_eq!(steps(Some(1), true).await.len(), 1);
    }

    #[tokio::test]
    async fn a_window_is_never_made_smaller() {
        assert_eq!(steps(Some(35), true).await, [""; 0]);
    }

    #[test]
    fn a_window_that_dynamodb_does_not_have_is_an_error() {
        let read = |days: i32| serde_json::from_str::<TableDesired>(&format!("{{\"recovery_days\": {days}}}"));
        assert_eq!(read(35).expect("the longest").recovery_days, Some(35));
        for days in [0, 36] {
            assert!(read(days).expect_err("no such window").to_string().contains("must be 1 to 35"));
        }
    }
}
