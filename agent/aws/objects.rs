//! Amazon S3: what lies in a bucket, and its content. With the agent's own credentials.

use aws_config::Region;
use aws_sdk_s3::Client;

use super::call::ServiceClient;
use super::settings::SdkSettings;
use crate::domain::cloud::CloudError;

/// The Region that answers for every bucket, if only to say where it is.
const ANYWHERE: &str = "us-east-1";

/// A bucket that is only read.
pub struct Objects {
    s3: ServiceClient<Client>,
    bucket: String,
}

/// A page of what lies below a prefix: a thousand keys at most.
#[derive(Debug)]
pub struct Listing {
    /// Keys and sizes in bytes, in the order of the keys.
    pub objects: Vec<(String, u64)>,
    /// Prefixes one level further down, where a level was asked for.
    pub folders: Vec<String>,
    /// What to ask for the rest with, if there is more.
    pub next: Option<String>,
}

impl Objects {
    /// Finds a bucket, in whatever Region it is.
    ///
    /// # Errors
    /// When it does not exist or may not be used.
    pub async fn open(settings: &SdkSettings, bucket: &str) -> Result<Self, CloudError> {
        let home = settings.sdk.region().map_or(ANYWHERE, Region::as_ref).to_owned();
        let s3 = in_region(settings, &home);
        let region = match s3.client.head_bucket().bucket(bucket).send().await {
            Ok(answer) => answer.bucket_region,
            Err(error) => {
                let said = error.raw_response().and_then(|response| response.headers().get("x-amz-bucket-region"));
                Some(said.ok_or_else(|| super::error::sort("s3:ListBucket", bucket, &error))?.to_owned())
            }
        };
        let s3 = region.filter(|region| *region != home).map_or(s3, |region| in_region(settings, &region));
        Ok(Self { s3, bucket: bucket.to_owned() })
    }

    /// The first or next page of what lies below a prefix: of everything, or of one level of it.
    ///
    /// # Errors
    /// When the bucket may not be listed.
    pub async fn list(&self, prefix: &str, depth: Depth, next: Option<String>) -> Result<Listing, CloudError> {
        let delimiter = match depth {
            Depth::Everything => None,
            Depth::OneLevel => Some("/".to_owned()),
        };
        let list = || {
            let request = self.s3.client.list_objects_v2().bucket(&self.bucket).prefix(prefix);
            request.set_delimiter(delimiter.clone()).set_continuation_token(next.clone()).send()
        };
        let page = self.s3.ask("s3:ListBucket", &self.bucket, list).await?;
        let sized = page.contents.unwrap_or_default().into_iter().filter_map(|object| {
            Some((object.key?, object.size.and_then(|size| u64::try_from(size).ok()).unwrap_or_default()))
        });
        let folders = page.common_prefixes.unwrap_or_default().into_iter().filter_map(|below| below.prefix);
        Ok(Listing { objects: sized.collect(), folders: folders.collect(), next: page.next_continuation_token })
    }

    /// An object's content.
    ///
    /// # Errors
    /// When it is gone, may not be read, or breaks off.
    pub async fn get(&self, key: &str) -> Result<Vec<u8>, CloudError> {
        let get = || self.s3.client.get_object().bucket(&self.bucket).key(key).send();
        let answer = self.s3.ask("s3:GetObject", key, get).await?;
        let content = answer.body.collect().await;
        let broken = |error: aws_sdk_s3::primitives::ByteStreamError| CloudError::Unavailable {
            call: "s3:GetObject".to_owned(),
            detail: format!("`{key}` broke off: {error}"),
        };
        Ok(content.map_err(broken)?.into_bytes().into())
    }
}

/// How far down a bucket is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Every object.
    Everything,
    /// Objects and prefixes up to the next `/`.
    OneLevel,
}

fn in_region(settings: &SdkSettings, region: &str) -> ServiceClient<Client> {
    ServiceClient::own(settings.in_region(region).s3())
}
