//! AWS CloudTrail: trails, what they select, and the event history that runs without them.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_cloudtrail::Client;
use aws_sdk_cloudtrail::operation::lookup_events::LookupEventsOutput;
use aws_sdk_cloudtrail::primitives::DateTime;
use aws_sdk_cloudtrail::types::{Event, LookupAttribute, LookupAttributeKey, Trail};
use jiff::Timestamp;
use serde_json::Value;

use super::call::ServiceClient;
use super::{selectors, timestamp};
use crate::domain::account::AccountId;
use crate::domain::cloud::{Caller, CloudError, PastCall, RecentCalls};
use crate::domain::resource::trail::{Selectors, TrailLive, TrailSettings};

/// Most events that one look at the history returns.
const HISTORY_EVENTS: usize = 2000;
/// The call that looks at the history, as IAM spells it.
const LOOKUP: &str = "cloudtrail:LookupEvents";
/// AWS allows two looks at the history a second.
const HISTORY_PAUSE: Duration = Duration::from_millis(500);

type CloudTrail = ServiceClient<Client>;

/// Names of an account's own trails whose home this Region is. An organisation's trail shows
/// in every member account, but belongs to one.
pub async fn trails(cloudtrail: &CloudTrail, account: &AccountId, region: &str) -> Result<Vec<String>, CloudError> {
    let describe = || cloudtrail.client.describe_trails().include_shadow_trails(false).send();
    let answer = cloudtrail.ask("cloudtrail:DescribeTrails", "*", describe).await?;
    let own = |trail: &Trail| {
        trail.home_region() == Some(region)
            && trail.trail_arn().is_some_and(|arn| arn.split(':').nth(4) == Some(account.as_str()))
    };
    Ok(answer.trail_list.unwrap_or_default().into_iter().filter(own).filter_map(|trail| trail.name).collect())
}

/// A trail's settings and whether it delivers.
pub async fn trail(cloudtrail: &CloudTrail, name: &str) -> Result<TrailLive, CloudError> {
    let trail = described(cloudtrail, name).await?;
    let arn = trail.trail_arn().unwrap_or(name);
    let (logging, selectors, tags) =
        tokio::try_join!(is_logging(cloudtrail, name), event_selectors(cloudtrail, name), tags(cloudtrail, arn))?;
    Ok(TrailLive { logging, settings: TrailSettings { selectors, ..settings(&trail) }, tags })
}

async fn described(cloudtrail: &CloudTrail, name: &str) -> Result<Trail, CloudError> {
    let describe = || cloudtrail.client.describe_trails().trail_name_list(name).include_shadow_trails(false).send();
    let answer = cloudtrail.ask("cloudtrail:DescribeTrails", name, describe).await?;
    let found = answer.trail_list.unwrap_or_default().into_iter().next();
    found.ok_or_else(|| CloudError::Gone { target: name.to_owned() })
}

fn settings(trail: &Trail) -> TrailSettings {
    let set = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
    TrailSettings {
        bucket: trail.s3_bucket_name().unwrap_or_default().to_owned(),
        prefix: set(trail.s3_key_prefix()),
        multi_region: trail.is_multi_region_trail().unwrap_or_default(),
        global_service_events: trail.include_global_service_events().unwrap_or_default(),
        log_file_validation: trail.log_file_validation_enabled().unwrap_or_default(),
        organization: trail.is_organization_trail().unwrap_or_default(),
        kms_key: set(trail.kms_key_id()),
        selectors: None,
    }
}

async fn is_logging(cloudtrail: &CloudTrail, name: &str) -> Result<bool, CloudError> {
    let get = || cloudtrail.client.get_trail_status().name(name).send();
    let answer = cloudtrail.ask("cloudtrail:GetTrailStatus", name, get).await?;
    Ok(answer.is_logging.unwrap_or_default())
}

