"""Answers AWS Backup's calls: ours from this package, plans and what else is only read from the emulator."""

import json

from ministack.core.responses import get_account_id, get_region
from ministack.services import backup as emulator

from .. import call, shapes
from . import events, holds, jobs, plans, points, state, vaults
from .state import BackupError, Place


def _tags_of(place: Place, arn: str) -> dict | None:
    """The tags of a vault, point or hold; `None` for what the emulator keeps."""
    vault = state.vault_by_arn(arn)
    if vault:
        return vault.tags
    corner = state.corner(place)
    for vault in corner.vaults.values():
        if arn in vault.points:
            return vault.points[arn].tags
    return next((hold.tags for hold in corner.holds.values() if hold.arn == arn), None)


def _list_tags(place: Place, given: dict) -> dict | None:
    tags = _tags_of(place, given["ResourceArn"])
    return None if tags is None else {"Tags": dict(tags)}


def _tag(place: Place, given: dict) -> dict | None:
    tags = _tags_of(place, given["ResourceArn"])
    if tags is None:
        return None
    tags.update(given.get("Tags") or {})
    return {}


def _untag(place: Place, given: dict) -> dict | None:
    tags = _tags_of(place, given["ResourceArn"])
    if tags is None:
        return None
    for key in given.get("TagKeyList") or []:
        tags.pop(key, None)
    return {}


def _describe_region(place: Place, given: dict) -> dict:
    return {"ResourceTypeOptInPreference": state.corner(place).opt_in, "ResourceTypeManagementPreference": {}}


def _update_region(place: Place, given: dict) -> dict:
    wanted = given.get("ResourceTypeOptInPreference") or {}
    state.corner(place).opt_in.update(wanted)
    events.region_settings_changed(place, wanted)
    return {}


_OPERATIONS = {
    "CreateBackupVault": vaults.create,
    "DescribeBackupVault": vaults.describe,
    "ListBackupVaults": vaults.list_all,
    "DeleteBackupVault": vaults.delete,
    "PutBackupVaultAccessPolicy": vaults.put_policy,
    "GetBackupVaultAccessPolicy": vaults.get_policy,
    "DeleteBackupVaultAccessPolicy": vaults.delete_policy,
    "PutBackupVaultLockConfiguration": vaults.put_lock,
    "DeleteBackupVaultLockConfiguration": vaults.delete_lock,
    "ListRecoveryPointsByBackupVault": points.list_by_vault,
    "DescribeRecoveryPoint": points.describe,
    "DeleteRecoveryPoint": points.delete,
    "DisassociateRecoveryPoint": points.disassociate,
    "UpdateRecoveryPointLifecycle": points.update_lifecycle,
    "StartBackupJob": jobs.start_backup,
    "DescribeBackupJob": jobs.describe_backup,
    "ListBackupJobs": jobs.list_backups,
    "StartCopyJob": jobs.start_copy,
    "DescribeCopyJob": jobs.describe_copy,
    "ListCopyJobs": jobs.list_copies,
    "CreateLegalHold": holds.create,
    "GetLegalHold": holds.get,
    "ListLegalHolds": holds.list_all,
    "CancelLegalHold": holds.cancel,
    "ListRecoveryPointsByLegalHold": holds.list_points,
    "GetBackupPlan": plans.get_version,
    "DeleteBackupPlan": plans.refuse_with_selections,
    "ListTags": _list_tags,
    "TagResource": _tag,
    "UntagResource": _untag,
    "DescribeRegionSettings": _describe_region,
    "UpdateRegionSettings": _update_region,
}
# Operations that call their idempotency token otherwise.
_TOKENS = {"CreateBackupPlan": "CreatorRequestId", "CreateBackupSelection": "CreatorRequestId"}
_answered: dict[tuple, tuple[int, dict, bytes]] = {}
_PAGES = frozenset({"BackupVaultList", "RecoveryPoints", "BackupJobs", "CopyJobs", "LegalHolds"})
_PAGE_SIZE = 1000


