"""CloudTrail's event history: every record of an account and Region, trail or no trail, and LookupEvents over it."""

import json
from collections import defaultdict, deque
from itertools import islice

from ministack.core.responses import get_account_id, get_region
from ministack.services import cloudtrail

from .clock import Clock

_MOST_RECORDS = 50_000
_PAGE = 50


class History:
    def __init__(self, clock: Clock) -> None:
        self.delay_seconds = 0.0
        self._clock = clock
        self._events: dict[tuple[str, str], deque[dict]] = defaultdict(lambda: deque(maxlen=_MOST_RECORDS))
        self._count = 0

    def install(self) -> None:
        cloudtrail._DISPATCH["LookupEvents"] = self._lookup

    def add(self, record: dict, moment: float) -> None:
        self._count += 1
        event = {"number": self._count, "record": record, "time": moment}
        self._events[record["recipientAccountId"], record["awsRegion"]].append(event)

    def _lookup(self, body: dict) -> tuple[int, dict, bytes]:
        # New events come in while a caller pages, so a page begins below an event, not at an offset.
        below = int(body.get("NextToken") or self._count + 1)
        events = reversed(self._events[get_account_id(), get_region()])
        newest = self._clock.now() - self.delay_seconds
        found = (one for one in events if one["number"] < below and one["time"] <= newest and _wanted(one, body))
        size = min(int(body.get("MaxResults") or _PAGE), _PAGE)
        page = list(islice(found, size + 1))
        answer = {"Events": [_shown(event) for event in page[:size]]}
        if len(page) > size:
            answer["NextToken"] = str(page[size - 1]["number"])
        return 200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(answer).encode()


def _wanted(event: dict, body: dict) -> bool:
    if "StartTime" in body and event["time"] < float(body["StartTime"]):
        return False
    if "EndTime" in body and event["time"] > float(body["EndTime"]):
        return False
    return all(
        _has(event["record"], one["AttributeKey"], one["AttributeValue"]) for one in body.get("LookupAttributes", [])
    )


def _has(record: dict, key: str, value: str) -> bool:
    if key == "ResourceName":
        return any(resource["ResourceName"] == value for resource in _resources(record))
    if key == "ResourceType":
        return any(resource.get("ResourceType") == value for resource in _resources(record))
    facts = {
        "EventId": record["eventID"],
        "EventName": record["eventName"],
        "EventSource": record["eventSource"],
        "ReadOnly": str(record["readOnly"]).lower(),
        "Username": username(record["userIdentity"]),
        "AccessKeyId": record["userIdentity"].get("accessKeyId"),
    }
    return facts.get(key) == value


def username(identity: dict) -> str | None:
    """What the event history calls the caller: a user's name, a session's name, `root`."""
    if identity["type"] == "Root":
        return "root"
    return identity.get("userName") or identity.get("arn", "").rsplit("/", 1)[-1] or None


def _resources(record: dict) -> list[dict]:
    """Everything a record names: its `resources`, and names and ARNs among its parameters."""
    found = [
        {"ResourceType": one.get("type"), "ResourceName": one.get("ARN", "").rsplit(":::", 1)[-1]}
        for one in record.get("resources") or []
    ]
    for name, value in (record.get("requestParameters") or {}).items():
        if isinstance(value, str) and name.lower().endswith(("name", "arn", "id")):
            found.append({"ResourceName": value})
    return found


def _shown(event: dict) -> dict:
    record = event["record"]
    shown = {
        "EventId": record["eventID"],
        "EventName": record["eventName"],
        "EventSource": record["eventSource"],
        "EventTime": int(event["time"]),
        "ReadOnly": str(record["readOnly"]).lower(),
        "AccessKeyId": record["userIdentity"].get("accessKeyId"),
        "Username": username(record["userIdentity"]),
        "Resources": [{key: value for key, value in one.items() if value} for one in _resources(record)],
        "CloudTrailEvent": json.dumps(record),
    }
    return {key: value for key, value in shown.items() if value is not None}
