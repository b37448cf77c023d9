"""What each kind of target can tell at best: the true maps, decoded as a network's would be, and what is lost.

    python -m benchmarks.targets
prints how long it takes to make a density and its mask, as wide as the image and at a network's stride of 8.

    python -m benchmarks.targets --data shanghaitech-a=PATH --data shanghaitech-b=PATH
prints, for maps at strides 1, 2 and 4, how many heads are found, F1 when each point may match one head within 4 and
within 8 pixels, and the processor time a map takes to decode. No network is involved: what is missing here, no
training finds. Instances are made of points, as the data sets have no boxes in common.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.timing import medians_ms
from headcount.core.errors import HeadcountError
from headcount.core.scene import Scene
from headcount.data.sets.registry import read_dataset
from headcount.decode.table import open_decoder
from headcount.evaluate.metrics.matching import match
from headcount.targets.cross import cross_map
from headcount.targets.density import density_map
from headcount.targets.instance import boxes_from_points, instance_map, separate_boxes
from headcount.targets.mask import density_mask

STRIDES = (1, 2, 4)
RADII_PX = (4.0, 8.0)
CROWDS = ((2_000, (1024, 768)), (10_000, (4096, 3072)))
SHORT_CAP_PX = 10  # of the squares of the small models' recipe

Points = NDArray[np.float64]
Map = NDArray[np.float32]


class Kind(NamedTuple):
    """A target: what it is called, its map's name and decoder, and (points, (width, height), stride) → map."""

    title: str
    map: str
    decoder: str
    make: Callable[[Points, tuple[int, int], int], Map]


def densities(points_xy: Points, size_wh: tuple[int, int], stride: int) -> Map:
    """15×15 Gaussians of σ = 4."""
    return density_map(points_xy, size_wh, stride=stride)


def crosses(points_xy: Points, size_wh: tuple[int, int], stride: int) -> Map:
    """A head's cell and the four beside it."""
    return cross_map(points_xy, size_wh, stride=stride)


def squares(points_xy: Points, size_wh: tuple[int, int], stride: int) -> Map:
    """IIM's squares about points, as published."""
    return instance_map(boxes_from_points(points_xy), size_wh, stride=stride)


def separated(points_xy: Points, size_wh: tuple[int, int], stride: int) -> Map:
    """IIM's squares, made to stand a cell apart where they can."""
    boxes = separate_boxes(boxes_from_points(points_xy, cap_px=SHORT_CAP_PX), gap_px=stride).boxes_xyxy
    return instance_map(boxes, size_wh, stride=stride)


KINDS = (
    Kind("density, Gaussian prior", "density", "gaussian_prior", densities),
    Kind("crosses, RAZ_Loc", "cross", "raz_loc", crosses),
    Kind("instances", "confidence", "instances", squares),
    Kind("instances set apart", "confidence", "instances", separated),
)


def speed() -> Iterator[str]:
    """Lines of at most 80 columns: how long a density and its mask take."""
    yield f"{'density and mask':<26}{'stride':>6}{'heads':>9}{'Σ − heads':>12}{'ms':>9}"
    for heads, (width, height) in CROWDS:
        points_xy = np.random.default_rng(1).uniform(0, 1, (heads, 2)) * (width, height)

        def both(stride: int, points_xy: Points = points_xy, size_wh: tuple[int, int] = (width, height)) -> Map:
            density = density_map(points_xy, size_wh, stride=stride)
            density_mask(density)
            return density

        taken = medians_ms({str(stride): lambda stride=stride: both(stride) for stride in (1, 8)}, rounds=21)  # type: ignore[misc]
        for stride in (1, 8):
            extra = both(stride).sum(dtype=np.float64) - heads
            yield f"{f'{width}×{height}':<26}{stride:>6}{heads:>9,}{extra:>12.1e}{taken[str(stride)]:>9.1f}"


def study(scenes: Iterable[Scene], kind: Kind, stride: int) -> tuple[int, int, list[int], float]:
    """Heads, points found, points matched at each radius, processor seconds of decoding, over all scenes."""
    decode = open_decoder(kind.decoder, {})
    heads = found = 0
    matched, seconds = [0] * len(RADII_PX), 0.0
    for scene in scenes:
        size = scene.size_wh
        maps = {kind.map: kind.make(scene.points_xy, size, stride)[None]}
        start = time.process_time()
        points = decode(maps, {kind.map: stride}, size).points_xy
        seconds += time.process_time() - start
        heads, found = heads + len(scene.points_xy), found + len(points)
        matched = [m + len(match(points, scene.points_xy, r)) for m, r in zip(matched, RADII_PX, strict=True)]
    return heads, found, matched, seconds


def table(scenes: Sequence[Scene]) -> Iterator[str]:
    """Lines of at most 80 columns."""
    yield (
        f"{'target and decoder':<26}{'stride':>6}{'found':>9}"
        + "".join(f"{f'F1 {radius:g} px':>11}" for radius in RADII_PX)
        + f"{'ms a map':>12}"
    )
    for kind in KINDS:
        for stride in STRIDES:
            heads, found, matched, seconds = study(scenes, kind, stride)
            scores = "".join(f"{100 * 2 * m / max(heads + found, 1):>11.1f}" for m in matched)
            yield (
                f"{kind.title:<26}{stride:>6}{100 * found / max(heads, 1):>7.1f} %{scores}"
                f"{1000 * seconds / max(len(scenes), 1):>12.1f}"
            )


def main(arguments: Sequence[str] | None = None) -> None:
    assert __doc__
    parser = argparse.ArgumentParser(prog="python -m benchmarks.targets", description=__doc__.split("\n")[0])
    parser.add_argument("--data", default=[], action="append", metavar="NAME=PATH", help="as in shanghaitech-a=/data")
    parser.add_argument("--split", default="val", help="train, val, trainval or test (default: val)")
    options = parser.parse_args(arguments)
    if not options.data:
        print("\n".join(speed()))
    for spec in options.data:
        try:
            scenes = read_dataset(spec, options.split)
        except HeadcountError as error:
            sys.exit(f"Error: {error}")
        heads = sum(scene.count for scene in scenes)
        print(f"{spec.partition('=')[0]}, {options.split}: {len(scenes):,} images, {heads:,} heads")
        for line in table(scenes):
            print(line, flush=True)
        print()


if __name__ == "__main__":
    main()
