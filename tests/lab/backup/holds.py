"""Legal holds: while one covers a recovery point, nobody deletes it, whatever their rights."""

from ..clock import clock
from . import state
from .state import Hold, Place, Point

_MOST_ACTIVE_OF_AN_ACCOUNT = 50


def create(place: Place, given: dict) -> dict:
    selection = given.get("RecoveryPointSelection") or {}
    if not selection.get("VaultNames") and not selection.get("ResourceIdentifiers"):
        raise state.BackupError(
            "MissingParameterValueException", "RecoveryPointSelection names no vault and no resource"
        )
    if state.active_holds(place.account) >= _MOST_ACTIVE_OF_AN_ACCOUNT:
        raise state.BackupError(
            "LimitExceededException",
            f"Account {place.account} has reached its limit of {_MOST_ACTIVE_OF_AN_ACCOUNT} active legal holds.",
        )
    hold = Hold(
        id=state.new_id(),
        place=place,
        title=given["Title"],
        description=given["Description"],
        created=clock.now(),
        selection=selection,
        tags=dict(given.get("Tags") or {}),
    )
    state.corner(place).holds[hold.id] = hold
    return {**_shown(hold), "Status": "CREATING"}


def get(place: Place, given: dict) -> dict:
    hold = _hold(place, given)
    return {**_shown(hold), "CancelDescription": hold.cancel_description, "CancellationDate": hold.cancelled}


def list_all(place: Place, given: dict) -> dict:
    fields = ("Title", "Status", "Description", "LegalHoldId", "LegalHoldArn", "CreationDate", "CancellationDate")
    listed = [{**_shown(hold), "CancellationDate": hold.cancelled} for hold in state.corner(place).holds.values()]
    return {"LegalHolds": [{name: one.get(name) for name in fields} for one in listed]}


def cancel(place: Place, given: dict) -> dict:
    hold = _hold(place, given)
    if hold.status == "CANCELED":
        raise state.BackupError("InvalidResourceStateException", f"Legal hold {hold.id} is already canceled")
    hold.status = "CANCELED"
    hold.cancelled = clock.now()
    hold.cancel_description = given.get("CancelDescription")
    return {}


def list_points(place: Place, given: dict) -> dict:
    hold = _hold(place, given)
    points = [point for vault in state.corner(place).vaults.values() for point in vault.points.values()]
    return {
        "RecoveryPoints": [
            {
                "RecoveryPointArn": point.arn,
                "ResourceArn": point.resource_arn,
                "ResourceType": point.resource_type,
                "BackupVaultName": point.vault.name,
            }
            for point in points
            if _covers(hold, point)
        ]
    }


def on(point: Point) -> bool:
    """Whether a hold in force covers this point."""
    holds = state.corner(point.vault.place).holds.values()
    return any(hold.status == "ACTIVE" and _covers(hold, point) for hold in holds)


def _covers(hold: Hold, point: Point) -> bool:
    selection = hold.selection
    vaults, resources = selection.get("VaultNames") or [], selection.get("ResourceIdentifiers") or []
    if vaults and point.vault.name not in vaults:
        return False
    if resources and point.resource_arn not in resources:
        return False
    between = selection.get("DateRange")
    return not between or between["FromDate"] <= point.created <= between["ToDate"]


def _hold(place: Place, given: dict) -> Hold:
    found = state.corner(place).holds.get(given["LegalHoldId"])
    if found is None:
        raise state.not_found(f"Legal hold {given['LegalHoldId']} does not exist.")
    return found


def _shown(hold: Hold) -> dict:
    return {
        "Title": hold.title,
        "Status": hold.status,
        "Description": hold.description,
        "LegalHoldId": hold.id,
        "LegalHoldArn": hold.arn,
        "CreationDate": hold.created,
        "RecoveryPointSelection": hold.selection,
    }
