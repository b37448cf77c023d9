"""What can be wrong with one image's annotation: points, boxes, the stated size and the EXIF rotation.

Pure functions on what is written, before any of it is clamped, clipped or left out. Inside an image is
0 ≤ x ≤ width and 0 ≤ y ≤ height.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from headcount.core.geometry import clip_boxes, has_area
from headcount.data.audit.findings import Finding, Numbers
from headcount.data.formats.raw import RawAnnotation

_SLACK_PX = 1.0
"""What a tool's own counting of pixels may put a coordinate over the border."""


def check_points(points_xy: NDArray[np.float64], size_wh: tuple[int, int] | None, place: str) -> list[Finding]:
    """Findings on the points of one image.

    ``points_xy`` are (n, 2) float64, perhaps not finite; without ``size_wh`` nothing is said of outside.

    >>> found = check_points(np.array([[1.0, 1.0], [9.0, 1.0], [1.0, 1.0]]), (8, 8), "a.jpg")
    >>> [(finding.code, finding.occurrences) for finding in found]
    [('point-outside', 1), ('point-repeated', 1)]
    """
    findings = []
    finite = np.asarray(np.isfinite(points_xy).all(axis=1))
    if not finite.all():
        findings.append(_not_finite("point", finite, place))
    points_xy = points_xy[finite]
    if size_wh is not None:
        beyond_px = np.maximum(-points_xy, points_xy - size_wh).max(axis=1, initial=0.0)
        outside = int((beyond_px > 0).sum())
        if outside:
            x, y = points_xy[int(beyond_px.argmax())]
            text = f"{counted(outside, 'point')} outside {_size(size_wh)}, the farthest ({x:.2f}, {y:.2f})"
            found = Finding("point-outside", place, text, outside, points_xy=rounded(points_xy[beyond_px > 0]))
            findings.append(found)
    values, repeats = np.unique(points_xy, axis=0, return_counts=True)
    extra = int((repeats - 1).sum())
    if extra:
        x, y = values[repeats > 1][0]
        text = f"{counted(extra, 'point')} repeated, the first ({x:.2f}, {y:.2f})"
        findings.append(Finding("point-repeated", place, text, extra, points_xy=rounded(values[repeats > 1])))
    return findings


def check_boxes(boxes_xyxy: NDArray[np.float64], size_wh: tuple[int, int] | None, place: str) -> list[Finding]:
    """Findings on the boxes of one image.

    ``boxes_xyxy`` are (n, 4) float64, perhaps not finite; without ``size_wh`` nothing is said of the border.

    >>> found = check_boxes(np.array([[1.0, 1, 4, 4], [3, 2, 3, 5], [9, 1, 12, 4]]), (8, 8), "a.jpg")
    >>> [(finding.code, finding.occurrences) for finding in found]
    [('box-degenerate', 1), ('box-outside', 1)]
    """
    findings = []
    finite = np.asarray(np.isfinite(boxes_xyxy).all(axis=1))
    if not finite.all():
        findings.append(_not_finite("box", finite, place))
    boxes = boxes_xyxy[finite]
    solid = has_area(boxes)
    if not solid.all():
        findings.append(_of_boxes("box-degenerate", boxes[~solid], "without area", place))
    boxes = boxes[solid]
    if size_wh is not None:
        clipped = clip_boxes(boxes, size_wh)
        seen = has_area(clipped)
        over = (np.abs(clipped - boxes) > _SLACK_PX).any(axis=1) & seen
        if not seen.all():
            findings.append(_of_boxes("box-outside", boxes[~seen], f"outside {_size(size_wh)}", place))
        if over.any():
            findings.append(_of_boxes("box-beyond", boxes[over], f"over the border of {_size(size_wh)}", place))
    values, repeats = np.unique(boxes, axis=0, return_counts=True)
    extra = int((repeats - 1).sum())
    if extra:
        findings.append(_of_boxes("box-repeated", values[repeats > 1], "repeated", place, extra))
    return findings


