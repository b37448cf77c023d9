"""What the losses of density networks take, forward and backward, on a dense crop.

    python -m benchmarks.density_losses
prints of each the median milliseconds of the processor and the memory beyond that of a crop of 50 points, for 3,000
points on 512×512 pixels at stride 8 (point to region: 4), on one thread; each loss in a process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import torch

from benchmarks.peak_memory import peak_mb
from benchmarks.timing import medians_ms
from headcount.core.scene import Scene
from headcount.models.method import TargetBatch
from headcount.models.parts.density import DensityOutput, DensitySettings, total_of

SIDE_PX, POINTS, FEW = 512, 3_000, 50
LOSSES = {"mse": 8, "blocks": 8, "bayesian": 8, "dm_count": 8, "zip": 8, "p2r": 4}
"""Loss → stride of the network's features."""


def step(loss: str, points: int, *, side: int = SIDE_PX) -> Callable[[], None]:
    """One forward and backward of a loss from what the last layer gives."""
    draws = np.random.default_rng(0)
    output = DensityOutput(DensitySettings(density_loss=loss, density_activation="softplus"), LOSSES[loss])
    scene = Scene(np.zeros((side, side, 3), np.uint8), draws.uniform(0, side, (points, 2)))
    targets = TargetBatch.join([output.targets(scene)])
    cells = side // LOSSES[loss]
    raw = torch.randn(1, output.channels, cells, cells, generator=torch.Generator().manual_seed(0)) - 2

    def run() -> None:
        total_of(output.loss(output.maps(raw.requires_grad_()), targets)).backward()

    return run


def measured(loss: str, *, points: int = POINTS, rounds: int = 5) -> dict[str, float]:
    """Milliseconds, and megabytes beyond those of few points."""
    torch.set_num_threads(1)
    step(loss, FEW)()
    before = peak_mb()
    took = medians_ms({loss: step(loss, points)}, rounds=rounds, warmup=1, clock=time.process_time)
    return {"ms": took[loss], "mb": peak_mb() - before}


def main() -> None:
    if len(sys.argv) > 1:
        print(json.dumps(measured(sys.argv[1])))
        return
    print(f"{POINTS:,} points on {SIDE_PX}×{SIDE_PX} px, one image: ms and MB")
    for loss in LOSSES:
        found = subprocess.run(
            [sys.executable, "-m", "benchmarks.density_losses", loss], check=True, capture_output=True, text=True
        )
        told = json.loads(found.stdout)
        print(f"  {loss:<10}{told['ms']:>9.1f}{told['mb']:>9.0f}", flush=True)


if __name__ == "__main__":
    main()
