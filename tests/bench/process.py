"""Running a program to its end, and what it used."""

import json
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path


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


def run(command: list[str | Path], work: Path) -> Ended:
    """Runs a program. Its output goes through files: a pipe that fills up would stop it."""
    out, err = work / "stdout", work / "stderr"
    with out.open("wb") as stdout, err.open("wb") as stderr:
        started = time.monotonic()
        process = subprocess.Popen([str(word) for word in command], stdout=stdout, stderr=stderr)
        _, status, used = os.wait4(process.pid, 0)
        wall = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)
    ended = Ended(out.read_text(), err.read_text(), used.ru_utime + used.ru_stime, wall, used.ru_maxrss / 1024)
    if process.returncode:
        said = ended.stderr[-2000:] or ended.stdout[-2000:]
        raise Failed(f"`{' '.join(map(str, command))}` ended with {process.returncode}\n{said}")
    return ended


def measured(command: list[str | Path], work: Path, records: int = 0) -> Run:
    """Runs a program that measures itself and says so in its last line."""
    ended = run(command, work)
    said = json.loads(ended.stdout.splitlines()[-1])
    return Run(said["records"] or records, said["cpu"], said["wall"], ended.peak_mb)
