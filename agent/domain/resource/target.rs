//! What an ARN names, before anybody looked where it is.
//!
//! A bucket's ARN names no Region, and S3 answers about a bucket in its own Region only: so a
//! [`Target`] becomes a [`Place`] by asking.

use super::{Kind, Place};
use crate::domain::account::AccountId;
use crate::domain::arn::Arn;
use crate::domain::cloud::{CloudError, CloudRead};
use crate::domain::region::{Partition, Region};

/// A resource that an ARN names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    /// What kind it is.
    pub kind: Kind,
    /// The partition it is in.
    pub partition: Partition,
    /// The account that owns it.
    pub account: AccountId,
    /// Its Region; a bucket's ARN names none.
    region: Option<Region>,
    /// Its name; for a key, the key id.
    pub name: String,
}

impl Target {
    /// The resource that an ARN names, seen from an account: S3's ARNs name no owner.
    /// `None` for kinds that have no states, and where a Region should stand and does not.
    #[must_use]
    pub fn from_arn(arn: &str, seen_from: &AccountId) -> Option<Self> {
        let Arn { partition, service, region, account, resource } = Arn::read(arn)?;
        let (kind, name) = match service {
            "backup" => (Kind::Vault, resource.strip_prefix("backup-vault:")?),
            "s3" => (Kind::Bucket, resource.split('/').next()?),
            "kms" => (Kind::Key, resource.strip_prefix("key/")?),
            "cloudtrail" => (Kind::Trail, resource.strip_prefix("trail/")?),
            _ => return None,
        };
        let region = if region.is_empty() { None } else { Some(region.parse().ok()?) };
        if name.is_empty() || (region.is_none() && kind != Kind::Bucket) {
            return None;
        }
        let account = if account.is_empty() { seen_from.clone() } else { account.parse().ok()? };
        Some(Self { kind, partition: Partition::named(partition)?, account, region, name: name.to_owned() })
    }

    /// Where it is, if its ARN says so.
    #[must_use]
    pub fn place(&self) -> Option<Place> {
        self.region.clone().map(|region| self.in_region(region))
    }

    /// Where it is. Asks for the Region of a bucket.
    ///
    /// # Errors
    /// [`CloudError::Gone`] when there is no such bucket, otherwise as the cloud answers.
    pub async fn locate(&self, cloud: &impl CloudRead) -> Result<Place, CloudError> {
        match self.place() {
            Some(place) => Ok(place),
            None => Ok(self.in_region(cloud.bucket_region(&self.name).await?)),
        }
    }

    /// Its ARN.
    #[must_use]
    pub fn arn(&self) -> String {
        match self.place() {
            Some(place) => place.arn(),
            None => self.partition.global_arn("s3", "", &self.name),
        }
    }

    fn in_region(&self, region: Region) -> Place {
        Place { kind: self.kind, account: self.account.clone(), region, name: self.name.clone() }
    }
}

impl From<&Place> for Target {
    fn from(place: &Place) -> Self {
        let Place { kind, account, region, name } = place.clone();
        Self { kind, partition: region.partition(), account, region: Some(region), name }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> AccountId {
        "111122223333".parse().unwrap()
    }

    #[test]
    fn every_kind_is_found_by_its_arn_in_every_partition() {
        for partition in Partition::ALL {
            let region = partition.global_region();
            for (kind, arn) in [
                (Kind::Vault, format!("arn:{partition}:backup:{region}:111122223333:backup-vault:main")),
                (Kind::Key, format!("arn:{partition}:kms:{region}:111122223333:key/main")),
                (Kind::Trail, format!("arn:{partition}:cloudtrail:{region}:111122223333:trail/main")),
                (Kind::Bucket, format!("arn:{partition}:s3:::main")),
            ] {
                let target = Target::from_arn(&arn, &account()).unwrap();
                assert_eq!((target.kind, target.partition, target.name.as_str()), (kind, partition, "main"));
                assert_eq!(target.arn(), arn);
                let place = target.in_region(region.clone());
                assert_eq!(place.arn(), arn, "where it is changes nothing of its name");
                assert_eq!(Target::from(&place).arn(), arn);
            }
        }
    }

    #[test]
    fn only_a_bucket_may_be_somewhere() {
        for arn in [
            "arn:aws:kms::111122223333:key/main",
            "arn:aws:backup::111122223333:backup-vault:main",
            "arn:aws:sqs:eu-west-1:111122223333:queue",
            "arn:aws-elsewhere:s3:::main",
            "arn:aws:s3:::",
            "main",
        ] {
            assert_eq!(Target::from_arn(arn, &account()), None, "{arn}");
        }
        let object = Target::from_arn("arn:aws:s3:::main/a/b", &account()).unwrap();
        assert_eq!((object.name.as_str(), object.place()), ("main", None));
    }
}
