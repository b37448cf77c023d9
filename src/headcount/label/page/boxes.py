"""The boxes of a document's heads: those of their own, and all others from the drawn ones by interpolation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headcount.core.geometry import as_boxes, as_points, boxes_around, polygon_mask
from headcount.core.scene import Provenance
from headcount.label.interpolate import interpolate_sizes
from headcount.label.page.things import SIZES, Thing


@dataclass(frozen=True, slots=True, eq=False)
class Boxed:
    """Heads and their boxes.

    Attributes:
        ids: of the heads, in the document's order.
        points_xy: (n, 2) float64.
        boxes_xyxy: (n, 4) float64; a row of NaN where a head has none, since no box was drawn anywhere.
        provenance: how each box came to be; None where there is none.
    """

    ids: list[str]
    points_xy: NDArray[np.float64]
    boxes_xyxy: NDArray[np.float64]
    provenance: list[Provenance | None]


def presets_of(things: Mapping[str, Thing]) -> list[list[float]]:
    """The boxes that a person drew."""
    heads = (thing for thing in things.values() if thing["t"] == "head")
    return [head["box"] for head in heads if head.get("made") == "annotated" and "box" in head]


def boxed(things: Mapping[str, Thing], size_wh: tuple[int, int], others: Sequence[Sequence[float]] = ()) -> Boxed:
    """The heads of a document with a box each: their own, or one as large as ``interpolate_sizes`` says.

    Sizes follow from the boxes that a person drew, by the method that the document's ``sizes`` names; ``others`` are
    drawn boxes of other images that serve this one, too.

    Raises:
        InputError: as ``interpolate_sizes``.
    """
    heads = {key: thing for key, thing in things.items() if thing["t"] == "head"}
    points = as_points([(head["x"], head["y"]) for head in heads.values()])
    boxes = np.full((len(heads), 4), np.nan)
    provenance: list[Provenance | None] = [None] * len(heads)
    bare = []
    for row, head in enumerate(heads.values()):
        if "box" in head:
            boxes[row] = head["box"]
            provenance[row] = head.get("made") or "annotated"
        else:
            bare.append(row)
    presets = as_boxes([*presets_of(things), *others])
    if bare and len(presets):
        how = things.get(SIZES, {})
        sizes = interpolate_sizes(points[bare], presets, method=how.get("method", "nearest"), k=how.get("k", 2))
        boxes[bare] = boxes_around(points[bare], sizes, size_wh)
        for row in bare:
            provenance[row] = "interpolated"
    return Boxed(list(heads), points, boxes, provenance)


def region_of(things: Mapping[str, Thing], size_wh: tuple[int, int]) -> NDArray[np.bool_] | None:
    """(h, w) bool, True inside the region of interest; None where none is drawn: the whole image."""
    areas = [thing for thing in things.values() if thing["t"] == "area"]
    if not areas:
        return None
    region = np.zeros((size_wh[1], size_wh[0]), np.bool_)
    for area in areas:
        inside = np.zeros_like(region)
        for ring in area["rings"]:
            inside ^= polygon_mask(np.asarray(ring, np.float64), size_wh)
        region |= inside
    return region