def check_frame(
    annotation: RawAnnotation, size_wh: tuple[int, int], orientation: int, place: str
) -> tuple[list[Finding], bool]:
    """Findings on the stated size, the region and EXIF; and whether coordinates may be compared with the image.

    ``size_wh`` is the upright image's, ``orientation`` the EXIF value. A quarter turn that the annotation has not
    made shows in its stated size, or in coordinates that fit the stored image alone; a half turn or a mirror
    image shows in neither, and is only noted.
    """
    stated = annotation.stated_size_wh
    stored_wh = size_wh[::-1] if orientation >= 5 else size_wh
    quarter = stored_wh != size_wh
    corners = _corners(annotation)
    over_upright = not _within(corners, size_wh)
    if quarter and _within(corners, stored_wh) and (over_upright or stated == stored_wh):
        why = f"coordinates fit {_size(stored_wh)} only" if over_upright else f"{_size(stored_wh)} is stated"
        text = f"EXIF {orientation} makes it {_size(size_wh)} upright, but {why}"
        return [Finding("exif-unapplied", place, text, points_xy=rounded(annotation.heads_xy))], False
    findings = []
    if orientation != 1:
        text = f"EXIF {orientation}: {_size(size_wh)} upright" + ("" if quarter else ", as large as it is stored")
        findings.append(Finding("exif-rotated", place, text, points_xy=rounded(annotation.heads_xy)))
    if stated is not None and stated != size_wh:
        text = f"{_size(stated)} is stated, but the image has {_size(size_wh)}"
        findings.append(Finding("size-differs", place, text))
    mask, polygon = annotation.region_mask, annotation.region_polygon_xy
    if mask is not None and mask.shape != size_wh[::-1]:
        text = f"a region of {_size(mask.shape[::-1])}, but the image has {_size(size_wh)}"
        findings.append(Finding("region-differs", place, text))
    elif polygon is not None and (polygon.size < 6 or not np.isfinite(polygon).all()):
        findings.append(Finding("region-differs", place, "a region of fewer than three corners of finite numbers"))
    return findings, True


def _corners(annotation: RawAnnotation) -> NDArray[np.float64]:
    """(n, 2) all finite coordinates."""
    parts = [np.zeros((0, 2))]
    if annotation.points_xy is not None:
        parts.append(annotation.points_xy.reshape(-1, 2))
    if annotation.boxes_xyxy is not None:
        parts.append(annotation.boxes_xyxy.reshape(-1, 2))
    together = np.concatenate(parts)
    return together[np.isfinite(together).all(axis=1)]


def _within(points_xy: NDArray[np.float64], size_wh: tuple[int, int]) -> bool:
    return bool(((points_xy >= -_SLACK_PX) & (points_xy <= np.add(size_wh, _SLACK_PX))).all())


def _not_finite(what: str, finite: NDArray[np.bool_], place: str) -> Finding:
    bad = int((~finite).sum())
    row = int(np.flatnonzero(~finite)[0]) + 1  # counted from 1, as in every other message
    return Finding(f"{what}-not-finite", place, f"{counted(bad, what)} not finite, the first in row {row}", bad)


def _of_boxes(code: str, boxes: NDArray[np.float64], what: str, place: str, occurrences: int | None = None) -> Finding:
    number = len(boxes) if occurrences is None else occurrences
    text = f"{counted(number, 'box')} {what}, the first ({', '.join(f'{value:g}' for value in boxes[0])})"
    return Finding(code, place, text, number, boxes_xyxy=rounded(boxes))


def rounded(values: NDArray[np.float64]) -> Numbers:
    """Rows for a Finding: to a thousandth of a pixel, those not finite left out."""
    kept = values[np.isfinite(values).all(axis=1)]
    return tuple(tuple(map(float, row)) for row in np.round(kept, 3))


def _size(size_wh: tuple[int, ...]) -> str:
    return f"{size_wh[0]}×{size_wh[1]}"


def counted(number: int, noun: str) -> str:
    """A number of things in words.

    >>> counted(1, "box"), counted(3, "box"), counted(0, "point")
    ('1 box', '3 boxes', '0 points')
    """
    return f"1 {noun}" if number == 1 else f"{number} {noun}{'es' if noun.endswith('x') else 's'}"
