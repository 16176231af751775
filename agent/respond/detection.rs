//! Something to respond to: what was found, about which event or resource, by which rules.

use jiff::Timestamp;

use super::decision::Decision;
use crate::domain::account::Account;
use crate::domain::case::{CaseRecord, CaseSubject, CaseUpdate, DedupKey, EventFacts};
use crate::domain::enrichment::Enrichment;
use crate::domain::event::Event;
use crate::domain::finding::Finding;
use crate::domain::hash;
use crate::domain::plan::Plan;
use crate::domain::region::Region;
use crate::domain::resource::{Live, Place};
use crate::ops::metrics::Stopwatch;
use crate::rules::active::RuleSet;

/// What a case is about.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'a> {
    /// What somebody did.
    Event(&'a Event),
    /// What is true of a resource, and the event that led there, if one did.
    Resource(&'a Place, Option<&'a Event>),
}

impl<'a> Subject<'a> {
    /// The event behind it.
    pub(super) const fn event(&self) -> Option<&'a Event> {
        match self {
            Self::Event(event) => Some(event),
            Self::Resource(_, event) => *event,
        }
    }

    /// What joins cases into an incident.
    #[must_use]
    pub fn correlation(&self, account: &Account) -> String {
        let actor = self.event().and_then(|event| event.principal.correlation());
        let subject = actor.unwrap_or_else(|| match self {
            Self::Event(event) => event.id.clone(),
            Self::Resource(place, _) => place.arn(),
        });
        format!("{}/{subject}", account.id)
    }

    /// What makes the case the same case again. What was only observed is another case than what is
    /// reported.
    pub(super) fn dedup_key(&self, plan: &Plan, findings: &[Finding], reported: bool) -> DedupKey {
        match (self, plan.proposed, plan.steps.is_empty()) {
            (Self::Event(event), false, _) => event_key(event),
            (Self::Event(Event { id, account, .. }), true, _) => {
                DedupKey::EventApproval { event: id.clone(), account: account.clone() }
            }
            (Self::Resource(place, _), false, false) => DedupKey::Resource { arn: place.arn() },
            (Self::Resource(place, _), true, _) => DedupKey::ResourceApproval { arn: place.arn() },
            (Self::Resource(place, _), false, true) => {
                let said: Vec<&str> = findings.iter().map(|finding| finding.message.as_str()).collect();
                DedupKey::Drift { arn: place.arn(), findings: hash::digest(&said.join("\n")), reported }
            }
        }
    }

    /// What the case's record says it is about.
    fn of_record(&self) -> CaseSubject {
        match self {
            Self::Event(event) => CaseSubject::Event { event: Box::new(EventFacts::of(event)) },
            Self::Resource(place, cause) => {
                CaseSubject::Resource { arn: place.arn(), cause: cause.map(|event| Box::new(EventFacts::of(event))) }
            }
        }
    }

    const fn region(&self) -> Option<&Region> {
        match self {
            Self::Event(event) => event.region.as_ref(),
            Self::Resource(place, _) => Some(&place.region),
        }
    }
}

/// Something to respond to.
#[derive(Debug, Clone, Copy)]
pub struct Detection<'a> {
    /// The account it happened in.
    pub account: &'a Account,
    /// What it is about.
    pub subject: Subject<'a>,
    /// The rules that evaluated it: all that follows goes by them, whatever is in force by then.
    pub rules: &'a RuleSet,
    /// What they found.
    pub findings: &'a [Finding],
    /// The resource as the rules saw it, when it is about one.
    pub live: Option<&'a Live>,
    /// Measures how long containment took to begin.
    pub stopwatch: &'a Stopwatch<'a>,
}

impl Detection<'_> {
    /// The case as it is known before anything is done.
    pub(super) fn case(&self, decision: &Decision, at: Timestamp) -> CaseRecord {
        CaseRecord {
            subject: self.subject.of_record(),
            update: CaseUpdate::Response,
            at,
            account: self.account.id.clone(),
            account_name: self.account.name.clone(),
            region: self.subject.region().cloned(),
            bundle: Some(self.rules.policies.digest().to_owned()),
            findings: self.findings.to_vec(),
            reasons: decision.reasons.clone(),
            plan: None,
            steps: Vec::new(),
            enrichment: Enrichment::default(),
            people: Vec::new(),
        }
    }
}

/// What makes an event the same event again.
#[must_use]
pub fn event_key(event: &Event) -> DedupKey {
    DedupKey::Event { event: event.id.clone(), account: event.account.clone() }
}
