//! A management or data event that CloudTrail recorded, as everybody here knows it.

use jiff::Timestamp;
use serde_json::Value;

use super::account::AccountId;
use super::principal::Principal;
use super::region::Region;

/// A management or data event that CloudTrail recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// CloudTrail's `eventID`; that of the first record when this one amends it, and a digest of
    /// the record when it has none.
    pub id: String,
    /// `eventSource` in lower case, such as `backup.amazonaws.com`.
    pub source: String,
    /// `eventName`, as CloudTrail spells it.
    pub name: String,
    /// When the call was made.
    pub time: Timestamp,
    /// `awsRegion`; none when the record does not say.
    pub region: Option<Region>,
    /// The account whose trail holds the record: `recipientAccountId`, else the caller's.
    pub account: AccountId,
    /// Whether the call only read. A record that does not say may have written.
    pub read_only: bool,
    /// `errorCode`, when the call failed; `Failure` for a sign-in that did, which has none.
    pub error_code: Option<String>,
    /// Where the call came from: an IP address or a service's name.
    pub source_ip: Option<String>,
    /// The caller's user agent.
    pub user_agent: Option<String>,
    /// Who made the call.
    pub principal: Principal,
    /// The whole record: normalised and redacted, with CloudTrail's own field names.
    pub record: Value,
}

impl Event {
    /// Whether the call did not succeed.
    #[must_use]
    pub const fn failed(&self) -> bool {
        self.error_code.is_some()
    }

    /// Whether the session was opened with MFA, where the record says so.
    #[must_use]
    pub fn mfa(&self) -> Option<bool> {
        let said = self.record.pointer("/userIdentity/sessionContext/attributes/mfaAuthenticated")?;
        said.as_bool().or_else(|| said.as_str()?.parse().ok())
    }

    /// A request parameter that is a non-empty string.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.record.get("requestParameters")?.get(name)?.as_str().filter(|text| !text.is_empty())
    }
}
