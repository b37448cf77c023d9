"""From any data set to any format: what the format can hold is kept, what it cannot is counted and said.

Before anything is written, each scene is brought to the form in which readers return it (points and boxes within the
image), and what the target does not hold is taken out, one `Loss` for each kind.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from headcount.core.errors import InputError, nearest
from headcount.core.files import writing
from headcount.core.geometry import centres, clip_boxes, clip_points, has_area, paired_owners
from headcount.core.notes import Progress
from headcount.core.scene import Provenance, Scene
from headcount.data.formats.places import image_of, refuse_filled, refuse_taken_files
from headcount.data.formats.raw import RawAnnotation, RawScene, finish
from headcount.data.formats.table import FORMATS, FormatRow, Holds
from headcount.data.sets.registry import DATA_SETS, list_dataset, parse_spec

LOSSES = {
    "heads-without-box": "heads without a box; their images are left out, lest they seem complete",
    "boxes": "boxes; their points are kept",
    "points-in-boxes": "points that are not the centre of their box; the centre takes their place",
    "boxes-without-head": "boxes that no point belongs to",
    "boxes-without-area": "boxes without width or height within their image",
    "points-outside": "points outside their image; moved to its edge",
    "provenance": "boxes that are not annotated (interpolated, pseudo); this is no longer known",
    "region": "regions of interest",
    "attributes": "images' attributes (weather, level, camera, …)",
    "splits": "images' splits",
    "ignored": "objects that the source marks as not to be counted",
    "missing-image": "annotations whose image is not there",
}
"""Every kind of loss, in words: what of the source is not in the target. They are stable: scripts may rely on them."""


@dataclass(frozen=True, slots=True)
class Loss:
    """What of the source is not in the target.

    Attributes:
        code: a key of ``LOSSES``.
        occurrences: how many of them.
        images: in how many images.
    """

    code: str
    occurrences: int
    images: int


@dataclass(frozen=True, slots=True)
class ConversionReport:
    """What was written, and what was not.

    Attributes:
        target: the format's name.
        path: the file or folder.
        images: how many were written, and ``heads`` on them.
        left_out: how many images were not.
        splits: the images of each split, where the target keeps them.
        losses: in the order of ``LOSSES``.
        precision_px: how far a coordinate may come back from where it was; 0: exactly there.
    """

    target: str
    path: Path
    images: int
    heads: int
    left_out: int
    splits: Mapping[str, int]
    losses: tuple[Loss, ...]
    precision_px: float = 0.0


def convert_dataset(
    spec: str, target: str, path: str | Path, *, split: str | None = None, copy_images: bool = False,
    overwrite: bool = False, progress: Progress | None = None,
) -> ConversionReport:  # fmt: skip
    """Write a data set given as ``NAME=PATH`` in another format: all of it, or one split.

    Splits are those that training and evaluation use (a published set's validation too, where it is a list of ours).
    ``progress`` is told (done, all) as annotations are read.

    Raises:
        InputError: as ``read_dataset`` and ``convert_scenes``.
    """
    path = Path(path)
    form = format_of(target)
    form.holds_at(path)
    _refuse(form, path, overwrite)
    raw, splits, missing = _listed(spec, split)
    data_set = DATA_SETS[parse_spec(spec)[0]]
    scenes: list[Scene] = []
    ignored: list[int] = []
    flat: list[int] = []
    outside: list[int] = []
    for done, one in enumerate(raw, start=1):
        annotation = one.read() if one.annotation is not None else None
        if annotation is not None:
            ignored.append(annotation.ignored)
            one = replace(one, read=partial(_given, annotation))
        scene = finish(one, data="" if data_set.general else data_set.name)
        scenes.append(scene)
        if annotation is not None:  # what reading itself left out or moved, before the format has a say
            boxes = 0 if annotation.boxes_xyxy is None else annotation.boxes_xyxy.reshape(-1, 4).shape[0]
            flat.append(boxes - (0 if scene.boxes_xyxy is None else len(scene.boxes_xyxy)))
            if annotation.points_xy is not None:
                moved = clip_points(annotation.heads_xy, scene.size_wh) != annotation.heads_xy
                outside.append(int(moved.any(axis=1).sum()))
        if progress is not None:
            progress(done, len(raw))
    if not scenes:
        raise InputError(f'"{spec}" has no images{f" of the split {split}" if split else ""}: nothing to convert.')
    report = convert_scenes(scenes, target, path, splits=splits, copy_images=copy_images, overwrite=overwrite)
    more = [
        Loss("boxes-without-area", sum(flat), sum(number > 0 for number in flat)),
        Loss("points-outside", sum(outside), sum(number > 0 for number in outside)),
        Loss("ignored", sum(ignored), sum(number > 0 for number in ignored)),
        Loss("missing-image", missing, missing),
    ]
    return replace(report, losses=(*report.losses, *(loss for loss in more if loss.occurrences)))


def _given(annotation: RawAnnotation) -> RawAnnotation:
    return annotation


def convert_scenes(
    scenes: Sequence[Scene], target: str, path: str | Path, *, splits: Sequence[str] = (), copy_images: bool = False,
    overwrite: bool = False,
) -> ConversionReport:  # fmt: skip
    """Write Scenes in a format of ``FORMATS``, and say what it could not hold.

    Images stay where they are: the target's files name them, or its folder has links to them. With ``copy_images``
    they are copied into ``path``, or to ``images`` beside it where it is a file.

    Args:
        splits: the scenes' (``train``, ``val``, ``test`` or empty); none: all empty.

    Raises:
        InputError: an unknown format, a path that is no file or folder of it, something is there already and
            ``overwrite`` is False, a scene holds pixels and no file, two scenes are of one image, no image is left, or
            a file cannot be written. Nothing is removed: with ``overwrite``, files that the target has no use for stay.
    """
    path = Path(path)
    form = format_of(target)
    holds = form.holds_at(path)
    splits = list(splits) or [""] * len(scenes)
    _refuse(form, path, overwrite)
    _refuse_twice(scenes)
    lost: Counter[str] = Counter()
    images: Counter[str] = Counter()
    kept: list[tuple[Scene, str]] = []
    for scene, split in zip(scenes, splits, strict=True):
        fitted, losses = fit(scene, holds)
        if split and not holds.splits and len(set(splits)) > 1:
            losses["splits"] = 1
        lost.update(losses)
        images.update([code for code, number in losses.items() if number])
        if fitted is not None:
            kept.append((fitted, split))
    if scenes and not kept:
        others = ", ".join(row.name for row in FORMATS.rows() if row.writes and row.holds.points_alone)
        raise InputError(
            f"{form.title} holds heads as boxes, but no image has one for each of its heads: make boxes of the points "
            f"first, or choose a format that holds points ({others})."
        )
    if form.is_file_name(path):  # a folder's writer makes its own
        with writing(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
    kept_splits = [split for _, split in kept]
    form.write([scene for scene, _ in kept], path, splits=kept_splits, copy_images=copy_images, overwrite=overwrite)
    return ConversionReport(
        target,
        path,
        len(kept),
        sum(scene.count for scene, _ in kept),
        len(scenes) - len(kept),
        Counter(split for _, split in kept if split) if holds.splits else {},
        tuple(Loss(code, lost[code], images[code]) for code in LOSSES if lost[code]),
        holds.precision_px,
    )


def format_of(target: str) -> FormatRow:
    """The row of a format that can be written.

    Raises:
        InputError: there is none of that name, or it is only read.
    """
    form = FORMATS.find(target)
    if not form.writes:
        written = [row.name for row in FORMATS.rows() if row.writes]
        raise InputError(f'The format "{target}" is read but not written.{nearest(target, written)}')
    return form


def fit(scene: Scene, holds: Holds) -> tuple[Scene | None, Counter[str]]:
    """A scene as a format can hold it, and how much of what that took away; None where it must be left out whole.

    >>> scene = Scene(np.zeros((8, 8, 3), np.uint8), np.array([[1.0, 9.0]]), attributes={"weather": "rain"})
    >>> fitted, lost = fit(scene, Holds(attributes=False))
    >>> fitted.points_xy.tolist(), dict(lost)
    ([[1.0, 8.0]], {'points-outside': 1, 'attributes': 1})
    >>> fit(scene, Holds(points_alone=False))[0] is None
    True
    """
    lost: Counter[str] = Counter()
    size_wh = scene.size_wh
    points = clip_points(scene.points_xy, size_wh)
    lost["points-outside"] = int((points != scene.points_xy).any(axis=1).sum())
    boxes = scene.boxes_xyxy
    provenance: tuple[Provenance, ...] = ()
    if boxes is not None:
        # Who owns a box is decided before one of them goes, which would change what row belongs to what.
        owner = paired_owners(scene.points_xy, boxes)
        boxes = clip_boxes(boxes, size_wh)
        solid = has_area(boxes)
        lost["boxes-without-area"] = int((~solid).sum())
        kept = np.flatnonzero(solid & (owner >= 0))
        kept = kept[np.argsort(owner[kept], kind="stable")]
        if len(kept) < len(points):  # a point outside its box is no longer known to be its own
            kept = kept[paired_owners(points, boxes[kept]) >= 0]
        lost["boxes-without-head"] = int(solid.sum()) - len(kept)
        boxes = boxes[kept]
        stated = scene.box_provenance
        provenance = tuple(stated[row] if stated else "annotated" for row in kept)
        if not holds.boxes:
            lost["boxes"], boxes, provenance = len(boxes), None, ()
        elif not len(boxes) and len(points):
            boxes = None
    fitted = replace(scene, points_xy=points, boxes_xyxy=boxes, box_provenance=provenance)
    has = len(boxes) if boxes is not None else 0
    if not holds.points_alone and has < len(points):
        return None, Counter({"heads-without-box": len(points) - has})
    if boxes is not None and not holds.points:
        lost["points-in-boxes"] = int((np.abs(centres(boxes) - points) > 1e-6).any(axis=1).sum())
    if boxes is not None and not holds.provenance:
        lost["provenance"] = sum(each != "annotated" for each in provenance)
    if scene.region is not None and not holds.region:
        lost["region"], fitted = 1, replace(fitted, region=None)
    if scene.attributes and not holds.attributes:
        lost["attributes"], fitted = 1, replace(fitted, attributes={})
    return fitted, Counter({code: number for code, number in lost.items() if number})


def _listed(spec: str, split: str | None) -> tuple[list[RawScene], list[str], int]:
    """The raw scenes with an image, the split of each, and how many there are whose image is missing."""
    name, path = parse_spec(spec)
    data_set = DATA_SETS[name]
    if split not in (None, "all"):
        chosen = list_dataset(spec, split)
        return chosen, [split if split != "trainval" else one.split for one in chosen], 0
    everything = data_set.list_raw(path).scenes
    raw = [scene for scene in everything if scene.image is not None]
    missing = len(everything) - len(raw)
    if data_set.general and all(scene.split in ("", "train") for scene in raw):
        return raw, [scene.split for scene in raw], missing
    official = {scene.split for scene in raw}
    split_by_id: dict[int, str] = {}
    for each in ("train", "val", "test"):
        if each == "test" or official != {"test"}:
            split_by_id |= {id(scene): each for scene in data_set.splits.apply(raw, each)}
    return raw, [split_by_id.get(id(scene), scene.split) for scene in raw], missing


def _refuse(form: FormatRow, path: Path, overwrite: bool) -> None:
    if form.is_file_name(path):
        refuse_taken_files([path], overwrite=overwrite)
    else:
        refuse_filled(path, overwrite=overwrite)


def _refuse_twice(scenes: Sequence[Scene]) -> None:
    seen: set[Path] = set()
    for scene in scenes:
        image = image_of(scene).absolute()
        if image in seen:
            raise InputError(f'Two scenes are of the image "{image}": give each image once.')
        seen.add(image)
