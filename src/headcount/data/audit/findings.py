"""What a check can find: the stable codes, and one thing found."""

from __future__ import annotations

from dataclasses import dataclass

CODES = {
    "empty": "a folder or file that holds no image",
    "missing-folder": "a folder or list that a file names and that is not there; the others are read",
    "stray-file": "a file that is not named as the data set's images are, and is left out",
    "missing-annotation": "an image without its annotation",
    "missing-image": "an annotation without its image",
    "name-repeated": "two images or annotations under one name",
    "unreadable-image": "an image that cannot be decoded to its end",
    "unreadable-annotation": "an annotation that is damaged or of another form",
    "size-differs": "the annotation states another image size than the image has",
    "exif-unapplied": "annotated as the image is stored, before EXIF turns it upright",
    "region-differs": "a region of interest that cannot be one of its image",
    "point-not-finite": "points that are no finite numbers",
    "point-outside": "points outside their image",
    "point-repeated": "points at exactly the same place in one image",
    "box-not-finite": "boxes that are no finite numbers",
    "box-degenerate": "boxes without width or height, or with their corners swapped",
    "box-outside": "boxes of which nothing lies in their image",
    "box-repeated": "boxes with exactly the same corners in one image",
    "head-size": "heads of another size than those at the same height in their image",
    "off-by-one": "coordinates of the whole set that end early on one side, late on the other",
    "leak-duplicate": "nearly the same picture in two splits",
    "leak-group": "a scene or video whose images lie in two splits",
    "count-differs": "images and heads are not those of any published release",
    "no-heads": "images in which nobody is annotated",
    "ignored": "objects that are marked as not to be counted, or are of a class that is no head",
    "nearly": "values beyond their range by no more than rounding does, which are clipped",
    "exif-rotated": "images that EXIF turns; their annotations must be of the upright image",
    "name-differs": "images found by another name than the annotation writes",
    "box-beyond": "boxes that reach over the border of their image, and will be cut there",
    "duplicate": "nearly the same picture twice in one split",
    "count-matches": "images and heads are those of a published release",
}
"""Every code a finding can have. They are stable: scripts and accept files rely on them."""
NOTES = frozenset(
    {
        "no-heads",
        "missing-folder",
        "ignored",
        "nearly",
        "exif-rotated",
        "name-differs",
        "box-beyond",
        "duplicate",
        "count-matches",
    }
)
"""Codes that tell something and are no problem."""

Numbers = tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found.

    Attributes:
        code: a key of ``CODES``.
        path: the file or folder it is about.
        message: what is wrong, in words.
        occurrences: how often it occurs in that file (points outside or repeated).
        points_xy: the points it is about, (x, y) in pixels, each place once.
        boxes_xyxy: the boxes it is about, (x1, y1, x2, y2) as annotated.
        other: the image it is compared with (a duplicate's).
    """

    code: str
    path: str
    message: str
    occurrences: int = 1
    points_xy: Numbers = ()
    boxes_xyxy: Numbers = ()
    other: str = ""

    @property
    def is_problem(self) -> bool:
        return self.code not in NOTES

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON; what does not apply is left out."""
        data: dict[str, object] = {
            "code": self.code,
            "path": self.path,
            "message": self.message,
            "occurrences": self.occurrences,
        }
        if self.points_xy:
            data["points_xy"] = [list(point) for point in self.points_xy]
        if self.boxes_xyxy:
            data["boxes_xyxy"] = [list(box) for box in self.boxes_xyxy]
        if self.other:
            data["other"] = self.other
        return data
