"""Service control policies: what the organisation forbids an account, whatever the account itself allows.

Policies and attachments are those of the management account's Organizations. The management account and
service-linked roles are exempt.
"""

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id, request_scope
from ministack.services import organizations

from . import accounts, call, identity

_TYPE = "SERVICE_CONTROL_POLICY"


def enforce(access_key_id: str, action: str, region: str, resource_arn: str) -> iam_evaluator.EvalResult | None:
    """A denial, or `None` when every level between the root and the caller's account allows the call."""
    account = identity.account_of(access_key_id) or get_account_id()
    if account not in accounts.MEMBERS:
        return None
    levels = _levels(account)
    if not any(levels):
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


def _levels(account: str) -> list[list]:
    """Parsed policies by level; empty lists when nobody has attached anything but FullAWSAccess."""
    with request_scope(accounts.MANAGEMENT, accounts.GLOBAL_REGION):
        policies = {pid: one for pid, one in organizations._policies.items() if one.get("Type") == _TYPE}
        if len(policies) <= 1:
            return []
        targets = [next(iter(organizations._roots.values()))["Id"], account]
        return [
            [
                iam_evaluator.parse_policy_document(one["_Content"])
                for pid, one in policies.items()
                if target in (organizations._attachments.get(pid) or [])
            ]
            for target in targets
        ]
