//! What Keepwatch protects, as AWS reports it now, and what it should be.
//!
//! Events say where to look ([`touched_by`]); the live state says what is true ([`read`]). All
//! of a kind stands in its own file; here a kind is one line of `kinds`. Nothing here decides
//! whether a state is right.

pub mod bucket;
pub mod difference;
pub mod key;
pub mod kind;
pub mod place;
pub mod table;
mod target;
pub mod trail;
pub mod vault;

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::kind::{ForEachKind, Observed, ResourceChange, ResourceKind};
use super::account::AccountId;
use super::cloud_error::CloudError;
use super::event::Event;
use super::region::Region;
use super::undo::Reversible;

pub use self::place::{Kind, Place};
pub use self::target::Target;

/// What is made of the list of kinds: an enum over their states, one over what is declared of
/// them and one over their changes, and `of_kind`, which hands a value to its own kind `K`.
/// The dollar before the list is what `of_kind` marks its own parameters with.
macro_rules! kinds {
    ($d:tt $($kind:ident in $file:ident, read by $reads:ident;)+) => {
        /// A resource's state, as AWS reports it now.
        #[derive(Debug, Clone, PartialEq, Serialize)]
        #[serde(untagged)]
        pub enum Live {
            $(#[doc = concat!("Of a ", stringify!($file), ".")]
            $kind(<$file::$kind as ResourceKind>::Live)),+
        }

        /// What a resource should be, as far as anybody declared it: a strategy's words, or the
        /// last approved baseline.
        #[derive(Debug, Clone, PartialEq, Serialize)]
        #[serde(untagged)]
        pub enum Desired {
            $(#[doc = concat!("Of a ", stringify!($file), ".")]
            $kind(<$file::$kind as ResourceKind>::Desired)),+
        }

        /// A change to a resource.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "lowercase")]
        pub enum Change {
            $(#[doc = concat!("Of a ", stringify!($file), ".")]
            $kind(<$file::$kind as ResourceKind>::Change)),+
        }

        $(impl From<<$file::$kind as ResourceKind>::Live> for Live {
            fn from(live: <$file::$kind as ResourceKind>::Live) -> Self {
                Self::$kind(live)
            }
        }
        impl From<<$file::$kind as ResourceKind>::Desired> for Desired {
            fn from(desired: <$file::$kind as ResourceKind>::Desired) -> Self {
                Self::$kind(desired)
            }
        }
        impl From<<$file::$kind as ResourceKind>::Change> for Change {
            fn from(change: <$file::$kind as ResourceKind>::Change) -> Self {
                Self::$kind(change)
            }
        })+

        /// What is read of all kinds.
        pub trait ReadResources: $($file::$reads +)+ {}
        impl<C: $($file::$reads +)+> ReadResources for C {}

        impl Kind {
            /// Every kind, in the order in which a sweep reads them.
            pub const ALL: &'static [Self] = &[$(Self::$kind),+];
        }

        impl Desired {
            /// What is declared here, and where it is silent, the other.
            #[must_use]
            pub fn or(self, other: Self) -> Self {
                match (self, other) {
                    $((Self::$kind(this), Self::$kind(other)) => Self::$kind($file::$kind::or(this, other)),)+
                    (this, _) => this,
                }
            }
        }

        impl Change {
            /// Lines of `- before` and `+ after`; `before` would take it back.
            #[must_use]
            pub fn difference(&self, before: Option<&Self>) -> Vec<String> {
                match (self, before) {
                    $((Self::$kind(change), Some(Self::$kind(before))) => change.difference(Some(before)),
                    (Self::$kind(change), _) => change.difference(None),)+
                }
            }
        }

        macro_rules! of_kind {
            ($d value:expr, $d over:ident => $d body:expr) => {
                match $d value {
                    $($d over::$kind => {
                        type K = $file::$kind;
                        $d body
                    })+
                }
            };
            ($d value:expr, $d over:ident($d inner:pat) => $d body:expr) => {
                match $d value {
                    $($d over::$kind($d inner) => {
                        type K = $file::$kind;
                        $d body
                    })+
                }
            };
        }
    };
}

