"""How long the check of data sets takes: whole commands, their wall and processor time.

    python -m benchmarks.checking NAME=PATH …

DATA as in `headcount datasets check`. What matters on two busy cores is the processor time: the wall time is that of
whatever else runs too, as the load at the start tells.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.checking")
    parser.add_argument("data", nargs="+", metavar="NAME=PATH")
    parser.add_argument("--split", help="an official split only")
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start")
    print(f"{'':<40}{'wall':>10}{'processor':>12}")
    total_wall = total_used = 0.0
    for spec in options.data:
        command = [sys.executable, "-m", "headcount", "datasets", "check", spec]
        before, started = _used(), time.perf_counter()
        ended = subprocess.run([*command, *(["--split", options.split] if options.split else [])], capture_output=True)
        wall, used = time.perf_counter() - started, _used() - before
        if ended.returncode not in (0, 1):
            sys.exit(ended.stderr.decode(errors="replace"))
        total_wall, total_used = total_wall + wall, total_used + used
        print(f"{spec.partition('=')[0]:<40}{wall:>8.1f} s{used:>10.1f} s")
    print(f"{'together':<40}{total_wall:>8.1f} s{total_used:>10.1f} s")


def _used() -> float:
    """Seconds of processor time of the commands that have ended."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


if __name__ == "__main__":
    main()
