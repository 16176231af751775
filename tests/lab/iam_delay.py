"""IAM as it is in life: a change counts only some seconds after it was made.

While a delay is set, each change first keeps the IAM that it replaces, and calls are judged by the IAM of `delay`
seconds ago. Reads of IAM itself (GetUserPolicy and the like) always show the newest state.
"""

import contextlib
import copy
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from ministack.services import iam

from .clock import Clock

_STORES = (
    "_users",
    "_roles",
    "_policies",
    "_access_keys",
    "_groups",
    "_user_inline_policies",
    "_group_inline_policies",
)


@dataclass
class _Past:
    """What IAM was until `until`."""

    until: float
    stores: dict


class IamDelay:
    def __init__(self, clock: Clock) -> None:
        self.seconds = 0.0
        self._clock = clock
        self._past: deque[_Past] = deque()

    def set(self, seconds: float) -> None:
        self.seconds = seconds
        if not seconds:
            self._past.clear()

    def keep(self) -> "dict | None":
        """IAM as it is before a change; to be handed to [`changed`] if the call did change it."""
        if not self.seconds:
            return None
        return {name: copy.deepcopy(getattr(iam, name)) for name in _STORES}

    def changed(self, before: dict | None) -> None:
        if before is not None:
            self._past.append(_Past(self._clock.now(), before))

    @contextlib.contextmanager
    def as_it_counts(self) -> Iterator[None]:
        """Within this block the emulator sees the IAM that counts now. Must not await."""
        counts = self._counting()
        if counts is None:
            yield
            return
        newest = {name: getattr(iam, name) for name in _STORES}
        _install(counts)
        try:
            yield
        finally:
            _install(newest)

    def _counting(self) -> dict | None:
        counted_from = self._clock.now() - self.seconds
        while self._past and self._past[0].until <= counted_from:
            self._past.popleft()
        return self._past[0].stores if self._past else None


def _install(stores: dict) -> None:
    for name, store in stores.items():
        setattr(iam, name, store)
