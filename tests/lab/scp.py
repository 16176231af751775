"""Service control policies: what the organisation forbids an account, whatever the account itself allows.

Policies and attachments are those of the management account's Organizations. The management account and
service-linked roles are exempt.
"""

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id, request_scope
from ministack.services import organizations

from . import accounts, call, identity

_TYPE = "SERVICE_CONTROL_POLICY"


def enforce(
    access_key_id: str, action: str, region: str, resource_arn: str, service_context: dict | None
) -> iam_evaluator.EvalResult | None:
    """A denial, or `None` when every level between the root and the caller's account allows the call."""
    account = identity.account_of(access_key_id) or get_account_id()
    if account not in accounts.MEMBERS:
        return None
    levels = _levels(account)
    if levels is None:
        return None
    principal = iam_evaluator.resolve_principal(access_key_id, account)
    if isinstance(principal, iam_evaluator.AuthError) or "/aws-service-role/" in principal.arn:
        return None
    context = iam_evaluator.EvalContext(
        principal_arn=principal.arn,
        principal_type=principal.type,
        principal_account=account,
        action=action,
        resource_arn=resource_arn,
        region=region,
        service_context={key.lower(): value for key, value in (service_context or {}).items()},
        principal_keys=principal.keys,
    )
    if all(iam_evaluator.evaluate(context, level).decision == "Allow" for level in levels):
        return None
    if call.current():
        call.current().refused_by_scp = True
    return iam_evaluator.EvalResult("Deny", principal.arn, reason="service control policy")


def message(action: str, principal_arn: str, resource: str) -> str:
    return (
        f"User: {principal_arn} is not authorized to perform: {action} on resource: {resource} "
        "with an explicit deny in a service control policy"
    )


def _levels(account: str) -> list[list] | None:
    """Parsed policies of the account, its units and the root; `None` when all of them have FullAWSAccess alone."""
    with request_scope(accounts.MANAGEMENT, accounts.GLOBAL_REGION):
        attached = [_attached(target) for target in _path(account)]
        if all(ids == [organizations.FULL_ACCESS_POLICY_ID] for ids in attached):
            return None
        policies = organizations._policies
        return [[iam_evaluator.parse_policy_document(policies[one]["_Content"]) for one in ids] for ids in attached]


def _path(account: str) -> list[str]:
    """The account, the organisational units above it, and the root."""
    path = [account]
    while child := organizations._ous.get(path[-1]) or organizations._accounts.get(path[-1]):
        path.append(child["_ParentId"])
    return path


def _attached(target: str) -> list[str]:
    policies = organizations._policies
    attached = [policy for policy, targets in organizations._attachments.items() if target in targets]
    return [policy for policy in attached if policies[policy]["Type"] == _TYPE]
