"""Peak memory that assigning a crowd adds to a training step; run in a process of its own.

    python -m benchmarks.assignment METHOD OPTIONS [METHOD OPTIONS]…
makes the targets of 3,000 heads in an image of 1333×800 pixels, and their loss on a detector's maps and its gradient;
OPTIONS is JSON, as under ``model`` in a recipe. For each pair it prints {"added_mb": …, "seconds": …}.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.peak_memory import peak_mb
from headcount.core.scene import Scene
from headcount.models.method import TargetBatch
from headcount.models.table import build_method

HEADS, SIZE_WH = 3_000, (1333, 800)


def crowd(size_wh: tuple[int, int], heads: int, *, seed: int = 1) -> Scene:
    """So many heads of 4 to 40 pixels, anywhere in an image."""
    rng = np.random.default_rng(seed)
    side = np.exp(rng.uniform(np.log(4), np.log(40), (heads, 1)))
    corner = rng.uniform(0, size_wh - side)
    return Scene(
        np.zeros((size_wh[1], size_wh[0], 3), np.uint8), corner + side / 2, np.concatenate([corner, corner + side], 1)
    )


def main() -> None:
    given = sys.argv[1:]
    for method, options in zip(given[::2], given[1::2], strict=True):
        print(json.dumps(measured(method, json.loads(options))))


def measured(name: str, options: dict[str, Any]) -> dict[str, float]:
    """The memory that many heads add, in MB, and the seconds that they take."""
    torch.manual_seed(1)
    method = build_method(name, options)
    divisor = method.input_spec.size_divisor
    width, height = (-(-side // divisor) * divisor for side in SIZE_WH)
    few, many = crowd((width, height), 1), crowd((width, height), HEADS)
    images = torch.zeros(1, method.input_spec.channels, height, width)
    finds_boxes = any(output.kind == "boxes" for output in method.outputs)
    maps = None if finds_boxes else method.training_forward(images, TargetBatch.join([method.targets(few)]))

    def learn(scene: Scene) -> None:
        targets = TargetBatch.join([method.targets(scene)])
        # A method that finds its boxes itself assigns heads there: the network's own memory is then counted as well.
        made = method.training_forward(images, targets) if maps is None else maps
        leaves = {name: values if maps is None else values.detach().requires_grad_() for name, values in made.items()}
        method.loss(leaves, targets)["total"].backward()

    learn(few)  # what is loaded once, and held
    forget_peak()
    before, started = peak_mb(), time.perf_counter()
    learn(many)
    seconds = time.perf_counter() - started
    return {"added_mb": round(peak_mb() - before, 1), "seconds": round(seconds, 3)}


def forget_peak() -> None:
    """Start the process's count of its largest resident size anew."""
    Path("/proc/self/clear_refs").write_text("5")


if __name__ == "__main__":
    main()
