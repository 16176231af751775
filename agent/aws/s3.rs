//! Amazon S3: where buckets are, their versioning and lifecycle; and objects of our own.

use std::collections::BTreeMap;

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{
    BucketLifecycleConfiguration, BucketVersioningStatus, LifecycleRule as SdkRule, MfaDeleteStatus,
    VersioningConfiguration,
};

use super::call::ServiceClient;
use super::lifecycle;
use crate::domain::cloud::{BucketPlace, CloudError, Object};
use crate::domain::resource::bucket::Versioning;
use crate::domain::resource::bucket::{BucketLive, LifecycleRule};
use crate::ops::waited;

/// Buckets on one page of the list. S3 names their Regions only where a page size is asked for.
const PAGE: i32 = 1000;

/// The largest object that is read: the agent reads policy bundles and nothing else.
const OBJECT_BYTES: i64 = 64 * 1024 * 1024;

type S3 = ServiceClient<Client>;

/// Every bucket of the account. Ask in us-east-1, which knows them all.
pub async fn buckets(s3: &S3) -> Result<Vec<BucketPlace>, CloudError> {
    let list = || s3.client.list_buckets().max_buckets(PAGE).into_paginator().send().try_collect();
    let pages = s3.ask("s3:ListAllMyBuckets", "*", list).await?;
    let mut places = Vec::new();
    for bucket in pages.into_iter().flat_map(|page| page.buckets.unwrap_or_default()) {
        let Some(name) = bucket.name else { continue };
        let region = match bucket.bucket_region {
            Some(region) => Ok(region),
            None => bucket_region(s3, &name).await,
        };
        match region {
            Ok(region) => places.push(BucketPlace { name, region }),
            Err(CloudError::Gone { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(places)
}

/// The Region that a bucket lives in. Ask in us-east-1, which knows them all.
pub async fn bucket_region(s3: &S3, bucket: &str) -> Result<String, CloudError> {
    let get = || s3.client.get_bucket_location().bucket(bucket).send();
    let answer = s3.ask("s3:GetBucketLocation", bucket, get).await?;
    Ok(region_of(answer.location_constraint.as_ref().map_or("", |location| location.as_str())).to_owned())
}

/// The Region that S3 means: it is older than Regions' names.
fn region_of(location: &str) -> &str {
    match location {
        "" => "us-east-1",
        "EU" => "eu-west-1",
        region => region,
    }
}

/// A bucket's settings. Ask in its own Region.
pub async fn bucket(s3: &S3, bucket: &str) -> Result<BucketLive, CloudError> {
    let ((versioning, mfa_delete), lifecycle, tags) =
        tokio::try_join!(versioning(s3, bucket), lifecycle_rules(s3, bucket), tags(s3, bucket))?;
    Ok(BucketLive { versioning, mfa_delete, lifecycle, tags })
}

async fn versioning(s3: &S3, bucket: &str) -> Result<(Versioning, bool), CloudError> {
    let get = || s3.client.get_bucket_versioning().bucket(bucket).send();
    let answer = s3.ask("s3:GetBucketVersioning", bucket, get).await?;
    let versioning = match answer.status {
        None => Versioning::Unversioned,
        Some(BucketVersioningStatus::Enabled) => Versioning::Enabled,
        Some(_) => Versioning::Suspended,
    };
    Ok((versioning, answer.mfa_delete == Some(MfaDeleteStatus::Enabled)))
}

async fn lifecycle_rules(s3: &S3, bucket: &str) -> Result<Vec<LifecycleRule>, CloudError> {
    let get = || s3.client.get_bucket_lifecycle_configuration().bucket(bucket).send();
    let answer =
        s3.ask_unless(&["NoSuchLifecycleConfiguration"], ("s3:GetLifecycleConfiguration", bucket), get).await?;
    Ok(answer.iter().flat_map(|answer| answer.rules()).map(lifecycle::ours).collect())
}

async fn tags(s3: &S3, bucket: &str) -> Result<BTreeMap<String, String>, CloudError> {
    let get = || s3.client.get_bucket_tagging().bucket(bucket).send();
    let answer = s3.ask_unless(&["NoSuchTagSet"], ("s3:GetBucketTagging", bucket), get).await?;
    let tags = answer.map(|answer| answer.tag_set).unwrap_or_default();
    Ok(tags.into_iter().map(|tag| (tag.key, tag.value)).collect())
}

/// Sets a bucket's versioning. S3 knows no way back to `Unversioned`: that is asked for as
/// `Suspended`, the nearest there is.
pub async fn put_versioning(s3: &S3, bucket: &str, versioning: Versioning) -> Result<(), CloudError> {
    let status = match versioning {
        Versioning::Enabled => BucketVersioningStatus::Enabled,
        Versioning::Suspended | Versioning::Unversioned => BucketVersioningStatus::Suspended,
    };
    let all = VersioningConfiguration::builder().status(status).build();
    let put = || s3.client.put_bucket_versioning().bucket(bucket).versioning_configuration(all.clone()).send();
    s3.ask("s3:PutBucketVersioning", bucket, put).await.map(drop)
}

/// Replaces a bucket's whole lifecycle configuration.
pub async fn put_lifecycle(s3: &S3, bucket: &str, rules: &[LifecycleRule]) -> Result<(), CloudError> {
    const CALL: &str = "s3:PutLifecycleConfiguration";
    let invalid = |detail: String| CloudError::Failed { call: CALL.into(), target: bucket.into(), detail };
    let rules: Vec<SdkRule> = rules.iter().map(lifecycle::theirs).collect::<Result<_, _>>().map_err(invalid)?;
    let all = BucketLifecycleConfiguration::builder().set_rules(Some(rules)).build();
    let all = all.map_err(|error| invalid(error.to_string()))?;
    let put =
        || s3.client.put_bucket_lifecycle_configuration().bucket(bucket).lifecycle_configuration(all.clone()).send();
    s3.ask(CALL, bucket, put).await.map(drop)
}

/// Removes a bucket's lifecycle configuration.
pub async fn delete_lifecycle(s3: &S3, bucket: &str) -> Result<(), CloudError> {
    let delete = || s3.client.delete_bucket_lifecycle().bucket(bucket).send();
    s3.ask("s3:PutLifecycleConfiguration", bucket, delete).await.map(drop)
}

/// The entity tag of an object.
pub async fn object_tag(s3: &S3, bucket: &str, key: &str) -> Result<String, CloudError> {
    let target = format!("{bucket}/{key}");
    let head = || s3.client.head_object().bucket(bucket).key(key).send();
    let answer = s3.ask("s3:GetObject", &target, head).await?;
    answer.e_tag.ok_or_else(|| unreadable(&target, "S3 names no entity tag for it".to_owned()))
}

/// A whole object.
pub async fn object(s3: &S3, bucket: &str, key: &str) -> Result<Object, CloudError> {
    let target = format!("{bucket}/{key}");
    let get = || s3.client.get_object().bucket(bucket).key(key).send();
    let answer = s3.ask("s3:GetObject", &target, get).await?;
    if answer.content_length.is_none_or(|length| length > OBJECT_BYTES) {
        return Err(unreadable(&target, format!("it is larger than {} MiB", OBJECT_BYTES / 1024 / 1024)));
    }
    let tag = answer.e_tag.ok_or_else(|| unreadable(&target, "S3 names no entity tag for it".to_owned()))?;
    let body = waited::during(answer.body.collect()).await;
    let bytes =
        body.map_err(|error| CloudError::Unavailable { call: "s3:GetObject".into(), detail: error.to_string() })?;
    Ok(Object { tag, bytes: bytes.into_bytes().to_vec() })
}

fn unreadable(target: &str, detail: String) -> CloudError {
    CloudError::Failed { call: "s3:GetObject".into(), target: target.to_owned(), detail }
}

#[cfg(test)]
mod tests {
    use crate::aws::s3::region_of;

    #[test]
    fn old_locations_are_regions_too() {
        assert_eq!([region_of(""), region_of("EU"), region_of("eu-south-2")], ["us-east-1", "eu-west-1", "eu-south-2"]);
    }
}