def install() -> None:
    """Take the place of the emulator's handler, and of what its CloudFormation calls."""
    _emulate = emulator.handle_request

    async def emulate(request, *given):
        status, headers, document = await _emulate(*given)
        if request and status == 200:
            plans.tell(_here(), request.operation, document)
        return status, headers, document

    async def handle(*given):
        request = shapes.understand(call.current()) if call.current() else None
        used = _token(request) if request else None
        if used in _answered and not plans.is_gone(request.operation, _answered[used][2]):
            return _copied(_answered[used])
        answer = answer_to(request) if request and request.operation in _OPERATIONS else None
        answer = answer or await emulate(request, *given)
        if used and answer[0] == 200:
            _answered[used] = _copied(answer)
        return answer

    emulator.handle_request = handle
    emulator._create_vault = _create_vault_for_stack
    emulator._delete_vault = lambda name: vaults.delete(_here(), {"BackupVaultName": name})


def _copied(answer: tuple[int, dict, bytes]) -> tuple[int, dict, bytes]:
    """Whoever sends an answer adds headers to it."""
    status, headers, body = answer
    return status, dict(headers), body


def _token(request: shapes.Request) -> tuple | None:
    """What makes a request the same as an earlier one, however else they differ; `None` without a token."""
    name = _TOKENS.get(request.operation, "IdempotencyToken")
    given = request.parameters.get(name)
    return (_here(), request.operation, given) if given else None


def answer_to(request: shapes.Request) -> tuple[int, dict, bytes] | None:
    """The answer on the wire; `None` when the resource is one the emulator keeps."""
    try:
        document = _OPERATIONS[request.operation](_here(), _with_times(request))
    except BackupError as refused:
        return _refusal(refused)
    except KeyError as missing:
        return _refusal(BackupError("MissingParameterValueException", f"Missing parameter {missing}"))
    if document is None:
        return None
    status = request.model.http.get("responseCode", 200)
    output = request.model.output_shape
    body = json.dumps(_paged(document, request.parameters, output)).encode() if output else b""
    return status, {"Content-Type": "application/json"}, body


def _here() -> Place:
    return Place(get_account_id(), get_region())


def _with_times(request: shapes.Request) -> dict:
    """Dates inside a request's body as epoch seconds, whichever way the client wrote them."""
    given = dict(request.parameters)
    selection = given.get("RecoveryPointSelection")
    if isinstance(selection, dict) and selection.get("DateRange"):
        between = {name: points.moment(value) for name, value in selection["DateRange"].items()}
        given["RecoveryPointSelection"] = {**selection, "DateRange": between}
    return given


def _paged(document: dict, given: dict, output) -> dict:
    shown = {name: _without_nothing(value) for name, value in document.items() if value is not None}
    for name in _PAGES & shown.keys():
        start = int(given.get("NextToken") or 0)
        size = int(given.get("MaxResults") or _PAGE_SIZE)
        everything = shown[name]
        shown[name] = everything[start : start + size]
        if start + size < len(everything):
            shown["NextToken"] = str(start + size)
    return {_wire_name(output, name): value for name, value in shown.items() if name in output.members}


def _wire_name(output, member: str) -> str:
    return output.members[member].serialization.get("name", member)


def _without_nothing(value):
    if isinstance(value, dict):
        return {name: _without_nothing(inner) for name, inner in value.items() if inner is not None}
    return [_without_nothing(inner) for inner in value] if isinstance(value, list) else value


def _refusal(refused: BackupError) -> tuple[int, dict, bytes]:
    body = {"__type": refused.code, "Code": refused.code, "Message": refused.message, "message": refused.message}
    headers = {"Content-Type": "application/json", "x-amzn-errortype": refused.code}
    return refused.status, headers, json.dumps(body).encode()


def _create_vault_for_stack(name: str, given: dict):
    made = vaults.create(_here(), {**given, "BackupVaultName": name})
    return 200, {"Content-Type": "application/json"}, json.dumps(made).encode()
