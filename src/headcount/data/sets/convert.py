"""From any data set to any format: what the format can hold is kept, what it cannot is counted and said.

Before anything is written, each scene is brought to the form in which readers return it (points and boxes within the
image), and what the target does not hold is taken out, one `Loss` for each kind.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from headcount.core.errors import InputError, nearest
from headcount.core.files import writing
from headcount.core.geometry import centres, clip_boxes, clip_points, paired_owners
from headcount.core.locks import held
from headcount.core.notes import Progress, Skipped, raise_first
from headcount.core.scene import LazyScenes, Provenance, Scene
from headcount.data.formats.finish import finish_telling
from headcount.data.formats.places import image_of, refuse_filled, refuse_taken_files, same_place
from headcount.data.formats.raw import RawScene
from headcount.data.formats.table import FORMATS, FormatRow, Holds
from headcount.data.formats.truth import DOUBTS, TOLD, Tally, Told, box_faults
from headcount.data.sets.registry import DATA_SETS, list_all, parse_spec, strays

LOSSES = {
    "heads-without-box": "heads without a box; their images are left out, lest they seem complete",
    "boxes": "boxes; their points are kept",
    "points-in-boxes": "points that are not the centre of their box; the centre takes their place",
    "boxes-without-head": "boxes that no point belongs to",
    **{code: TOLD[code] for code in ("boxes-without-area", "boxes-outside", "points-outside", "nearly")},
    "provenance": "boxes that are not annotated (interpolated, pseudo); this is no longer known",
    "region": "regions of interest",
    "attributes": "images' attributes (weather, level, camera, …)",
    "splits": "images' splits",
    "ignored": TOLD["ignored"],
    "unusable": "images that cannot be used as they are; left out",
    "missing-image": TOLD["missing-image"],
}
"""Every kind of loss, in words: what of the source is not in the target. They are stable: scripts may rely on them."""


@dataclass(frozen=True, slots=True)
class Loss:
    """What of the source is not in the target.

    Attributes:
        code: a key of ``LOSSES``.
        occurrences: how many of them.
        images: in how many images.
        kinds: of objects that are not counted, how many by what: the class, or the mark that says so.
    """

    code: str
    occurrences: int
    images: int
    kinds: Mapping[str, int] = field(default_factory=dict)


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
        skipped: the images that could not be used, and why; they are among those left out.
        doubts: what was kept as it is written, but may be in wrong places; and files of which nothing was read.
    """

    target: str
    path: Path
    images: int
    heads: int
    left_out: int
    splits: Mapping[str, int]
    losses: tuple[Loss, ...]
    precision_px: float = 0.0
    skipped: tuple[Skipped, ...] = ()
    doubts: tuple[Told, ...] = ()


def convert_dataset(
    spec: str, target: str, path: str | Path, *, split: str | None = None, copy_images: bool = False,
    overwrite: bool = False, progress: Progress | None = None,
) -> ConversionReport:  # fmt: skip
    """Write a data set given as ``NAME=PATH`` in another format: all of it, or one split.

    Splits are those that training and evaluation use (a published set's validation too, where it is a list of ours).
    What one image or annotation raises leaves that image out, by name. ``progress`` is told (done, all) as annotations
    are read.

    Raises:
        InputError: as ``list_dataset`` and ``convert_scenes``, the data set itself would be written over,
            or no image can be used: what the first one raised.
    """
    path = Path(path)
    form = format_of(target)
    form.holds_at(path)
    with _held(form, path, copy_images, overwrite):
        raw, splits, missing, stray = _listed(spec, split)
        _refuse_own_source(spec, raw, form, path)
        data_set = DATA_SETS[parse_spec(spec)[0]]
        tally = Tally()
        kept: list[tuple[Scene, str]] = []
        skipped: list[Skipped] = []
        for done, (one, its_split) in enumerate(zip(raw, splits, strict=True), start=1):
            try:
                finished = finish_telling(one, data="" if data_set.general else data_set.name)
            except Exception as error:
                skipped.append(Skipped(one.name, error))
            else:
                tally.add(finished.numbers, finished.kinds)
                kept.append((finished.scene, its_split))
            if progress is not None:
                progress(done, len(raw))
        if not kept:
            if skipped:
                raise_first(skipped)
            raise InputError(f'"{spec}" has no images{f" of the split {split}" if split else ""}: nothing to convert.')
        scenes, kept_splits = [scene for scene, _ in kept], [each for _, each in kept]
        report = _convert(form, scenes, path, kept_splits, copy_images=copy_images, overwrite=overwrite)
    tally.add_images("missing-image", missing)
    tally.add_images("stray-file", stray)
    read = [Loss(one.code, one.occurrences, one.images, one.kinds) for one in tally.told() if one.code in LOSSES]
    unusable = [Loss("unusable", len(skipped), len(skipped))] if skipped else []
    losses = sorted((*report.losses, *read, *unusable), key=lambda loss: list(LOSSES).index(loss.code))
    return replace(
        report,
        losses=tuple(losses),
        left_out=report.left_out + len(skipped) + missing,
        skipped=tuple(skipped),
        doubts=tally.told((*DOUBTS, "stray-file")),
    )


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
    form.holds_at(path)
    with _held(form, path, copy_images, overwrite):
        return _convert(
            form, scenes, path, list(splits) or [""] * len(scenes), copy_images=copy_images, overwrite=overwrite
        )


