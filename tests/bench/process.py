"""Running a program to its end, and what it used."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

LAUNCH = Path(__file__).parent / "launch.py"


@dataclass(frozen=True)
class Ended:
    """A program that has ended: what it wrote, and what it used from its start to its end."""

    stdout: str
    stderr: str
    cpu: float
    wall: float
    peak_mb: float


@dataclass(frozen=True)
class Run:
    """One measurement: the work alone, without start-up and without compiling rules."""

    records: int
    cpu: float
    wall: float
    peak_mb: float = 0.0


class Failed(Exception):
    """A program did not do what it should; the text says which and why."""


def run(command: list[str | Path], work: Path, variables: dict[str, str] | None = None) -> Ended:
    """Runs a program, with some variables of its own. Its output goes through files: a pipe that fills up would stop it."""
    out, err, usage = work / "stdout", work / "stderr", work / "usage"
    words = [str(word) for word in command]
    with out.open("wb") as stdout, err.open("wb") as stderr:
        launch = [sys.executable, "-I", "-S", str(LAUNCH), str(usage), *words]
        code = subprocess.run(launch, stdout=stdout, stderr=stderr, env=os.environ | (variables or {})).returncode
    ended = (out.read_text(), err.read_text())
    if code:
        raise Failed(f"`{' '.join(words)}` ended with {code}\n{(ended[1] or ended[0])[-2000:]}")
    return Ended(*ended, **json.loads(usage.read_text()))


def measured(command: list[str | Path], work: Path, records: int = 0) -> Run:
    """Runs a program that measures itself and says so in its last line."""
    ended = run(command, work)
    said = json.loads(ended.stdout.splitlines()[-1])
    return Run(said["records"] or records, said["cpu"], said["wall"], ended.peak_mb)
