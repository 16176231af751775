//! AWS as somebody wrote it down: the agent's own readers, over the responses in a file in place
//! of a network. It asks nobody, and takes no call for answered to which there is no response.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials;
use aws_sdk_s3::config::{SharedCredentialsProvider, SharedHttpClient};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::read::Reader;
use super::settings::SdkSettings;
use super::shapes;
use crate::domain::resource::{Desired, Live, Place, read};
use crate::domain::spelling::nearest;

/// What AWS responds about a resource, by call, as its command line prints it; an error as
/// `{"Error": {"Code": …}}`.
pub type Responses = BTreeMap<String, Value>;

/// Reads a resource as the agent does, from what AWS responds about it and, where that makes the
/// agent look elsewhere, about others.
///
/// # Errors
/// When a response is none that AWS gives, one is missing, or the agent cannot read the resource.
pub fn live(place: &Place, desired: &Desired, responses: &[(Place, Responses)]) -> Result<Live, String> {
    let answers: Result<Vec<_>, String> =
        responses.iter().flat_map(|(place, responses)| answers(place, responses)).collect();
    let recorded = Arc::new(Recorded { answers: answers?, missing: Mutex::default() });
    let connector = SharedHttpConnector::new(Connector(Arc::clone(&recorded)));
    let settings = settings(http_client_fn(move |_, _| connector.clone()));
    let reader = Reader::new(place.account.clone(), settings, None);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let found = runtime.block_on(read(place, desired, &reader));
    let missing = recorded.missing.lock().unwrap_or_else(PoisonError::into_inner);
    if missing.is_empty() {
        return found.map_err(|error| error.to_string());
    }
    let missing: Vec<&str> = missing.iter().map(String::as_str).collect();
    Err(format!("the agent asks for what no response is there to: {}", missing.join("; ")))
}

/// The responses about one resource, as they come over the wire.
fn answers(place: &Place, responses: &Responses) -> impl Iterator<Item = Result<Answer, String>> {
    let names = [place.name.clone(), place.arn()];
    let region = place.region.to_string();
    responses.iter().map(move |(call, written)| {
        let (call, shape) = known(place, call)?;
        let code = written.pointer("/Error/Code").and_then(Value::as_str);
        let (status, body) = match code {
            Some(code) => (400, shape.error(code)),
            None => (200, shape.body(written).map_err(|problem| format!("`{call}`: {problem}"))?),
        };
        Ok(Answer { call, region: region.clone(), names: names.clone(), status, body })
    })
}

/// The call of a name, if reading such a resource makes it.
fn known(place: &Place, call: &str) -> Result<(&'static str, &'static shapes::Call), String> {
    let service = place.kind.service();
    shapes::calls(service).find(|(name, _)| *name == call).ok_or_else(|| {
        let meant = nearest(call, shapes::calls(service).map(|(name, _)| name));
        let names = shapes::calls(service).map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let meant = meant.map_or_else(|| format!("; it makes {names}"), |meant| format!("; did you mean `{meant}`?"));
        format!("to read a {} the agent makes no call `{call}`{meant}", place.kind)
    })
}

/// A response to a call about one resource.
#[derive(Debug)]
struct Answer {
    call: &'static str,
    region: String,
    /// The resource's name and its ARN: a call may name it by either.
    names: [String; 2],
    status: u16,
    body: String,
}

/// All that is written down, and what the agent asked for beside it.
#[derive(Debug)]
struct Recorded {
    answers: Vec<Answer>,
    missing: Mutex<BTreeSet<String>>,
}

/// A request, as far as it takes to find its response.
struct Request {
    call: String,
    region: String,
    /// Whatever could be the resource's name.
    named: Vec<String>,
}

#[derive(Debug)]
struct Connector(Arc<Recorded>);

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::ready(self.0.answer(&Request::of(&request)))
    }
}

impl Recorded {
    fn answer(&self, request: &Request) -> Result<HttpResponse, ConnectorError> {
        let Request { call, region, named } = request;
        let about = |answer: &&Answer| {
            answer.call == call && answer.region == *region && answer.names.iter().any(|name| named.contains(name))
        };
        let Some(answer) = self.answers.iter().find(about) else {
            let of = if named.is_empty() { String::new() } else { format!(" of {}", named.join(", ")) };
            let missing = format!("`{call}`{of} in {region}");
            self.missing.lock().unwrap_or_else(PoisonError::into_inner).insert(missing);
            return Err(ConnectorError::user("nobody wrote down a response".into()));
        };
        let status = StatusCode::try_from(answer.status).map_err(|error| ConnectorError::user(error.into()))?;
        Ok(HttpResponse::new(status, SdkBody::from(answer.body.as_str())))
    }
}

