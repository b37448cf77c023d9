"""What of an annotation does not fit its image, or is no head: one set of rules for checking, reading and converting.

What is written is judged before any of it is clamped, clipped or left out. The border of an image is within it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from headcount.core.geometry import clip_boxes, has_area, outside
from headcount.core.words import plural
from headcount.data.formats.raw import RawAnnotation

_SLACK_PX = 1.0
"""What a tool's own counting of pixels may put a coordinate over the border."""
_MOST_KINDS = 3
_NO_KINDS: Mapping[str, int] = MappingProxyType({})

_WORDS = {
    "ignored": ("object", "not to be counted"),
    "points-outside": ("point", "outside the image; moved to its edge"),
    "nearly": ("value", "beyond its range by no more than rounding does; clipped"),
    "boxes-without-area": ("box", "without width or height; left out"),
    "boxes-outside": ("box", "of which nothing lies in the image; left out"),
    "missing-image": ("annotation", "whose image is not there"),
    "size-differs": ("image", "of another size than the annotation states"),
    "exif-unapplied": ("image", "annotated as stored, before EXIF turns it upright"),
    "exif-unsure": ("image", "turned by EXIF; the annotation must be of the upright image, and does not say"),
    "name-differs": ("image", "found by another name than the annotation writes"),
    "stray-file": ("file", "of which nothing is read"),
}
DOUBTS = ("size-differs", "exif-unapplied", "exif-unsure", "name-differs")
"""What takes nothing away, but may put heads in wrong places."""


@dataclass(frozen=True, slots=True)
class Told:
    """What of a data set is left out, moved or in doubt.

    Attributes:
        code: a key of ``TOLD``.
        occurrences: how often.
        images: in how many images.
        kinds: of these, how many by what: the class or the mark of objects that are not counted.
    """

    code: str
    occurrences: int
    images: int
    kinds: Mapping[str, int] = field(default_factory=lambda: _NO_KINDS)

    @property
    def what(self) -> str:
        """In words, without the number of images."""
        noun, what = _WORDS[self.code]
        return f"{plural(self.occurrences, noun)} {what}{in_brackets(self.kinds)}"

    @property
    def text(self) -> str:
        """In words.

        >>> Told("ignored", 3, 2, {"person": 2, "crowd": 1}).text
        '3 objects not to be counted (person 2, crowd 1), in 2 images'
        >>> Told("size-differs", 1, 1).text
        '1 image of another size than the annotation states'
        """
        of_images = _WORDS[self.code][0] in ("object", "point", "value", "box")
        return f"{self.what}, in {plural(self.images, 'image')}" if of_images else self.what

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        data: dict[str, object] = {"code": self.code, "occurrences": self.occurrences, "images": self.images}
        return {**data, "kinds": dict(self.kinds)} if self.kinds else data


def in_brackets(kinds: Mapping[str, int]) -> str:
    """The most frequent kinds of what is not counted, to be put behind it.

    >>> in_brackets({"crowd": 1, "person": 2}), in_brackets({})
    (' (person 2, crowd 1)', '')
    """
    most = sorted(kinds.items(), key=lambda item: (-item[1], item[0]))
    names = [f"{kind or 'without a name'} {number:,}" for kind, number in most[:_MOST_KINDS]]
    return f" ({', '.join(names)}{', …' if len(most) > _MOST_KINDS else ''})" if names else ""


TOLD = {code: f"{noun}{'es' if noun.endswith('x') else 's'} {what}" for code, (noun, what) in _WORDS.items()}
"""Every code, in words. They are stable: scripts may rely on them."""


class Tally:
    """Adds up over images what reading each of them left out, moved or must doubt."""

    def __init__(self) -> None:
        self._occurrences: Counter[str] = Counter()
        self._images: Counter[str] = Counter()
        self._kinds: Counter[str] = Counter()

    def add(self, numbers: Mapping[str, int], kinds: Mapping[str, int] = _NO_KINDS) -> None:
        """Take in one image: how often by code, and which objects are not counted."""
        self._occurrences.update(numbers)
        self._images.update(code for code, number in numbers.items() if number)
        self._kinds.update(kinds)

    def add_images(self, code: str, images: int) -> None:
        """Take in what is so once in each of many images."""
        self._occurrences[code] += images
        self._images[code] += images

    def told(self, codes: Iterable[str] = TOLD) -> tuple[Told, ...]:
        """What there was of it, in the order of ``TOLD``."""
        return tuple(
            Told(code, self._occurrences[code], self._images[code], dict(self._kinds) if code == "ignored" else {})
            for code in codes
            if self._occurrences[code]
        )


