"""What IAM must know to judge a call to AWS Backup: its action, its resource, and the vault's own policy."""

from ministack.core import iam_evaluator

from .. import call, sessions, shapes
from . import state

_SERVICE_PRINCIPAL = "backup.amazonaws.com"


def action() -> str | None:
    request = _request()
    return f"backup:{request.operation}" if request else None


def resource_arn(region: str, account: str) -> str:
    """The resource that the call in hand is about, as IAM policies name it."""
    request = _request()
    if request is None:
        return "*"
    given = request.parameters
    place = state.Place(account, region)
    if "RecoveryPointArn" in given:
        return given["RecoveryPointArn"]
    if "BackupVaultName" in given:
        return place.arn(f"backup-vault:{given['BackupVaultName']}")
    if "LegalHoldId" in given:
        return place.arn(f"legal-hold:{given['LegalHoldId']}")
    if "BackupPlanId" in given:
        return place.arn(f"backup-plan:{given['BackupPlanId']}")
    if request.operation in ("TagResource", "UntagResource", "ListTags"):
        return given.get("ResourceArn", "*")
    return "*"


def policy_for(resource: str) -> tuple[str | None, str] | None:
    """The access policy that guards `resource`, with its owner; a recovery point is guarded by its vault's."""
    found = state.vault_by_arn(resource) or _vault_in_hand()
    return (found.policy, found.place.account) if found else None


def _vault_in_hand() -> state.Vault | None:
    from ministack.core.responses import get_account_id

    request = _request()
    name = request and (request.parameters.get("BackupVaultName") or request.parameters.get("SourceBackupVaultName"))
    if not name:
        return None
    return state.corner(state.Place(get_account_id(), call.current().region)).vaults.get(name)


def _request() -> shapes.Request | None:
    return shapes.understand(call.current()) if call.current() else None


def allows_copy_into(vault: state.Vault, source_account: str, role_arn: str) -> bool:
    """Whether another account may copy into `vault`: only its access policy can say so."""
    if vault.place.account == source_account:
        return True
    context = iam_evaluator.EvalContext(
        principal_arn=role_arn,
        principal_type="AssumedRole",
        principal_account=source_account,
        action="backup:CopyIntoBackupVault",
        resource_arn=vault.arn,
        region=vault.place.region,
    )
    return iam_evaluator.evaluate_resource_policy(vault.policy, context).decision == "Allow"


def require_pass_role(role_arn: str, region: str) -> None:
    """The caller must be allowed to hand this role to AWS Backup, and the role must trust AWS Backup."""
    caller = call.current()
    if caller is None:
        return
    denied = iam_evaluator.enforce(
        caller.access_key_id, "iam:PassRole", "iam", region, role_arn, {"iam:passedtoservice": _SERVICE_PRINCIPAL}
    )
    if denied:
        who = getattr(denied, "principal_arn", "")
        message = f"User: {who} is not authorized to perform: iam:PassRole on resource: {role_arn}"
        raise state.BackupError("AccessDeniedException", message, 403)
    if not sessions.trusts(role_arn, _SERVICE_PRINCIPAL):
        raise state.invalid_value(f"IAM Role {role_arn} does not have sufficient permissions to execute the backup")