async fn event_selectors(cloudtrail: &CloudTrail, name: &str) -> Result<Option<Selectors>, CloudError> {
    let get = || cloudtrail.client.get_event_selectors().trail_name(name).send();
    let answer = cloudtrail.ask("cloudtrail:GetEventSelectors", name, get).await?;
    Ok(selectors::ours(answer.event_selectors(), answer.advanced_event_selectors()))
}

async fn tags(cloudtrail: &CloudTrail, arn: &str) -> Result<BTreeMap<String, String>, CloudError> {
    let list = || cloudtrail.client.list_tags().resource_id_list(arn).into_paginator().items().send().try_collect();
    let resources = cloudtrail.ask("cloudtrail:ListTags", arn, list).await?;
    let tags = resources.into_iter().flat_map(|resource| resource.tags_list.unwrap_or_default());
    Ok(tags.map(|tag| (tag.key, tag.value.unwrap_or_default())).collect())
}

/// Changes since a moment, newest first, as CloudTrail recorded them.
pub async fn event_history(cloudtrail: &CloudTrail, since: Timestamp) -> Result<Vec<Value>, CloudError> {
    let mut found = Vec::new();
    let mut page = history_page(cloudtrail, since, None).await?;
    loop {
        found.extend(page.events.unwrap_or_default().iter().map(record));
        let Some(next) = page.next_token.filter(|token| !token.is_empty()) else {
            return Ok(found);
        };
        if found.len() >= HISTORY_EVENTS {
            tracing::warn!(events = found.len(), %since, "the event history is longer than what is read of it at once");
            return Ok(found);
        }
        tokio::time::sleep(HISTORY_PAUSE).await;
        page = history_page(cloudtrail, since, Some(next)).await?;
    }
}

async fn history_page(
    cloudtrail: &CloudTrail,
    since: Timestamp,
    next: Option<String>,
) -> Result<LookupEventsOutput, CloudError> {
    let changes = attribute(LookupAttributeKey::ReadOnly, "false")?;
    let lookup = || {
        let request = cloudtrail.client.lookup_events().lookup_attributes(changes.clone());
        request.start_time(DateTime::from_secs(since.as_second())).set_next_token(next.clone()).send()
    };
    cloudtrail.ask(LOOKUP, "*", lookup).await
}

fn attribute(key: LookupAttributeKey, value: &str) -> Result<LookupAttribute, CloudError> {
    let attribute = LookupAttribute::builder().attribute_key(key).attribute_value(value).build();
    attribute.map_err(|error| failed(LOOKUP, "*", error.to_string()))
}

/// The newest page of a principal's calls, reading ones too.
pub async fn calls_of(cloudtrail: &CloudTrail, caller: &Caller) -> Result<RecentCalls, CloudError> {
    let wanted = match caller {
        Caller::AccessKey(key) => attribute(LookupAttributeKey::AccessKeyId, key)?,
        Caller::Name(name) => attribute(LookupAttributeKey::Username, name)?,
    };
    let lookup = || cloudtrail.client.lookup_events().lookup_attributes(wanted.clone()).send();
    let page = cloudtrail.ask(LOOKUP, "*", lookup).await?;
    let calls = page.events.unwrap_or_default().iter().filter_map(past_call).collect();
    Ok(RecentCalls { calls, more: page.next_token.is_some_and(|token| !token.is_empty()) })
}

/// `None` for an event without a moment: it cannot be placed.
fn past_call(event: &Event) -> Option<PastCall> {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let at = event.event_time().and_then(timestamp)?;
    Some(PastCall { id: text(event.event_id()), name: text(event.event_name()), at })
}