@dataclass(frozen=True, slots=True)
class Frame:
    """Whether an annotation was made on the image as it is.

    Attributes:
        unturned: it was made on the image as it is stored, before EXIF turns it a quarter.
        resized: another size is stated than the image has, and it is not that.
        misplaced: heads lie beyond the image, though all lie within the other one: their places are surely wrong.
        out_of_upright: coordinates lie beyond the upright image.
        unsure: EXIF turns the image, and neither a stated size nor a coordinate tells of which the annotation is.
    """

    unturned: bool = False
    resized: bool = False
    misplaced: bool = False
    out_of_upright: bool = False
    unsure: bool = False


def frame_of(annotation: RawAnnotation, size_wh: tuple[int, int], orientation: int) -> Frame:
    """How an annotation fits an image of upright ``size_wh`` and the EXIF ``orientation``.

    A quarter turn that the annotation has not made shows in its stated size, or in coordinates that fit the stored
    image alone; a half turn or a mirror image shows in neither.
    """
    stated = annotation.stated_size_wh
    stored_wh = size_wh[::-1] if orientation >= 5 else size_wh
    corners, heads = _corners(annotation), _finite(annotation.heads_xy)
    out_of_upright = not _within(corners, size_wh)
    unturned = stored_wh != size_wh and _within(corners, stored_wh) and (out_of_upright or stated == stored_wh)
    resized = not unturned and stated is not None and stated != size_wh
    other_wh = stored_wh if unturned else stated if resized else None
    misplaced = other_wh is not None and not _within(heads, size_wh) and _within(heads, other_wh)
    tells = stored_wh != size_wh and (stated is not None or unturned or not _within(corners, stored_wh))
    unsure = orientation != 1 and len(heads) > 0 and not tells
    return Frame(unturned, resized, misplaced, out_of_upright, unsure)


@dataclass(frozen=True, slots=True, eq=False)
class BoxFaults:
    """Which of n boxes cannot be used as they are: each (n,) bool, and none is of two kinds.

    Attributes:
        flat: without width or height, or with swapped corners.
        outside: of which nothing lies in the image.
        beyond: that reach over its border by more than a pixel.
    """

    flat: NDArray[np.bool_]
    outside: NDArray[np.bool_]
    beyond: NDArray[np.bool_]


def box_faults(boxes_xyxy: NDArray[np.float64], size_wh: tuple[int, int] | None) -> BoxFaults:
    """Of finite boxes (n, 4); without ``size_wh`` nothing is said of the border.

    >>> faults = box_faults(np.array([[3.0, 2, 3, 5], [9, 1, 12, 4], [5, 1, 12, 4]]), (8, 8))
    >>> faults.flat.tolist(), faults.outside.tolist(), faults.beyond.tolist()
    ([True, False, False], [False, True, False], [False, False, True])
    """
    solid = has_area(boxes_xyxy)
    if size_wh is None:
        nowhere = np.zeros(len(boxes_xyxy), np.bool_)
        return BoxFaults(~solid, nowhere, nowhere)
    clipped = clip_boxes(boxes_xyxy, size_wh)
    seen = has_area(clipped)
    far = np.asarray((np.abs(clipped - boxes_xyxy) > _SLACK_PX).any(axis=1))
    return BoxFaults(~solid, solid & ~seen, solid & seen & far)


def left_out_or_moved(annotation: RawAnnotation, size_wh: tuple[int, int], frame: Frame) -> dict[str, int]:
    """How often what of ``TOLD`` is so in one image whose coordinates are finite."""
    numbers = {
        "ignored": annotation.ignored,
        "nearly": annotation.nearly,
        "size-differs": int(frame.resized),
        "exif-unapplied": int(frame.unturned),
        "exif-unsure": int(frame.unsure),
    }
    if annotation.points_xy is not None:
        numbers["points-outside"] = len(outside(annotation.heads_xy, size_wh))
    if annotation.boxes_xyxy is not None:
        faults = box_faults(annotation.boxes_xyxy.reshape(-1, 4), size_wh)
        numbers["boxes-without-area"], numbers["boxes-outside"] = int(faults.flat.sum()), int(faults.outside.sum())
    return {code: number for code, number in numbers.items() if number}


def _corners(annotation: RawAnnotation) -> NDArray[np.float64]:
    """(n, 2) all finite coordinates."""
    parts = [np.zeros((0, 2))]
    if annotation.points_xy is not None:
        parts.append(annotation.points_xy.reshape(-1, 2))
    if annotation.boxes_xyxy is not None:
        parts.append(annotation.boxes_xyxy.reshape(-1, 2))
    return _finite(np.concatenate(parts))


def _finite(points_xy: NDArray[np.float64]) -> NDArray[np.float64]:
    return points_xy[np.isfinite(points_xy).all(axis=1)]


def _within(points_xy: NDArray[np.float64], size_wh: tuple[int, int]) -> bool:
    return bool(((points_xy >= -_SLACK_PX) & (points_xy <= np.add(size_wh, _SLACK_PX))).all())
