//! Sorts what AWS answers by what to do about it.
//!
//! The sets hold the codes that services really send; add to them as needed. An error's
//! text is made of code and message only: requests and raw answers can hold credentials.

use std::error::Error;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::domain::cloud::CloudError;

/// The target does not exist.
const GONE: &[&str] = &[
    "NoSuchBucket",
    "NoSuchEntity",
    "NoSuchEntityException",
    "NoSuchKey",
    "NotFound",
    "NotFoundException",
    "QueueDoesNotExist",
    "AWS.SimpleQueueService.NonExistentQueue",
    "ResourceNotFoundException",
    "TableNotFoundException",
    "TrailNotFoundException",
];

/// The caller may not.
const DENIED: &[&str] =
    &["AccessDenied", "AccessDeniedException", "AllAccessDisabled", "AuthorizationError", "UnauthorizedOperation"];

/// AWS asks to slow down.
const THROTTLED: &[&str] = &[
    "BandwidthLimitExceeded",
    "PriorRequestNotComplete",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
];

/// A quota is used up.
const LIMIT: &[&str] = &[
    "LimitExceeded",
    "LimitExceededException",
    "MaximumNumberOfTrailsExceededException",
    "OverLimit",
    "PackedPolicyTooLarge",
    "ServiceQuotaExceededException",
];

/// The session is over, or AWS does not know it: a new one may be let in.
const EXPIRED: &[&str] = &[
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidToken",
    "TokenRefreshRequired",
    "UnrecognizedClientException",
];

/// AWS's own trouble, or another change that is not finished yet: it passes.
const UNAVAILABLE: &[&str] = &[
    "ConcurrentModification",
    "ContinuousBackupsUnavailableException",
    "DependencyTimeoutException",
    "EntityTemporarilyUnmodifiable",
    "InternalError",
    "InternalFailure",
    "KMSInternalException",
    "OperationAborted",
    "RequestTimeout",
    "ResourceInUseException",
    "ServiceFailure",
    "ServiceUnavailable",
    "ServiceUnavailableException",
];

/// Messages of these codes repeat the signed request, session token and all.
const UNREPEATABLE: &[&str] = &["IncompleteSignature", "InvalidSignatureException", "SignatureDoesNotMatch"];

/// Longest message that is passed on, in characters.
const MESSAGE_CHARS: usize = 500;

/// An SDK's error as ours. `call` is spelt as IAM spells the action.
pub(super) fn sort<E>(call: &str, target: &str, error: &SdkError<E, HttpResponse>) -> CloudError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let (call, target, detail) = (call.to_owned(), target.to_owned(), detail(error));
    match kind(error.code(), status(error)) {
        Kind::Gone => CloudError::Gone { target },
        Kind::Denied => CloudError::Denied { call, target },
        Kind::Throttled => CloudError::Throttled { call },
        Kind::Unavailable => CloudError::Unavailable { call, detail },
        Kind::Limit => CloudError::Limit { call, target, detail },
        Kind::Failed => CloudError::Failed { call, target, detail },
    }
}

/// Whether AWS no longer accepts the session that made the call.
pub(super) fn is_expired<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    is_one_of(error, EXPIRED)
}

/// Whether AWS's code for it is one of these.
pub(super) fn is_one_of<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>, codes: &[&str]) -> bool {
    error.code().is_some_and(|code| codes.contains(&code))
}

/// What to do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Gone,
    Denied,
    Throttled,
    Unavailable,
    Limit,
    Failed,
}

/// The code decides; without one (an answer with no body, or no answer) the status does.
fn kind(code: Option<&str>, status: Option<u16>) -> Kind {
    let code_in = |set: &[&str]| code.is_some_and(|code| set.contains(&code));
    match status {
        _ if code_in(GONE) => Kind::Gone,
        _ if code_in(DENIED) => Kind::Denied,
        _ if code_in(THROTTLED) => Kind::Throttled,
        _ if code_in(LIMIT) => Kind::Limit,
        _ if code_in(EXPIRED) || code_in(UNAVAILABLE) => Kind::Unavailable,
        None | Some(500..) => Kind::Unavailable,
        Some(429) => Kind::Throttled,
        Some(401 | 403) if code.is_none() => Kind::Denied,
        Some(404) if code.is_none() => Kind::Gone,
        Some(_) => Kind::Failed,
    }
}

/// The answer's status: `None` when there was no answer, and 400 for a request that the
/// SDK itself refused to build, so that it is not tried again.
fn status<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    if matches!(error, SdkError::ConstructionFailure(_)) {
        return Some(400);
    }
    error.raw_response().map(|response| response.status().as_u16())
}

