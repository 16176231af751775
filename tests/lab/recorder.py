"""Turns an answered call into the CloudTrail record that AWS would write.

It records management calls of callers whose credentials were valid; data events and calls that failed to
authenticate leave no record. It never changes an answer.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass

from . import accounts, clock, identity, protocol, shapes, spelling
from .call import Answer, Call

_GLOBAL_SERVICES = frozenset({"iam", "organizations", "account", "route53", "cloudfront"})
_NOT_AUTHENTICATED = frozenset(
    {
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "SignatureDoesNotMatch",
        "InvalidSignatureException",
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidAccessKeyId",
        "MissingAuthenticationToken",
        "InvalidToken",
        "MissingAuthenticationTokenException",
        "IncompleteSignature",
        "RequestExpired",
        "RequestTimeTooSkewed",
        "AuthFailure",
    }
)
_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"})
_MESSAGE_LIMIT = 1024


@dataclass
class Recorded:
    """A record, with what delivery asks of it."""

    record: dict
    time: float

    @property
    def account(self) -> str:
        return self.record["recipientAccountId"]

    @property
    def region(self) -> str:
        return self.record["awsRegion"]


@dataclass
class Pending:
    """A call that will be recorded: who made it is fixed before it runs, for it may delete its own key."""

    call: Call
    request: shapes.Request
    caller: dict

    @property
    def region(self) -> str:
        return accounts.GLOBAL_REGION if self.request.service in _GLOBAL_SERVICES else self.call.region


class Recorder:
    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now

    def begin(self, call: Call, request: shapes.Request) -> Pending | None:
        """`None` when the call is none that CloudTrail records."""
        if spelling.is_data(request):
            return None
        caller = identity.user_identity(call.access_key_id)
        return Pending(call, request, caller) if caller else None

    def finish(self, pending: Pending, answer: Answer) -> list[Recorded]:
        """The records of the call: one, or two when it crossed accounts."""
        parsed = protocol.parse(pending.request, answer) if _needs_reading(pending.request, answer) else {}
        code = (parsed.get("Error") or {}).get("Code", "") if answer.status >= 300 else ""
        if code in _NOT_AUTHENTICATED:
            return []
        now = self._now()
        record = _record(pending, answer, parsed, now)
        first = Recorded(record, now)
        second = _in_the_roles_account(record, pending)
        return [first, Recorded(second, now)] if second else [first]


def _needs_reading(request: shapes.Request, answer: Answer) -> bool:
    return answer.status >= 300 or not spelling.is_read(request) or spelling.hands_out_credentials(request)


def _record(pending: Pending, answer: Answer, parsed: dict, now: float) -> dict:
    request, account = pending.request, pending.caller["accountId"]
    record = {
        "eventVersion": "1.11",
        "userIdentity": pending.caller,
        "eventTime": clock.iso(now),
        "eventSource": spelling.event_source(request),
        "eventName": spelling.event_name(request),
        "awsRegion": pending.region,
        "sourceIPAddress": pending.call.client_ip,
        "userAgent": _user_agent(pending),
    }
    if answer.status >= 300:
        record.update(_error(request, parsed, answer))
    denied = record.get("errorCode", "").removeprefix("Client.") in _DENIED
    record["requestParameters"] = _parameters(pending, denied)
    record["responseElements"] = None if answer.status >= 300 else spelling.response_elements(request, parsed)
    record["requestID"] = answer.headers.get("x-amzn-requestid") or answer.headers.get("x-amz-request-id", "")
    record["eventID"] = str(uuid.uuid4())
    record["readOnly"] = spelling.is_read(request)
    resources = _resources(pending, parsed, account)
    if resources and not (denied and not spelling.keeps_parameters_when_denied(request)):
        record["resources"] = resources
    record["eventType"] = "AwsApiCall"
    record["managementEvent"] = True
    record["recipientAccountId"] = account
    record["eventCategory"] = "Management"
    record["tlsDetails"] = _tls(pending)
    return record


def _user_agent(pending: Pending) -> str:
    agent = pending.call.headers.get("user-agent", "")[:_MESSAGE_LIMIT]
    return f"[{agent}]" if pending.request.service == "s3" else agent


def _tls(pending: Pending) -> dict:
    host = f"{spelling.event_source(pending.request).split('.')[0]}.{pending.region}.amazonaws.com"
    return {
        "tlsVersion": "TLSv1.3",
        "cipherSuite": "TLS_AES_128_GCM_SHA256",
        "clientProvidedHostHeader": host,
    }


def _parameters(pending: Pending, denied: bool) -> dict | None:
    if denied and not spelling.keeps_parameters_when_denied(pending.request):
        return None
    return spelling.request_parameters(pending.call, pending.request)


def _error(request: shapes.Request, parsed: dict, answer: Answer) -> dict:
    found = parsed.get("Error") or {}
    code = found.get("Code") or ("ServiceUnavailable" if answer.status >= 500 else "Unknown")
    if code == "AccessDeniedException":
        code = "AccessDenied"
    if request.service == "ec2":
        code = f"{'Server' if answer.status >= 500 else 'Client'}.{code}"
    return {"errorCode": code, "errorMessage": (found.get("Message") or "")[:_MESSAGE_LIMIT]}


def _resources(pending: Pending, parsed: dict, account: str) -> list[dict] | None:
    request = pending.request
    if request.service == "s3" and request.parameters.get("Bucket"):
        return [_resource("AWS::S3::Bucket", f"arn:aws:s3:::{request.parameters['Bucket']}", account)]
    if request.service == "sts" and request.parameters.get("RoleArn"):
        arn = request.parameters["RoleArn"]
        return [_resource("AWS::IAM::Role", arn, arn.split(":")[4])]
    if request.service == "kms":
        arn = _key_arn(pending, parsed, account)
        return [_resource("AWS::KMS::Key", arn, arn.split(":")[4])] if arn else None
    if request.service == "dynamodb" and request.parameters.get("TableName"):
        name = request.parameters["TableName"]
        arn = name if name.startswith("arn:") else f"arn:aws:dynamodb:{pending.region}:{account}:table/{name}"
        return [_resource("AWS::DynamoDB::Table", arn, account)]
    return None


def _resource(kind: str, arn: str, account: str) -> dict:
    return {"accountId": account, "type": kind, "ARN": arn}


def _key_arn(pending: Pending, parsed: dict, account: str) -> str | None:
    """The key that a KMS call is about, whichever way it was named."""
    from ministack.services import kms

    named = pending.request.parameters.get("KeyId") or pending.request.parameters.get("TargetKeyId")
    named = named or (parsed.get("KeyMetadata") or {}).get("KeyId")
    if not named:
        return None
    prefix = f"arn:aws:kms:{pending.region}:{account}:"
    if named.startswith("alias/"):
        key = kms._aliases.get_scoped(account, pending.region, prefix + named)
        return f"{prefix}key/{key}" if key else None
    return named if named.startswith("arn:") else f"{prefix}key/{named}"


def _in_the_roles_account(record: dict, pending: Pending) -> dict | None:
    """AssumeRole across accounts is recorded in the role's account too, where the caller is a stranger."""
    if pending.request.operation != "AssumeRole" or "errorCode" in record:
        return None
    owner = pending.request.parameters.get("RoleArn", "").split(":")[4:5]
    if not owner or owner[0] == record["recipientAccountId"]:
        return None
    record["sharedEventID"] = str(uuid.uuid4())
    caller = record["userIdentity"]
    stranger = {"type": "AWSAccount", "principalId": caller["principalId"], "accountId": caller["accountId"]}
    return {**record, "userIdentity": stranger, "eventID": str(uuid.uuid4()), "recipientAccountId": owner[0]}
