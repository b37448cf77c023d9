"""A process that learns beside the first one of a run, which starts it: ``python -m headcount.train.worker``.

One line of JSON on standard input says what to do; when the input closes, the first process is gone: so is this one.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import threading
import warnings
from typing import NoReturn

from headcount.core.errors import HeadcountError

_LOOK_SECONDS = 5.0


def main() -> int:
    """Follow the first process; 0, or 1 where this one failed and told so."""
    first, order = os.getppid(), json.loads(_line())
    threading.Thread(target=_end_with_the_first, args=(first,), daemon=True).start()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    warnings.simplefilter("ignore", UserWarning)  # the first process gives them

    from headcount.train.follow import follow
    from headcount.train.places import Place
    from headcount.train.processes import member, store_at
    from headcount.train.recipe import Recipe

    recipe, place = Recipe.model_validate_json(json.dumps(order["recipe"])), Place(**order["place"])
    try:
        with member(recipe, place, store_at(order["port"])) as group:
            follow(recipe, group)
    except HeadcountError:  # told to the first
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return 0


def _line() -> bytes:
    line = b""
    while not line.endswith(b"\n") and (more := os.read(0, 1 << 16)):
        line += more
    return line


def _end_with_the_first(first: int) -> NoReturn:
    """Its death closes the input, unless a process that it forked holds the other end; this one gets another parent."""
    while os.getppid() == first:
        if os.name != "nt" and not select.select([0], [], [], _LOOK_SECONDS)[0]:
            continue
        if not os.read(0, 1):  # not through Python's buffer, which this thread would hold when the others end
            break
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
