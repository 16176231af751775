"""The lab's one clock: real time plus whatever a test has advanced it by.

It drives event times, Backup jobs, IAM propagation, session expiry and SQS visibility. It never moves backwards, and
it does not drive request signatures, which the callers date by their own clocks.
"""

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable
from datetime import UTC, datetime


class Clock:
    """Time, and what is due at a time."""

    def __init__(self) -> None:
        self._offset = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._wake: asyncio.Event | None = None

    def now(self) -> float:
        return time.time() + self._offset

    def advance(self, seconds: float) -> None:
        """Move time forward and do at once whatever became due, in its order."""
        if seconds < 0:
            raise ValueError("the clock only moves forward")
        self._offset += seconds
        self.run_due()

    def after(self, seconds: float, deed: Callable[[], None]) -> None:
        """Do `deed` when `seconds` of lab time have passed; with none to wait for, now."""
        if seconds <= 0:
            deed()
            return
        heapq.heappush(self._due, (self.now() + seconds, next(self._order), deed))
        if self._wake:
            self._wake.set()

    def run_due(self) -> None:
        while self._due and self._due[0][0] <= self.now():
            _, _, deed = heapq.heappop(self._due)
            deed()

    async def run(self) -> None:
        """Keep doing what is due for as long as the process lives."""
        self._wake = asyncio.Event()
        while True:
            self.run_due()
            self._wake.clear()
            wait = max(0.0, self._due[0][0] - self.now()) if self._due else None
            try:
                await asyncio.wait_for(self._wake.wait(), wait)
            except TimeoutError:
                pass


class TimeModule:
    """Stands in for the `time` module inside the emulator, so that its sessions expire by the lab's clock."""

    def __init__(self, clock: Clock) -> None:
        self.time = clock.now

    def __getattr__(self, name: str):
        return getattr(time, name)


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def iso_millis(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def in_words(seconds: float) -> str:
    """`Nov 7, 2026, 3:04:05 PM`, as CloudTrail writes dates inside parameters and answers."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%b} {moment.day}, {moment.year}, {moment.hour % 12 or 12}:{moment:%M:%S %p}"


clock = Clock()
