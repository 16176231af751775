"""How often each operation was called and how long the lab took over it. Percentiles are of the latest calls."""

from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager

_KEPT = 10_000


class Stats:
    def __init__(self) -> None:
        self._counts: dict[str, int] = defaultdict(int)
        self._running: Counter[str] = Counter()
        self._totals: dict[str, float] = defaultdict(float)
        self._seconds: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=_KEPT))

    @contextmanager
    def running(self, operation: str) -> Iterator[None]:
        """While a call is answered."""
        self._running[operation] += 1
        try:
            yield
        finally:
            self._running[operation] -= 1

    def add(self, operation: str, seconds: float) -> None:
        self._counts[operation] += 1
        self._totals[operation] += seconds
        self._seconds[operation].append(seconds)

    def shown(self) -> dict:
        operations = {name: self._of(name) for name in sorted(self._counts)}
        return {"calls": sum(self._counts.values()), "running": +self._running, "operations": operations}

    def _of(self, name: str) -> dict:
        times = sorted(self._seconds[name])
        return {
            "count": self._counts[name],
            "total_ms": round(self._totals[name] * 1000, 3),
            "p50_ms": _percentile(times, 0.50),
            "p95_ms": _percentile(times, 0.95),
            "p99_ms": _percentile(times, 0.99),
            "max_ms": round(times[-1] * 1000, 3),
        }


def _percentile(times: list[float], share: float) -> float:
    return round(times[min(len(times) - 1, int(len(times) * share))] * 1000, 3)
