"""A region of interest: where people count. What a user gives, drawn on an image, and a Prediction cut to it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from headcount.core.errors import InputError
from headcount.core.geometry import Points, in_mask, outside, polygon_mask
from headcount.core.words import plural

if TYPE_CHECKING:
    from headcount.core.prediction import Prediction

Mask = NDArray[np.bool_]

MOST_CORNERS = 2_000
"""Of all polygons together: every row of results holds them."""
_SLACK = 0.01
"""So much of the image's sides may a corner lie beyond it, since hands are not exact: it is cut there."""
_EXPECTED = "corners [x, y] of a polygon, a list of such polygons, or a mask of the image's height and width"


class RegionDiffersError(InputError):
    """A region that is none of the image: what is wrong with one frame of a video is wrong with all."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Region:
    """A region of interest as it was given, before it meets an image.

    Corners are (x, y) pixels of the upright image, whose own corners are (0, 0) and its (width, height); where all of
    them lie between 0 and 1, they are shares of its width and height, and fit images of any size. A pixel belongs to a
    polygon that holds its centre, and to the region where it belongs to any of its polygons.

    Attributes:
        polygons_xy: (k, 2) float64 corners each, in order around it; the last one is joined to the first.
        mask: (h, w) bool, True inside; in the place of polygons.
        size_wh: (width, height) of the images it is of, where that is known.
        file: where it came from, or empty.
        mask_sha256: which mask it is, also where a Prediction that was read back knows of no more.

    Raises:
        InputError: a polygon has fewer than three corners, crosses itself or is not finite; all have more than
            ``MOST_CORNERS``; the mask is no (h, w) or empty.
    """

    polygons_xy: tuple[Points, ...] = ()
    mask: Mask | None = None
    size_wh: tuple[int, int] | None = None
    file: str = ""
    mask_sha256: str = ""

    def __post_init__(self) -> None:
        if self.mask is not None:
            if self.mask.ndim != 2:
                raise InputError(f"{self._name} must be a mask (h, w), but its shape is {self.mask.shape}.")
            height, width = self.mask.shape
            if not self.mask.any():
                raise InputError(
                    f"{self._name} holds no pixel: of the mask's {width}×{height} none is set; set those inside."
                )
            digest = hashlib.sha256(f"{width}×{height}".encode() + np.packbits(self.mask).tobytes())
            object.__setattr__(self, "size_wh", (width, height))
            object.__setattr__(self, "mask_sha256", digest.hexdigest())
        elif not self.polygons_xy and not self.mask_sha256:
            raise InputError(f"{self._name} is empty: {_EXPECTED} were expected.")
        polygons = tuple(self._checked(corners, at) for at, corners in enumerate(self.polygons_xy, start=1))
        if (number := sum(map(len, polygons))) > MOST_CORNERS:
            raise InputError(f"{self._name} has {number:,} corners, over {MOST_CORNERS:,}: give a mask instead.")
        for at, corners in enumerate(polygons, start=1):
            self._refuse_crossing(corners, at)
        object.__setattr__(self, "polygons_xy", polygons)

    def __repr__(self) -> str:
        """What it is, in a line."""
        held = plural(len(self.polygons_xy), "polygon") if self.polygons_xy else "mask"
        return f"<Region: {held}{f' of {self.file!r}' if self.file else ''}>"

    @property
    def _name(self) -> str:
        return f'The region of interest "{self.file}"' if self.file else "The region of interest"

    @property
    def is_relative(self) -> bool:
        """Whether its corners are shares of an image's sides."""
        return bool(self.polygons_xy) and all(((c >= 0) & (c <= 1)).all() for c in self.polygons_xy)

    def _polygon_name(self, number: int) -> str:
        return f"{self._name}, polygon {number}," if len(self.polygons_xy) > 1 else self._name

    def _checked(self, corners_xy: ArrayLike, number: int) -> Points:
        what = self._polygon_name(number)
        try:
            corners = np.asarray(corners_xy, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise InputError(f"{what} has corners that are no numbers: give each as [x, y].") from error
        if corners.ndim != 2 or corners.shape[1] != 2:
            raise InputError(f"{what} must have corners [x, y], but they are of the shape {corners.shape}.")
        if not np.isfinite(corners).all():
            row = int(np.flatnonzero(~np.isfinite(corners).all(axis=1))[0])
            raise InputError(f"{what} must have finite corners, but corner {row + 1} is {_shown(corners[row])}.")
        moved = (corners != np.roll(corners, 1, axis=0)).any(axis=1)
        corners = corners[moved]  # the first corner again at the end, or any corner twice
        if len(corners) < 3:
            raise InputError(f"{what} needs three corners or more, but has {len(corners) or min(1, len(moved))}.")
        checked: Points = corners
        return checked

    def _refuse_crossing(self, corners: Points, number: int) -> None:
        crossing = _crossing(corners)
        if crossing is not None:
            one, other = (
                f"from {_shown(corners[at])} to {_shown(corners[(at + 1) % len(corners)])}" for at in crossing
            )
            raise InputError(
                f"{self._polygon_name(number)} crosses itself (the line {one} and the one {other}): give the corners "
                "in order around it."
            )

    @property
    def awaits_size(self) -> bool:
        """Whether its corners are pixels of images whose size is not known yet."""
        return not self.is_relative and self.size_wh is None

    def of_images_of(self, size_wh: tuple[int, int]) -> Region:
        """The same, for images of one size alone where its corners are pixels of an image of unknown size."""
        return replace(self, size_wh=size_wh) if self.awaits_size else self

    def in_image(self, size_wh: tuple[int, int], name: str = "") -> Mask:
        """(h, w) bool, True inside; ``name`` is that of the image, for messages.

        Raises:
            RegionDiffersError: it is of images of another size, a corner lies outside this one, or no pixel lies in it.
        """
        image, size = f'"{name}"' if name else "the image", f"{size_wh[0]}×{size_wh[1]}"
        if self.size_wh is not None and self.size_wh != size_wh:
            raise RegionDiffersError(
                f"{self._name} is of images of {self.size_wh[0]}×{self.size_wh[1]} pixels, but {image} has {size}: "
                "give one of this size, or corners from 0 to 1, as shares of the image's sides."
            )
        if self.mask is not None:
            return self.mask
        if not self.polygons_xy:
            raise InputError(f"{self._name} was a mask that is not at hand: read it again.")
        for corners in self._in_pixels(size_wh):
            beyond = outside(corners, size_wh, slack=_SLACK)
            if len(beyond):
                raise RegionDiffersError(
                    f"{self._name} has the corner {_shown(corners[beyond[0]])}, which lies outside {image} of {size} "
                    "pixels: give corners in pixels of this image, or from 0 to 1, as shares of its sides."
                )
        mask = _drawn(self, size_wh)
        if not mask.any():
            raise RegionDiffersError(f"{self._name} holds no pixel of {image}: draw it larger.")
        return mask

    def _in_pixels(self, size_wh: tuple[int, int]) -> list[Points]:
        scale = np.array(size_wh if self.is_relative else (1, 1), np.float64)
        return [corners * scale for corners in self.polygons_xy]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON: the polygons as they were given; of a mask its file's name and its SHA-256."""
        data: dict[str, Any] = {"file": self.file or None}
        if self.polygons_xy:
            return {**data, "polygons_xy": [corners.tolist() for corners in self.polygons_xy]}
        return {**data, "mask_sha256": self.mask_sha256}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Region:
        """The inverse of ``to_dict``, but without the mask itself.

        Raises:
            InputError: it is none.
        """
        polygons, file = data.get("polygons_xy"), data.get("file")
        return cls(
            tuple(polygons) if isinstance(polygons, list | tuple) else (),
            file=file if isinstance(file, str) else "",
            mask_sha256=str(data.get("mask_sha256") or ""),
        )


def as_region(given: Region | ArrayLike, *, file: str = "") -> Region:
    """What code or a file gives as a region: a mask (h, w), the corners of a polygon (k, 2), or several polygons.

    An array of bool or uint8, and any other that has more than two columns, is a mask: what is not 0 is inside; in
    one of colours (h, w, 3) or (h, w, 4), what is neither black nor wholly transparent.

    Raises:
        InputError: it is none of these, or as ``Region``.

    >>> as_region([[0, 0], [3, 0], [3, 2]]).in_image((4, 2)).astype(int).tolist()
    [[0, 1, 1, 0], [0, 0, 1, 0]]
    >>> as_region(np.array([[0, 1, 0]], np.uint8)).in_image((3, 1)).tolist()
    [[False, True, False]]
    """
    if isinstance(given, Region):
        return given
    what = f'The region of interest "{file}"' if file else "The region of interest"
    refused = InputError(f"{what} is none: {_EXPECTED} were expected.")
    if hasattr(given, "__array__") or hasattr(given, "__array_interface__"):  # a tensor, a PIL image
        given = np.asarray(given)
    if not isinstance(given, np.ndarray | Sequence) or isinstance(given, str | bytes):
        raise refused
    if len(given) and not isinstance(given, np.ndarray) and np.ndim(_first(given[0], refused)) == 2:
        polygons: Sequence[Any] = given
        return Region(tuple(polygons), file=file)  # of different numbers of corners, perhaps
    array = _first(given, refused)
    if array.ndim == 3 and array.shape[2] == 2:
        return Region(tuple(array), file=file)
    if array.ndim == 3 and array.shape[2] in (1, 3, 4) and array.dtype in (np.bool_, np.uint8):
        opaque = array[:, :, 3] > 0 if array.shape[2] == 4 else True
        array = np.asarray(array[:, :, :3].any(axis=2) & opaque)  # the colours of an image
    if array.ndim == 2 and (array.dtype in (np.bool_, np.uint8) or array.shape[1] > 2):
        if not np.isfinite(array).all():
            raise InputError(f"{what} is a mask with values that are no finite numbers: use 0 and 1.")
        return Region(mask=array != 0, file=file)
    if array.size and array.ndim != 2:
        raise refused
    return Region((array,) if array.size else (), file=file)


def _first(given: Any, refused: InputError) -> NDArray[Any]:
    try:
        array = np.asarray(given)
    except ValueError as error:
        raise refused from error
    if array.size and array.dtype.kind not in "buif":
        raise refused
    return array


def inside(prediction: Prediction, region: Region, name: str = "") -> Prediction:
    """What of a prediction lies in a region, as if nobody were beyond it; ``name`` is that of the image.

    Points and boxes are in by the pixel that holds the point, density by the share of each cell's area. An interval
    is of the whole image, so it is left out, and a warning says so.

    Raises:
        InputError: as ``Region.in_image``, or the prediction does not say where people are.
    """
    found = masked(prediction, region.in_image(prediction.size_wh, name), name)
    dropped = () if prediction.interval is None else ("The interval is of the whole image: none is given in a region.",)
    return replace(found, region=region, warnings=(*found.warnings, *dropped))


def masked(prediction: Prediction, mask: Mask, name: str = "") -> Prediction:
    """As ``inside``, of a mask (h, w) of the image's size; nothing is said of the interval, which is left out.

    Raises:
        InputError: the prediction does not say where people are.
    """
    kept = in_mask(prediction.points_xy, mask)
    boxes, density = prediction.boxes_xyxy, prediction.density
    if density is not None:
        density = (density * area_share(mask, prediction.density_stride, density.shape)).astype(np.float32)
        count = float(density.sum(dtype=np.float64))
    elif prediction.points_kind == "heads":
        count = float(kept.sum())
    else:
        of = f'"{name}" has' if name else "There is"
        raise InputError(f"{of} a region of interest, but the model does not say where the people are.")
    return replace(
        prediction,
        count=count,
        points_xy=prediction.points_xy[kept],
        scores=None if prediction.scores is None else prediction.scores[kept],
        boxes_xyxy=boxes[kept] if boxes is not None and len(boxes) == len(kept) else None,
        density=density,
        interval=None,
        interval_level=None,
        counts={},
    )


def area_share(mask: Mask, stride: int, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """(h', w') how much of each cell's part of the image lies in the mask (h, w); 0 for cells beyond the image.

    >>> area_share(np.array([[True, True, False, True, True]]), 2, (1, 3)).tolist()
    [[1.0, 0.5, 1.0]]
    """
    rows, columns = (
        range(0, min(length, cells * stride), stride) for length, cells in zip(mask.shape, shape, strict=True)
    )
    cut = mask[: shape[0] * stride, : shape[1] * stride].view(np.uint8)
    # Each pixel of a cell in its turn: 20 times as fast as np.add.reduceat.
    by_row = np.zeros((len(rows), cut.shape[1]), np.uint16)
    for part in (cut[step::stride] for step in range(stride)):
        by_row[: len(part)] += part
    pixels = np.zeros((len(rows), len(columns)), np.int64)
    for rest in (by_row[:, step::stride] for step in range(stride)):
        pixels[:, : rest.shape[1]] += rest
    tall, wide = (
        np.minimum(stride, length - np.array(starts))
        for length, starts in zip(mask.shape, (rows, columns), strict=True)
    )
    share = np.zeros(shape)
    share[: len(rows), : len(columns)] = pixels / (tall[:, None] * wide)
    return share


@lru_cache(maxsize=2)
def _drawn(region: Region, size_wh: tuple[int, int]) -> Mask:
    mask = np.zeros((size_wh[1], size_wh[0]), np.bool_)
    for corners in region._in_pixels(size_wh):
        mask |= polygon_mask(corners, size_wh)
    mask.flags.writeable = False
    return mask


def _crossing(corners: Points) -> tuple[int, int] | None:
    """Two edges, by their first corners, that cross within both; None where there are none."""
    ends = np.roll(corners, -1, axis=0)
    low, high = np.minimum(corners, ends), np.maximum(corners, ends)
    order = np.argsort(low[:, 0], kind="stable")
    starts = low[order, 0]
    until = np.searchsorted(starts, high[order, 0], side="right")
    for place, (edge, stop) in enumerate(zip(order.tolist(), until.tolist(), strict=True), start=1):
        others = order[place:stop]
        others = others[(low[others, 1] <= high[edge, 1]) & (high[others, 1] >= low[edge, 1])]
        a, b, c, d = corners[edge], ends[edge], corners[others], ends[others]
        crossed = (_side(a, b, c) * _side(a, b, d) < 0) & (_side(c, d, a) * _side(c, d, b) < 0)
        if crossed.any():
            one, other = sorted((edge, int(others[crossed][0])))
            return one, other
    return None


def _side(one: Points, other: Points, point: Points) -> NDArray[np.float64]:
    """On which side of lines points lie: its sign."""
    way, away = other - one, point - one
    with np.errstate(over="ignore", invalid="ignore"):  # corners far out of any image, which is said later
        side: NDArray[np.float64] = np.sign(way[..., 0] * away[..., 1] - way[..., 1] * away[..., 0])
    return side


def _shown(corner: NDArray[np.float64]) -> str:
    return f"({corner[0]:g}, {corner[1]:g})"
