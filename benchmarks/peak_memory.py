"""Peak memory of counting one image, above the loaded model; run in a process of its own.

    python -m benchmarks.peak_memory PHOTO
prints {"loaded_mb": …, "peak_mb": …, "count": …, "seconds": …}.
"""

from __future__ import annotations

import json
import resource
import sys
import time

import numpy as np

import headcount


def peak_mb() -> float:
    """The process's largest resident size so far (Linux counts it in KiB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    counter = headcount.load()
    counter.count(np.zeros((64, 64, 3), np.uint8))  # loaded, and run once
    loaded = peak_mb()
    started = time.perf_counter()
    prediction = counter.count(sys.argv[1])
    print(
        json.dumps(
            {
                "loaded_mb": round(loaded),
                "peak_mb": round(peak_mb()),
                "count": round(prediction.count, 1),
                "seconds": round(time.perf_counter() - started, 2),
            }
        )
    )


main()
