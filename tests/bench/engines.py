"""Keepwatch and the other engines, each as something that can be run and measured."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from . import stage
from .process import Failed, Run, measured, run
from .stage import Corpus, Tools

HERE = Path(__file__).parent
# How often a replay that is timed reads its corpus: start-up, which is taken off, costs as
# much as reading it once, and must not drown it.
PASSES = 3
LEAST_SHARE = 0.1
# A moment before all events of all corpora.
LONG_AGO = "2000-01-01T00:00:00Z"


@dataclass(frozen=True)
class Replay:
    """`keepwatch replay` with one bundle over one corpus."""

    tools: Tools
    bundle: Path
    corpus: Corpus
    workers: int = 1

    def __call__(self) -> Run:
        """Its time without start-up: its own clock's, and of the processor's what a replay of
        the same folders does not use that wants no file of them."""
        trails = [self.corpus.trail] * PASSES
        start = run(self._command(*trails, "--until", LONG_AGO), self.tools.work)
        ended = run(self._command(*trails), self.tools.work)
        said = json.loads(ended.stderr.splitlines()[-1])
        records, should = said["summary"]["records"], self.corpus.records * PASSES
        if records != should:
            raise Failed(f"keepwatch read {records} of {should} records of {self.corpus.folder}")
        if ended.cpu - start.cpu < LEAST_SHARE * start.cpu:
            raise Failed(f"{records} records take no time beside start-up\n\nhint: set BENCH_RECORDS higher")
        return Run(records, ended.cpu - start.cpu, said["seconds"], ended.peak_mb)

    def findings(self) -> set[str]:
        """What it finds: `event id<TAB>rule` of each."""
        ended = run(self._command(self.corpus.trail), self.tools.work)
        found = map(json.loads, ended.stdout.splitlines())
        return {f"{finding['event_id']}\t{finding['rule']['id']}" for finding in found}

    def _command(self, *trails: Path) -> list[str | Path]:
        options = ["--policies", self.bundle, "--config", self.corpus.accounts, "--workers", str(self.workers)]
        return [self.tools.keepwatch, "replay", "--json", *options, *trails]


@dataclass(frozen=True)
class Peer:
    """Another engine, on the first so many records."""

    name: str
    records: int
    command: Callable[[Path, int, Path], list[str | Path]]
    events: Path
    work: Path

    @property
    def matches(self) -> Path:
        return self.work / f"matches-{self.name}.tsv"

    def __call__(self) -> Run:
        return measured(self.command(self.events, self.records, self.matches), self.work)

    def check(self, ours: set[str]) -> int:
        """Fails unless it finds exactly what Keepwatch finds in the same records."""
        self()
        theirs = stage.lines_of(self.matches)
        with self.events.open() as file:
            seen = {json.loads(line)["eventID"] for line in islice(file, self.records)}
        ours = {line for line in ours if line.split("\t")[0] in seen}
        if theirs != ours:
            apart = sorted(theirs ^ ours)
            shown = "\n".join(f"  only {'ours' if line in ours else self.name}: {line}" for line in apart[:10])
            raise Failed(f"{self.name} and keepwatch differ in {len(apart)} matches\n{shown}")
        return len(theirs)


def peers(tools: Tools, events: Path, records: int) -> list[Peer]:
    """Slow engines get fewer records, so that each takes about as long."""
    folder = stage.rules(tools, 0, 10)
    module = stage.wasm(tools, folder)

    def own(engine: str, rules: Path) -> Callable[[Path, int, Path], list[str | Path]]:
        return lambda events, count, matches: [
            tools.bench, "peer", engine, rules, events, matches, "--records", str(count)
        ]

    def opa(way: str) -> Callable[[Path, int, Path], list[str | Path]]:
        return lambda events, count, matches: [
            tools.opa_peer, way, folder / "conditions.rego", events, str(count), matches
        ]

    def jq(events: Path, count: int, matches: Path) -> list[str | Path]:
        return [sys.executable, HERE / "jq_peer.py", folder / "conditions.jq", events, str(count), matches]

    shares = [
        ("rsigma", 1, own("rsigma", folder / "conditions.yml")),
        ("opa-wasm", 1, own("wasm", module)),
        ("regorus", 2, own("regorus", folder / "conditions.rego")),
        ("jq", 4, jq),
        ("opa", 10, opa("documented")),
        ("opa-parsed", 10, opa("parsed")),
    ]
    return [Peer(name, max(records // share, 1), command, events, tools.work) for name, share, command in shares]