impl Request {
    /// A request's signature says to which service and Region it goes.
    fn of(request: &HttpRequest) -> Self {
        let scope = request.headers().get("authorization").and_then(|line| line.split("Credential=").nth(1));
        let scope: Vec<&str> = scope.and_then(|scope| scope.split(',').next()).unwrap_or_default().split('/').collect();
        let [_, _, region, service, ..] = scope.as_slice() else {
            return Self { call: request.uri().to_owned(), region: String::new(), named: Vec::new() };
        };
        let target = request.headers().get("x-amz-target");
        let named_by = |asked: &str| match target {
            Some(target) => (target == asked).then(|| body_strings(request)),
            None => labels(asked, request.uri()),
        };
        let found = shapes::calls(service).find_map(|(name, call)| Some((name, named_by(&call.asked)?)));
        let unknown = || target.unwrap_or_else(|| below_host(request.uri())).to_owned();
        let (call, named) = found.map_or_else(|| (unknown(), Vec::new()), |(name, named)| (name.to_owned(), named));
        Self { call, region: (*region).to_owned(), named }
    }
}

/// A URI's path and query.
fn below_host(uri: &str) -> &str {
    uri.splitn(4, '/').nth(3).unwrap_or_default()
}

/// What stands in a URI in the places of a path's labels, if it is such a path.
fn labels(path: &str, uri: &str) -> Option<Vec<String>> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let given = below_host(uri);
    let (given, asked) = given.split_once('?').unwrap_or((given, ""));
    let has_query = query.is_empty() || asked.split('&').any(|pair| pair.split('=').next() == Some(query));
    let (path, given) = (path.trim_matches('/').split('/'), given.trim_matches('/').split('/'));
    if !has_query || path.clone().count() != given.clone().count() {
        return None;
    }
    let mut found = Vec::new();
    for (part, given) in path.zip(given) {
        if part.starts_with('{') {
            found.push(percent_decode_str(given).decode_utf8_lossy().into_owned());
        } else if part != given {
            return None;
        }
    }
    Some(found)
}

/// Every string in a request's JSON.
fn body_strings(request: &HttpRequest) -> Vec<String> {
    let body: Value = request.body().bytes().and_then(|body| serde_json::from_slice(body).ok()).unwrap_or_default();
    let mut found = Vec::new();
    collect(&body, &mut found);
    found
}

