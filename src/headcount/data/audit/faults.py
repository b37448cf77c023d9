"""What can be wrong with one image's annotation: points, boxes, the stated size and the EXIF rotation.

What is wrong is judged by ``formats/truth.py``, as reading judges it; here it is told image by image.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from headcount.core.geometry import outside as rows_outside
from headcount.core.words import plural
from headcount.data.audit.findings import Finding, Numbers
from headcount.data.formats.raw import RawAnnotation
from headcount.data.formats.truth import Told, box_faults, frame_of


def check_points(
    points_xy: NDArray[np.float64], size_wh: tuple[int, int] | None, place: str, *, slack: float = 0.0
) -> list[Finding]:
    """Findings on the points of one image.

    ``points_xy`` are (n, 2) float64, perhaps not finite; without ``size_wh`` nothing is said of outside. What is
    outside by no more than ``slack`` of the image's sides is noted, and no problem.

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
        outside = points_xy[rows_outside(points_xy, size_wh, slack=slack)]
        nearly = len(rows_outside(points_xy, size_wh)) - len(outside)
        if nearly:
            findings.append(Finding("nearly", place, Told("nearly", nearly, 1).what, nearly))
        if len(outside):
            x, y = outside[int(np.maximum(-outside, outside - size_wh).max(axis=1).argmax())]
            text = f"{plural(len(outside), 'point')} outside {_size(size_wh)}, the farthest ({x:.2f}, {y:.2f})"
            findings.append(Finding("point-outside", place, text, len(outside), points_xy=rounded(outside)))
    values, repeats = np.unique(points_xy, axis=0, return_counts=True)
    extra = int((repeats - 1).sum())
    if extra:
        x, y = values[repeats > 1][0]
        text = f"{plural(extra, 'point')} repeated, the first ({x:.2f}, {y:.2f})"
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
    faults = box_faults(boxes, size_wh)
    size = "" if size_wh is None else _size(size_wh)
    for code, rows, what in (
        ("box-degenerate", faults.flat, "without area"),
        ("box-outside", faults.outside, f"outside {size}"),
        ("box-beyond", faults.beyond, f"over the border of {size}"),
    ):
        if rows.any():
            findings.append(_of_boxes(code, boxes[rows], what, place))
    boxes = boxes[~faults.flat]
    values, repeats = np.unique(boxes, axis=0, return_counts=True)
    extra = int((repeats - 1).sum())
    if extra:
        findings.append(_of_boxes("box-repeated", values[repeats > 1], "repeated", place, extra))
    return findings


def check_left_out(annotation: RawAnnotation, place: str) -> list[Finding]:
    """Findings on what the reader itself leaves out or clips.

    >>> found = check_left_out(RawAnnotation(ignored=3, ignored_as={"person": 3}), "a.jpg")
    >>> [(finding.message, finding.occurrences) for finding in found]
    [('3 objects not to be counted (person 3)', 3)]
    """
    findings = []
    for code, number in (("ignored", annotation.ignored), ("nearly", annotation.nearly)):
        if number:
            kinds = annotation.ignored_as if code == "ignored" else {}
            findings.append(Finding(code, place, Told(code, number, 1, kinds).what, number))
    return findings


def check_frame(
    annotation: RawAnnotation, size_wh: tuple[int, int], orientation: int, place: str
) -> tuple[list[Finding], bool]:
    """Findings on the stated size, the region and EXIF; and whether coordinates may be compared with the image.

    ``size_wh`` is the upright image's, ``orientation`` the EXIF value.
    """
    stored_wh = size_wh[::-1] if orientation >= 5 else size_wh
    frame = frame_of(annotation, size_wh, orientation)
    if frame.unturned:
        why = f"coordinates fit {_size(stored_wh)} only" if frame.out_of_upright else f"{_size(stored_wh)} is stated"
        text = f"EXIF {orientation} makes it {_size(size_wh)} upright, but {why}"
        return [Finding("exif-unapplied", place, text, points_xy=rounded(annotation.heads_xy))], False
    findings = []
    if orientation != 1:
        text = f"EXIF {orientation}: {_size(size_wh)} upright" + (
            "" if stored_wh != size_wh else ", as large as it is stored"
        )
        findings.append(Finding("exif-rotated", place, text, points_xy=rounded(annotation.heads_xy)))
    if frame.resized and annotation.stated_size_wh is not None:
        text = f"{_size(annotation.stated_size_wh)} is stated, but the image has {_size(size_wh)}"
        findings.append(Finding("size-differs", place, text))
    mask, polygon = annotation.region_mask, annotation.region_polygon_xy
    if mask is not None and mask.shape != size_wh[::-1]:
        text = f"a region of {_size(mask.shape[::-1])}, but the image has {_size(size_wh)}"
        findings.append(Finding("region-differs", place, text))
    elif polygon is not None and (polygon.size < 6 or not np.isfinite(polygon).all()):
        findings.append(Finding("region-differs", place, "a region of fewer than three corners of finite numbers"))
    return findings, True


def _not_finite(what: str, finite: NDArray[np.bool_], place: str) -> Finding:
    bad = int((~finite).sum())
    row = int(np.flatnonzero(~finite)[0]) + 1  # counted from 1, as in every other message
    return Finding(f"{what}-not-finite", place, f"{plural(bad, what)} not finite, the first in row {row}", bad)


def _of_boxes(code: str, boxes: NDArray[np.float64], what: str, place: str, occurrences: int | None = None) -> Finding:
    number = len(boxes) if occurrences is None else occurrences
    text = f"{plural(number, 'box')} {what}, the first ({', '.join(f'{value:g}' for value in boxes[0])})"
    return Finding(code, place, text, number, boxes_xyxy=rounded(boxes))


def rounded(values: NDArray[np.float64]) -> Numbers:
    """Rows for a Finding: to a thousandth of a pixel, those not finite left out."""
    kept = values[np.isfinite(values).all(axis=1)]
    return tuple(tuple(map(float, row)) for row in np.round(kept, 3))


def _size(size_wh: tuple[int, ...]) -> str:
    return f"{size_wh[0]}×{size_wh[1]}"
