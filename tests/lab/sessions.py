"""Completes STS: source identity, and the limits on how long a session may last."""

import json
from xml.sax.saxutils import escape

from ministack.core import iam_evaluator
from ministack.services import iam, sts

from . import call

_CHAINED_LIMIT_SECONDS = 3600
_DEFAULT_LIMIT_SECONDS = 3600


def install() -> None:
    answer = sts.handle_request

    async def handle(method, path, headers, body, query):
        now = call.current()
        if now is None or now.form.get("Action") != "AssumeRole":
            return await answer(method, path, headers, body, query)
        caller = sts._sessions.get(now.access_key_id)
        wanted = (caller or {}).get("SourceIdentity") or now.form.get("SourceIdentity")
        refusal = (
            _of_another_partition(now.form)
            or _too_long(now.form, caller)
            or (now.form.get("SourceIdentity") and _may_not_say(now, caller))
        )
        if refusal:
            return refusal
        status, answered, document = await answer(method, path, headers, body, query)
        if status == 200 and wanted:
            document = _remember(document, wanted)
        return status, answered, document

    sts.handle_request = handle


def role(arn: str) -> dict:
    """The role that an ARN names; empty when there is none."""
    pieces = arn.split(":")
    if len(pieces) < 6 or pieces[1] != "aws":
        return {}
    return iam._roles.get_scoped(pieces[4], None, arn.rsplit("/", 1)[-1]) or {}


def trusts(role_arn: str, service: str) -> bool:
    """Whether a role lets a service of AWS assume it."""
    document = role(role_arn).get("AssumeRolePolicyDocument") or "{}"
    document = json.loads(document) if isinstance(document, str) else document
    statements = document.get("Statement", [])
    statements = [statements] if isinstance(statements, dict) else statements
    return any(iam_evaluator._service_principal_matches(one.get("Principal"), service) for one in statements)


def _of_another_partition(form: dict):
    arn = form.get("RoleArn", "")
    if arn.split(":")[:2] == ["arn", "aws"]:
        return None
    return _refuse(400, "ValidationError", f"{escape(arn)} is invalid")


def _too_long(form: dict, caller: dict | None):
    seconds = int(form.get("DurationSeconds") or _DEFAULT_LIMIT_SECONDS)
    if caller and seconds > _CHAINED_LIMIT_SECONDS:
        return _refuse(
            400,
            "ValidationError",
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
        )
    if seconds > int(role(form.get("RoleArn", "")).get("MaxSessionDuration") or 12 * _DEFAULT_LIMIT_SECONDS):
        return _refuse(
            400, "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        )
    return None


def _may_not_say(now: call.Call, caller: dict | None):
    """Both the caller's policies and the role's trust must allow sts:SetSourceIdentity."""
    arn = now.form.get("RoleArn", "")
    if caller and caller.get("SourceIdentity") not in (None, now.form["SourceIdentity"]):
        return _refuse(403, "AccessDenied", "Source identity cannot be changed once it is set")
    denied = iam_evaluator.enforce(now.access_key_id, "sts:SetSourceIdentity", "sts", now.region, arn)
    if denied or not _trust_allows(now, arn):
        who = sts._caller_identity(now.headers, now.query)
        name = who["userArn"] if isinstance(who, dict) else now.access_key_id
        return _refuse(
            403, "AccessDenied", f"User: {name} is not authorized to perform: sts:SetSourceIdentity on resource: {arn}"
        )
    return None


def _trust_allows(now: call.Call, arn: str) -> bool:
    who = sts._caller_identity(now.headers, now.query)
    if not isinstance(who, dict):
        return False
    context = iam_evaluator.EvalContext(
        principal_arn=who["userArn"],
        principal_type=who["principalType"],
        principal_account=who["accountId"],
        action="sts:SetSourceIdentity",
        resource_arn=arn,
        region=now.region,
        service_context={
            "sts:externalid": now.form.get("ExternalId"),
            "sts:rolesessionname": now.form.get("RoleSessionName"),
            "sts:sourceidentity": now.form["SourceIdentity"],
        },
        principal_keys=who["principalKeys"],
    )
    return iam_evaluator.evaluate_trust_policy(role(arn).get("AssumeRolePolicyDocument", "{}"), who["userArn"], context)


def _remember(document: bytes, source_identity: str) -> bytes:
    text = document.decode()
    key = text.split("<AccessKeyId>", 1)[1].split("</AccessKeyId>", 1)[0]
    sts._sessions[key]["SourceIdentity"] = source_identity
    said = f"</AssumedRoleUser><SourceIdentity>{escape(source_identity)}</SourceIdentity>"
    return text.replace("</AssumedRoleUser>", said, 1).encode()


def _refuse(status: int, code: str, message: str):
    return sts._error(status, code, message, ns="sts")
