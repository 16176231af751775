"""Makes the corpora, checks that all engines agree, measures in rounds, and reports.

BENCH_RECORDS=N   records in a corpus (200,000)
BENCH_ROUNDS=N    rounds (5)
BENCH_GATE=1      exit with 1 when a bar is missed
"""

import json
import os
import platform
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from . import bars, engines, stage, start
from .engines import Replay
from .process import Failed, Run, measured
from .stage import Corpus, Tools

Rows = dict[str, Callable[[], Run]]


def main() -> int:
    records, rounds = int(os.environ.get("BENCH_RECORDS", "200000")), int(os.environ.get("BENCH_ROUNDS", "5"))
    work = Path("target/bench")
    work.mkdir(parents=True, exist_ok=True)
    tools = Tools(
        # A copy: another build must not change it between two rounds.
        keepwatch=Path(shutil.copy2(os.environ["KEEPWATCH"], work / "keepwatch")),
        bench=Path(os.environ["BENCH"]),
        opa=Path(os.environ["KEEPWATCH_OPA"]),
        opa_peer=Path(os.environ["OPA_PEER"]),
        work=work,
    )
    rows, peaks = prepare(tools, records)
    load = os.getloadavg()[0]
    results = in_rounds(rows, rounds)
    print("peak memory", flush=True)
    memory = {name: replay().peak_mb for name, replay in peaks.items()}
    print("starts", flush=True)
    starts = start.starts(tools, Path(os.environ["LAB"])).measured(rounds)
    outcomes = bars.outcomes(results, memory) + bars.outcomes_of_starts(starts)
    report = {
        "records": records,
        "rounds": rounds,
        "machine": {"cpu": processor(), "cores": os.cpu_count(), "load_before": load, "load_after": os.getloadavg()[0]},
        "rows": bars.rows(results),
        "starts": starts,
        "bars": [asdict(outcome) for outcome in outcomes],
    }
    (tools.work / "result.json").write_text(json.dumps(report, indent=1) + "\n")
    show(report)
    missed = [bar for bar in report["bars"] if not bar["passed"]]
    return 1 if os.environ.get("BENCH_GATE") == "1" and missed else 0


def prepare(tools: Tools, records: int) -> tuple[Rows, dict[str, Replay]]:
    """Everything that is measured, once it is known to find what it should."""
    usual = stage.corpus(tools, "w3", records)
    busy = stage.corpus(tools, "w15", records, wanted=15)
    many = stage.corpus(tools, "a1000", records, accounts=1000)
    large = stage.corpus(tools, "x5", 5 * records)
    shipped = stage.bundle(tools, Path("policies"), "shipped")
    rows: Rows = {
        "gunzip 3 %": unpacking(tools, "gunzip", usual),
        "gunzip 15 %": unpacking(tools, "gunzip", busy),
        "gunzip + typed scan": unpacking(tools, "scan", usual),
        "replay 3 %": Replay(tools, shipped, usual),
        "replay 15 %": Replay(tools, shipped, busy),
        "replay 1000 accounts": Replay(tools, shipped, many),
        "replay 2 workers": Replay(tools, shipped, usual, workers=2),
        "replay nothing wanted": Replay(tools, synthetic(tools, 10, 20), usual),
    }
    for count in (10, 100, 1000):
        rows[f"replay {count} rules"] = Replay(tools, synthetic(tools, 0, count), usual)
    peers = engines.peers(tools, stage.lines(tools, usual), records)
    rows |= {peer.name: peer for peer in peers}
    check(rows, peers)
    files = stage.many_files(tools, usual, records)
    peaks = {
        "the corpus": Replay(tools, shipped, usual),
        "five times the corpus": Replay(tools, shipped, large),
        f"{records} small files, three times": Replay(tools, shipped, files),
    }
    return rows, peaks


def synthetic(tools: Tools, first: int, end: int) -> Path:
    folder = stage.rules(tools, first, end)
    return stage.bundle(tools, folder / "keepwatch", folder.name)


def unpacking(tools: Tools, command: str, corpus: Corpus) -> Callable[[], Run]:
    return lambda: measured([tools.bench, command, corpus.trail], tools.work, corpus.records)


def check(rows: Rows, peers: list[engines.Peer]) -> None:
    """Speed counts only for engines that find what they should."""
    for name in ("replay 3 %", "replay 15 %", "replay 1000 accounts", "replay 2 workers"):
        replay = rows[name]
        assert isinstance(replay, Replay)
        if replay.findings() != replay.corpus.violations():
            raise Failed(f"`{name}`: what keepwatch finds is not what {replay.corpus.folder}/violations.tsv says")
    ten = rows["replay 10 rules"]
    assert isinstance(ten, Replay)
    ours = {line.replace("\tBENCH-", "\t") for line in ten.findings()}
    for peer in peers:
        print(f"{peer.name} agrees on {peer.check(ours)} matches in {peer.records} records", flush=True)


def in_rounds(rows: Rows, rounds: int) -> bars.Rounds:
    """All rows in turn, again and again: what disturbs the machine disturbs each alike."""
    results: bars.Rounds = {name: [] for name in rows}
    for number in range(rounds):
        started = time.monotonic()
        for name, row in rows.items():
            results[name].append(row())
        print(f"round {number + 1} of {rounds}: {time.monotonic() - started:.0f} s", flush=True)
    return results


def processor() -> str:
    try:
        names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
        return names[0].split(": ")[1]
    except (OSError, IndexError):
        return platform.processor()


def show(report: dict) -> None:
    machine = report["machine"]
    print(f"\n{machine['cores']} cores of {machine['cpu']}, load {machine['load_before']:.1f} before the rounds")
    print(f"\n{'ns a record':<24}{'cpu min':>10}{'median':>10}{'wall min':>10}{'median':>10}{'records/s cpu':>15}")
    for row in report["rows"]:
        figures = "".join(f"{row[key]:>10.0f}" for key in ("cpu_ns_min", "cpu_ns_median", "wall_ns_min", "wall_ns_median"))
        print(f"{row['row']:<24}{figures}{1e9 / row['cpu_ns_median']:>15,.0f}")
    print(f"\n{'bar':<46}{'is':>10}{'must be':>10}{'other clock':>13}{'one unpacks':>13}{'both unpack':>13}")
    for bar in report["bars"]:
        shown = (bar["other_clock"], bar["one_unpacks"], bar["both_unpack"])
        other = "".join(" " * 13 if value is None else f"{value:>13.2f}" for value in shown)
        sign = ">=" if bar["unit"] == "x" else "<"
        must = f"{sign} {bar['bar']:g}"
        print(f"{bar['title']:<46}{bar['value']:>10.2f}{must:>10}{other}  {'ok' if bar['passed'] else 'MISSED'}")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as error:
        sys.exit(f"error: {error}")