fn collect(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::String(text) => into.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| collect(item, into)),
        Value::Object(fields) => fields.values().for_each(|value| collect(value, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// How a file is reached: with a key that opens nothing, once, and without a network.
fn settings(http: SharedHttpClient) -> SdkSettings {
    let key = Credentials::new("WRITTEN-DOWN", "none", None, None, "keepwatch");
    let sdk = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .credentials_provider(SharedCredentialsProvider::new(key))
        .http_client(http)
        .retry_config(RetryConfig::disabled())
        .build();
    SdkSettings { sdk, path_style: true }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::resource::Kind;

    /// What is read of a resource, without the fields that are empty.
    fn read_of(kind: Kind, name: &str, responses: Value) -> Result<Value, String> {
        let account = "111122223333".parse().expect("an account");
        let place = Place { kind, account, region: "cn-north-1".parse().expect("a Region"), name: name.to_owned() };
        let responses = serde_json::from_value(responses).expect("responses");
        let live = live(&place, &Desired::silent(kind), &[(place.clone(), responses)])?;
        Ok(json!([live, live.tags()]))
    }

    #[test]
    fn every_kind_is_read_from_what_aws_responds() {
        let key = json!({"DescribeKey": {"KeyMetadata": {"KeyId": "k", "KeyState": "PendingDeletion",
            "DeletionDate": "2026-12-20T08:00:00+08:00"}}, "ListResourceTags": {"Tags": [], "Truncated": false}});
        let arn = "arn:aws-cn:cloudtrail:cn-north-1:111122223333:trail/main";
        let trail = json!({
            "DescribeTrails": {"trailList": [{"Name": "main", "TrailARN": arn, "S3BucketName": "logs"}]},
            "GetTrailStatus": {"IsLogging": false, "StopLoggingTime": 1_795_151_400.5},
            "GetEventSelectors": {"TrailARN": arn, "EventSelectors": [{"ReadWriteType": "WriteOnly"}]},
            "ListTags": {"ResourceTagList": [{"ResourceId": arn, "TagsList": [{"Key": "owner", "Value": "ops"}]}]},
        });
        let table = json!({
            "DescribeTable": {"Table": {"TableStatus": "ACTIVE", "DeletionProtectionEnabled": true}},
            "DescribeContinuousBackups": {"ContinuousBackupsDescription": {"PointInTimeRecoveryDescription":
                {"PointInTimeRecoveryStatus": "ENABLED", "RecoveryPeriodInDays": 7}}},
            "ListTagsOfResource": {"Tags": []},
        });
        let arn = "arn:aws-cn:backup:cn-north-1:111122223333:backup-vault:gold";
        let vault = json!({
            "DescribeBackupVault": {"BackupVaultArn": arn, "Locked": true},
            "GetBackupVaultAccessPolicy": {"Error": {"Code": "ResourceNotFoundException"}},
            "ListRecoveryPointsByBackupVault": {"RecoveryPoints": [{"RecoveryPointArn": "rp", "ResourceArn": "r",
                "Status": "COMPLETED", "CreationDate": "2026-11-20T05:10:00Z"}]},
            "ListTags": {"Tags": {"owner": "ops"}},
        });
        let bucket = json!({
            "GetBucketVersioning": {"Status": "Enabled", "MFADelete": "Enabled"},
            "GetBucketLifecycleConfiguration": {"Rules": [{"ID": "old", "Status": "Enabled", "Filter": {"Prefix": "a/"},
                "NoncurrentVersionExpiration": {"NoncurrentDays": 35}}]},
            "GetBucketTagging": {"Error": {"Code": "NoSuchTagSet"}},
        });
        let all = [
            (Kind::Trail, "main", trail),
            (Kind::Vault, "gold", vault),
            (Kind::Bucket, "b", bucket),
            (Kind::Key, "k", key),
            (Kind::Table, "orders", table),
        ];
        assert_eq!(all.clone().map(|(kind, ..)| kind), *Kind::ALL, "a kind has no example here");
        let read = all.map(|(kind, name, responses)| read_of(kind, name, responses).expect("it is read").to_string());
        insta::assert_snapshot!(read.join("\n"), @r#"
        [{"bucket":"logs","global_service_events":false,"log_file_validation":false,"logging":false,"multi_region":false,"organization":false,"selectors":{"advanced":[],"basic":[{"data":{},"exclude":[],"management":true,"read_write":"WriteOnly"}]}},{"owner":"ops"}]
        [{"copies":{},"locked":true,"name":"gold","newest":"2026-11-20T05:10:00Z","policy":null,"recovery_points":1},{"owner":"ops"}]
        [{"lifecycle":[{"abort_incomplete_days":null,"expiration_date":null,"expiration_days":null,"id":"old","newer_noncurrent_versions":null,"noncurrent_days":35,"prefix":"a/","status":"Enabled","transitions":[]}],"mfa_delete":true,"versioning":"Enabled"},{}]
        [{"deletion_date":"2026-12-20T00:00:00Z","state":"PendingDeletion"},{}]
        [{"deletion_protection":true,"recovery_days":7,"status":"ACTIVE"},{}]
        "#);
    }

    #[test]
    fn what_the_agent_makes_no_call_to_read_is_listed() {
        let refused = read_of(Kind::Key, "k", json!({"GetKeyPolicy": {}})).expect_err("no such call");
        assert_eq!(
            refused,
            "to read a key the agent makes no call `GetKeyPolicy`; it makes `DescribeKey`, `ListResourceTags`"
        );
        let gone = json!({"DescribeKey": {"Error": {"Code": "NotFoundException"}}, "ListResourceTags": {"Tags": []}});
        assert!(read_of(Kind::Key, "k", gone).expect_err("it is gone").contains("`k`"));
    }
}
