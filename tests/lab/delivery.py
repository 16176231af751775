"""Where a record goes: event history always; the event bus and the log files only while a trail is logging."""

from dataclasses import dataclass, field

from . import bus, spelling, trails
from .clock import Clock
from .history import History
from .recorder import Pending, Recorded
from .trail_files import TrailFiles
from .trails import Trail

_DETAIL_TYPE = "AWS API Call via CloudTrail"


@dataclass
class Kept:
    """A record as the control API shows it."""

    seq: int
    record: dict
    delivered: bool


@dataclass
class Delivery:
    clock: Clock
    history: History
    files: TrailFiles
    delay_seconds: float = 0.0
    kept: list[Kept] = field(default_factory=list)

    def before(self, pending: Pending) -> list[Trail]:
        """Trails that see a call to CloudTrail itself: StopLogging is still recorded by the trail it stops."""
        if pending.request.service != "cloudtrail":
            return []
        source, read_only = spelling.event_source(pending.request), spelling.is_read(pending.request)
        return trails.covering(pending.caller["accountId"], pending.region, source, read_only)

    def deliver(self, recorded: Recorded, saw_before: list[Trail]) -> None:
        record = recorded.record
        self.history.add(record, recorded.time)
        found = trails.covering(recorded.account, recorded.region, record["eventSource"], record["readOnly"])
        seeing = list(dict.fromkeys([*saw_before, *found]))
        self.kept.append(Kept(len(self.kept) + 1, record, bool(seeing)))
        if seeing:
            self.clock.after(self.delay_seconds, lambda: self._publish(recorded, seeing))

    def _publish(self, recorded: Recorded, seeing: list[Trail]) -> None:
        record = recorded.record
        for trail in seeing:
            self.files.add(trail, record)
        bus.publish(
            bus.Event(
                account=recorded.account,
                region=recorded.region,
                source=f"aws.{record['eventSource'].split('.')[0]}",
                detail_type=_DETAIL_TYPE,
                detail=record,
                time=recorded.time,
                read_only=record["readOnly"],
            )
        )
