"""Parsers that fail in one way each, fuzzed: `python tests/fuzz/ways_to_fail.py WAY` prints what came of it as JSON.

In a process of its own: the fuzzer forks, and a child of a process that has run a thousand tests has their libraries'
threads and handlers in an unknown state.
"""

import json
import os
import signal
import sys
from pathlib import Path

import fuzzer
from parsers import Parser

VALID = b"1 2\n3 4\n"


def nothing(folder: Path) -> None:
    pass


def raises(folder: Path) -> None:
    if (folder / "a.txt").read_bytes() != VALID:
        raise KeyError("a key of nobody")


def loops(folder: Path) -> None:
    while True:
        pass


def fills(folder: Path) -> None:
    bytearray(2**34)


def keeps(folder: Path) -> None:
    bytearray(b"x" * 2**25)


def dies(folder: Path) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def lay(folder: Path) -> None:
    (folder / "a.txt").write_bytes(VALID)


if __name__ == "__main__":
    fuzzer.RESIDENT = 2**24
    read = globals()[sys.argv[1]]
    own = Parser("own", "a.txt", lay, read)
    if sys.argv[2:] == ["guided"]:
        from guided import guided

        found = guided(own, Path("corpus"), seconds=60, inputs=5)[0]
    else:
        found = fuzzer.fuzz(own, seconds=60, inputs=5, limit_s=0.02 if read is loops else 5)
    print(json.dumps([found.tried, found.accepted, sum(found.times.values()), list(found.findings)]))
