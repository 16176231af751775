"""Runs a program and writes down what it used.

    python launch.py USAGE PROGRAM [ARGUMENT …]

A process of its own, and a small one: Linux counts the memory of whoever starts a program as
that program's peak, and the benchmark's own is larger than what it measures.
"""

import json
import os
import sys
import time


def main(usage: str, *command: str) -> int:
    started = time.monotonic()
    child = os.posix_spawnp(command[0], command, os.environ)
    _, status, used = os.wait4(child, 0)
    wall = time.monotonic() - started
    with open(usage, "w") as file:
        json.dump({"cpu": used.ru_utime + used.ru_stime, "wall": wall, "peak_mb": used.ru_maxrss / 1024}, file)
    return os.waitstatus_to_exitcode(status) & 0xFF


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
