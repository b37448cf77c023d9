"""What is wrong with a copy of a data set: pairs, images, points and counts, judged on the raw annotations.

Readers clamp, skip or refuse; this looks at what the files hold before any of that, through the same functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from headcount.core.errors import InputError, nearest
from headcount.core.files import is_file
from headcount.core.image import read_image
from headcount.data.catalogue import CATALOGUE, CatalogueEntry
from headcount.data.points import PointRecord, read_point_records
from headcount.data.registry import parse_spec
from headcount.data.shanghaitech import Part, image_files, read_raw_points, split_folder, truth_files

CODES = {
    "empty": "a folder or file that holds no image",
    "stray-file": "a file that is not named as the data set's images are, and is left out",
    "missing-annotation": "an image without its annotation",
    "missing-image": "an annotation without its image",
    "unreadable-image": "an image that cannot be decoded to its end",
    "unreadable-annotation": "an annotation that is damaged or of another form",
    "point-not-finite": "points that are no finite numbers",
    "point-outside": "points outside their image",
    "point-repeated": "points at exactly the same place in one image",
    "count-differs": "images and heads are not those of any published release",
    "count-matches": "images and heads are those of a published release",
}
"""Every code a finding can have. They are stable: scripts may rely on them."""
NOTES = frozenset({"count-matches"})
"""Codes that tell something and are no problem."""

Official = Literal["train", "test"]
OFFICIAL: tuple[Official, Official] = ("train", "test")
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found.

    Attributes:
        code: a key of ``CODES``.
        path: the file or folder it is about.
        message: what is wrong, in words.
        occurrences: how often it occurs in that file (points outside or repeated).
    """

    code: str
    path: str
    message: str
    occurrences: int = 1

    @property
    def is_problem(self) -> bool:
        return self.code not in NOTES

    def to_dict(self) -> dict[str, str | int]:
        """Plain data for JSON."""
        return {"code": self.code, "path": self.path, "message": self.message, "occurrences": self.occurrences}


@dataclass(frozen=True, slots=True)
class RawScene:
    """An image and its annotation as they lie on the disk; either may be missing.

    ``points`` reads the annotation: (n, 2) float64 in headcount's pixels, not clamped, perhaps not finite.
    """

    split: str
    image: Path | None
    annotation: Path | None
    points: Callable[[], NDArray[np.float64]]


def check_dataset(
    spec: str, *, split: str | None = None, workers: int = 2, progress: Progress | None = None
) -> list[Finding]:
    """Look through a data set given as ``NAME=PATH``; every image is decoded to its end.

    ``split`` is an official one (``train`` or ``test``); None takes those that are there. A points file has no
    splits. Findings come in the order of the files, those on folders first and on the counts last; ``progress`` is
    told (done, all).

    Raises:
        InputError: the name is unknown, or the path is not laid out so that anything could be checked.
    """
    name, path = parse_spec(spec)
    if name not in RAW_READERS:
        raise InputError(f'"{name}" cannot be checked yet.{nearest(name, RAW_READERS)}')
    if split is not None and split not in OFFICIAL:
        raise InputError(f'"{split}" is no official split.{nearest(split, OFFICIAL)}')
    try:
        read = list(RAW_READERS[name](path, split))
    except UnreadableAnnotationError as error:
        return [Finding("unreadable-annotation", str(path), str(error))]
    findings = [one for one in read if isinstance(one, Finding)]
    raw = [one for one in read if isinstance(one, RawScene)]
    heads: dict[str, tuple[int, int, int]] = {}  # split → images, points, points kept without outside ones
    with ThreadPoolExecutor(max_workers=max(1, workers)) as pool:
        # map keeps the order of the files, whichever thread is done first.
        for done, (scene, (found, points, kept)) in enumerate(zip(raw, pool.map(_check_scene, raw), strict=True)):
            findings += found
            before = heads.get(scene.split, (0, 0, 0))
            heads[scene.split] = (before[0] + (scene.image is not None), before[1] + points, before[2] + kept)
            if progress is not None:
                progress(done + 1, len(raw))
    if name in CATALOGUE:
        findings += compare_counts(CATALOGUE[name], heads, str(path))
    return findings


class UnreadableAnnotationError(InputError):
    """The one annotation file of a whole data set cannot be read: a finding, since nothing else can be checked."""


def _check_scene(scene: RawScene) -> tuple[list[Finding], int, int]:
    """Findings on one scene, its points, and how many of them a release without outside points would hold."""
    findings: list[Finding] = []
    size_wh: tuple[int, int] | None = None
    if scene.image is None:
        findings.append(Finding("missing-image", str(scene.annotation), "the image of this annotation is not there"))
    elif not is_file(scene.image):
        findings.append(Finding("missing-image", str(scene.image), "this image is annotated but not there"))
    else:
        try:
            height, width = read_image(scene.image).shape[:2]
            size_wh = (width, height)
        except InputError as error:
            findings.append(Finding("unreadable-image", str(scene.image), str(error)))
    if scene.annotation is None:
        findings.append(Finding("missing-annotation", str(scene.image), "the annotation of this image is not there"))
        return findings, 0, 0
    try:
        points_xy = scene.points()
    except InputError as error:
        return [*findings, Finding("unreadable-annotation", str(scene.annotation), str(error))], 0, 0
    # A points file annotates many images: there the image names the place.
    place = str(scene.image or scene.annotation)
    findings += check_points(points_xy, size_wh, place)
    # The release of ShanghaiTech without outside points holds those with 0 ≤ x ≤ width in the 1-based numbers as
    # they are written (measured: from 0.001 up to 0.05 below the width), which is not quite what lies inside.
    inside = (points_xy >= -0.5) & (points_xy <= np.subtract(size_wh or np.inf, 0.5))
    return findings, len(points_xy), int(inside.all(axis=1).sum())


