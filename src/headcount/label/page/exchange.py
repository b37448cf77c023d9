"""Labels out of a folder's database and into it, in every format of ``data/``."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from headcount.core.errors import InputError
from headcount.core.geometry import clip_boxes, clip_points, has_area, paired_owners
from headcount.core.notes import Progress, Skipped, raise_first
from headcount.core.scene import LazyScenes, Scene
from headcount.data.sets.convert import ConversionReport, convert_scenes
from headcount.data.sets.registry import read_set
from headcount.label.page.boxes import boxed, region_of
from headcount.label.page.pictures import NO_UTF8, image_names, kept_names, shown_name
from headcount.label.page.server import DATABASE, held_database
from headcount.label.page.store import Store, Stroke
from headcount.label.page.things import DONE, MOST_CORNERS, SIZES, Changes, Thing

IMPORTER = "import"
"""The person whose strokes imported labels are."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written, and which labelled images were not: their files are gone or cannot be read."""

    report: ConversionReport
    skipped: tuple[Skipped, ...] = ()


@dataclass(slots=True)
class Imported:
    """What was read in.

    Attributes:
        images: how many images got labels, and ``heads`` on them.
        kept: the names of images that had labels already, which were left as they are.
        strangers: the names of images that are not in the folder.
        skipped: those that could not be read.
    """

    images: int = 0
    heads: int = 0
    kept: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)
    skipped: tuple[Skipped, ...] = ()