kinds! { $
    Trail in trail, read by ReadTrails;
    Vault in vault, read by ReadVaults;
    Bucket in bucket, read by ReadBuckets;
    Key in key, read by ReadKeys;
    Table in table, read by ReadTables;
}

impl Kind {
    /// The kind of what an ARN of this service names, and the resource's name: an ARN may name
    /// what is only a part of it.
    fn of_arn<'a>(service: &str, resource: &'a str) -> Option<(Self, &'a str)> {
        let named = |kind: &Self| {
            let (its_service, prefix) = of_kind!(kind, Self => (K::SERVICE, K::ARN_PREFIX));
            let rest = resource.strip_prefix(prefix).filter(|_| its_service == service)?;
            Some((*kind, rest.split('/').next().unwrap_or_default()))
        };
        Self::ALL.iter().find_map(named)
    }

    /// The word for it in rules and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        of_kind!(self, Self => K::NAME)
    }

    /// Its service, as ARNs spell it.
    #[must_use]
    pub const fn service(self) -> &'static str {
        of_kind!(self, Self => K::SERVICE)
    }
}

impl Place {
    /// The resource's ARN.
    #[must_use]
    pub fn arn(&self) -> String {
        of_kind!(self.kind, Kind => K::arn(self))
    }
}

impl Live {
    /// The resource's tags.
    #[must_use]
    pub fn tags(&self) -> &BTreeMap<String, String> {
        of_kind!(self, Self(live) => K::tags(live))
    }

    /// What the resource should go on being, if it is right.
    #[must_use]
    pub fn baseline(&self) -> Desired {
        of_kind!(self, Self(live) => K::baseline(live).into())
    }
}

impl Desired {
    /// Nothing is declared of a resource of this kind.
    #[must_use]
    pub fn silent(kind: Kind) -> Self {
        of_kind!(kind, Kind => <K as ResourceKind>::Desired::default().into())
    }

    /// Reads what is declared of a resource of this kind.
    ///
    /// # Errors
    /// When the kind knows no such field, or a value is of another type.
    pub fn read(kind: Kind, declared: Value) -> serde_json::Result<Self> {
        of_kind!(kind, Kind => serde_json::from_value::<<K as ResourceKind>::Desired>(declared).map(Self::from))
    }

    /// The kind of resource that it is about.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        of_kind!(self, Self(_) => K::KIND)
    }

    /// Whether nothing at all is declared.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        *self == Self::silent(self.kind())
    }
}

impl Change {
    /// The kind of resource that it changes.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        of_kind!(self, Self(_) => K::KIND)
    }

    /// The IAM permissions that carrying it out takes.
    #[must_use]
    pub fn permissions(&self) -> &'static [&'static str] {
        of_kind!(self, Self(change) => <K as ResourceKind>::Change::permissions(change))
    }

    /// ARNs of what it is done to, as IAM evaluates the calls: all that its session may touch.
    #[must_use]
    pub fn arns(&self, place: &Place) -> Vec<String> {
        of_kind!(self, Self(change) => <K as ResourceKind>::Change::arns(change, place))
    }

    /// Whether it only gives back what a freeze took, and repairs nothing.
    #[must_use]
    pub fn is_release(&self) -> bool {
        of_kind!(self, Self(change) => <K as ResourceKind>::Change::is_release(change))
    }

    /// What it does, in words.
    ///
    /// # Errors
    /// When the text cannot be written.
    pub fn describe(&self, place: &Place, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        of_kind!(self, Self(change) => <K as ResourceKind>::Change::describe(change, place, f))
    }

    /// Whether what is true now is what it would make true.
    ///
    /// # Errors
    /// When the account cannot be read.
    pub async fn is_true(&self, place: &Place, cloud: &impl ReadResources) -> Result<bool, CloudError> {
        of_kind!(self, Self(change) => K::is_true(change, place, cloud).await)
    }
}

