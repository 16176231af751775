"""Vaults: their life, their access policies, their locks, their notifications."""

import json
import re

from ..clock import clock
from . import events, state
from .state import DAY, Lock, Place, Vault

_NAME = re.compile(r"^[a-zA-Z0-9\-_]{2,50}$")
_MIN_GRACE_DAYS = 3
_MAX_DAYS = 36_500


def create(place: Place, given: dict) -> dict:
    name = given["BackupVaultName"]
    if not _NAME.match(name):
        raise state.invalid_value(f"Invalid vault name {name}.")
    vaults = state.corner(place).vaults
    if name in vaults:
        raise state.BackupError("AlreadyExistsException", f"Backup vault with the same name already exists: {name}")
    vault = Vault(
        name=name,
        place=place,
        created=clock.now(),
        key_arn=given.get("EncryptionKeyArn") or f"arn:aws:kms:{place.region}:{place.account}:key/aws-backup",
        creator_request_id=given.get("CreatorRequestId", ""),
        tags=dict(given.get("BackupVaultTags") or {}),
    )
    vaults[name] = vault
    events.vault_changed(vault, "CREATED")
    return {"BackupVaultName": name, "BackupVaultArn": vault.arn, "CreationDate": vault.created}


def describe(place: Place, given: dict) -> dict:
    return _shown(state.vault(place, given["BackupVaultName"]))


def list_all(place: Place, given: dict) -> dict:
    return {"BackupVaultList": [_shown(vault) for vault in state.corner(place).vaults.values()]}


def delete(place: Place, given: dict) -> dict:
    vault = state.vault(place, given["BackupVaultName"])
    if vault.points:
        raise state.invalid_request(
            f"Backup vault cannot be deleted (contains {len(vault.points)} recovery points): {vault.name}"
        )
    del state.corner(place).vaults[vault.name]
    events.vault_changed(vault, "DELETED")
    return {}


def put_policy(place: Place, given: dict) -> dict:
    vault = state.vault(place, given["BackupVaultName"])
    policy = given.get("Policy") or ""
    try:
        json.loads(policy)
    except ValueError:
        raise state.invalid_value("The specified policy cannot be added to the vault: it is not valid JSON") from None
    vault.policy = policy
    events.vault_changed(vault, "MODIFIED")
    return {}


def get_policy(place: Place, given: dict) -> dict:
    vault = state.vault(place, given["BackupVaultName"])
    if vault.policy is None:
        raise state.not_found(f"Backup vault {vault.name} has no associated policy")
    return {"BackupVaultName": vault.name, "BackupVaultArn": vault.arn, "Policy": vault.policy}


def delete_policy(place: Place, given: dict) -> dict:
    vault = state.vault(place, given["BackupVaultName"])
    vault.policy = None
    events.vault_changed(vault, "MODIFIED")
    return {}


def put_lock(place: Place, given: dict) -> dict:
    vault = state.vault(place, given["BackupVaultName"])
    _refuse_immutable(vault)
    least, most, grace = given.get("MinRetentionDays"), given.get("MaxRetentionDays"), given.get("ChangeableForDays")
    if least is not None and not 1 <= least <= _MAX_DAYS:
        raise state.invalid_value("MinRetentionDays must be between 1 and 36500")
    if most is not None and not (least or 1) <= most <= _MAX_DAYS:
        raise state.invalid_value("MaxRetentionDays must not be less than MinRetentionDays, nor more than 36500")
    if grace is not None and not _MIN_GRACE_DAYS <= grace <= _MAX_DAYS:
        raise state.invalid_value("ChangeableForDays must be at least 3")
    vault.lock = Lock(least, most, clock.now() + grace * DAY if grace is not None else None)
    events.vault_changed(vault, "MODIFIED")
    return {}


def delete_lock(place: Place, given: dict) -> dict:
    vault = state.vault(place, given["BackupVaultName"])
    _refuse_immutable(vault)
    vault.lock = None
    events.vault_changed(vault, "MODIFIED")
    return {}


def _refuse_immutable(vault: Vault) -> None:
    if vault.lock and vault.lock.lock_date is not None and clock.now() >= vault.lock.lock_date:
        raise state.invalid_request(f"Backup vault lock configuration of {vault.name} is immutable")


def _shown(vault: Vault) -> dict:
    shown = {
        "BackupVaultName": vault.name,
        "BackupVaultArn": vault.arn,
        "VaultType": "BACKUP_VAULT",
        "VaultState": "AVAILABLE",
        "EncryptionKeyArn": vault.key_arn,
        "EncryptionKeyType": "CUSTOMER_MANAGED_KMS_KEY",
        "CreationDate": vault.created,
        "CreatorRequestId": vault.creator_request_id or None,
        "NumberOfRecoveryPoints": len(vault.points),
        "Locked": vault.lock is not None,
    }
    if vault.lock:
        shown["MinRetentionDays"] = vault.lock.min_days
        shown["MaxRetentionDays"] = vault.lock.max_days
        shown["LockDate"] = vault.lock.lock_date
    return shown
