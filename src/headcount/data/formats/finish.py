"""A raw scene made a Scene: the one place where annotations meet their image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headcount.core.errors import InputError, MissingFileError
from headcount.core.files import file_size
from headcount.core.geometry import clip_boxes, clip_points, has_area, outside, polygon_mask
from headcount.core.image import VideoFrame, read_header
from headcount.core.scene import Provenance, Scene
from headcount.data.formats.raw import RawAnnotation, RawScene, image_file
from headcount.data.formats.truth import Frame, frame_of, left_out_or_moved
from headcount.data.parse.paths import near_name
from headcount.data.parse.values import HAIR, cut


@dataclass(frozen=True, slots=True, eq=False)
class Finished:
    """A Scene, and what making it left out, moved or must doubt: how often, by the codes of ``truth.TOLD``.

    ``kinds`` says which objects are not counted: how many of which class or mark.
    """

    scene: Scene
    numbers: Mapping[str, int]
    kinds: Mapping[str, int]


def finish(raw: RawScene, *, data: str = "") -> Scene:
    """The Scene of ``finish_telling`` alone.

    Raises:
        InputError: as there.
    """
    return finish_telling(raw, data=data).scene


def finish_telling(raw: RawScene, *, data: str = "") -> Finished:
    """A raw scene as the Scene everything else works on: the one place where annotations meet their image.

    - The size is the upright image's own, from its header, never the annotation's.
    - Points are clamped into the image: those who annotated heads just outside meant somebody.
    - Where there are boxes only, the points are the centres of the boxes as annotated, clamped.
    - Boxes are clipped to the image. One that then has no width or height is left out, and where the points come
      from the boxes, its point too.
    - A region of interest given by its corners is drawn: pixels whose centre lies within.

    ``data`` is the published set's name, which the scene's name then begins with; empty for one's own images.

    Raises:
        InputError: image or annotation is missing or unreadable, a number is not finite, the region is of another
            size than the image, a point lies outside where ``refuse_outside`` says so, or one's own image was
            annotated in another size or turn, so that heads lie beyond it.
    """
    if raw.image is None:
        raise InputError(
            f'The image of the annotation "{raw.annotation}" is missing: check the data set for the whole list.',
            remedy="check",
        )
    if raw.annotation is None:
        raise InputError(
            f'The annotation of "{raw.image}" is missing: check the data set for the whole list.', remedy="check"
        )
    try:
        file_size(image_file(raw.image))
    except InputError as error:
        place = f'"{raw.annotation}"' + (f", {raw.origin}" if raw.origin else "")
        if not isinstance(error, MissingFileError):
            raise InputError(f"{place}: {error.message}") from error
        missing = image_file(raw.image)
        raise InputError(f'{place}: there is no image "{cut(str(raw.image), 1000)}".{near_name(missing)}') from error
    annotation = raw.read()
    orientation = 1
    if isinstance(raw.image, VideoFrame):
        size_wh = raw.image.size_wh
    else:
        header = read_header(raw.image)
        size_wh, orientation = header.size_wh, header.orientation
    frame = frame_of(annotation, size_wh, orientation)
    points = annotation.heads_xy
    boxes = None if annotation.boxes_xyxy is None else annotation.boxes_xyxy.reshape(-1, 4)
    if annotation.points_xy is not None:
        _refuse_not_finite(points, raw, annotation, "point")
    if boxes is not None:
        _refuse_not_finite(boxes, raw, annotation, "box")
    if frame.misplaced and not data:
        raise _misplaced(frame, size_wh, raw, annotation)
    if annotation.points_xy is not None and raw.refuse_outside:
        _refuse_outside(points, size_wh, raw, annotation)
    numbers = left_out_or_moved(annotation, size_wh, frame)
    if raw.found_by:
        numbers["name-differs"] = 1
    provenance: tuple[Provenance, ...] = ()
    if boxes is not None:
        # A box whose corners are swapped has no area either: clipping keeps the order of its corners.
        boxes = clip_boxes(boxes, size_wh)
        solid = has_area(boxes)
        stated = annotation.box_provenance
        provenance = stated if isinstance(stated, tuple) else (stated,) * len(boxes)
        provenance = tuple(each for each, kept in zip(provenance, solid, strict=True) if kept)
        boxes = boxes[solid]
        if annotation.points_xy is None:
            points = points[solid]
    scene = Scene(
        image=raw.image,
        points_xy=clip_points(points, size_wh),
        boxes_xyxy=boxes,
        box_provenance=provenance,
        region=_region(annotation, size_wh, raw),
        source=data or str(raw.image),
        name=f"{data}/{raw.name}" if data else raw.name,
        attributes=annotation.attributes,
    )
    return Finished(scene, numbers, annotation.ignored_as)


def _refuse_not_finite(rows: NDArray[np.float64], raw: RawScene, annotation: RawAnnotation, what: str) -> None:
    bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if len(bad):
        place = (
            annotation.place(int(bad[0])) if what == "point" or annotation.points_xy is None else f"box {bad[0] + 1}"
        )
        values = ", ".join(f"{value:g}" for value in rows[bad[0]])
        raise InputError(f'"{raw.annotation}", {place}: a {what} must be finite numbers, but this is ({values}).')


def _refuse_outside(
    points: NDArray[np.float64], size_wh: tuple[int, int], raw: RawScene, annotation: RawAnnotation
) -> None:
    rows = outside(points, size_wh, slack=HAIR)
    if len(rows):
        x, y = points[rows[0]]
        raise InputError(
            f'"{raw.annotation}", {annotation.place(int(rows[0]))}: the point ({x:g}, {y:g}) lies outside '
            f'"{raw.name}" ({size_wh[0]}×{size_wh[1]} pixels): x, y are pixels of the upright image.'
        )


def _misplaced(frame: Frame, size_wh: tuple[int, int], raw: RawScene, annotation: RawAnnotation) -> InputError:
    row = int(outside(annotation.heads_xy, size_wh)[0])
    size = f"{size_wh[0]}×{size_wh[1]}"
    if frame.unturned:
        return InputError(
            f'"{raw.annotation}", {annotation.place(row)}: the heads were annotated before EXIF turns '
            f'"{raw.image}" upright ({size} pixels): turn the annotations too, or take the turn out of the EXIF.'
        )
    assert annotation.stated_size_wh is not None
    width, height = annotation.stated_size_wh
    return InputError(
        f'"{raw.annotation}", {annotation.place(row)}: the heads were annotated on {width}×{height} pixels, but '
        f'"{raw.image}" has {size}: give the image that was annotated.'
    )


def _region(annotation: RawAnnotation, size_wh: tuple[int, int], raw: RawScene) -> NDArray[np.bool_] | None:
    width, height = size_wh
    mask = annotation.region_mask
    if mask is not None:
        if mask.shape != (height, width):
            raise InputError(
                f'"{raw.annotation}" gives a region of interest of {mask.shape[1]}×{mask.shape[0]} pixels, but '
                f'"{raw.image}" has {width}×{height}: the two do not belong together.'
            )
        return mask.astype(np.bool_)
    if annotation.region_polygon_xy is None:
        return None
    corners = annotation.region_polygon_xy.reshape(-1, 2)
    if len(corners) < 3 or not np.isfinite(corners).all():
        raise InputError(f'"{raw.annotation}": a region of interest needs at least three corners of finite numbers.')
    return polygon_mask(corners, size_wh)
