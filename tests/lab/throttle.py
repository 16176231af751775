"""IAM's request rate, which everybody in an account shares: who floods it slows down whoever works there."""

from .clock import Clock
from .faults import Fault


class Throttle:
    """A bucket of calls for each account, refilled all the time and one second's worth deep."""

    def __init__(self, clock: Clock) -> None:
        self.calls_per_second = 0.0
        self._clock = clock
        self._left: dict[str, tuple[float, float]] = {}

    def set(self, calls_per_second: float) -> None:
        """Zero lifts the limit."""
        self.calls_per_second = calls_per_second
        self._left.clear()

    def strike(self, account: str | None, service: str) -> Fault | None:
        """The refusal of a call to IAM that finds the account's bucket empty."""
        if not self.calls_per_second or service != "iam" or account is None:
            return None
        deep = max(1.0, self.calls_per_second)
        left, at = self._left.get(account, (deep, self._clock.now()))
        now = self._clock.now()
        left = min(deep, left + (now - at) * self.calls_per_second)
        self._left[account] = (max(0.0, left - 1), now)
        return Fault("throttle") if left < 1 else None