/// Does something once for each kind.
pub fn for_each_kind(what: &mut impl ForEachKind) {
    for kind in Kind::ALL {
        of_kind!(kind, Kind => what.kind::<K>());
    }
}

/// The resources whose state an event may have changed: where to look, not what is true.
#[must_use]
pub fn touched_by(event: &Event) -> Vec<Place> {
    if event.read_only || event.failed() {
        return Vec::new();
    }
    let service = event.source.strip_suffix(".amazonaws.com");
    let of_service = |kind: &&Kind| service == Some(of_kind!(kind, Kind => K::SERVICE));
    Kind::ALL.iter().filter(of_service).flat_map(|kind| of_kind!(kind, Kind => K::touched_by(event))).collect()
}

/// Reads a resource as it is now. What should be true says where else to look.
///
/// # Errors
/// [`CloudError::Gone`] when it does not exist, otherwise as the cloud answers.
pub async fn read(place: &Place, desired: &Desired, cloud: &impl ReadResources) -> Result<Live, CloudError> {
    of_kind!(desired, Desired(desired) => K::read(place, desired, cloud).await.map(Live::from))
}

/// Every resource of one kind in an account's Region, each listed once.
///
/// # Errors
/// As the cloud answers.
pub async fn list(
    kind: Kind,
    account: &AccountId,
    region: &Region,
    cloud: &impl ReadResources,
) -> Result<Vec<Place>, CloudError> {
    let names = of_kind!(kind, Kind => K::list(region, cloud).await?);
    let place = |name| Place { kind, account: account.clone(), region: region.clone(), name };
    Ok(names.into_iter().map(place).collect())
}

/// The steps that bring a resource from what it is to what it should be.
///
/// # Errors
/// When the account cannot be read, or nobody knows how to bring it back.
pub async fn restore(
    place: &Place,
    desired: &Desired,
    cloud: &impl ReadResources,
) -> Result<Vec<Reversible<Change>>, CloudError> {
    of_kind!(desired, Desired(desired) => K::restore(place, desired, cloud).await.map(of_any_kind))
}

/// The steps that freeze what is left of a resource, in the name of an incident.
///
/// # Errors
/// When the account cannot be read.
pub async fn freeze(
    place: &Place,
    incident: &str,
    cloud: &impl ReadResources,
) -> Result<Vec<Reversible<Change>>, CloudError> {
    of_kind!(place.kind, Kind => K::freeze(place, incident, cloud).await.map(of_any_kind))
}

/// The steps that make a resource's missing copies.
///
/// # Errors
/// When the account cannot be read.
pub async fn copy(
    place: &Place,
    desired: &Desired,
    now: Timestamp,
    cloud: &impl ReadResources,
) -> Result<Vec<Reversible<Change>>, CloudError> {
    of_kind!(desired, Desired(desired) => K::copy(place, desired, now, cloud).await.map(of_any_kind))
}

fn of_any_kind<C: Into<Change>>(steps: Vec<Reversible<C>>) -> Vec<Reversible<Change>> {
    steps.into_iter().map(|(change, undo)| (change.into(), undo.map(Into::into))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_spelt_alike_and_found_again_by_its_arn() {
        for kind in Kind::ALL.iter().copied() {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
            assert_eq!((Desired::silent(kind).kind(), Desired::silent(kind).is_silent()), (kind, true));
        }
    }

    #[test]
    fn what_is_declared_of_a_kind_is_read_by_that_kind() {
        let read = |kind, text: &str| Desired::read(kind, serde_json::from_str(text).unwrap());
        let bucket = read(Kind::Bucket, r#"{"versioning": "Enabled", "class": null}"#).unwrap();
        assert_eq!((bucket.kind(), bucket.is_silent()), (Kind::Bucket, false));
        assert!(read(Kind::Vault, r#"{"versioning": "Enabled"}"#).is_err());
        let silent = Desired::silent(Kind::Bucket);
        assert_eq!((silent.clone().or(bucket.clone()), bucket.clone().or(silent)), (bucket.clone(), bucket));
    }
}
