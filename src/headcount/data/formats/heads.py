"""Head by head: what formats write that keep one object for each head, a box, a point or both.

A Scene keeps points and boxes in two arrays. Where these are of one length, row i of both is the i-th head; where
not, each box belongs to a point inside it. A format's writer asks ``heads_of`` and its reader ``annotation_of``, which
undo each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headcount.core.geometry import as_boxes, as_points, centres, paired_owners
from headcount.core.scene import Provenance, Scene
from headcount.data.formats.raw import RawAnnotation


@dataclass(frozen=True, slots=True)
class Head:
    """One head as a format keeps it; at least one of point and box is given.

    Attributes:
        point_xy: its point; None where that is the centre of its box.
        box_xyxy: its box; None where it has none.
        provenance: how the box came to be.
        where: the line or key that it was read from.
    """

    point_xy: tuple[float, float] | None = None
    box_xyxy: tuple[float, float, float, float] | None = None
    provenance: Provenance = "annotated"
    where: str = ""


def boxes_by_head(scene: Scene) -> NDArray[np.intp]:
    """(n,) the row of each point's box, −1 where it has none."""
    rows = np.full(scene.count, -1, np.intp)
    if scene.boxes_xyxy is not None:
        owner = paired_owners(scene.points_xy, scene.boxes_xyxy)
        rows[owner[owner >= 0]] = np.flatnonzero(owner >= 0)
    return rows


def heads_of(scene: Scene) -> list[Head]:
    """The heads of a scene in the order of its points; a box without a point is none of them."""
    rows = boxes_by_head(scene)
    boxes = as_boxes([]) if scene.boxes_xyxy is None else scene.boxes_xyxy
    middle = centres(boxes)
    heads = []
    for point, row in zip(scene.points_xy.tolist(), rows.tolist(), strict=True):
        if row < 0:
            heads.append(Head(point_xy=(point[0], point[1])))
            continue
        x1, y1, x2, y2 = boxes[row].tolist()
        own = None if point == middle[row].tolist() else (point[0], point[1])
        provenance: Provenance = scene.box_provenance[row] if scene.box_provenance else "annotated"
        heads.append(Head(own, (x1, y1, x2, y2), provenance))
    return heads


def join_groups(drawn: Sequence[tuple[Head, Any]]) -> list[Head]:
    """Heads out of shapes and their groups: a box and a point that are alone in a group are one head.

    >>> box = Head(box_xyxy=(0.0, 0.0, 4.0, 4.0))
    >>> [head.point_xy for head in join_groups([(box, 7), (box, None), (Head((1.0, 1.0)), 7)])]
    [(1.0, 1.0), None]
    """
    groups: dict[str, list[int]] = {}
    for index, (_, group) in enumerate(drawn):
        if isinstance(group, int | str):
            groups.setdefault(str(group), []).append(index)
    heads: list[Head | None] = [head for head, _ in drawn]
    for members in groups.values():
        if len(members) != 2:
            continue
        first, second = (drawn[index][0] for index in members)
        box, point = (first, second) if first.box_xyxy is not None else (second, first)
        if box.point_xy is None and point.box_xyxy is None and box.box_xyxy is not None:
            heads[members[0]] = replace(box, point_xy=point.point_xy)
            heads[members[1]] = None
    return [head for head in heads if head is not None]


def drawn_as_points(heads: Sequence[Head]) -> bool:
    """Whether every head has a point of its own: the centre of a box may lie outside an image, a drawn point not."""
    return all(head.point_xy is not None for head in heads)


def annotation_of(
    heads: Sequence[Head],
    *,
    size_wh: tuple[int, int] | None = None,
    attributes: Mapping[str, str] | None = None,
    region: NDArray[np.bool_] | None = None,
    ignored: Mapping[str, int] | None = None,
    nearly: int = 0,
) -> RawAnnotation:
    """What a reader returns of an image's heads. Boxes are None where only points were drawn.

    ``ignored`` says how many objects are not counted, by class or mark; ``nearly`` as in ``RawAnnotation``.
    """
    boxed = [(head.box_xyxy, head.provenance) for head in heads if head.box_xyxy is not None]
    boxes = as_boxes([box for box, _ in boxed]) if boxed or not heads else None
    points = None
    if boxes is None or any(head.point_xy is not None for head in heads):
        own = np.array([head.point_xy or (np.nan, np.nan) for head in heads])
        if boxes is not None:
            has_box = np.array([head.box_xyxy is not None for head in heads])
            middle = np.full_like(own, np.nan)
            middle[has_box] = centres(boxes)
            own = np.where(np.isnan(own), middle, own)
        points = as_points(own)
    return RawAnnotation(
        points_xy=points,
        boxes_xyxy=boxes,
        box_provenance=tuple(provenance for _, provenance in boxed),
        where=tuple(head.where for head in heads),
        stated_size_wh=size_wh,
        region_mask=region,
        attributes=attributes or {},
        ignored=sum((ignored or {}).values()),
        ignored_as=ignored or {},
        nearly=nearly,
    )
