"""Starts the agent on a local AWS again and again, and says how long it took to poll and what it held while it idled.

    python -m bench.agent KEEPWATCH BUNDLE CACHE ROUNDS

Runs in the local AWS's Python. In every round the cache is empty first, and then holds what that start compiled.
"""

import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

from lab.stage import Stage

_ROOT = Path(__file__).resolve().parents[2]
# What a start leaves to be given back is given back by then.
_SETTLING_SECONDS = 2


def main(keepwatch: str, bundle: str, cache: str, rounds: str) -> int:
    taken: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="keepwatch-bench-") as folder:
        stage = Stage(_ROOT, Path(folder), str(Path(keepwatch).absolute()))
        try:
            stage.start_lab()
            for _ in range(int(rounds)):
                shutil.rmtree(cache, ignore_errors=True)
                for row in ("first", "later"):
                    seconds, megabytes = _start(stage, str(Path(bundle).absolute()), cache)
                    taken.setdefault(f"agent, {row} start, wall", []).append(seconds)
                    taken.setdefault(f"agent, idle after its {row} start", []).append(megabytes)
        finally:
            stage.close()
    print(json.dumps(taken))
    return 0


def _start(stage: Stage, bundle: str, cache: str) -> tuple[float, float]:
    stage.start_agent(KEEPWATCH_POLICIES=bundle, KEEPWATCH_CACHE_DIR=cache)
    time.sleep(_SETTLING_SECONDS)
    metrics = stage.metrics()
    stage.stop_agent()
    return metrics["keepwatch_startup_seconds"], metrics["process_resident_memory_bytes"] / 1e6


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
