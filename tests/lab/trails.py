"""Which trails see a call: state, Region and event selectors, as the emulator keeps them for each account."""

import json
from dataclasses import dataclass

from ministack.core.responses import get_account_id
from ministack.services import cloudtrail

from . import accounts


@dataclass(frozen=True)
class Trail:
    """A trail as delivery needs it."""

    account: str
    name: str
    home_region: str
    bucket: str
    prefix: str


def covering(account: str, region: str, source: str, read_only: bool) -> list[Trail]:
    """The logging trails of `account` that select a management event of this kind in `region`."""
    found = []
    for (owner, home, name), trail in cloudtrail._trails.all_items():
        if owner != account or not trail.get("IsLogging") or not _in_region(trail, home, region):
            continue
        selectors = cloudtrail._event_selectors.get_scoped(account, home, name)
        if _selects(selectors, source, read_only):
            found.append(Trail(account, name, home, trail.get("S3BucketName", ""), trail.get("S3KeyPrefix", "")))
    return found


def _in_region(trail: dict, home: str, region: str) -> bool:
    if trail.get("IsMultiRegionTrail"):
        return True
    return region == home and (region != accounts.GLOBAL_REGION or trail.get("IncludeGlobalServiceEvents", True))


def _selects(selectors: list[dict] | None, source: str, read_only: bool) -> bool:
    if selectors is None:
        return True
    return any(_selector_takes(selector, source, read_only) for selector in selectors)


def _selector_takes(selector: dict, source: str, read_only: bool) -> bool:
    if "FieldSelectors" in selector:
        facts = {"eventCategory": "Management", "readOnly": str(read_only).lower(), "eventSource": source}
        return all(_field_takes(one, facts) for one in selector["FieldSelectors"])
    if not selector.get("IncludeManagementEvents", True) or source in selector.get("ExcludeManagementEventSources", ()):
        return False
    return selector.get("ReadWriteType", "All") in ("All", "ReadOnly" if read_only else "WriteOnly")


def _field_takes(selector: dict, facts: dict[str, str]) -> bool:
    value = facts.get(selector.get("Field", ""))
    if value is None:
        return False
    tests = (
        ("Equals", lambda wanted: value in wanted),
        ("NotEquals", lambda unwanted: value not in unwanted),
        ("StartsWith", lambda starts: value.startswith(tuple(starts))),
        ("NotStartsWith", lambda starts: not value.startswith(tuple(starts))),
        ("EndsWith", lambda ends: value.endswith(tuple(ends))),
        ("NotEndsWith", lambda ends: not value.endswith(tuple(ends))),
    )
    return all(fits(selector[name]) for name, fits in tests if selector.get(name))


_delivered: dict[Trail, float] = {}


def delivered(trail: Trail, moment: float) -> None:
    """Remember that a log file of this trail arrived."""
    _delivered[trail] = moment


def install() -> None:
    """Let GetTrailStatus tell when the last log file arrived."""
    answer = cloudtrail._DISPATCH["GetTrailStatus"]

    def status(body: dict) -> tuple[int, dict, bytes]:
        code, headers, document = answer(body)
        name = body.get("Name", "").rsplit("/", 1)[-1]
        moments = [at for trail, at in _delivered.items() if (trail.account, trail.name) == (get_account_id(), name)]
        if code != 200 or not moments:
            return code, headers, document
        return code, headers, json.dumps({**json.loads(document), "LatestDeliveryTime": max(moments)}).encode()

    cloudtrail._DISPATCH["GetTrailStatus"] = status
