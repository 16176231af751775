//! What everything that Keepwatch protects has in common: one trait for what a kind of resource
//! is, one for how it is looked at, and one for the changes that can be made to it.
//!
//! All of a kind stands in one file beside this one: which events touch it, how it is read,
//! listed, compared and restored, what its changes say, need and take back. The calls to AWS
//! are the edge's. A new kind is such a file, a file at the edge, its service's client in
//! `aws::clients`, its line in `aws::write`, a variant of [`Kind`], a line of `kinds`, its permissions in
//! `deploy/member.yaml`, and its rules.

use std::collections::BTreeMap;
use std::fmt::{Debug, Formatter, Result as Written};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::place::{Kind, Place};
use crate::domain::cloud_error::CloudError;
use crate::domain::event::Event;
use crate::domain::region::Region;
use crate::domain::undo::Reversible;

/// A kind of resource: what can be said of it without looking.
pub trait ResourceKind: 'static {
    /// The kind.
    const KIND: Kind;
    /// The word for it in rules and messages.
    const NAME: &'static str;
    /// Its service, as ARNs spell it.
    const SERVICE: &'static str;
    /// What stands before its name in an ARN, such as `backup-vault:`.
    const ARN_PREFIX: &'static str;
    /// The IAM permissions that looking at it takes.
    const READS: &'static [&'static str];

    /// Its state, as AWS reports it now.
    type Live: Debug + Clone + PartialEq + Serialize + JsonSchema;
    /// What it should be, as far as anybody declared it: every field may be absent, and the
    /// default says nothing at all.
    type Desired: Debug + Clone + PartialEq + Default + Serialize + DeserializeOwned + JsonSchema + Send + Sync;
    /// What can be changed of it.
    type Change: ResourceChange;

    /// Its ARN.
    #[must_use]
    fn arn(place: &Place) -> String {
        let Place { account, region, name, .. } = place;
        region.arn(Self::SERVICE, account.as_str(), &format!("{}{name}", Self::ARN_PREFIX))
    }

    /// The resources whose state a change in its service may have changed: where to look, not
    /// what is true. None for a kind that no resource rule is about.
    #[must_use]
    fn touched_by(_event: &Event) -> Vec<Place> {
        Vec::new()
    }

    /// Its tags.
    fn tags(live: &Self::Live) -> &BTreeMap<String, String>;

    /// What is declared, and where that is silent, the other.
    #[must_use]
    fn or(declared: Self::Desired, other: Self::Desired) -> Self::Desired;

    /// What a resource that is right should go on being. A weakness is not desired: a bucket
    /// seen without versioning shall not stay without it.
    fn baseline(live: &Self::Live) -> Self::Desired;
}

/// How a kind of resource is looked at through `C`, which reads no more than the kind needs.
///
/// Steps come with what takes them back, read before the change; what is so already is no step.
pub trait Observed<C>: ResourceKind {
    /// The names of those that live in an account's Region.
    fn list(region: &Region, cloud: &C) -> impl Future<Output = Result<Vec<String>, CloudError>> + Send;

    /// The resource as it is now. What should be true says where else to look.
    fn read(
        place: &Place,
        desired: &Self::Desired,
        cloud: &C,
    ) -> impl Future<Output = Result<Self::Live, CloudError>> + Send;

    /// The steps that bring it from what it is to what it should be.
    fn restore(
        place: &Place,
        desired: &Self::Desired,
        cloud: &C,
    ) -> impl Future<Output = Result<Vec<Reversible<Self::Change>>, CloudError>> + Send;

    /// The steps that freeze what is left of it, in the name of an incident.
    fn freeze(
        _place: &Place,
        _incident: &str,
        _cloud: &C,
    ) -> impl Future<Output = Result<Vec<Reversible<Self::Change>>, CloudError>> + Send {
        async { Ok(Vec::new()) }
    }

    /// The steps that make its missing copies.
    fn copy(
        _place: &Place,
        _desired: &Self::Desired,
        _now: Timestamp,
        _cloud: &C,
    ) -> impl Future<Output = Result<Vec<Reversible<Self::Change>>, CloudError>> + Send {
        async { Ok(Vec::new()) }
    }

    /// Whether what is true now is what a change would make true.
    fn is_true(
        change: &Self::Change,
        place: &Place,
        cloud: &C,
    ) -> impl Future<Output = Result<bool, CloudError>> + Send;
}

/// A change to one resource.
pub trait ResourceChange: Debug + Clone + PartialEq + Serialize + DeserializeOwned + Send + Sync {
    /// The IAM permissions that any change of this kind takes.
    const PERMISSIONS: &'static [&'static str];

    /// What it does, in words.
    ///
    /// # Errors
    /// When the text cannot be written.
    fn describe(&self, place: &Place, f: &mut Formatter<'_>) -> Written;

    /// The IAM permissions that carrying it out takes.
    fn permissions(&self) -> &'static [&'static str];

    /// ARNs of what it is done to, as IAM evaluates the calls: all that its session may touch.
    fn arns(&self, place: &Place) -> Vec<String>;

    /// Lines of `- before` and `+ after`, where `before` would take it back. Empty where the
    /// description says it all.
    fn difference(&self, before: Option<&Self>) -> Vec<String>;

    /// Whether it only gives back what a freeze took, and repairs nothing.
    fn is_release(&self) -> bool {
        false
    }
}

/// Something that is done once for each kind.
pub trait ForEachKind {
    /// Does it for one kind.
    fn kind<K: ResourceKind>(&mut self);
}
