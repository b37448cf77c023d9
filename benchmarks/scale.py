"""Whether a count holds when the photograph is enlarged or shrunk.

    python -m benchmarks.scale [--model MODEL] --data shanghaitech-b=PATH … [--photo FILE --heads 67]
resizes validation photographs by ×0.5 to ×4, where the heads stay at least 4 px, and prints how far the count moves
from that of the photograph itself: the median of |count ÷ count at ×1 − 1|, and of the change with its sign. A
photograph whose heads are known is counted at sides of 1,000 to 6,000 px.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from headcount.core.errors import HeadcountError
from headcount.core.image import RgbImage, read_image
from headcount.core.prediction import Prediction
from headcount.core.scene import Scene
from headcount.data.augment.spatial import head_size
from headcount.data.sets.registry import parse_spec, read_dataset
from headcount.infer.counter import load

FACTORS = (0.5, 0.7, 1.5, 2.0, 3.0, 4.0)
SIDES = (1000, 1500, 2000, 3000, 4000, 6000)
LEAST_HEAD_PX = 4.0
FEWEST = 5  # heads in a photograph: of fewer, one more or less is a leap


class Counts(Protocol):
    def count(self, source: RgbImage, /) -> Prediction: ...


def resized(pixels: RgbImage, factor: float) -> RgbImage:
    """An image scaled as a photographer would: by areas where it shrinks, by cubics where it grows."""
    size_wh = tuple(max(1, round(side * factor)) for side in (pixels.shape[1], pixels.shape[0]))
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return cv2.resize(pixels, size_wh, interpolation=how).astype(np.uint8, copy=False)


def changes(counter: Counts, scenes: Sequence[Scene], factors: Sequence[float] = FACTORS) -> dict[float, list[float]]:
    """By factor, count ÷ count at ×1 − 1 of each scene of at least ``FEWEST`` heads that stay large enough."""
    seen: dict[float, list[float]] = {factor: [] for factor in factors}
    for scene in scenes:
        size = head_size(scene)
        if size is None or scene.count < FEWEST:
            continue
        pixels = scene.pixels()
        whole = max(counter.count(pixels).count, 1.0)
        for factor in factors:
            if size * factor >= LEAST_HEAD_PX:
                seen[factor].append(counter.count(resized(pixels, factor)).count / whole - 1)
    return seen


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="headcount-s")
    parser.add_argument("--data", action="append", default=[], metavar="NAME=PATH")
    parser.add_argument("--images", type=int, default=12, help="of each set, evenly from its validation list")
    parser.add_argument("--photo", type=Path, metavar="FILE")
    parser.add_argument("--heads", type=int, default=0)
    asked = parser.parse_args(arguments)
    try:
        counter = load(asked.model, precision="f32")
        print(f"{counter.card.name}: median |change| (median change) of the count, photographs")
        print(f"{'':<16}" + "".join(f"{f'×{factor:g}':>20}" for factor in FACTORS))
        pooled: dict[float, list[float]] = {factor: [] for factor in FACTORS}
        for spec in asked.data:
            scenes = read_dataset(spec, "val")
            found = changes(counter, scenes[:: max(1, len(scenes) // asked.images)])
            print(f"{parse_spec(spec)[0]:<16}" + "".join(map(_cell, found.values())), flush=True)
            for factor in FACTORS:
                pooled[factor] += found[factor]
        print(f"{'all':<16}" + "".join(map(_cell, pooled.values())))
        if asked.photo is not None:
            photo = read_image(asked.photo)
            sides = [side for side in SIDES if side <= max(photo.shape)]
            counts = [counter.count(resized(photo, side / max(photo.shape))).count for side in sides]
            print(f"{asked.photo.name}, {asked.heads} heads: ", end="")
            print(", ".join(f"{count:.0f} at {side:,} px" for side, count in zip(sides, counts, strict=True)))
    except HeadcountError as error:
        sys.exit(f"scale: {error}")


def _cell(values: Sequence[float]) -> str:
    if not values:
        return f"{'—':>20}"
    return f"{f'{np.median(np.abs(values)):.0%} ({np.median(values):+.0%}) {len(values)}':>20}"


if __name__ == "__main__":
    main()