def export_labels(
    folder: Path,
    out: Path,
    form: str,
    *,
    database: Path | None = None,
    done_only: bool = False,
    copy_images: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Exported:
    """Write what is labelled in a folder in a format of ``FORMATS``; a server may go on meanwhile.

    Images count as labelled where they have heads or are marked as done. Every head has its box where one was drawn,
    accepted or follows by interpolation, with how it came to be. Suggestions that nobody accepted are no heads.

    Raises:
        InputError: nothing is labelled, or as ``convert_scenes``.
    """
    path = _existing(folder, database)
    store = Store(path, read_only=True)
    try:
        rows = [row for row in store.labelled() if (row.done if done_only else row.done or row.heads)]
        if not rows:
            what = "marked as done" if done_only else "labelled"
            raise InputError(f'In "{folder}" no image is {what} yet: there is nothing to export.')
        made: list[tuple[Scene, dict[str, Thing]]] = []
        skipped = []
        for number, row in enumerate(rows, start=1):
            try:
                made.append(_scene(store, row.id, folder / row.name, row.name))
            except InputError as error:
                skipped.append(Skipped(row.name, error))
            if progress is not None:
                progress(number, len(rows))
    finally:
        store.close()
    if not made:
        raise skipped[0].error
    scenes = LazyScenes(len(made), lambda index: _with_region(*made[index]))
    report = convert_scenes(scenes, form, out, copy_images=copy_images, overwrite=overwrite)
    return Exported(report, tuple(skipped))


def _existing(folder: Path, database: Path | None) -> Path:
    path = folder / DATABASE if database is None else database
    if not path.is_file():
        raise InputError(f'There are no labels at "{path}": label the folder first.')
    return path


def _scene(store: Store, image: int, path: Path, name: str) -> tuple[Scene, dict[str, Thing]]:
    """What is labelled on an image, and the areas of its region of interest, of which no mask is made yet."""
    size = Scene(path).size_wh
    with store.reading(image) as document:
        things = dict(document.things)
    others: Sequence[Sequence[float]] = ()
    if things.get(SIZES, {}).get("share") == "folder":
        others = store.presets_of_folder(image, but_itself=True)
    found = boxed(things, size, others)
    has = ~np.isnan(found.boxes_xyxy[:, 0])
    # A box belongs to the point of its row where all have one, and to the one that lies in it else.
    order = np.concatenate([np.flatnonzero(has), np.flatnonzero(~has)])
    scene = Scene(
        path,
        found.points_xy[order],
        found.boxes_xyxy[has] if has.any() or not len(has) else None,
        tuple(found.provenance[row] or "annotated" for row in np.flatnonzero(has)),
        source=name,
        name=name.rpartition(".")[0] or name,
    )
    return scene, {key: thing for key, thing in things.items() if thing["t"] == "area"}


def _with_region(scene: Scene, areas: dict[str, Thing]) -> Scene:
    return replace(scene, region=region_of(areas, scene.size_wh)) if areas else scene


def import_labels(
    folder: Path,
    spec: str,
    *,
    split: str = "all",
    database: Path | None = None,
    recursive: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Imported:
    """Read the labels of a data set ``NAME=PATH`` whose images lie in a folder into its database.

    Boxes keep how they came to be; of a region of interest every pixel stays as it was. Images that have labels
    already are left as they are, unless ``overwrite`` is set; the person who labelled them can undo neither then, but
    every stroke is kept.

    Raises:
        InputError: a server has the database open, the data set cannot be read, or none of its images is in the folder.
    """
    names = image_names(folder, recursive=True)
    path = folder / DATABASE if database is None else database
    read = read_set(spec, split)
    by_file = {os.path.realpath(folder / name): name for name in names}
    result = Imported(skipped=read.skipped)
    failed: list[Skipped] = []
    with held_database(path):
        store = Store(path)
        try:
            listed, _ = kept_names([each for each in names if recursive or "/" not in each])
            known = {
                row.name: row for row in store.images(list(dict.fromkeys([*listed, *_named(read.scenes, by_file)])))
            }
            store.set_meta(address="")
            for number, scene in enumerate(read.scenes, start=1):
                name = by_file.get(os.path.realpath(scene.image)) if isinstance(scene.image, Path) else None
                if name is None:
                    result.strangers.append(scene.name)
                elif name not in known:
                    failed.append(Skipped(name, InputError(f'"{shown_name(name)}" is not taken in: {NO_UTF8}')))
                elif overwrite or not store.document(known[name].id).things:
                    try:
                        found = things_of(scene)
                    except InputError as error:
                        failed.append(Skipped(name, error))
                    else:
                        _write_one(store, known[name].id, scene, found)
                        result.images += 1
                        result.heads += scene.count
                else:
                    result.kept.append(name)
                if progress is not None:
                    progress(number, len(read.scenes))
        finally:
            store.close()
    result.skipped += tuple(failed)
    if not result.images and not result.kept:
        if failed:
            raise_first(failed)
        raise InputError(f'No image of "{spec}" lies in "{folder}": name the folder that its images are in.')
    return result


def _named(scenes: Sequence[Scene], by_file: dict[str, str]) -> list[str]:
    found = [by_file.get(os.path.realpath(scene.image)) for scene in scenes if isinstance(scene.image, Path)]
    return kept_names([name for name in found if name is not None])[0]


def _write_one(store: Store, image: int, scene: Scene, found: Changes) -> None:
    """Put what was found in place of what is labelled on an image."""
    changes: Changes = dict.fromkeys(store.document(image).things)
    changes |= found
    if not scene.count:
        changes[DONE] = {"t": "done"}  # that nobody is there was said; without a mark it would seem not looked at
    mark = uuid.uuid4().hex
    store.write(image, [Stroke(mark, "do", changes)], person=IMPORTER, size_wh=scene.size_wh)


def things_of(scene: Scene) -> Changes:
    """A scene's heads with their boxes, and its region of interest, as things of a document.

    Raises:
        InputError: the region has an area of more than ``MOST_CORNERS`` corners.
    """
    points = clip_points(scene.points_xy, scene.size_wh)
    heads: list[dict[str, object]] = [{"t": "head", "x": x, "y": y} for x, y in points.tolist()]
    if scene.boxes_xyxy is not None:
        boxes = clip_boxes(scene.boxes_xyxy, scene.size_wh)
        owner = paired_owners(scene.points_xy, scene.boxes_xyxy)
        for row in np.flatnonzero((owner >= 0) & has_area(boxes)):
            made = scene.box_provenance[row] if scene.box_provenance else "annotated"
            heads[owner[row]] |= {"box": boxes[row].tolist(), "made": made}
    changes: Changes = {f"i.{number}": head for number, head in enumerate(heads, start=1)}
    if scene.region is not None and not scene.region.all():
        changes |= {f"i.area.{number}": {"t": "area", "rings": rings}
                    for number, rings in enumerate(_areas(scene.region, scene.name), start=1)}  # fmt: skip
    return changes


def _areas(mask: NDArray[np.bool_], name: str) -> Iterator[list[list[list[float]]]]:
    """Polygons that hold the centres of the set pixels and of no others: one outer ring and its holes at a time."""
    # Twice as large, a pixel's outline lies a quarter of a pixel within its border: its centre is inside, no
    # neighbour's is.
    large = np.repeat(np.repeat(mask.astype(np.uint8), 2, axis=0), 2, axis=1)
    contours, hierarchy = cv2.findContours(large, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    rings = [((contour.reshape(-1, 2) + 0.5) / 2).tolist() for contour in contours]
    links = np.asarray(hierarchy if len(contours) else [], np.int64).reshape(-1, 4).tolist()
    for index, (_, _, hole, parent) in enumerate(links):
        if parent >= 0:
            continue
        area = [rings[index]]
        while hole >= 0:
            area.append(rings[hole])
            hole = links[hole][0]
        if sum(map(len, area)) > MOST_CORNERS:
            raise InputError(
                f'The region of interest of "{name}" has an area of more than {MOST_CORNERS:,} corners: make it '
                "simpler, or leave it out and draw it on the page."
            )
        yield area