def check_points(points_xy: NDArray[np.float64], size_wh: tuple[int, int] | None, place: str) -> list[Finding]:
    """Findings on the points of one image; inside is 0 ≤ x ≤ width and 0 ≤ y ≤ height.

    ``points_xy`` are (n, 2) float64, perhaps not finite; without ``size_wh`` nothing is said of outside.

    >>> found = check_points(np.array([[1.0, 1.0], [9.0, 1.0], [1.0, 1.0]]), (8, 8), "a.jpg")
    >>> [(finding.code, finding.occurrences) for finding in found]
    [('point-outside', 1), ('point-repeated', 1)]
    """
    findings = []
    finite = np.isfinite(points_xy).all(axis=1)
    if not finite.all():
        bad = int((~finite).sum())
        row = int(np.flatnonzero(~finite)[0])
        findings.append(Finding("point-not-finite", place, f"{_points(bad)} no finite numbers: row {row}", bad))
    points_xy = points_xy[finite]
    if size_wh is not None:
        beyond_px = np.maximum(-points_xy, points_xy - size_wh).max(axis=1, initial=0.0)
        outside = int((beyond_px > 0).sum())
        if outside:
            x, y = points_xy[int(beyond_px.argmax())]
            text = f"{_points(outside)} outside {size_wh[0]}×{size_wh[1]}, the farthest ({x:.2f}, {y:.2f})"
            findings.append(Finding("point-outside", place, text, outside))
    values, repeats = np.unique(points_xy, axis=0, return_counts=True)
    extra = int((repeats - 1).sum())
    if extra:
        x, y = values[repeats > 1][0]
        text = f"{_points(extra)} repeated, the first ({x:.2f}, {y:.2f})"
        findings.append(Finding("point-repeated", place, text, extra))
    return findings


def _points(number: int) -> str:
    return "1 point" if number == 1 else f"{number} points"


def compare_counts(entry: CatalogueEntry, heads: dict[str, tuple[int, int, int]], place: str) -> list[Finding]:
    """One finding per split: which published release its (images, points) are of, or that they are of none.

    ``heads`` maps a split to its images, its raw points, and those of them that a release without the points
    outside would hold: a split of the original is known by these where only its total is published.
    """
    if len(heads) > 1:
        images, points, kept = np.sum(list(heads.values()), axis=0).tolist()
        heads = {**heads, "+".join(heads): (images, points, kept)}
    findings = []
    for split, (images, points, kept) in heads.items():
        published = {release.name: release.counts[split] for release in entry.releases if split in release.counts}
        same = [name for name, counts in published.items() if counts == (images, points)]
        without = [name for name, counts in published.items() if counts == (images, kept)]
        text = f"{split}: {images:,} images, {points:,} heads"
        if same:
            findings.append(Finding("count-matches", place, f'{text}, as in the release "{same[0]}"'))
        elif without:
            text += f', and without the {points - kept:,} outside as many as in the release "{without[0]}"'
            findings.append(Finding("count-matches", place, text))
        elif published:
            known = "; ".join(f'{n:,} and {h:,} ("{name}")' for name, (n, h) in published.items())
            findings.append(Finding("count-differs", place, f"{text}, but published are {known}"))
    return findings


def _raw_shanghaitech(part: Part, root: Path, split: str | None) -> Iterator[RawScene | Finding]:
    folders: dict[Official, Path] = {}
    problem: InputError | None = None
    for official in OFFICIAL:
        if split in (None, official):
            try:
                folders[official] = split_folder(root, part, official)
            except InputError as error:
                problem = problem or error
    if problem is not None and not folders:
        raise problem
    for split_name, folder in folders.items():
        images, truths = image_files(folder), truth_files(folder)
        if not images:
            yield Finding("empty", str(folder / "images"), "no image IMG_*.jpg is in this folder")
        taken = set(images.values())
        for path in sorted((folder / "images").iterdir()):
            if path not in taken and not path.name.startswith("."):
                yield Finding("stray-file", str(path), "this is not named IMG_*.jpg, in upper and lower case as here")
        for name in [*images, *(name for name in truths if name not in images)]:
            truth = truths.get(name)
            yield RawScene(split_name, images.get(name), truth, partial(_shanghaitech_points, truth))


def _shanghaitech_points(truth: Path | None) -> NDArray[np.float64]:
    # As to_pixel_centres, short of its clamping.
    return np.zeros((0, 2)) if truth is None else read_raw_points(truth) - 0.5


def _raw_points_file(path: Path, split: str | None) -> Iterator[RawScene | Finding]:
    if split is not None:
        raise InputError(f'A points file has no splits, so there is no "{split}" to check: leave --split out.')
    if not is_file(path):
        read_point_records(path)  # says what is wrong with the path
    try:
        records = read_point_records(path)
    except InputError as error:
        raise UnreadableAnnotationError(str(error)) from error
    if not records:
        yield Finding("empty", str(path), "no image is named in this file")
    for record in records:
        yield RawScene("all", record.image, path, partial(_record_points, record))


def _record_points(record: PointRecord) -> NDArray[np.float64]:
    return record.points_xy


RAW_READERS: dict[str, Callable[[Path, str | None], Iterator[RawScene | Finding]]] = {
    "shanghaitech-a": partial(_raw_shanghaitech, "A"),
    "shanghaitech-b": partial(_raw_shanghaitech, "B"),
    "points": _raw_points_file,
}
"""A data set's raw scenes, and what is wrong with its folders, by its name. A new reader adds its own line."""
