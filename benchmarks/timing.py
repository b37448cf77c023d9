"""Timing on machines that are noisy: the things compared take turns, and medians are quoted."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping


def medians_ms(
    things: Mapping[str, Callable[[], object]], *, rounds: int, warmup: int = 2,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:  # fmt: skip
    """Median milliseconds of each, over ``rounds`` turns of all of them after ``warmup`` uncounted ones.

    ``clock`` is the wall's; ``time.process_time`` leaves out what else runs on the processor.
    """
    seen: dict[str, list[float]] = {name: [] for name in things}
    for turn in range(warmup + rounds):
        for name, thing in things.items():
            started = clock()
            thing()
            if turn >= warmup:
                seen[name].append(1e3 * (clock() - started))
    return {name: statistics.median(values) for name, values in seen.items()}