/// What AWS said, or why it said nothing.
fn detail<E>(error: &SdkError<E, HttpResponse>) -> String
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match (error.code(), error.message()) {
        (Some(code), Some(message)) if !UNREPEATABLE.contains(&code) => format!("{code}: {}", shortened(message)),
        (Some(code), _) => code.to_owned(),
        (None, _) => shortened(&chain(error)),
    }
}

fn shortened(message: &str) -> String {
    message.chars().take(MESSAGE_CHARS).collect()
}

/// An error and its causes, in words.
pub(super) fn chain(error: &(dyn Error + 'static)) -> String {
    let words: Vec<String> =
        std::iter::successors(Some(error), |&error| error.source()).map(ToString::to_string).collect();
    words.join(": ")
}

#[cfg(test)]
mod tests {
    use aws_sdk_iam::operation::get_user_policy::GetUserPolicyError;
    use aws_sdk_iam::types::error::NoSuchEntityException;
    use aws_smithy_runtime_api::client::result::ConnectorError;
    use aws_smithy_runtime_api::http::StatusCode;
    use aws_smithy_types::body::SdkBody;
    use aws_smithy_types::error::ErrorMetadata;

    use super::*;

    const CALL: &str = "iam:GetUserPolicy";

    fn answer(status: u16) -> HttpResponse {
        HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::empty())
    }

    fn said(code: &str, message: &str, status: u16) -> CloudError {
        let meta = ErrorMetadata::builder().code(code).message(message).build();
        sort(CALL, "eve", &SdkError::service_error(GetUserPolicyError::generic(meta), answer(status)))
    }

    #[test]
    fn a_modelled_error_is_sorted_by_its_code() {
        let meta = ErrorMetadata::builder().code("NoSuchEntity").build();
        let modelled = GetUserPolicyError::NoSuchEntityException(NoSuchEntityException::builder().meta(meta).build());
        let sorted = sort(CALL, "eve", &SdkError::service_error(modelled, answer(404)));
        assert_eq!(sorted, CloudError::Gone { target: "eve".into() });
    }

    #[test]
    fn a_refusal_names_call_and_target() {
        let sorted = said("AccessDenied", "User: arn:aws:sts::1:assumed-role/x is not authorized", 403);
        assert_eq!(sorted.to_string(), "not allowed to call `iam:GetUserPolicy` on `eve`");
    }

    #[test]
    fn what_passes_by_itself_is_transient_and_the_rest_is_not() {
        for (code, status) in [("Throttling", 400), ("SlowDown", 503), ("InternalFailure", 500), ("ExpiredToken", 400)]
        {
            assert!(said(code, "", status).is_transient(), "{code}");
        }
        for (code, status) in [("MalformedPolicyDocument", 400), ("LimitExceeded", 409), ("AccessDenied", 403)] {
            assert!(!said(code, "", status).is_transient(), "{code}");
        }
    }

    #[test]
    fn an_unknown_code_is_sorted_by_its_status() {
        assert!(matches!(said("Strange", "", 502), CloudError::Unavailable { .. }));
        assert!(matches!(said("Strange", "", 429), CloudError::Throttled { .. }));
        assert!(
            matches!(said("Strange", "", 404), CloudError::Failed { .. }),
            "a code that we do not know is not `Gone`"
        );
    }

    #[test]
    fn no_answer_is_worth_another_try_and_says_why() {
        let refused = ConnectorError::io("connection refused".into());
        let error: SdkError<GetUserPolicyError, HttpResponse> = SdkError::dispatch_failure(refused);
        let CloudError::Unavailable { detail, .. } = sort(CALL, "eve", &error) else { panic!("not unavailable") };
        assert!(detail.contains("connection refused"), "{detail}");
        let timeout: SdkError<GetUserPolicyError, HttpResponse> = SdkError::timeout_error("too slow");
        assert!(sort(CALL, "eve", &timeout).is_transient());
    }

    #[test]
    fn a_request_that_cannot_be_built_is_not_tried_again() {
        let error: SdkError<GetUserPolicyError, HttpResponse> = SdkError::construction_failure("no user name");
        assert!(!sort(CALL, "eve", &error).is_transient());
    }

    #[test]
    fn a_message_that_repeats_the_signed_request_is_left_out() {
        let sorted = said("SignatureDoesNotMatch", "canonical string: x-amz-security-token:SECRET", 403);
        assert!(!sorted.to_string().contains("SECRET"), "{sorted}");
    }
}
