//! AWS's Regions, and the partitions that they make up: parts of AWS that share no account, no
//! name and no credential with each other.

use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

use super::arn::Arn;

/// A part of AWS with names of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Partition {
    /// The commercial one, `aws`.
    Aws,
    /// China, `aws-cn`.
    AwsCn,
    /// GovCloud, `aws-us-gov`.
    AwsUsGov,
}

impl Partition {
    /// Every partition.
    pub const ALL: [Self; 3] = [Self::Aws, Self::AwsCn, Self::AwsUsGov];

    /// What ARNs call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::AwsCn => "aws-cn",
            Self::AwsUsGov => "aws-us-gov",
        }
    }

    /// The partition of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|partition| partition.name() == name)
    }

    /// The partition that a Region of this name lies in.
    #[must_use]
    pub fn of_region(region: &str) -> Self {
        if region.starts_with("cn-") {
            Self::AwsCn
        } else if region.starts_with("us-gov-") {
            Self::AwsUsGov
        } else {
            Self::Aws
        }
    }

    /// The Region in which IAM lives and S3 knows every bucket.
    #[must_use]
    pub fn global_region(self) -> Region {
        let name = match self {
            Self::Aws => "us-east-1",
            Self::AwsCn => "cn-north-1",
            Self::AwsUsGov => "us-gov-west-1",
        };
        Region(name.to_owned())
    }

    /// Under which domain the console is found.
    #[must_use]
    pub const fn console_domain(self) -> &'static str {
        match self {
            Self::Aws => "console.aws.amazon.com",
            Self::AwsCn => "console.amazonaws.cn",
            Self::AwsUsGov => "console.amazonaws-us-gov.com",
        }
    }

    /// An ARN in this partition, of what has no Region.
    #[must_use]
    pub fn global_arn(self, service: &str, account: &str, resource: &str) -> String {
        Arn { partition: self.name(), service, region: "", account, resource }.to_string()
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A Region's name, such as `eu-west-1`. Never empty: AWS takes no request that is signed for
/// no Region.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Region(String);

/// A text that is no Region's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the name of a Region of `aws`, `aws-cn` or `aws-us-gov`: it takes one such as `eu-west-1`")]
pub struct NotARegion(String);

impl Region {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The partition that it lies in.
    #[must_use]
    pub fn partition(&self) -> Partition {
        Partition::of_region(&self.0)
    }

    /// The ARN of something in it.
    #[must_use]
    pub fn arn(&self, service: &str, account: &str, resource: &str) -> String {
        Arn { partition: self.partition().name(), service, region: &self.0, account, resource }.to_string()
    }
}

/// Whether a text has the form of a Region's name: an area of a known partition, a direction and
/// a number. Which Regions there are, AWS alone knows.
fn is_region(text: &str) -> bool {
    const DIRECTIONS: [&str; 9] =
        ["central", "east", "north", "northeast", "northwest", "south", "southeast", "southwest", "west"];
    const OTHER_PARTITIONS: [&str; 3] = ["us-iso", "eu-iso", "eusc-"];
    let mut parts = text.rsplitn(3, '-');
    let (number, direction, area) = (parts.next(), parts.next(), parts.next());
    let is_area = |area: &str| area.len() >= 2 && area.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    number.is_some_and(|number| (1..=2).contains(&number.len()) && number.bytes().all(|digit| digit.is_ascii_digit()))
        && direction.is_some_and(|direction| DIRECTIONS.contains(&direction))
        && area.is_some_and(is_area)
        && !OTHER_PARTITIONS.iter().any(|prefix| text.starts_with(prefix))
}

impl FromStr for Region {
    type Err = NotARegion;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if is_region(text) { Ok(Self(text.to_owned())) } else { Err(NotARegion(text.to_owned())) }
    }
}

impl Deref for Region {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Region {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_says_its_partition_and_a_partition_where_its_global_services_are() {
        for (region, partition) in [
            ("eu-west-1", Partition::Aws),
            ("cn-northwest-1", Partition::AwsCn),
            ("us-gov-east-1", Partition::AwsUsGov),
            ("us-east-1", Partition::Aws),
        ] {
            assert_eq!(region.parse::<Region>().unwrap().partition(), partition);
        }
        for partition in Partition::ALL {
            assert_eq!(partition.global_region().partition(), partition);
            assert_eq!(Partition::named(partition.name()), Some(partition));
        }
        assert_eq!(Partition::named("aws-elsewhere"), None);
    }

    #[test]
    fn a_region_is_never_empty_and_never_something_else() {
        for not in [
            "",
            "-",
            "global",
            "eu west-1",
            "EU-WEST-1",
            "eu-west-1-",
            "arn:aws",
            "eu-centrall-1",
            "us-iso-east-1",
            "eusc-de-east-1",
        ] {
            assert_eq!(not.parse::<Region>(), Err(NotARegion(not.to_owned())));
            assert!(serde_json::from_value::<Region>(not.into()).is_err(), "{not}");
        }
    }
}
