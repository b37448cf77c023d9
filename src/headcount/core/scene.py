"""Scene: an image with what is known about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, overload

import numpy as np
from numpy.typing import NDArray

from headcount.core.errors import InputError
from headcount.core.geometry import as_boxes, as_points
from headcount.core.image import RgbImage, VideoFrame, as_rgb_array, read_header, read_image
from headcount.core.limits import DEFAULT_MAX_PIXELS

Provenance = Literal["annotated", "interpolated", "pseudo"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Scene:
    """An image with what is known about it: what readers return and augmentations map to itself.

    Coordinates are (x, y) floats in the upright image, the centre of the first pixel at (0.5, 0.5).

    Attributes:
        image: a file or a frame of a video, read when asked for, or (h, w, 3) uint8 RGB pixels.
        points_xy: (n, 2) float64 head centres.
        boxes_xyxy: (n, 4) float64 head boxes, or None where there are none.
        box_provenance: how each box came to be, one for each box.
        region: (h, w) bool, True inside the region of interest, or None for the whole image.
        source: where the scene came from, for messages and records.
        name: the image's identifier within its data set.
        attributes: what else the data set says (weather, scene, camera).
    """

    image: Path | VideoFrame | RgbImage
    points_xy: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 2)))
    boxes_xyxy: NDArray[np.float64] | None = None
    box_provenance: tuple[Provenance, ...] = ()
    region: NDArray[np.bool_] | None = None
    source: str = ""
    name: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "points_xy", as_points(self.points_xy))
        image: object = self.image
        if isinstance(image, str | bytes):
            raise InputError(
                f"A Scene's image is a pathlib.Path, a frame or an array, but a {type(image).__name__} was given: of a "
                "file give its pathlib.Path."
            )
        if not isinstance(self.image, Path | VideoFrame):
            object.__setattr__(self, "image", as_rgb_array(self.image))
        if self.boxes_xyxy is not None:
            object.__setattr__(self, "boxes_xyxy", as_boxes(self.boxes_xyxy))
            if self.box_provenance and len(self.box_provenance) != len(self.boxes_xyxy):
                raise InputError(
                    f"{len(self.box_provenance)} box provenances were given for {len(self.boxes_xyxy)} boxes: "
                    "give one each, or none."
                )

    def __repr__(self) -> str:
        """What is in it, in a line: never the arrays themselves."""
        if isinstance(self.image, Path | VideoFrame):
            image = repr(str(self.image))
        else:
            image = f"pixels {self.image.shape[1]}×{self.image.shape[0]}"
        held = [f"{self.count} points"]
        held += [f"{len(self.boxes_xyxy)} boxes"] if self.boxes_xyxy is not None else []
        held += ["region"] if self.region is not None else []
        return f"<Scene: {image}, {', '.join(held)}>"

    @property
    def count(self) -> int:
        """The number of annotated heads: the ground-truth count, never the sum of a map."""
        return len(self.points_xy)

    @property
    def size_wh(self) -> tuple[int, int]:
        """(width, height) of the upright image; read from the header where the image is a file or of a video."""
        if isinstance(self.image, Path):
            return read_header(self.image).size_wh
        if isinstance(self.image, VideoFrame):
            return self.image.size_wh
        return self.image.shape[1], self.image.shape[0]

    def pixels(self, *, max_pixels: int = DEFAULT_MAX_PIXELS, stored_gray: bool = False) -> RgbImage:
        """(h, w, 3) uint8 RGB; a file or frame is decoded anew at each call. ``stored_gray``: as ``read_image``."""
        if isinstance(self.image, Path):
            return read_image(self.image, max_pixels=max_pixels, stored_gray=stored_gray)
        if isinstance(self.image, VideoFrame):
            return self.image.pixels(max_pixels=max_pixels)
        return self.image


class LazyScenes(Sequence[Scene]):
    """Scenes of which each is made whenever it is asked for: the masks of many regions are never held together.

    >>> len(LazyScenes(3, lambda index: Scene(Path(f"{index}.jpg")))[1:])
    2
    """

    def __init__(self, count: int, make: Callable[[int], Scene]) -> None:
        self._indices, self._make = range(count), make

    def __len__(self) -> int:
        return len(self._indices)

    @overload
    def __getitem__(self, index: int) -> Scene: ...
    @overload
    def __getitem__(self, index: slice) -> LazyScenes: ...
    def __getitem__(self, index: int | slice) -> Scene | LazyScenes:
        if isinstance(index, slice):
            chosen = self._indices[index]
            return LazyScenes(len(chosen), lambda at: self._make(chosen[at]))
        return self._make(self._indices[index])
