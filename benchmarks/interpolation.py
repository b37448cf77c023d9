"""How well head sizes follow from a few presets: every other box hidden, its size interpolated and compared.

    python -m benchmarks.interpolation --data scut-head-a=PATH
prints the median of |s − ŝ|/s over all hidden heads, s = √(width · height), for k = 1…8 presets in each image: drawn
at random, and chosen as a person would, evenly from far to near. SCUT-HEAD names no cameras, so an image is a scene.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from headcount.core.errors import HeadcountError
from headcount.core.random import generator
from headcount.core.scene import Scene
from headcount.data.sets.registry import read_dataset
from headcount.label.interpolate import Interpolation, interpolate_sizes

MOST_PRESETS = 8
SAME_SIZE = "one size"  # the yardstick: every head as large as the presets' median
_STREAM = 4100  # of the counter-based generator, nobody else's

Boxes = NDArray[np.float64]
Pick = Callable[[Boxes, int, int], NDArray[np.int64]]


def at_random(boxes: Boxes, k: int, index: int, *, seed: int = 1) -> NDArray[np.int64]:
    """k rows of (n, 4) boxes, drawn for the image ``index``; the draw for k begins with that for k − 1."""
    return generator(seed, stream=_STREAM, index=index).permutation(len(boxes))[:k]


def far_to_near(boxes: Boxes, k: int, index: int) -> NDArray[np.int64]:
    """k rows of (n, 4) boxes: the middles of k equal parts of the heads, ordered by y."""
    order = np.argsort(boxes[:, 1] + boxes[:, 3], kind="stable")
    return order[((np.arange(k) + 0.5) * len(boxes) / k).astype(np.int64)]


def relative_errors(boxes: Boxes, presets: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    """|s − ŝ|/s of each head that is no preset, by method; ``boxes`` (n, 4), ``presets`` their rows."""
    hidden = np.setdiff1d(np.arange(len(boxes)), presets)
    points_xy = (boxes[hidden, :2] + boxes[hidden, 2:]) / 2
    truth = _side(boxes[hidden, 2:] - boxes[hidden, :2])
    kept = boxes[presets]
    guesses = {
        method: _side(interpolate_sizes(points_xy, kept, method=method, k=2)) for method in get_args(Interpolation)
    }
    guesses[SAME_SIZE] = np.full(len(hidden), np.median(_side(kept[:, 2:] - kept[:, :2])))
    return {name: np.abs(guess - truth) / truth for name, guess in guesses.items()}


def study(images: Sequence[Boxes], k: int, pick: Pick) -> dict[str, NDArray[np.float64]]:
    """The errors of all hidden heads, over the images with more than k boxes."""
    seen: dict[str, list[NDArray[np.float64]]] = {}
    for index, boxes in enumerate(images):
        if len(boxes) > k:
            for name, errors in relative_errors(boxes, pick(boxes, k, index)).items():
                seen.setdefault(name, []).append(errors)
    return {name: np.concatenate(errors) for name, errors in seen.items()}


def table(images: Sequence[Boxes], pick: Pick) -> Iterable[str]:
    """Lines of at most 80 columns."""
    names = (*get_args(Interpolation), SAME_SIZE)
    yield f"{'k':>4}{'hidden heads':>14}" + "".join(f"{name:>13}" for name in names)
    for k in range(1, MOST_PRESETS + 1):
        errors = study(images, k, pick)
        if not errors:
            return
        row = "".join(f"{100 * float(np.median(errors[name])):>11.1f} %" for name in names)
        yield f"{k:>4}{len(errors[SAME_SIZE]):>14,}{row}"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.interpolation", description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, metavar="NAME=PATH", help="as in scut-head-a=/data/SCUT_HEAD_Part_A")
    parser.add_argument("--split", default="trainval", help="train, val, trainval or test (default: trainval)")
    options = parser.parse_args(arguments)
    try:
        images = annotated(read_dataset(options.data, options.split))
    except HeadcountError as error:
        sys.exit(f"Error: {error}")
    if not any(len(boxes) > 1 for boxes in images):
        sys.exit(f'Error: no image of "{options.data}" has two boxes: there is nothing to hide.')
    print(f"{len(images):,} images, {sum(map(len, images)):,} boxes; median relative size error of the hidden heads")
    print("\nk presets drawn at random in each image")
    print("\n".join(table(images, at_random)))
    print("\nk presets chosen evenly from far to near")
    print("\n".join(table(images, far_to_near)))


def annotated(scenes: Iterable[Scene]) -> list[Boxes]:
    """The boxes of each image."""
    return [np.zeros((0, 4)) if scene.boxes_xyxy is None else scene.boxes_xyxy for scene in scenes]


def _side(sizes_wh: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) the side of the square of each size's area."""
    return np.sqrt(sizes_wh.prod(axis=1))


if __name__ == "__main__":
    main()
