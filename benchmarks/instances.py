"""Instance maps: how long targets take, and what the largest images of the field do.

    python -m benchmarks.instances
The network of the large image is replaced by one that answers at once, so that time and memory are those of tiling,
averaging, thresholding and finding components.
"""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from benchmarks.peak_memory import peak_mb
from benchmarks.timing import medians_ms
from headcount.core.card import DecoderSpec, ModelCard, OutputSpec, TileSpec
from headcount.infer.counter import Counter
from headcount.infer.tiling import Maps
from headcount.targets.instance import boxes_from_points, instance_map, separate_boxes

HEADS, SIZE_WH = 5_000, (2048, 1536)
LARGE_WH = (19_044, 4_028)


class _Answers:
    """A runtime whose confidence is a grid of squares, and whose threshold is 0.5 everywhere."""

    name, device, precision = "none", "cpu", "f32"

    def __init__(self) -> None:
        row = np.arange(4096) % 16 < 9
        self.grid = (row[:, None] & row[None]).astype(np.float32)

    def run(self, pixels: NDArray[np.uint8]) -> Maps:
        """(1, h, w, 3) → ``confidence`` (1, 1, h, w), ``threshold`` (1, 1, h/8, w/8)."""
        height, width = pixels.shape[1:3]
        return {
            "confidence": self.grid[None, None, :height, :width],
            "threshold": np.full((1, 1, height // 8, width // 8), 0.5, np.float32),
        }


def main() -> None:
    draws = np.random.default_rng(0)
    centres = draws.uniform(0, SIZE_WH, (HEADS, 2))
    half = draws.uniform(2, 30, (HEADS, 2))
    boxes = np.concatenate([centres - half, centres + half], axis=1)
    took = medians_ms(
        {
            "separate": lambda: separate_boxes(boxes),
            "from boxes": lambda: instance_map(separate_boxes(boxes).boxes_xyxy, SIZE_WH),
            "from points": lambda: instance_map(boxes_from_points(centres), SIZE_WH),
        },
        rounds=15,
    )
    print(f"instance map of {HEADS:,} heads at {SIZE_WH[0]}×{SIZE_WH[1]}, median ms: ", end="")
    print(", ".join(f"{name} {value:.0f}" for name, value in took.items()))

    card = ModelCard(
        name="none",
        method="iim",
        outputs=(OutputSpec(name="confidence", stride=1), OutputSpec(name="threshold", stride=8)),
        decoder=DecoderSpec(name="instances"),
        tile=TileSpec(size=1024, halo=64, overlap="average", exact=False),
    )
    pixels = np.zeros((LARGE_WH[1], LARGE_WH[0], 3), np.uint8)
    started = time.perf_counter()
    counter = Counter(card, _Answers(), max_pixels=LARGE_WH[0] * LARGE_WH[1])
    prediction = counter.count(pixels)
    print(
        f"{LARGE_WH[1]}×{LARGE_WH[0]} in tiles of 1024 px, averaged: {prediction.count:,.0f} components in "
        f"{time.perf_counter() - started:.1f} s, {peak_mb():,.0f} MB at most in the whole process"
    )


if __name__ == "__main__":
    main()
