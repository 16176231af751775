"""What must be reached, and whether it was."""

import statistics
from dataclasses import asdict, dataclass

from .process import Run

Rounds = dict[str, list[Run]]


@dataclass(frozen=True)
class Bar:
    """`fast` must do at least so many times the records a second of `slow`."""

    title: str
    fast: str
    slow: str
    least: float
    clock: str = "cpu"
    # What `slow` is spared and `fast` does: shown, but not what the bar is about.
    spared: str | None = None


@dataclass(frozen=True)
class Outcome:
    title: str
    value: float
    bar: float
    passed: bool
    unit: str
    other_clock: float | None = None
    with_gunzip: float | None = None


BARS = [
    Bar("replay of gunzip alone, 3 % wanted", "replay 3 %", "gunzip 3 %", 0.40),
    Bar("replay of gunzip alone, 15 % wanted", "replay 15 %", "gunzip 15 %", 0.25),
    Bar("ten conditions: rsigma", "replay 10 rules", "rsigma", 4, spared="gunzip 3 %"),
    Bar("ten conditions: OPA's wasm for every event", "replay 10 rules", "opa-wasm", 6, spared="gunzip 3 %"),
    Bar("ten conditions: OPA, prepared query", "replay 10 rules", "opa", 60, spared="gunzip 3 %"),
    Bar("ten conditions: jq", "replay 10 rules", "jq", 15, spared="gunzip 3 %"),
    Bar("1,000 rules of ten", "replay 1000 rules", "replay 10 rules", 0.90),
    Bar("1,000 accounts of two", "replay 1000 accounts", "replay 3 %", 0.95),
    Bar("two workers of one", "replay 2 workers", "replay 3 %", 1.8, clock="wall"),
]
MOST_MB = 150


def speed(run: Run, clock: str) -> float:
    return run.records / getattr(run, clock)


def ratio(rounds: Rounds, bar: Bar, clock: str) -> float:
    """Taken within each round, where both met the same noise."""
    pairs = zip(rounds[bar.fast], rounds[bar.slow], strict=True)
    return statistics.median(speed(fast, clock) / speed(slow, clock) for fast, slow in pairs)


def with_gunzip(rounds: Rounds, bar: Bar) -> float | None:
    """The ratio, had the slow side unpacked the files too."""
    if bar.spared is None:
        return None
    runs = zip(rounds[bar.fast], rounds[bar.slow], rounds[bar.spared], strict=True)
    return statistics.median(
        speed(fast, bar.clock) * (1 / speed(slow, bar.clock) + 1 / speed(spared, bar.clock))
        for fast, slow, spared in runs
    )


def outcomes(rounds: Rounds, peaks: dict[str, float]) -> list[Outcome]:
    found = []
    for bar in BARS:
        value = ratio(rounds, bar, bar.clock)
        other = ratio(rounds, bar, "wall" if bar.clock == "cpu" else "cpu")
        unpacking = with_gunzip(rounds, bar)
        found.append(Outcome(bar.title, value, bar.least, value >= bar.least, "x", other, unpacking))
    for name, peak in peaks.items():
        found.append(Outcome(f"peak memory, {name}", peak, MOST_MB, peak < MOST_MB, "MB"))
    return found


def rows(rounds: Rounds) -> list[dict]:
    """Each row's figures: nanoseconds for a record, and records a second."""
    found = []
    for name, runs in rounds.items():
        row = {"row": name, "records": runs[0].records, "peak_mb": max(run.peak_mb for run in runs)}
        for clock in ("cpu", "wall"):
            each = [1e9 / speed(run, clock) for run in runs]
            row[f"{clock}_ns_min"], row[f"{clock}_ns_median"] = min(each), statistics.median(each)
        row["runs"] = [asdict(run) for run in runs]
        found.append(row)
    return found
