//! One CloudTrail record as text.

use std::fmt::Write as _;

use super::actor::Actor;
use super::calls::{Call, Class};
use super::random::Random;
use super::template::Place;

/// One call, about to be written down.
pub struct Record<'a> {
    pub class: Class,
    pub call: &'a Call,
    pub actor: &'a Actor,
    pub place: Place<'a>,
    pub time: &'a str,
}

impl Record<'_> {
    /// Writes the record and gives back its `eventID`.
    pub fn write(&self, random: &mut Random, into: &mut String) -> String {
        let Self { call, actor, place, .. } = self;
        // Failures among the calls that rules ask for would be findings, or not, of their own.
        let denied = matches!(self.class, Class::Read | Class::Write) && random.below(50) == 0;
        into.push_str(r#"{"eventVersion":"1.11","userIdentity":"#);
        into.push_str(&actor.identity);
        let _ = write!(
            into,
            r#","eventTime":"{}","eventSource":"{}","eventName":"{}","awsRegion":"{}","sourceIPAddress":"{}","userAgent":"{}","#,
            self.time, call.source, call.name, place.region, actor.address, actor.agent
        );
        if denied {
            self.refusal(into);
        } else {
            self.outcome(random, into);
        }
        let id = self.ending(random, into);
        self.connection(into);
        into.push('}');
        id
    }

    fn refusal(&self, into: &mut String) {
        let Self { call: Call { source, name, .. }, place, .. } = self;
        let service = source.split('.').next().unwrap_or(source);
        let _ = write!(
            into,
            r#""errorCode":"AccessDenied","errorMessage":"User: arn:aws:sts::{0}:assumed-role/checkout-reader/session is not authorized to perform: {service}:{name} on resource: arn:aws:{service}:{1}:{0}:* because no identity-based policy allows the {service}:{name} action","requestParameters":null,"responseElements":null,"#,
            place.account.id, place.region
        );
    }

    fn outcome(&self, random: &mut Random, into: &mut String) {
        let Self { call, place, .. } = self;
        into.push_str(r#""requestParameters":"#);
        call.request.fill(place, random, into);
        into.push_str(r#","responseElements":"#);
        call.response.fill(place, random, into);
        if let Some(additional) = &call.additional {
            into.push_str(r#","additionalEventData":"#);
            additional.fill(place, random, into);
        }
        into.push(',');
    }

    fn ending(&self, random: &mut Random, into: &mut String) -> String {
        let (mut request, mut event) = (String::new(), String::new());
        random.uuid(&mut request);
        random.uuid(&mut event);
        let read_only = self.class == Class::Read;
        let _ = write!(into, r#""requestID":"{request}","eventID":"{event}","readOnly":{read_only},"#);
        if let Some(resources) = &self.call.resources {
            into.push_str(r#""resources":"#);
            resources.fill(&self.place, random, into);
            into.push(',');
        }
        let kind = if self.call.source == "signin.amazonaws.com" { "AwsConsoleSignIn" } else { "AwsApiCall" };
        let _ = write!(
            into,
            r#""eventType":"{kind}","managementEvent":true,"recipientAccountId":"{}","eventCategory":"Management""#,
            self.place.account.id
        );
        event
    }

    fn connection(&self, into: &mut String) {
        if self.actor.client {
            if self.actor.address.starts_with("10.") {
                let account = &self.place.account.id;
                let _ = write!(into, r#","vpcEndpointId":"vpce-0a1b2c3d4e5f60718","vpcEndpointAccountId":"{account}""#);
            }
            let service = self.call.source.trim_end_matches(".amazonaws.com");
            let _ = write!(
                into,
                r#","tlsDetails":{{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"{service}.{}.amazonaws.com"}}"#,
                self.place.region
            );
        }
    }
}
