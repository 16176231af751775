"""The `... State Change` events of AWS Backup, shaped as its Developer Guide documents them, oddities included.

They go to the account's own default bus, with or without a trail.
"""

from .. import bus, clock
from . import state


def _emit(place: state.Place, detail_type: str, resources: list[str], detail: dict) -> None:
    bus.publish(
        bus.Event(
            account=place.account,
            region=place.region,
            source="aws.backup",
            detail_type=detail_type,
            detail=detail,
            resources=resources,
            time=clock.clock.now(),
        )
    )


def vault_changed(vault: state.Vault, change: str) -> None:
    detail = {"backupVaultName": vault.name, "state": change}
    if vault.lock:
        detail["isLocked"] = "true"
    _emit(vault.place, "Backup Vault State Change", [vault.arn], detail)


def point_changed(point: state.Point, status: str) -> None:
    detail = {
        "backupVaultName": point.vault.name,
        "backupVaultArn": point.vault.arn,
        "creationDate": clock.iso_millis(point.created),
        "iamRoleArn": point.role_arn,
        "resourceType": point.resource_type,
        "resourceArn": point.resource_arn,
        "status": status,
        "isEncrypted": "true",
        "storageClass": "WARM",
        "completionDate": clock.iso_millis(point.completed),
        "createdBy": point.created_by or {},
        "lifecycle": _lifecycle(point),
        "calculatedLifeCycle": {"deleteAt": clock.iso_millis(point.delete_at)} if point.delete_at else {},
    }
    _emit(point.vault.place, "Recovery Point State Change", [point.arn], detail)


def _lifecycle(point: state.Point) -> dict:
    return {name[0].lower() + name[1:]: days for name, days in point.lifecycle.items()}


def backup_job_changed(job: state.Job) -> None:
    shown = job.shown
    if job.state == "CREATED":
        detail = {"backupJobId": job.id, "state": job.state, "creationDate": clock.iso_millis(shown["CreationDate"])}
    else:
        detail = {
            "backupJobId": job.id,
            "backupSizeInBytes": str(shown.get("BackupSizeInBytes", 0)),
            "backupVaultArn": shown["BackupVaultArn"],
            "backupVaultName": shown["BackupVaultName"],
            "bytesTransferred": str(shown.get("BytesTransferred", 0)),
            "creationDate": clock.iso_millis(shown["CreationDate"]),
            "iamRoleArn": shown["IamRoleArn"],
            "resourceArn": shown["ResourceArn"],
            "resourceType": shown["ResourceType"],
            "state": job.state,
            "startBy": clock.iso_millis(shown["StartBy"]),
            "percentDone": 100.0 if job.state == "COMPLETED" else 0,
        }
        _add_end(detail, shown)
    _emit(job.place, "Backup Job State Change", [shown["RecoveryPointArn"]] if job.state == "COMPLETED" else [], detail)


def copy_job_changed(job: state.Job) -> None:
    shown = job.shown
    detail = {
        "copyJobId": job.id,
        "backupSizeInBytes": shown.get("BackupSizeInBytes", 0),
        "creationDate": clock.iso_millis(shown["CreationDate"]),
        "iamRoleArn": shown["IamRoleArn"],
        "resourceArn": shown["ResourceArn"],
        "resourceType": shown["ResourceType"],
        "sourceBackupVaultArn": shown["SourceBackupVaultArn"],
        "state": job.state,
        "destinationBackupVaultArn": shown["DestinationBackupVaultArn"],
        "destinationRecoveryPointArn": shown.get("DestinationRecoveryPointArn", {}),
    }
    _add_end(detail, shown)
    _emit(job.place, "Copy Job State Change", [shown["SourceRecoveryPointArn"]], detail)


def _add_end(detail: dict, shown: dict) -> None:
    if "CompletionDate" in shown:
        detail["completionDate"] = clock.iso_millis(shown["CompletionDate"])
    if shown.get("StatusMessage"):
        detail["statusMessage"] = shown["StatusMessage"]


def region_settings_changed(place: state.Place, opt_in: dict) -> None:
    now = clock.iso_millis(clock.clock.now())
    detail = {"modifiedAt": now, "ResourceTypeOptInPreference": opt_in, "state": "MODIFIED"}
    _emit(place, "Region Setting State Change", [], detail)


def plan_changed(place: state.Place, plan_id: str, version_id: str, moment: str, change: str) -> None:
    named = {"CREATED": "createdAt", "MODIFIED": "modifiedAt", "DELETED": "deletedAt"}[change]
    detail = {"backupPlanId": plan_id, "versionId": version_id, named: moment, "state": change}
    _emit(place, "Backup Plan State Change", [place.arn(f"backup-plan:{plan_id}")], detail)
