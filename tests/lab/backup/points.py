"""Recovery points: how they are read, kept, shortened and lost."""

from datetime import UTC, datetime

from ..clock import clock
from . import events, holds, state
from .state import Place, Point, Vault

_COLD_TO_DELETE_DAYS = 90
_FOREVER = -1


def list_by_vault(place: Place, given: dict) -> dict:
    vault = state.vault(place, given["BackupVaultName"])
    expire(vault)
    found = [point for point in vault.points.values() if _wanted(point, given)]
    return {"RecoveryPoints": [shown(point) for point in sorted(found, key=_newest_first)]}


def describe(place: Place, given: dict) -> dict:
    expire(state.vault(place, given["BackupVaultName"]))
    point = state.point(place, given["BackupVaultName"], given["RecoveryPointArn"])
    return {**shown(point), "StorageClass": "WARM"}


def delete(place: Place, given: dict) -> dict:
    point = state.point(place, given["BackupVaultName"], given["RecoveryPointArn"])
    _refuse_protected(point, "deleted")
    _remove(point)
    return {}


def disassociate(place: Place, given: dict) -> dict:
    point = state.point(place, given["BackupVaultName"], given["RecoveryPointArn"])
    _refuse_protected(point, "disassociated")
    _remove(point)
    return {}


def update_lifecycle(place: Place, given: dict) -> dict:
    point = state.point(place, given["BackupVaultName"], given["RecoveryPointArn"])
    lifecycle = {name: days for name, days in (given.get("Lifecycle") or {}).items() if days is not None}
    check_lifecycle(lifecycle, point.vault)
    point.lifecycle = lifecycle
    events.point_changed(point, "MODIFIED")
    return {
        "BackupVaultArn": point.vault.arn,
        "RecoveryPointArn": point.arn,
        "Lifecycle": point.lifecycle,
        "CalculatedLifecycle": _calculated(point),
    }


def check_lifecycle(lifecycle: dict, vault: Vault) -> None:
    """What AWS Backup refuses of a lifecycle, by itself and by the vault's lock."""
    keep, cold = lifecycle.get("DeleteAfterDays"), lifecycle.get("MoveToColdStorageAfterDays")
    if keep is not None and keep != _FOREVER and keep < 1:
        raise state.invalid_value("DeleteAfterDays must be at least 1")
    if keep is not None and cold is not None and cold > 0 and keep < cold + _COLD_TO_DELETE_DAYS:
        raise state.invalid_value("DeleteAfterDays cannot be less than 90 days apart from MoveToColdStorageAfterDays")
    if vault.lock and vault.lock.min_days and keep is not None and keep != _FOREVER and keep < vault.lock.min_days:
        raise state.invalid_value("Lifecycle retention is shorter than the vault lock's minimum retention")
    if vault.lock and vault.lock.max_days and (keep is None or keep == _FOREVER or keep > vault.lock.max_days):
        raise state.invalid_value("Lifecycle retention is longer than the vault lock's maximum retention")


def add(point: Point) -> None:
    point.vault.points[point.arn] = point
    events.point_changed(point, "COMPLETED")


def expire(vault: Vault) -> None:
    """What AWS Backup does by itself at the end of a lifecycle; a legal hold stops it."""
    now = clock.now()
    for point in list(vault.points.values()):
        if point.delete_at is not None and point.delete_at <= now and not holds.on(point):
            _remove(point)


def _remove(point: Point) -> None:
    del point.vault.points[point.arn]
    events.point_changed(point, "DELETED")


def _refuse_protected(point: Point, deed: str) -> None:
    if holds.on(point):
        raise state.invalid_request(f"Recovery point {point.arn} is under a legal hold and cannot be {deed}.")
    if point.vault.lock:
        raise state.invalid_request(
            f"Recovery point cannot be {deed}: backup vault {point.vault.name} is configured with Vault Lock."
        )


def _newest_first(point: Point) -> float:
    return -point.created


def _wanted(point: Point, given: dict) -> bool:
    filters = (
        ("ByResourceArn", lambda value: point.resource_arn == value),
        ("ByResourceType", lambda value: point.resource_type == value),
        ("ByBackupPlanId", lambda value: (point.created_by or {}).get("backupPlanId") == value),
        ("ByCreatedBefore", lambda value: point.created < moment(value)),
        ("ByCreatedAfter", lambda value: point.created > moment(value)),
        ("ByParentRecoveryPointArn", lambda value: False),
    )
    return all(fits(given[name]) for name, fits in filters if name in given)


def moment(value) -> float:
    """A timestamp as clients send it: epoch seconds or ISO 8601."""
    if isinstance(value, (int, float)):
        return float(value)
    try:
        return float(value)
    except ValueError:
        read = datetime.fromisoformat(value.replace("Z", "+00:00"))
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()


def _calculated(point: Point) -> dict:
    return {"MoveToColdStorageAt": point.cold_at, "DeleteAt": point.delete_at}


def shown(point: Point) -> dict:
    return {
        "RecoveryPointArn": point.arn,
        "BackupVaultName": point.vault.name,
        "BackupVaultArn": point.vault.arn,
        "SourceBackupVaultArn": point.source_vault_arn,
        "ResourceArn": point.resource_arn,
        "ResourceType": point.resource_type,
        "ResourceName": point.resource_arn.replace("/", ":").rsplit(":", 1)[-1],
        "IamRoleArn": point.role_arn,
        "Status": point.status,
        "CreationDate": point.created,
        "CompletionDate": point.completed,
        "InitiationDate": point.created,
        "BackupSizeInBytes": point.size_bytes,
        "CalculatedLifecycle": _calculated(point),
        "Lifecycle": point.lifecycle,
        "EncryptionKeyArn": point.vault.key_arn,
        "IsEncrypted": True,
        "IsParent": False,
        "VaultType": "BACKUP_VAULT",
        "CreatedBy": _created_by(point),
    }


def _created_by(point: Point) -> dict | None:
    return {name[0].upper() + name[1:]: value for name, value in point.created_by.items()} if point.created_by else None
