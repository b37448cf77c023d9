"""What lies on the disk, before it is made a Scene: the one contract of every data-set reader.

How to write a reader (`shanghaitech.py` is the example, `head_list.py` where one file annotates many images):

1. One file in `formats/` or `sets/published/`, its docstring giving the published layout and where it is documented.
2. `list_NAME(path) -> Listing` looks at names and folders only, of all official splits that are there. For each image
   it gives a `RawScene`: ``read`` is a `functools.partial` of the parser over one annotation, called later.
   An image without its annotation has ``annotation=None``, an annotation without its image ``image=None``.
3. The parser gives a `RawAnnotation`: as written, moved to headcount's pixels (a 1-based point less 0.5), never
   clamped, sorted out or compared with the image. What is malformed is an InputError with file and line or key.
4. A wrong layout is told by `folders.wrong_folder`, files of other names by a `Remark`.
5. One row in `formats/table.py`; of a published set in `sets/catalogue.py`.

Reading (`finish.py`), checking, splitting and converting are then there, written once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from headcount.core.errors import InputError
from headcount.core.files import is_file
from headcount.core.geometry import centres
from headcount.core.image import VideoFrame
from headcount.core.scene import Provenance

_NO_NUMBERS: Mapping[str, int] = MappingProxyType({})


class UnreadableAnnotationError(InputError):
    """The one annotation file of a whole data set cannot be read: a finding, since nothing else can be checked."""


@contextmanager
def annotates_all(file: Path) -> Iterator[None]:
    """What is wrong with ``file``, which annotates a whole data set, as an UnreadableAnnotationError.

    Raises:
        InputError: there is no such file: nothing is wrong with a file then, but with the path.
    """
    try:
        yield
    except InputError as error:
        if not is_file(file):
            raise
        raise UnreadableAnnotationError(error.message) from error


@dataclass(frozen=True, slots=True, eq=False)
class RawAnnotation:
    """What an annotation says of one image, before it is compared with the image.

    Attributes:
        points_xy: (n, 2) float64 in headcount's pixels, not clamped, perhaps not finite; None where the format has
            boxes only, whose centres are then the points.
        boxes_xyxy: (m, 4) float64 the same way, perhaps without area; None where the format has none.
        box_provenance: of all the boxes, or one for each: measured boxes are ``annotated``.
        where: the line or key of each point (of each box where there are no points); empty where it is not known.
        stated_size_wh: the image's size as the annotation states it: never used for reading, only for checking.
        region_mask: (h, w) bool, True inside the region of interest.
        region_polygon_xy: (k, 2) float64 corners of the region of interest, where it is given so.
        attributes: what else is said of the image (weather, level, camera).
        ignored: how many objects are not to be counted; they are in none of the above.
        ignored_as: of these, how many by what: the name of their class, or the mark that says so (``iscrowd``).
        nearly: how many values lay outside their range by no more than rounding does (``values.HAIR``).
    """

    points_xy: NDArray[np.float64] | None = None
    boxes_xyxy: NDArray[np.float64] | None = None
    box_provenance: Provenance | tuple[Provenance, ...] = "annotated"
    where: tuple[str, ...] = ()
    stated_size_wh: tuple[int, int] | None = None
    region_mask: NDArray[np.bool_] | None = None
    region_polygon_xy: NDArray[np.float64] | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    ignored: int = 0
    ignored_as: Mapping[str, int] = field(default_factory=lambda: _NO_NUMBERS)
    nearly: int = 0

    @property
    def heads_xy(self) -> NDArray[np.float64]:
        """(n, 2) float64 as written: the points, or the centres of the boxes where there are no points."""
        if self.points_xy is not None:
            return self.points_xy.reshape(-1, 2)
        if self.boxes_xyxy is None:
            return np.zeros((0, 2))
        return centres(self.boxes_xyxy.reshape(-1, 4))

    def place(self, row: int) -> str:
        """The line or key of a head, or its number where that is not known."""
        return self.where[row] if row < len(self.where) and self.where[row] else f"head {row + 1}"


@dataclass(frozen=True, slots=True, eq=False)
class RawScene:
    """An image and its annotation as they lie on the disk; either may be missing, neither is opened yet.

    Attributes:
        name: unique in the set, with forward slashes: ``train/IMG_7``.
        split: the official one: ``train``, ``val``, ``test``, or empty where the set has none.
        image: the image's file, or a frame of a video; None where only its annotation is there.
        annotation: the file that annotates it; None where that is missing.
        read: parses the annotation; called in threads, and only where ``annotation`` is given.
        group: the scene or video it belongs to, whose images never fall into different splits; empty: on its own.
        refuse_outside: a point outside the image is an error (one's own files) and not clamped (published ones); one
            outside by a hair (``values.HAIR`` of the image's side) is clamped all the same.
        origin: the line or key where ``annotation`` first names the image, for messages; may be empty.
        found_by: the rule by which the image was found where it is not as written (see ``parse.paths``).
    """

    name: str
    split: str
    image: Path | VideoFrame | None
    annotation: Path | None
    read: Callable[[], RawAnnotation]
    group: str = ""
    refuse_outside: bool = False
    origin: str = ""
    found_by: str = ""


@dataclass(frozen=True, slots=True)
class Remark:
    """What a listing met beside the scenes; ``message`` says it in words.

    ``code``: ``empty`` (a split's folder without images), ``missing-folder`` (named by a file, as Roboflow names splits
    that it did not write) or ``stray-file`` (not named as the set's images are).
    """

    code: Literal["empty", "missing-folder", "stray-file"]
    path: Path
    message: str


@dataclass(frozen=True, slots=True)
class Listing:
    """The scenes of a data set, all official splits together, in a fixed order; and what was met beside them."""

    scenes: tuple[RawScene, ...]
    remarks: tuple[Remark, ...] = ()


def image_file(image: Path | VideoFrame) -> Path:
    """The file in which an image lies: its own, or its video's."""
    return image.path if isinstance(image, VideoFrame) else image


def given(annotation: RawAnnotation) -> Callable[[], RawAnnotation]:
    """The ``read`` of a raw scene whose annotation is parsed already."""
    return partial(_same, annotation)


def refusing(error: InputError) -> Callable[[], RawAnnotation]:
    """The ``read`` of a raw scene whose part of a file is malformed: what is wrong with one image is its own."""
    return partial(_raise, str(error))


def _raise(message: str) -> RawAnnotation:
    raise InputError(message)


def _same(annotation: RawAnnotation) -> RawAnnotation:
    return annotation


def no_annotation() -> RawAnnotation:
    """The ``read`` of a raw scene without an annotation: nobody, and never called for reading."""
    return RawAnnotation()
