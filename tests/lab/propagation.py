"""IAM and the organisation as they are in life: a change counts only some seconds after it was made.

While a delay is set, each change first keeps the state that it replaces, and calls are judged by the state of `delay`
seconds ago. Reads of the service itself (GetUserPolicy, ListPolicies) always show the newest state.
"""

import contextlib
import copy
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType

from ministack.services import iam, organizations

from .clock import Clock

_IAM_STORES = (
    "_users",
    "_roles",
    "_policies",
    "_access_keys",
    "_groups",
    "_user_inline_policies",
    "_group_inline_policies",
)
_ORGANIZATION_STORES = ("_policies", "_attachments", "_accounts", "_ous")


@dataclass
class _Past:
    """What the service's state was until `until`."""

    until: float
    stores: dict


class Propagation:
    """How late the changes of one service count."""

    def __init__(self, clock: Clock, service: ModuleType, stores: tuple[str, ...]) -> None:
        self.seconds = 0.0
        self._clock = clock
        self._service = service
        self._stores = stores
        self._past: deque[_Past] = deque()

    def set(self, seconds: float) -> None:
        self.seconds = seconds
        if not seconds:
            self._past.clear()

    def keep(self) -> "dict | None":
        """The state as it is before a change; to be handed to [`changed`] if the call did change it."""
        return copy.deepcopy(self._newest()) if self.seconds else None

    def changed(self, before: dict | None) -> None:
        if before is not None:
            self._past.append(_Past(self._clock.now(), before))

    @contextlib.contextmanager
    def as_it_counts(self) -> Iterator[None]:
        """Within this block the emulator sees the state that counts now. Must not await."""
        counts = self._counting()
        if counts is None:
            yield
            return
        newest = self._newest()
        self._install(counts)
        try:
            yield
        finally:
            self._install(newest)

    def _counting(self) -> dict | None:
        counted_from = self._clock.now() - self.seconds
        while self._past and self._past[0].until <= counted_from:
            self._past.popleft()
        return self._past[0].stores if self._past else None

    def _newest(self) -> dict:
        return {name: getattr(self._service, name) for name in self._stores}

    def _install(self, stores: dict) -> None:
        for name, store in stores.items():
            setattr(self._service, name, store)


class Propagations:
    """The services whose changes can be made to count late, by their signing names."""

    def __init__(self, clock: Clock) -> None:
        self.iam = Propagation(clock, iam, _IAM_STORES)
        self.organizations = Propagation(clock, organizations, _ORGANIZATION_STORES)

    def of(self, service: str) -> Propagation | None:
        return {"iam": self.iam, "organizations": self.organizations}.get(service)

    @contextlib.contextmanager
    def as_they_count(self) -> Iterator[None]:
        with self.iam.as_it_counts(), self.organizations.as_it_counts():
            yield
