"""What must be reached, and whether it was."""

import statistics
from dataclasses import asdict, dataclass

from .process import Run

Rounds = dict[str, list[Run]]
# What a start took in each round: seconds, or megabytes.
Starts = dict[str, list[float]]


@dataclass(frozen=True)
class Bar:
    """`fast` must do at least so many times the records a second of `slow`."""

    title: str
    fast: str
    slow: str
    least: float
    clock: str = "cpu"
    # What `slow` is spared and `fast` does in the same round: it is taken off.
    spared: str | None = None


@dataclass(frozen=True)
class Most:
    """`row` must stay below so much, by the median of the rounds."""

    title: str
    row: str
    most: float
    unit: str
    # The same start by the other clock.
    other_clock: str | None = None


@dataclass
class Outcome:
    title: str
    value: float
    bar: float
    passed: bool
    unit: str
    other_clock: float | None = None
    # Where something was taken off: the ratio with `fast` alone doing it, and with both.
    one_unpacks: float | None = None
    both_unpack: float | None = None


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

# Of a command the processor's clock counts, over all its threads: other work on the machine does not change it.
STARTS = [
    Most("60 rules: a command's first start", "command, first start, processor", 1.5, "s", "command, first start, wall"),
    Most("60 rules: its later starts", "command, later start, processor", 0.3, "s", "command, later start, wall"),
    Most("60 rules: the agent polls, first start", "agent, first start, wall", 1, "s"),
    Most("60 rules: the agent polls, later starts", "agent, later start, wall", 1, "s"),
    Most("60 rules: the agent idles, first start", "agent, idle after its first start", 70, "MB"),
    Most("60 rules: the agent idles, later starts", "agent, idle after its later start", 70, "MB"),
]


def speed(run: Run, clock: str) -> float:
    return run.records / getattr(run, clock)


def ratio(rounds: Rounds, bar: Bar, clock: str, off_fast: int = 0, onto_slow: int = 0) -> float:
    """Taken within each round, where both met the same noise; with so many times what `slow`
    is spared taken off `fast`, or put onto `slow`."""
    spared = rounds[bar.spared] if bar.spared else rounds[bar.slow]
    runs = zip(rounds[bar.fast], rounds[bar.slow], spared, strict=True)
    return statistics.median(
        (1 / speed(slow, clock) + onto_slow / speed(spared, clock))
        / (1 / speed(fast, clock) - off_fast / speed(spared, clock))
        for fast, slow, spared in runs
    )


def outcomes(rounds: Rounds, peaks: dict[str, float]) -> list[Outcome]:
    found = []
    for bar in BARS:
        off = 1 if bar.spared else 0
        value = ratio(rounds, bar, bar.clock, off_fast=off)
        outcome = Outcome(bar.title, value, bar.least, value >= bar.least, "x")
        outcome.other_clock = ratio(rounds, bar, "wall" if bar.clock == "cpu" else "cpu", off_fast=off)
        if bar.spared:
            outcome.one_unpacks = ratio(rounds, bar, bar.clock)
            outcome.both_unpack = ratio(rounds, bar, bar.clock, onto_slow=1)
        found.append(outcome)
    for name, peak in peaks.items():
        found.append(Outcome(f"peak memory, {name}", peak, MOST_MB, peak < MOST_MB, "MB"))
    return found


def outcomes_of_starts(starts: Starts) -> list[Outcome]:
    found = []
    for most in STARTS:
        value = statistics.median(starts[most.row])
        outcome = Outcome(most.title, value, most.most, value < most.most, most.unit)
        outcome.other_clock = statistics.median(starts[most.other_clock]) if most.other_clock else None
        found.append(outcome)
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
