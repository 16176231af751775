"""Completes the emulator's judgement of who may do what: condition keys, resource ARNs, vault policies, messages.

It never decides by itself: every verdict is the emulator's own evaluation, given what it lacked.
"""

from ministack.core import iam_actions, iam_evaluator
from ministack.core.responses import get_account_id
from ministack.services import iam, sts

from . import accounts, call, clock, scp, shapes
from .backup import access as vault_access
from .propagation import Propagations

_ROLE_SESSION = ":assumed-role/"
_RULE_OPERATIONS = frozenset(
    {
        "PutRule",
        "DeleteRule",
        "DescribeRule",
        "EnableRule",
        "DisableRule",
        "PutTargets",
        "RemoveTargets",
        "ListTargetsByRule",
    }
)
# Calls for which IAM fills in `iam:PermissionsBoundary`: with the boundary that the call sets, else with the one that
# the user or role has. Keys, login profiles, tags and DeleteUser are not among them.
_KNOW_THE_BOUNDARY = frozenset(
    [f"{verb}{kind}Policy" for verb in ("Attach", "Detach", "Put", "Delete") for kind in ("User", "Role")]
    + [f"{verb}{kind}PermissionsBoundary" for verb in ("Put", "Delete") for kind in ("User", "Role")]
    + ["CreateUser", "CreateRole", "DeleteRole", "UpdateRole", "UpdateAssumeRolePolicy"]
)


def install(propagations: Propagations) -> None:
    """Put our completions in place of the emulator's functions."""
    iam_evaluator._resolve_condition_key = _condition_key
    iam_evaluator._principal_keys = _principal_keys
    iam_evaluator._resource_policy = _resource_policy
    iam_evaluator.enforce = _delayed(propagations)
    iam_actions.extract_iam_action = _iam_action
    iam_actions.extract_resource_arn = _resource_arn
    iam_actions.access_denied_response = _access_denied


_emulator_condition_key = iam_evaluator._resolve_condition_key
_emulator_principal_keys = iam_evaluator._principal_keys
_emulator_resource_policy = iam_evaluator._resource_policy
_emulator_enforce = iam_evaluator.enforce
_emulator_iam_action = iam_actions.extract_iam_action
_emulator_resource_arn = iam_actions.extract_resource_arn
_emulator_access_denied = iam_actions.access_denied_response


def role_arn_of(principal_arn: str) -> str:
    """The role behind a session, with its path; any other principal as it is."""
    if _ROLE_SESSION not in principal_arn:
        return principal_arn
    account = principal_arn.split(":")[4]
    name = principal_arn.split(_ROLE_SESSION, 1)[1].split("/", 1)[0]
    role = iam._roles.get_scoped(account, None, name) or {}
    return role.get("Arn") or f"arn:aws:iam::{account}:role/{name}"


def _organization_of(account: str | None) -> str | None:
    return accounts.ORGANIZATION_ID if account and accounts.belongs(account) else None


def _condition_key(key: str, context):
    name = key.lower()
    if name == "aws:principalarn":
        return role_arn_of(context.principal_arn)
    if name == "aws:principalorgid":
        return _organization_of(context.principal_account)
    if name in ("aws:resourceorgid", "aws:resourceaccount"):
        account = iam_evaluator._account_from_arn(context.resource_arn) or context.principal_account
        return account if name == "aws:resourceaccount" else _organization_of(account)
    if name in ("iam:policyarn", "iam:permissionsboundary"):
        return _iam_key(name, context.action)
    if name == "aws:currenttime":
        return clock.iso(clock.clock.now())
    if name == "aws:epochtime":
        return str(int(clock.clock.now()))
    if name == "aws:viaawsservice":
        return "false"
    return _emulator_condition_key(key, context)


def _principal_keys(credential) -> dict:
    keys = _emulator_principal_keys(credential)
    session = sts._sessions.get(credential.access_key_id) or {}
    if session.get("SourceIdentity"):
        keys["aws:sourceidentity"] = session["SourceIdentity"]
    return keys


def _resource_policy(service: str, resource_arn: str):
    if service == "backup":
        return vault_access.policy_for(resource_arn)
    return _emulator_resource_policy(service, resource_arn)


