//! Amazon EventBridge: whether events find their way to the queue.

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::types::{Rule as SdkRule, RuleState};

use super::call::ServiceClient;
use crate::domain::cloud::CloudError;

/// A rule of an event bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// Whether it forwards events.
    pub enabled: bool,
    /// What it matches, as JSON text.
    pub pattern: String,
}

/// Every rule of a bus.
pub(super) async fn rules(events: &ServiceClient<Client>, bus: &str) -> Result<Vec<Rule>, CloudError> {
    let mut all = Vec::new();
    let mut next = None;
    loop {
        let list = || events.client.list_rules().event_bus_name(bus).set_next_token(next.clone()).send();
        let page = events.ask("events:ListRules", bus, list).await?;
        all.extend(page.rules.unwrap_or_default().into_iter().filter_map(rule));
        if page.next_token.is_none() {
            return Ok(all);
        }
        next = page.next_token;
    }
}

fn rule(rule: SdkRule) -> Option<Rule> {
    let enabled = rule.state != Some(RuleState::Disabled);
    Some(Rule { name: rule.name?, enabled, pattern: rule.event_pattern.unwrap_or_default() })
}

/// ARNs of what a rule forwards to.
pub(super) async fn targets(events: &ServiceClient<Client>, bus: &str, rule: &str) -> Result<Vec<String>, CloudError> {
    let mut all = Vec::new();
    let mut next = None;
    loop {
        let list = || {
            let request = events.client.list_targets_by_rule().event_bus_name(bus).rule(rule);
            request.set_next_token(next.clone()).send()
        };
        let page = events.ask("events:ListTargetsByRule", rule, list).await?;
        all.extend(page.targets.unwrap_or_default().into_iter().map(|target| target.arn));
        if page.next_token.is_none() {
            return Ok(all);
        }
        next = page.next_token;
    }
}
