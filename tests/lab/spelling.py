"""How CloudTrail spells an API call: event names, field names, what it keeps and what it leaves out.

Names are CloudTrail's, not the API's: they follow real records where there are any, else the rule that most
services keep (the member's name with its first letter lowered). EC2's lists are spelled by rule only.
"""

import json
from datetime import datetime
from xml.etree import ElementTree

from .call import Call
from .clock import in_words
from .shapes import Request

EVENT_NAMES = {
    "s3": {
        "PutBucketLifecycleConfiguration": "PutBucketLifecycle",
        "GetBucketLifecycleConfiguration": "GetBucketLifecycle",
        "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
        "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
        "DeletePublicAccessBlock": "DeleteBucketPublicAccessBlock",
        "PutObjectLockConfiguration": "PutBucketObjectLockConfiguration",
        "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
        "PutBucketNotificationConfiguration": "PutBucketNotification",
        "GetBucketNotificationConfiguration": "GetBucketNotification",
    },
    "s3control": {
        "PutPublicAccessBlock": "PutAccountPublicAccessBlock",
        "GetPublicAccessBlock": "GetAccountPublicAccessBlock",
        "DeletePublicAccessBlock": "DeleteAccountPublicAccessBlock",
    },
    "lambda": {
        "CreateFunction": "CreateFunction20150331",
        "DeleteFunction": "DeleteFunction20150331",
        "UpdateFunctionCode": "UpdateFunctionCode20150331v2",
        "UpdateFunctionConfiguration": "UpdateFunctionConfiguration20150331v2",
        "AddPermission": "AddPermission20150331v2",
        "RemovePermission": "RemovePermission20150331v2",
        "ListFunctions": "ListFunctions20150331",
        "GetFunction": "GetFunction20150331v2",
        "GetPolicy": "GetPolicy20150331v2",
        "PutFunctionConcurrency": "PutFunctionConcurrency20171031",
        "UpdateEventSourceMapping": "UpdateEventSourceMapping20150331",
    },
}
_FIELD_NAMES = {"rds": {"VpcSecurityGroupIds": "vPCSecurityGroupIds"}}
_KEPT_AS_THEY_ARE = frozenset({"account", "securityhub"})

# Object-level and message-level calls are data events: no trail of the lab selects them.
_DATA_OPERATIONS = {
    "sqs": {
        "SendMessage",
        "SendMessageBatch",
        "ReceiveMessage",
        "DeleteMessage",
        "DeleteMessageBatch",
        "ChangeMessageVisibility",
        "ChangeMessageVisibilityBatch",
    },
    "sns": {"Publish", "PublishBatch"},
    "events": {"PutEvents"},
    "lambda": {"Invoke", "InvokeAsync", "InvokeWithResponseStream"},
    "logs": {"PutLogEvents", "GetLogEvents", "FilterLogEvents"},
    "monitoring": {"PutMetricData", "GetMetricData", "GetMetricStatistics"},
    "dynamodb": {
        "GetItem",
        "PutItem",
        "UpdateItem",
        "DeleteItem",
        "Query",
        "Scan",
        "BatchGetItem",
        "BatchWriteItem",
        "TransactGetItems",
        "TransactWriteItems",
        "ExecuteStatement",
        "BatchExecuteStatement",
        "ExecuteTransaction",
    },
    "s3": {"ListObjects", "ListObjectsV2", "ListObjectVersions", "HeadBucket", "DeleteObjects", "CreateSession"},
}
_READS = (
    "Get",
    "List",
    "Describe",
    "Head",
    "Lookup",
    "BatchGet",
    "Search",
    "Query",
    "Scan",
    "Validate",
    "Simulate",
    "Check",
    "Test",
    "Assume",
    "Preview",
    "Select",
)
_READ_OPERATIONS = frozenset(
    {
        "Decrypt",
        "Encrypt",
        "GenerateDataKey",
        "GenerateDataKeyWithoutPlaintext",
        "Sign",
        "Verify",
        "ReEncrypt",
        "GenerateCredentialReport",
        "DecodeAuthorizationMessage",
    }
)
_SECRETS = frozenset(
    {
        "SecretAccessKey",
        "Password",
        "NewPassword",
        "OldPassword",
        "MasterUserPassword",
        "Plaintext",
        "CiphertextBlob",
        "SecretString",
        "SecretBinary",
        "PrivateKey",
        "KeyMaterial",
    }
)
_SIZE_LIMIT = 100_000
# Denied calls of these services still say what was asked for.
_KEEP_PARAMETERS_WHEN_DENIED = frozenset({"ec2", "s3", "s3control", "guardduty", "securityhub"})
_EVENT_SOURCES = {"s3control": "s3"}
S3_HEADERS = ("x-amz-acl", "x-amz-bypass-governance-retention", "x-amz-bucket-object-lock-enabled")


def event_name(request: Request) -> str:
    return EVENT_NAMES.get(request.service, {}).get(request.operation, request.operation)


def event_source(request: Request) -> str:
    return f"{_EVENT_SOURCES.get(request.service, request.service)}.amazonaws.com"


def is_data(request: Request) -> bool:
    if request.service == "s3" and "Key" in request.parameters:
        return True
    return request.operation in _DATA_OPERATIONS.get(request.service, ())


def is_read(request: Request) -> bool:
    return request.operation.startswith(_READS) or request.operation in _READ_OPERATIONS


def hands_out_credentials(request: Request) -> bool:
    """Reads whose answers are recorded all the same."""
    return request.operation.startswith("Assume") or request.operation in ("GetFederationToken", "GetSessionToken")