def _delayed(propagations: Propagations):
    def enforce(access_key_id, iam_action, service, region, resource_arn="*", service_context=None):
        with propagations.as_they_count():
            denied = _emulator_enforce(access_key_id, iam_action, service, region, resource_arn, service_context)
            return denied or scp.enforce(access_key_id, iam_action, region, resource_arn, service_context)

    return enforce


def _iam_action(service: str, method: str, path: str, headers: dict, body: bytes, query_params: dict) -> str | None:
    if service == "backup":
        return vault_access.action()
    return _emulator_iam_action(service, method, path, headers, body, query_params)


def _resource_arn(service, method, path, headers, body, query_params, region, account_id) -> str:
    if service == "backup":
        return vault_access.resource_arn(region, account_id)
    if service == "cloudtrail":
        return _trail_arn(region, account_id)
    if service == "dynamodb" and call.current() and "ResourceArn" in call.current().json:
        return call.current().json["ResourceArn"]
    if service == "events":
        return _rule_arn(region, account_id) or _emulator_resource_arn(
            service, method, path, headers, body, query_params, region, account_id
        )
    if service == "iam":
        return _iam_arn(account_id) or _emulator_resource_arn(
            service, method, path, headers, body, query_params, region, account_id
        )
    return _emulator_resource_arn(service, method, path, headers, body, query_params, region, account_id)


def _trail_arn(region: str, account: str) -> str:
    parameters = call.current().json if call.current() else {}
    listed = parameters.get("ResourceIdList") or [None]
    name = parameters.get("Name") or parameters.get("TrailName") or parameters.get("ResourceId") or listed[0]
    if not name:
        return "*"
    return name if name.startswith("arn:") else f"arn:aws:cloudtrail:{region}:{account}:trail/{name}"


def _rule_arn(region: str, account: str) -> str | None:
    """A rule of the default bus has no bus in its ARN."""
    request = shapes.understand(call.current()) if call.current() else None
    if request is None or request.operation not in _RULE_OPERATIONS:
        return None
    name = request.parameters.get("Name") or request.parameters.get("Rule")
    bus = (request.parameters.get("EventBusName") or "default").rsplit("/", 1)[-1]
    return f"arn:aws:events:{region}:{account}:rule/{name if bus == 'default' else f'{bus}/{name}'}"


def _iam_arn(account: str) -> str | None:
    """Users and roles by their real ARN, path included."""
    form = call.current().form if call.current() else {}
    for parameter, store in (("RoleName", iam._roles), ("UserName", iam._users)):
        if form.get(parameter):
            found = store.get_scoped(account, None, form[parameter])
            return found["Arn"] if found else None
    return None


def _iam_key(name: str, action: str) -> str | None:
    """What a call to IAM says of the policy it attaches, or of the boundary of the user or role that it changes."""
    form, operation = call.current().form if call.current() else {}, action.removeprefix("iam:")
    if name == "iam:policyarn":
        return form.get("PolicyArn") if operation.startswith(("Attach", "Detach")) else None
    if operation not in _KNOW_THE_BOUNDARY:
        return None
    account = get_account_id()
    entity = iam._roles.get_scoped(account, None, form.get("RoleName", ""))
    entity = entity or iam._users.get_scoped(account, None, form.get("UserName", ""))
    return form.get("PermissionsBoundary") or (entity or {}).get("PermissionsBoundary")


def _access_denied(service, action, principal_arn, request_id, **details):
    """AWS names the resource in what it refuses, and tells which kind of policy refused."""
    if not details.get("message") and not details.get("resource_policy_arn") and not details.get("error_code"):
        resource = details.get("resource_arn") or "*"
        details["message"] = iam_actions.identity_denial_message(
            action, principal_arn, _named(service, resource), details.get("explicit_deny", False)
        )
        if call.current() and call.current().refused_by_scp:
            details["message"] = scp.message(action, principal_arn, _named(service, resource))
    return _emulator_access_denied(service, action, principal_arn, request_id, **details)


def _named(service: str, resource_arn: str) -> str:
    """IAM words its own resources as `user alice`; the other services give the ARN."""
    if service != "iam" or not resource_arn.startswith("arn:"):
        return resource_arn
    kind, _, name = resource_arn.split(":", 5)[5].partition("/")
    return f"{kind} {name.rsplit('/', 1)[-1]}" if kind in ("user", "role", "group") else f"{kind} {resource_arn}"
