"""How long a start takes, and what idling holds, with many rules: of a command and of the agent."""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from . import bars, stage
from .process import run
from .stage import Tools

# So many rules are the size that a start is to bear; the shipped ones again and again.
RULES = 60


@dataclass(frozen=True)
class Starts:
    """A command that evaluates, with nothing to evaluate, and the agent on a local AWS."""

    tools: Tools
    bundle: Path
    # The Python that the local AWS runs in.
    lab: Path

    def measured(self, rounds: int) -> bars.Starts:
        """What each start took, in seconds, and what the agent held while it idled, in MB."""
        taken: bars.Starts = {}
        for _ in range(rounds):
            shutil.rmtree(self._cache, ignore_errors=True)
            for row in ("first", "later"):
                cpu, wall = self._command()
                taken.setdefault(f"command, {row} start, processor", []).append(cpu)
                taken.setdefault(f"command, {row} start, wall", []).append(wall)
        return taken | self._agent(rounds)

    @property
    def _cache(self) -> Path:
        return (self.tools.work / "cache").absolute()

    def _command(self) -> tuple[float, float]:
        nothing = self.tools.work / "nothing"
        nothing.mkdir(exist_ok=True)
        command = [self.tools.keepwatch, "replay", "--policies", self.bundle, nothing]
        ended = run(command, self.tools.work, {"KEEPWATCH_CACHE_DIR": str(self._cache)})
        return ended.cpu, ended.wall

    def _agent(self, rounds: int) -> bars.Starts:
        command = [self.lab, "-m", "bench.agent", self.tools.keepwatch, self.bundle, self._cache, str(rounds)]
        ended = run(command, self.tools.work, {"PYTHONPATH": os.environ["PYTHONPATH"]})
        return json.loads(ended.stdout.splitlines()[-1])


def starts(tools: Tools, lab: Path) -> Starts:
    folder = stage.copies(tools, Path("policies"), RULES)
    return Starts(tools, stage.bundle(tools, folder, folder.name), lab)
