"""Backup plans, where the emulator's need completing: old versions, deletion in order, and their events.

The plans themselves, and their selections, are the emulator's.
"""

import json

from ministack.services import backup as emulator

from ..clock import clock, iso_millis
from . import events, state
from .state import Place

_DONE = {"CreateBackupPlan": "CREATED", "UpdateBackupPlan": "MODIFIED", "DeleteBackupPlan": "DELETED"}


def get_version(place: Place, given: dict) -> dict | None:
    """A plan as it was in an older version; `None` for the newest, which the emulator shows."""
    if not given.get("VersionId"):
        return None
    plan = emulator._plans.get(given["BackupPlanId"])
    versions = plan["Versions"] if plan else []
    found = next((one for one in versions if one["VersionId"] == given["VersionId"]), None)
    if found is None:
        raise state.not_found(f"Backup plan {given['BackupPlanId']} has no version {given['VersionId']}.")
    return found


def refuse_with_selections(place: Place, given: dict) -> None:
    plan_id = given["BackupPlanId"]
    if any(selection["BackupPlanId"] == plan_id for selection in emulator._selections.values()):
        raise state.invalid_request("Related backup plan selections must be deleted prior to backup plan deletion")


def tell(place: Place, operation: str, body: bytes) -> None:
    """The event of a plan that the emulator has created, changed or deleted."""
    if operation in _DONE:
        answered = json.loads(body)
        now = iso_millis(clock.now())
        events.plan_changed(place, answered["BackupPlanId"], answered["VersionId"], now, _DONE[operation])


def is_gone(operation: str, body: bytes) -> bool:
    """Whether the plan or selection that a creation answered with was deleted since: its request id is free again."""
    kept = {"CreateBackupPlan": ("BackupPlanId", emulator._plans), "CreateBackupSelection": ("SelectionId", _chosen())}
    name, there = kept.get(operation, ("", ()))
    return bool(name) and json.loads(body)[name] not in there


def _chosen() -> list[str]:
    return [selection["SelectionId"] for selection in emulator._selections.values()]
