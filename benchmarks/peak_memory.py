"""Peak memory of counting one image, above the loaded model; run in a process of its own.

    python -m benchmarks.peak_memory PHOTO PRECISION
prints {"loaded_mb": …, "peak_mb": …, "count": …, "seconds": …}.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np

import headcount


def peak_mb() -> float:
    """The process's largest resident size so far, of Linux's own count (getrusage begins with the parent's)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise SystemExit("Peak memory is read from /proc, which this system lacks.")


def main() -> None:
    counter = headcount.load(precision=sys.argv[2])
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


if __name__ == "__main__":
    main()
