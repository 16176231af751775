"""Backups and copies on their way: CREATED, RUNNING, then done or failed, by the lab's clock."""

import random
from dataclasses import dataclass

from ..clock import clock
from . import access, events, points, state
from .state import Job, Place, Point, Vault

_KINDS = {"dynamodb": "DynamoDB", "rds": "RDS", "s3": "S3", "elasticfilesystem": "EFS", "fsx": "FSx"}
_EC2_KINDS = {"volume": "EBS", "instance": "EC2"}
_START_WINDOW_SECONDS = 8 * 3600
_SIZES = (2_147_483_648, 8_589_934_592, 21_474_836_480)


@dataclass
class Pace:
    """How long the lab's jobs take."""

    backup_seconds: float = 1.0
    copy_seconds: float = 1.0


pace = Pace()


def kind_of(resource_arn: str) -> str:
    """The resource type as AWS Backup names it."""
    pieces = resource_arn.split(":", 5)
    if len(pieces) < 6:
        raise state.invalid_value(f"Invalid resource ARN {resource_arn}")
    if pieces[2] == "ec2":
        return _EC2_KINDS.get(pieces[5].split("/")[0], "EC2")
    if pieces[2] == "rds" and pieces[5].startswith("cluster:"):
        return "Aurora"
    return _KINDS.get(pieces[2], pieces[2])


def point_arn(place: Place, kind: str, job_id: str, made_by: str = "job") -> str:
    """Recovery points are named by the service that keeps them."""
    if kind in ("RDS", "Aurora"):
        snapshot = "snapshot" if kind == "RDS" else "cluster-snapshot"
        return f"arn:aws:rds:{place.region}:{place.account}:{snapshot}:awsbackup:{made_by}-{job_id}"
    if kind == "EBS":
        return f"arn:aws:ec2:{place.region}::snapshot/snap-0{random.getrandbits(64):016x}"
    return place.arn(f"recovery-point:{state.new_id()}")


def start_backup(place: Place, given: dict) -> dict:
    vault = state.vault(place, given["BackupVaultName"])
    lifecycle = given.get("Lifecycle") or {}
    points.check_lifecycle(lifecycle, vault)
    access.require_pass_role(given["IamRoleArn"], place.region)
    job = _new_backup(place, vault, given)
    return {
        "BackupJobId": job.id,
        "RecoveryPointArn": job.shown["RecoveryPointArn"],
        "CreationDate": job.shown["CreationDate"],
        "IsParent": False,
    }


def _new_backup(place: Place, vault: Vault, given: dict) -> Job:
    job_id, now, kind = state.new_id(), clock.now(), kind_of(given["ResourceArn"])
    shown = {
        "AccountId": place.account,
        "BackupJobId": job_id,
        "BackupVaultName": vault.name,
        "BackupVaultArn": vault.arn,
        "VaultType": "BACKUP_VAULT",
        "RecoveryPointArn": point_arn(place, kind, job_id),
        "ResourceArn": given["ResourceArn"],
        "ResourceType": kind,
        "IamRoleArn": given["IamRoleArn"],
        "CreationDate": now,
        "StartBy": now + _START_WINDOW_SECONDS,
        "BackupSizeInBytes": random.choice(_SIZES),
        "_lifecycle": given.get("Lifecycle") or {},
        "_tags": given.get("RecoveryPointTags") or {},
    }
    job = Job(job_id, place, "CREATED", shown)
    state.corner(place).backup_jobs[job_id] = job
    events.backup_job_changed(job)
    _run(job, pace.backup_seconds, events.backup_job_changed, lambda: _finish_backup(job))
    return job


def _finish_backup(job: Job) -> str | None:
    shown = job.shown
    vault = state.corner(job.place).vaults.get(shown["BackupVaultName"])
    if vault is None:
        return f"Backup job failed because backup vault {shown['BackupVaultArn']} does not exist."
    points.add(
        Point(
            arn=shown["RecoveryPointArn"],
            vault=vault,
            resource_arn=shown["ResourceArn"],
            resource_type=shown["ResourceType"],
            role_arn=shown["IamRoleArn"],
            created=shown["CreationDate"],
            completed=clock.now(),
            size_bytes=shown["BackupSizeInBytes"],
            lifecycle=shown["_lifecycle"],
            tags=dict(shown["_tags"]),
        )
    )
    return None


def start_copy(place: Place, given: dict) -> dict:
    source = state.point(place, given["SourceBackupVaultName"], given["RecoveryPointArn"])
    access.require_pass_role(given["IamRoleArn"], place.region)
    job = _new_copy(place, source, given)
    return {"CopyJobId": job.id, "CreationDate": job.shown["CreationDate"], "IsParent": False}


