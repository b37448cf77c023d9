"""Boxes from points: every head's size from a few boxes that a person drew in the same scene.

Section IV-A of "Mask Focal Loss…" labels GTA_Head so, by linear interpolation between the two nearest preset boxes.
A head's size follows perspective, which is mostly a matter of how far down the image it stands: ``y-axis`` and
``linear`` look at that alone. On photographs of classrooms ``linear`` errs about two thirds as much as ``nearest``,
which does hardly better than one size for all (`python -m benchmarks.interpolation`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from headcount.core.errors import InputError, nearest
from headcount.core.geometry import as_boxes, as_points, boxes_around, centres, owners, sides
from headcount.core.notes import Note
from headcount.core.scene import Provenance, Scene

Interpolation = Literal["nearest", "y-axis", "linear"]
Share = Literal["image", "folder", "all"]
INTERPOLATIONS: tuple[Interpolation, ...] = get_args(Interpolation)
SHARES: tuple[Share, ...] = get_args(Share)

# How far the linear fit may go beyond the presets it was made from: a quarter.
_REACH = 1.25
# Presets less than half a head apart in y say nothing of perspective, only of two people.
_APART = 0.5
# The fit looks at every pair of presets: of more than these, evenly spread ones along y are taken.
_MOST_IN_FIT = 1000
_PAIRS_AT_ONCE = 2_000_000
_EXAMPLES = 3


def interpolate_sizes(
    points_xy: NDArray[np.float64], presets_xyxy: NDArray[np.float64], *, method: Interpolation = "nearest", k: int = 2
) -> NDArray[np.float64]:
    """(n, 2) positive float64 (width, height) of heads at ``points_xy`` (n, 2), from ``presets_xyxy`` (p, 4), p ≥ 1.

    ``nearest``: the k nearest presets, each weighted by its inverse distance in the plane; for two of them this is
    s = (d₂s₁ + d₁s₂)/(d₁ + d₂). A preset at distance 0 decides alone, those as far away as the k-th count too, and
    of fewer than k all are taken. ``y-axis``: the same with distances along y only. ``linear``: width and height
    each a line over y (Theil–Sen: the median slope between pairs of presets, which up to 29 % of bad ones cannot
    spoil), held between 4/5 of the smallest preset and 5/4 of the largest; k is not used. Pairs less than half a
    head apart in y are left out; without any pair, as with one preset, all get the median.

    Raises:
        InputError: no preset, one that is not finite or has no area, a point that is not finite, an unknown method,
            or k below 1.

    >>> near_and_far = np.array([[0, 8, 4, 12], [0, 96, 8, 104]], float)
    >>> interpolate_sizes(np.array([[2, 55], [2, 10]], float), near_and_far, method="y-axis").tolist()
    [[6.0, 6.0], [4.0, 4.0]]
    """
    points, presets = as_points(points_xy), as_boxes(presets_xyxy)
    if method not in INTERPOLATIONS:
        raise InputError(f'"{method}" is no way to interpolate sizes.{nearest(method, INTERPOLATIONS)}')
    if k < 1:
        raise InputError(f"k, the number of presets to interpolate between, must be at least 1, but it is {k}.")
    if not len(presets):
        raise InputError("There is no preset box to take sizes from: draw at least one.")
    preset_wh = sides(presets)
    if not (preset_wh > 0).all():
        row = int(np.flatnonzero((preset_wh <= 0).any(axis=1))[0])
        raise InputError(f"Preset boxes must be x1 < x2, y1 < y2, but row {row} is {presets[row].tolist()}.")
    preset_xy = centres(presets)
    if method == "linear":
        sizes = _line(points[:, 1], preset_xy[:, 1], preset_wh)
        low, high = preset_wh.min(axis=0) / _REACH, preset_wh.max(axis=0) * _REACH
    else:
        along = slice(1, 2) if method == "y-axis" else slice(0, 2)
        sizes = _weighted(points[:, along], preset_xy[:, along], preset_wh, k)
        low, high = preset_wh.min(axis=0), preset_wh.max(axis=0)  # a mean lies between; so does a rounded one
    return np.clip(sizes, low, high)


@dataclass(frozen=True, slots=True, eq=False)
class Interpolated:
    """What became of Scenes with points and a few preset boxes.

    Attributes:
        scenes: those that got boxes, in their order: row i of the boxes is the head of row i of the points.
        left_out: the names of images with heads and no preset that serves them.
        few: the names of images where fewer than k presets had to do (for ``linear``: only one).
        not_drawn: how many preset boxes were left aside since no person drew them (interpolated, pseudo).
        headless: how many preset boxes hold no point of their own: their size was used, they are not among the boxes.
        strangers: the names of images with presets that are not among the scenes.
    """

    scenes: list[Scene]
    left_out: list[str]
    few: list[str]
    not_drawn: int
    headless: int
    strangers: list[str]

    def notes(self, *, k: int, share: Share, points: str) -> list[Note]:
        """What was not as asked for: ``k`` presets and ``share`` were, ``points`` names where the heads come from."""
        notes = []
        if self.left_out:
            remedy = "" if share == "all" else "share"
            notes.append(Note(f"left out, no preset serves them: {_some(self.left_out)}; draw one there", remedy))
        if self.few:
            notes.append(Note(f"fewer than {k} presets, all of them used: {_some(self.few)}"))
        if self.strangers:
            fate = "not used" if share == "image" else "not written"
            notes.append(Note(f'presets on images that "{points}" does not name, {fate}: {_some(self.strangers)}'))
        if self.headless:
            notes.append(Note(f"{_presets(self.headless)} with no point inside: used for sizes, not written"))
        if self.not_drawn:
            notes.append(Note(f"{_presets(self.not_drawn)} not drawn by a person (interpolated, pseudo): not used"))
        return notes


def interpolate_scenes(
    scenes: Sequence[Scene],
    presets: Sequence[Scene],
    *,
    method: Interpolation = "nearest",
    k: int = 2,
    share: Share = "image",
    progress: Callable[[int], None] | None = None,
) -> Interpolated:
    """Boxes for every point of ``scenes`` from the annotated boxes of ``presets``, images matched by their file.

    ``share`` says which images a preset serves: its own ``image``, all of its ``folder`` (one camera each), or
    ``all``; of the other images only those of the same width and height. A preset's own head keeps the box as it was
    drawn, with the provenance ``annotated``; every other gets one centred on its point, clipped to the image, and
    ``interpolated``. An image without heads needs no preset; one with heads and no preset is left out.

    Raises:
        InputError: none of the presets is annotated, none serves an image that has heads, an unknown ``share`` or what
            ``interpolate_sizes`` refuses.
    """
    if share not in SHARES:
        raise InputError(f'"{share}" is no way to share presets.{nearest(share, SHARES)}')
    drawn: dict[str, NDArray[np.float64]] = {}
    pools: dict[tuple[object, ...], list[NDArray[np.float64]]] = {}
    names = {_key(preset): preset.name for preset in presets}
    not_drawn = 0
    for preset in presets:
        boxes = as_boxes([]) if preset.boxes_xyxy is None else preset.boxes_xyxy
        if preset.box_provenance:
            by_hand = np.array([provenance == "annotated" for provenance in preset.box_provenance], np.bool_)
            boxes, not_drawn = boxes[by_hand], not_drawn + int((~by_hand).sum())
        if len(boxes):
            drawn[_key(preset)] = boxes
            pools.setdefault(_pool(preset, share), []).append(boxes)
    if not drawn:
        raise InputError("The presets hold no annotated box to take sizes from: draw at least one.")
    done: list[Scene] = []
    left_out: list[str] = []
    few: list[str] = []
    headless = 0
    for number, scene in enumerate(scenes, 1):
        own = drawn.pop(_key(scene), as_boxes([]))
        pool = pools.get(_pool(scene, share))
        if scene.count and pool is None:
            left_out.append(scene.name)
        else:
            serving = own if pool is None else np.concatenate(pool)
            rows = owners(scene.points_xy, own)
            headless += int((rows < 0).sum())
            if scene.count and len(serving) < (2 if method == "linear" else k):
                few.append(scene.name)
            done.append(_with_boxes(scene, own, rows, serving, method, k))
        if progress is not None:
            progress(number)
    if left_out and len(left_out) == sum(scene.count > 0 for scene in scenes):
        raise InputError(
            f'No preset serves any of the {len(left_out)} images with heads (sharing: "{share}"): presets must be on '
            "the same image files, or on others of the same size that they are shared with."
        )
    return Interpolated(done, left_out, few, not_drawn, headless, [names[key] for key in drawn])


def _with_boxes(
    scene: Scene,
    own: NDArray[np.float64],
    rows: NDArray[np.int64],
    serving: NDArray[np.float64],
    method: Interpolation,
    k: int,
) -> Scene:
    if not scene.count:
        return replace(scene, boxes_xyxy=as_boxes([]), box_provenance=())
    sizes = interpolate_sizes(scene.points_xy, serving, method=method, k=k)
    boxes = boxes_around(scene.points_xy, sizes, scene.size_wh)
    boxes[rows[rows >= 0]] = own[rows >= 0]
    provenance: list[Provenance] = ["interpolated"] * scene.count
    for row in rows[rows >= 0]:
        provenance[row] = "annotated"
    return replace(scene, boxes_xyxy=boxes, box_provenance=tuple(provenance))


def _key(scene: Scene) -> str:
    """Which image file the scene is of, however its path is written."""
    return os.path.realpath(_file(scene))


def _pool(scene: Scene, share: Share) -> tuple[object, ...]:
    """What scenes that share presets have in common."""
    if share == "image":
        return (_key(scene),)
    return (os.path.realpath(_file(scene).parent) if share == "folder" else "", scene.size_wh)


def _file(scene: Scene) -> Path:
    if not isinstance(scene.image, Path):
        raise InputError(f'The scene "{scene.name}" holds pixels and no file: presets are matched by image file.')
    return scene.image


def _weighted(
    places: NDArray[np.float64], preset_places: NDArray[np.float64], preset_wh: NDArray[np.float64], k: int
) -> NDArray[np.float64]:
    """(n, 2) means of the k nearest presets' sizes, weighted by inverse distance; places are (n, 1 or 2)."""
    k = min(k, len(preset_places))
    sizes = np.empty((len(places), 2))
    step = max(1, _PAIRS_AT_ONCE // len(preset_places))  # bounded memory, however many presets there are
    for start in range(0, len(places), step):
        offset = places[start : start + step, None] - preset_places  # (n, p, 1 or 2)
        distance = np.abs(offset[..., 0]) if offset.shape[2] == 1 else np.hypot(offset[..., 0], offset[..., 1])
        # Ties with the k-th count too: else the order in which the presets are given would decide between them.
        distance[distance > np.partition(distance, k - 1, axis=1)[:, k - 1 : k]] = np.inf
        least = distance.min(axis=1, keepdims=True)
        exact = distance == 0
        # Relative to the nearest, which weighs 1: 1/d of a tiny distance would overflow.
        weight = np.where(least > 0, least / np.where(exact, 1, distance), exact)
        sizes[start : start + step] = weight @ preset_wh / weight.sum(axis=1, keepdims=True)
    return sizes


def _line(y: NDArray[np.float64], preset_y: NDArray[np.float64], preset_wh: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 2) widths and heights on the Theil–Sen lines through the presets (p,), (p, 2) at ``y`` (n,)."""
    if len(preset_y) > _MOST_IN_FIT:
        order = np.lexsort((preset_wh[:, 1], preset_wh[:, 0], preset_y))
        chosen = order[np.linspace(0, len(order) - 1, _MOST_IN_FIT).round().astype(np.int64)]
        preset_y, preset_wh = preset_y[chosen], preset_wh[chosen]
    rise = preset_y[:, None] - preset_y  # (p, p)
    head = preset_wh.mean(axis=1)
    apart = rise > _APART * (head[:, None] + head) / 2
    middle = np.median(preset_y)
    sizes = np.empty((len(y), 2))
    for axis in (0, 1):
        size = preset_wh[:, axis]
        slope = np.median((size[:, None] - size)[apart] / rise[apart]) if apart.any() else 0.0
        # The median of what the slope leaves: as many presets lie above the line as below.
        sizes[:, axis] = np.median(size - slope * (preset_y - middle)) + slope * (y - middle)
    return sizes


def _some(names: Sequence[str]) -> str:
    more = ", …" if len(names) > _EXAMPLES else ""
    number = "1 image" if len(names) == 1 else f"{len(names):,} images"
    return f"{number} ({', '.join(names[:_EXAMPLES])}{more})"


def _presets(number: int) -> str:
    return "1 preset" if number == 1 else f"{number:,} presets"