/// The record inside an event. One that is not JSON is handed on as it is: nobody but its
/// reader may drop it.
fn record(event: &Event) -> Value {
    let text = event.cloud_trail_event().unwrap_or_default();
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// Makes a trail with its selectors. One that is there already, because an earlier try was
/// cut short, gets its selectors.
pub async fn create_trail(cloudtrail: &CloudTrail, name: &str, settings: &TrailSettings) -> Result<(), CloudError> {
    let create = || {
        let request = cloudtrail.client.create_trail().name(name).s3_bucket_name(&settings.bucket);
        request
            .set_s3_key_prefix(settings.prefix.clone())
            .include_global_service_events(settings.global_service_events)
            .is_multi_region_trail(settings.multi_region)
            .enable_log_file_validation(settings.log_file_validation)
            .is_organization_trail(settings.organization)
            .set_kms_key_id(settings.kms_key.clone())
            .send()
    };
    let there = ["TrailAlreadyExistsException"];
    cloudtrail.ask_unless(&there, ("cloudtrail:CreateTrail", name), create).await?;
    put_event_selectors(cloudtrail, name, settings.selectors.as_ref()).await
}

/// Sets every setting of a trail, and its selectors. What shall not be set is emptied.
pub async fn update_trail(cloudtrail: &CloudTrail, name: &str, settings: &TrailSettings) -> Result<(), CloudError> {
    let update = || {
        let request = cloudtrail.client.update_trail().name(name).s3_bucket_name(&settings.bucket);
        request
            .s3_key_prefix(settings.prefix.as_deref().unwrap_or_default())
            .include_global_service_events(settings.global_service_events)
            .is_multi_region_trail(settings.multi_region)
            .enable_log_file_validation(settings.log_file_validation)
            .is_organization_trail(settings.organization)
            .kms_key_id(settings.kms_key.as_deref().unwrap_or_default())
            .send()
    };
    cloudtrail.ask("cloudtrail:UpdateTrail", name, update).await?;
    put_event_selectors(cloudtrail, name, settings.selectors.as_ref()).await
}

/// Sets a trail's selectors, if there are any: CloudTrail keeps one kind, so one is sent.
async fn put_event_selectors(
    cloudtrail: &CloudTrail,
    name: &str,
    selectors: Option<&Selectors>,
) -> Result<(), CloudError> {
    const CALL: &str = "cloudtrail:PutEventSelectors";
    let Some(selectors) = selectors else { return Ok(()) };
    let advanced = selectors::their_advanced(selectors).map_err(|error| failed(CALL, name, error.to_string()))?;
    let put = || {
        let request = cloudtrail.client.put_event_selectors().trail_name(name);
        if advanced.is_empty() {
            request.set_event_selectors(Some(selectors::their_basic(selectors))).send()
        } else {
            request.set_advanced_event_selectors(Some(advanced.clone())).send()
        }
    };
    cloudtrail.ask(CALL, name, put).await.map(drop)
}

/// Starts a trail's delivery.
pub async fn start_logging(cloudtrail: &CloudTrail, name: &str) -> Result<(), CloudError> {
    let start = || cloudtrail.client.start_logging().name(name).send();
    cloudtrail.ask("cloudtrail:StartLogging", name, start).await.map(drop)
}

/// Stops a trail's delivery.
pub async fn stop_logging(cloudtrail: &CloudTrail, name: &str) -> Result<(), CloudError> {
    let stop = || cloudtrail.client.stop_logging().name(name).send();
    cloudtrail.ask("cloudtrail:StopLogging", name, stop).await.map(drop)
}

fn failed(call: &str, target: &str, detail: String) -> CloudError {
    CloudError::Failed { call: call.to_owned(), target: target.to_owned(), detail }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_record_is_parsed_and_what_is_none_is_handed_on() {
        let event = |text: &str| Event::builder().cloud_trail_event(text).build();
        assert_eq!(record(&event(r#"{"eventName":"StopLogging"}"#)), json!({"eventName": "StopLogging"}));
        assert_eq!(record(&event("{cut")), json!("{cut"));
    }

    #[test]
    fn an_empty_key_is_none() {
        let trail = Trail::builder().s3_bucket_name("logs").kms_key_id("").s3_key_prefix("org").build();
        let read = settings(&trail);
        assert_eq!((read.bucket.as_str(), read.prefix.as_deref(), read.kms_key), ("logs", Some("org"), None));
    }
}