def _convert(
    form: FormatRow, scenes: Sequence[Scene], path: Path, splits: Sequence[str], *, copy_images: bool, overwrite: bool
) -> ConversionReport:
    """``convert_scenes``, while the target is held."""
    holds = form.holds_at(path)
    _refuse_twice(scenes)
    lost: Counter[str] = Counter()
    images: Counter[str] = Counter()
    kept: list[tuple[int, Scene, str]] = []
    for index, (scene, split) in enumerate(zip(scenes, splits, strict=True)):
        fitted, losses = fit(scene, holds)
        if split and not holds.splits and len(set(splits)) > 1:
            losses["splits"] = 1
        lost.update(losses)
        images.update([code for code, number in losses.items() if number])
        if fitted is not None:
            kept.append((index if fitted.region is not None else -1, replace(fitted, region=None), split))
    if scenes and not kept:
        others = ", ".join(row.name for row in FORMATS.rows() if row.writes and row.holds.points_alone)
        raise InputError(
            f"{form.title} holds heads as boxes, but no image has one for each of its heads: make boxes of the points "
            f"first, or choose a format that holds points ({others})."
        )

    def written(number: int) -> Scene:
        # Masks are as large as their images: where the scenes make them one by one, none is kept here.
        index, fitted, _ = kept[number]
        return fitted if index < 0 else replace(fitted, region=scenes[index].region)

    kept_splits = [split for *_, split in kept]
    form.write(
        LazyScenes(len(kept), written), path, splits=kept_splits, copy_images=copy_images, overwrite=overwrite
    )  # fmt: skip
    return ConversionReport(
        form.name,
        path,
        len(kept),
        sum(scene.count for _, scene, _ in kept),
        len(scenes) - len(kept),
        Counter(split for split in kept_splits if split) if holds.splits else {},
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
        faults = box_faults(boxes, size_wh)
        lost["boxes-without-area"], lost["boxes-outside"] = int(faults.flat.sum()), int(faults.outside.sum())
        solid = ~(faults.flat | faults.outside)
        boxes = clip_boxes(boxes, size_wh)
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


def _listed(spec: str, split: str | None) -> tuple[list[RawScene], list[str], int, int]:
    """The raw scenes with an image, each one's split, how many have no image, and how many files are not read."""
    name, path = parse_spec(spec)
    data_set = DATA_SETS[name]
    if split not in (None, "all"):
        chosen, missing, remarks = list_all(spec, split)
        return chosen, [split if split != "trainval" else one.split for one in chosen], missing, strays(remarks)
    listing = data_set.list_raw(path)
    raw = [scene for scene in listing.scenes if scene.image is not None]
    missing = len(listing.scenes) - len(raw)
    stray = strays(listing.remarks)
    if data_set.general and all(scene.split in ("", "train") for scene in raw):
        return raw, [scene.split for scene in raw], missing, stray
    official = {scene.split for scene in raw}
    split_by_id: dict[int, str] = {}
    for each in ("train", "val", "test"):
        if each == "test" or official != {"test"}:
            split_by_id |= {id(scene): each for scene in data_set.splits.apply(raw, each)}
    return raw, [split_by_id.get(id(scene), scene.split) for scene in raw], missing, stray


@contextmanager
def _held(form: FormatRow, path: Path, copy_images: bool, overwrite: bool) -> Iterator[None]:
    """The target, refused where it must not be written, made where it is not there and held against other runs.

    Folders that were made for it go again where nothing was written to them.
    """
    _refuse(form, path, overwrite)
    is_file = form.is_file_name(path)
    folder = path.parent if is_file else path
    # Copies of the images of several files would meet in one folder.
    places = [path, folder / "images"] if is_file and copy_images else [path]
    wanted = [folder, *places[1:]]
    made = [each for place in wanted for each in (place, *place.parents) if not each.exists()]
    try:
        with ExitStack() as stack:
            with writing(path):
                for place in wanted:
                    place.mkdir(parents=True, exist_ok=True)
            for place in places:
                stack.enter_context(held(place))
            _refuse(form, path, overwrite)  # another run may just have ended
            yield
    finally:
        for each in sorted(set(made), key=lambda each: len(each.parts), reverse=True):
            with suppress(OSError):
                each.rmdir()


def _refuse(form: FormatRow, path: Path, overwrite: bool) -> None:
    if form.is_file_name(path):
        refuse_taken_files([path], overwrite=overwrite)
    else:
        refuse_filled(path, overwrite=overwrite)


def _refuse_own_source(spec: str, raw: Sequence[RawScene], form: FormatRow, path: Path) -> None:
    """
    Raises:
        InputError: the annotations that are read lie where they would be written: what is not converted (another
            split, another class) would be lost with them.
    """
    name, source = parse_spec(spec)
    files = {one.annotation for one in raw if one.annotation is not None}
    is_own = any(same_place(file, path) for file in files)
    if not form.is_file_name(path):
        is_own = name == form.name and any(same_place(each, path) for each in (source, source.parent))
    if is_own:
        raise InputError(
            f'"{path}" holds the annotations that are to be converted: choose another place, since what is not '
            "converted would be lost."
        )


def _refuse_twice(scenes: Sequence[Scene]) -> None:
    seen: set[Path] = set()
    for scene in scenes:
        image = image_of(scene).absolute()
        if image in seen:
            raise InputError(f'Two scenes are of the image "{image}": give each image once.')
        seen.add(image)