def _new_copy(place: Place, source: Point, given: dict) -> Job:
    job_id = state.new_id().upper()
    shown = {
        "AccountId": place.account,
        "CopyJobId": job_id,
        "SourceBackupVaultArn": source.vault.arn,
        "SourceRecoveryPointArn": source.arn,
        "DestinationBackupVaultArn": given["DestinationBackupVaultArn"],
        "ResourceArn": source.resource_arn,
        "ResourceType": source.resource_type,
        "ResourceName": points.shown(source)["ResourceName"],
        "IamRoleArn": given["IamRoleArn"],
        "CreationDate": clock.now(),
        "BackupSizeInBytes": source.size_bytes,
        "_lifecycle": given.get("Lifecycle") or source.lifecycle,
    }
    job = Job(job_id, place, "CREATED", shown)
    state.corner(place).copy_jobs[job_id] = job
    events.copy_job_changed(job)
    _run(job, pace.copy_seconds, events.copy_job_changed, lambda: _finish_copy(job, source))
    return job


def _finish_copy(job: Job, source: Point) -> str | None:
    shown = job.shown
    target = state.vault_by_arn(shown["DestinationBackupVaultArn"])
    if target is None:
        return f"The backup vault {shown['DestinationBackupVaultArn']} does not exist."
    if not access.allows_copy_into(target, job.place.account, shown["IamRoleArn"]):
        return (
            "Access Denied trying to call AWS Backup service. The destination vault's access policy does not allow "
            f"backup:CopyIntoBackupVault to account {job.place.account}."
        )
    if source.arn not in source.vault.points:
        return f"The recovery point {source.arn} does not exist."
    try:
        points.check_lifecycle(shown["_lifecycle"], target)
    except state.BackupError as refused:
        return refused.message
    copied = _copy_of(source, target, job)
    shown["DestinationRecoveryPointArn"] = copied.arn
    points.add(copied)
    return None


def _copy_of(source: Point, target: Vault, job: Job) -> Point:
    return Point(
        arn=point_arn(target.place, source.resource_type, job.id.lower(), "copyjob"),
        vault=target,
        resource_arn=source.resource_arn,
        resource_type=source.resource_type,
        role_arn=job.shown["IamRoleArn"],
        created=clock.now(),
        completed=clock.now(),
        size_bytes=source.size_bytes,
        lifecycle=dict(job.shown["_lifecycle"]),
        tags=dict(source.tags),
        source_vault_arn=source.vault.arn,
    )


def _run(job: Job, seconds: float, changed, finish) -> None:
    def start() -> None:
        job.state = "RUNNING"
        changed(job)

    def end() -> None:
        failure = finish()
        job.state = "FAILED" if failure else "COMPLETED"
        job.shown["StatusMessage"] = failure
        job.shown["CompletionDate"] = clock.now()
        changed(job)

    clock.after(seconds / 2, start)
    clock.after(seconds, end)


def describe_backup(place: Place, given: dict) -> dict:
    return _shown(_job(state.corner(place).backup_jobs, given["BackupJobId"]))


def describe_copy(place: Place, given: dict) -> dict:
    return {"CopyJob": _shown(_job(state.corner(place).copy_jobs, given["CopyJobId"]))}


def list_backups(place: Place, given: dict) -> dict:
    jobs = state.corner(place).backup_jobs.values()
    return {"BackupJobs": [_shown(job) for job in reversed(list(jobs)) if _wanted(job, given)]}


def list_copies(place: Place, given: dict) -> dict:
    jobs = state.corner(place).copy_jobs.values()
    return {"CopyJobs": [_shown(job) for job in reversed(list(jobs)) if _wanted(job, given)]}


def _wanted(job: Job, given: dict) -> bool:
    shown = job.shown
    done = shown.get("CompletionDate")
    equal = {
        "ByState": job.state,
        "ByResourceArn": shown["ResourceArn"],
        "ByResourceType": shown["ResourceType"],
        "ByAccountId": shown["AccountId"],
        "ByBackupVaultName": shown.get("BackupVaultName"),
        "ByDestinationVaultArn": shown.get("DestinationBackupVaultArn"),
        "BySourceRecoveryPointArn": shown.get("SourceRecoveryPointArn"),
        "ByParentJobId": None,
    }
    if any(name in given and given[name] != value for name, value in equal.items()):
        return False
    times = (
        ("ByCreatedBefore", lambda limit: shown["CreationDate"] < limit),
        ("ByCreatedAfter", lambda limit: shown["CreationDate"] > limit),
        ("ByCompleteBefore", lambda limit: done is not None and done < limit),
        ("ByCompleteAfter", lambda limit: done is not None and done > limit),
    )
    return all(fits(points.moment(given[name])) for name, fits in times if name in given)


def _job(jobs: dict[str, Job], job_id: str) -> Job:
    if job_id not in jobs:
        raise state.not_found(f"Job {job_id} does not exist.")
    return jobs[job_id]


def _shown(job: Job) -> dict:
    shown = {name: value for name, value in job.shown.items() if not name.startswith("_")}
    if "BackupJobId" in shown:
        shown["PercentDone"] = "100.0" if job.state == "COMPLETED" else "0.0"
    return {**shown, "State": job.state}