def keeps_parameters_when_denied(request: Request) -> bool:
    return request.service in _KEEP_PARAMETERS_WHEN_DENIED


def request_parameters(call: Call, request: Request) -> dict | None:
    if request.service == "s3":
        return _within_limit(_s3_parameters(call, request), "requestParameters")
    shape = request.model.input_shape
    if shape is None or not request.parameters:
        return None
    if request.service == "ec2":
        return _within_limit(_spell_ec2(request.parameters, shape), "requestParameters")
    return _within_limit(_spell(request.parameters, shape, request.service), "requestParameters")


def response_elements(request: Request, parsed: dict) -> dict | None:
    """What CloudTrail shows of an answer: nothing for reads and S3, no secret keys ever."""
    shape = request.model.output_shape
    if shape is None or request.service == "s3":
        return None
    if is_read(request) and not hands_out_credentials(request):
        return None
    body = {key: value for key, value in parsed.items() if key != "ResponseMetadata"}
    return _within_limit(_spell(body, shape, request.service) or None, "responseElements")


def _within_limit(value: dict | None, field: str) -> dict | None:
    if value is None:
        return None
    size = len(json.dumps(value, default=str))
    if size <= _SIZE_LIMIT:
        return value
    return {"omitted": True, "originalSize": size, "reason": f"{field} too large"}


def _spell(value, shape, service: str):
    if shape.type_name == "structure" and isinstance(value, dict):
        return {
            field(member, service): _hidden(shape.members[member]) or _spell(inner, shape.members[member], service)
            for member, inner in value.items()
            if member in shape.members and member not in _SECRETS and inner is not None
        }
    if shape.type_name == "list" and isinstance(value, list):
        return [_spell(inner, shape.member, service) for inner in value]
    if shape.type_name == "map" and isinstance(value, dict):
        return {key: _spell(inner, shape.value, service) for key, inner in value.items()}
    if shape.type_name == "timestamp":
        return _date(value)
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def field(member: str, service: str) -> str:
    if service in _KEPT_AS_THEY_ARE:
        return member
    known = _FIELD_NAMES.get(service, {}).get(member)
    return known or member[0].lower() + member[1:]


def _hidden(shape) -> str | None:
    is_text = shape.type_name == "string" and shape.metadata.get("sensitive")
    return "HIDDEN_DUE_TO_SECURITY_REASONS" if is_text and shape.name != "sessionTokenType" else None


def _date(value):
    if isinstance(value, datetime):
        value = value.timestamp()
    return in_words(value) if isinstance(value, (int, float)) else value


def _spell_ec2(value, shape):
    if shape.type_name == "structure" and isinstance(value, dict):
        spelled = {}
        for member, inner in value.items():
            known = shape.members[member]
            name = known.serialization.get("name", member)
            name = name[0].lower() + name[1:]
            if known.type_name == "list":
                spelled[ec2_set(name)] = {"items": [_ec2_item(name, item, known.member) for item in inner]}
            else:
                spelled[name] = _spell_ec2(inner, known)
        return spelled
    return value


def ec2_set(name: str) -> str:
    """`snapshotId` -> `snapshotSet`, `ipPermissions` stays."""
    if name.endswith(("Id", "Ids")):
        return name.removesuffix("s").removesuffix("Id") + "Set"
    return name if name.endswith("s") else name + "Set"


def _ec2_item(name: str, item, shape):
    return _spell_ec2(item, shape) if isinstance(item, dict) else {name.removesuffix("s"): item}


def _s3_parameters(call: Call, request: Request) -> dict:
    bucket = request.parameters.get("Bucket")
    parameters: dict = {}
    if bucket:
        parameters["bucketName"] = bucket
    parameters["Host"] = f"{bucket}.s3.{call.region}.amazonaws.com" if bucket else f"s3.{call.region}.amazonaws.com"
    for name, values in call.query.items():
        if not name.startswith(("X-Amz-", "x-id")):
            parameters[name] = values[0]
    for header in S3_HEADERS:
        if header in call.headers:
            parameters[header] = call.headers[header]
    parameters.update(_s3_body(call, request))
    return parameters


def _s3_body(call: Call, request: Request) -> dict:
    if not call.body:
        return {}
    if request.operation == "PutBucketPolicy":
        try:
            return {"bucketPolicy": json.loads(call.body)}
        except ValueError:
            return {"bucketPolicy": call.body.decode("utf-8", "replace")}
    try:
        root = ElementTree.fromstring(call.body)
    except ElementTree.ParseError:
        return {}
    content = _xml_to_json(root)
    namespace = root.tag[1:].partition("}")[0] if root.tag.startswith("{") else ""
    if isinstance(content, dict) and namespace:
        content["xmlns"] = namespace
    return {_local(root.tag): content}


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _xml_to_json(element):
    """XML the way CloudTrail turns it into JSON: a list of one is an object, of several an array."""
    if len(element) == 0:
        return _xml_text(element.text or "")
    found: dict = {}
    for child in element:
        name, value = _local(child.tag), _xml_to_json(child)
        if name not in found:
            found[name] = value
        elif isinstance(found[name], list):
            found[name].append(value)
        else:
            found[name] = [found[name], value]
    return found


def _xml_text(text: str):
    text = text.strip()
    if text in ("true", "false"):
        return text == "true"
    return int(text) if text.isdigit() and len(text) < 10 and (text == "0" or text[0] != "0") else text
