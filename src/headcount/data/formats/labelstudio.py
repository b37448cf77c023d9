"""Label Studio's JSON and JSON-MIN, read: a list of tasks, each an image and what was drawn on it.

Documented at labelstud.io (guide, export; Label Studio JSON format of annotated tasks). Places are in percent of the
image's width and height, so that the image is opened for its size. A head is a rectangle, a key point, or the bounding
box of an ellipse or polygon; a rectangle turned by ``rotation`` is turned about its left upper corner. Several labels:
the one called "head" is counted, or the only one that is used. What comes from a model (``origin`` is ``prediction``)
is ``pseudo``.

Of a task that several people annotated the annotation marked as ground truth is read; where none is, or several are,
the image is refused, for there is no telling who is right. A task without annotation, or one that was skipped, is an
image without annotation. Predictions beside annotations are passed over.

Images are named by address (``/data/upload/1/1a2b3c4d-a.jpg``, ``/data/local-files/?d=images/a.jpg``) or by path; they
are looked for beside the file and in ``images`` there (see ``parse.paths``). Its exports in other formats (COCO, YOLO,
VOC) are read as those.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from headcount.core.errors import InputError
from headcount.core.image import is_image_name, read_header
from headcount.core.scene import Provenance
from headcount.data.formats.heads import Head, annotation_of
from headcount.data.formats.raw import Listing, RawAnnotation, RawScene, Remark, annotates_all, no_annotation
from headcount.data.formats.shapes import Box, box_around, box_around_ellipse, corners_of, turned
from headcount.data.parse.json import parse_json
from headcount.data.parse.paths import Finder, FoundName
from headcount.data.parse.text import read_text
from headcount.data.parse.values import HAIR, cut, head_classes, number, quoted, size_wh

_KIND = "Label Studio file"
_ALIKE = 0.02
_IMAGE_KEYS = ("image", "img", "url")


@dataclass(frozen=True, slots=True)
class _Object:
    """What is drawn: its labels, its place in percent by the keys of the file, and its line or key."""

    labels: tuple[str, ...]
    value: dict[str, Any]
    where: str
    provenance: Provenance = "annotated"
    stated: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class _Task:
    """A task; ``objects`` is None where it is not annotated, ``refused`` why it cannot be read."""

    place: FoundName
    where: str
    objects: tuple[_Object, ...] | None
    refused: str = ""

    @property
    def is_annotated(self) -> bool:
        return self.objects is not None or bool(self.refused)


def list_labelstudio(path: Path) -> Listing:
    """The images of a Label Studio file, in the order of the file; the images themselves unopened.

    Raises:
        InputError: there is no such file; an UnreadableAnnotationError where it is there but malformed.
    """
    if path.suffix.lower() != ".json":
        raise InputError(f'"{path}" is no {_KIND}: a .json file, "JSON" or "JSON-MIN", was expected.')
    with annotates_all(path):
        tasks = list(_tasks(path))
        names = sorted({label for task in tasks for one in task.objects or () for label in one.labels})
        rows = head_classes(names, set(range(len(names))), f'"{path}"')
    heads = frozenset(names[row] for row in rows)
    scenes = [
        RawScene(
            task.place.name, "", task.place.path, path if task.is_annotated else None,
            partial(_read, task, heads, path) if task.is_annotated else no_annotation,
            group=Path(task.place.name).parent.as_posix(), origin=task.where, found_by=task.place.found_by,
        )
        for task in tasks
    ]  # fmt: skip
    return Listing(tuple(scenes), () if scenes else (Remark("empty", path, "no image is named in this file"),))


def _tasks(file: Path) -> Iterator[_Task]:
    data = parse_json(read_text(file, _KIND), file, _KIND)
    data = [data] if isinstance(data, dict) and "data" in data else data
    if not isinstance(data, list) or not all(isinstance(task, dict) for task in data):
        raise InputError(f'"{file}" must be a {_KIND}, a list of tasks, but is {quoted(data)}.')
    finder = Finder([file.parent, file.parent / "images"])
    seen: dict[Path, str] = {}
    for index, task in enumerate(data):
        where = f"[{index}]"
        is_full = isinstance(task.get("data"), dict)
        key, name = _image_in(task["data"] if is_full else task)
        place = finder.image(name, file, f"{where}.{'data.' if is_full else ''}{key}")
        if place.path in seen:
            first = f'"{cut(place.name)}" stands at {seen[place.path]} already'
            raise InputError(f'"{file}", {where}: {first}: give it once, by one annotator.')
        seen[place.path] = where
        try:
            drawn = _of_full(task, file, where) if is_full else _of_minimal(task, file, where)
            yield _Task(place, where, None if drawn is None else tuple(drawn))
        except InputError as error:  # of this image alone
            yield _Task(place, where, None, str(error))


def _image_in(data: dict[str, Any]) -> tuple[str, Any]:
    """The key that names the image, and what is there."""
    texts = {key: value for key, value in data.items() if isinstance(value, str)}
    by_suffix = (key for key, value in texts.items() if is_image_name(Path(value[-300:].split("?")[0])))
    by_query = (key for key, value in texts.items() if is_image_name(Path(value[-300:])))
    for key in (*(key for key in _IMAGE_KEYS if key in texts), *by_suffix, *by_query):
        return key, texts[key]
    return _IMAGE_KEYS[0], data.get(_IMAGE_KEYS[0])


def _of_full(task: dict[str, Any], file: Path, where: str) -> Iterator[_Object] | None:
    """What was drawn in the one annotation that counts; None where there is none.

    Raises:
        InputError: there are several, or it is malformed.
    """
    annotations = task.get("annotations", task.get("completions", []))
    if not isinstance(annotations, list) or not all(isinstance(one, dict) for one in annotations):
        raise InputError(
            f'"{file}", {where}.annotations: a list of annotations was expected, got {quoted(annotations)}.'
        )
    kept = [
        (index, one) for index, one in enumerate(annotations) if not (one.get("was_cancelled") or one.get("skipped"))
    ]
    if not kept:
        return None
    if len(kept) > 1:
        marked = [pair for pair in kept if pair[1].get("ground_truth")]
        if len(marked) != 1:
            found = f"{len(kept)} annotations of this image are there, {len(marked)} marked as ground truth"
            raise InputError(f'"{file}", {where}: {found}: mark one, or delete the others.')
        kept = marked
    index, annotation = kept[0]
    results = annotation.get("result")
    place = f"{where}.annotations[{index}].result"
    if not isinstance(results, list) or not all(isinstance(one, dict) for one in results):
        raise InputError(f'"{file}", {place}: a list of what was drawn was expected, got {quoted(results)}.')
    return _objects(results, place, file)


def _objects(results: list[dict[str, Any]], place: str, file: Path) -> Iterator[_Object]:
    """Each thing drawn once: its place and its label may be two entries of one ``id``."""
    known: dict[str, dict[str, Any]] = {}
    labels: dict[str, tuple[str, ...]] = {}
    where: dict[str, str] = {}
    for index, one in enumerate(results):
        value = one.get("value")
        if not isinstance(value, dict) or not _is_drawn(value):
            continue  # a choice, a text, a relation
        key = str(one.get("id") or f"{place}[{index}]")
        where.setdefault(key, f"{place}[{index}].value")
        known.setdefault(key, one)
        labels[key] = labels.get(key, ()) or _labels_in(value, file, where[key])
    for key, one in known.items():
        if one.get("image_rotation") not in (None, 0, 360):
            raise InputError(f'"{file}", {where[key]}: the image was turned while this was drawn: turn it back.')
        made: Provenance = "pseudo" if one.get("origin") == "prediction" else "annotated"
        stated = size_wh(one.get("original_width"), one.get("original_height"))
        yield _Object(labels[key] or ("",), one["value"], where[key], made, stated)


def _of_minimal(task: dict[str, Any], file: Path, where: str) -> Iterator[_Object]:
    for key, values in task.items():
        for index, value in enumerate(values if isinstance(values, list) else ()):
            if isinstance(value, dict) and _is_drawn(value):
                place = f"{where}.{key}[{index}]"
                stated = size_wh(value.get("original_width"), value.get("original_height"))
                yield _Object(_labels_in(value, file, place) or ("",), value, place, "annotated", stated)


def _is_drawn(value: dict[str, Any]) -> bool:
    return "x" in value or "points" in value or "rle" in value


def _labels_in(value: dict[str, Any], file: Path, where: str) -> tuple[str, ...]:
    found = next((each for key, each in value.items() if key.endswith("labels")), None)
    if found is None:
        return ()
    if not isinstance(found, list) or not all(isinstance(label, str) for label in found):
        raise InputError(f'"{file}", {where}: a list of labels was expected, got {quoted(found)}.')
    return tuple(found)


def _read(task: _Task, heads: Collection[str], file: Path) -> RawAnnotation:
    if task.refused:
        raise InputError(task.refused)
    ignored: Counter[str] = Counter()
    found: list[Head] = []
    nearly = 0
    image_wh = read_header(task.place.path).size_wh if task.objects else (1, 1)
    for one in task.objects or ():
        if not any(label in heads for label in one.labels):
            ignored[", ".join(one.labels)] += 1
            continue
        head, beyond = _head(one, image_wh, file)
        found.append(head)
        nearly += beyond
    stated = next((one.stated for one in task.objects or ()), None)
    if stated is not None and abs(stated[0] * image_wh[1] / (stated[1] * image_wh[0]) - 1) < _ALIKE:
        stated = None  # a larger or smaller copy, in which percents are the same places
    return annotation_of(found, size_wh=stated, ignored=ignored, nearly=nearly)


def _head(one: _Object, image_wh: tuple[int, int], file: Path) -> tuple[Head, int]:
    """A head in pixels, and how many of its values lie a hair outside the image."""
    width, height = (side / 100 for side in image_wh)
    value = one.value
    angle = number(value.get("rotation") or 0, "rotation", file, one.where)
    nearly = 0

    def percent(what: str, stated: Any, *, free: bool = False) -> float:
        nonlocal nearly
        found = number(stated, what, file, one.where)
        if not free and not -100 * HAIR <= found <= 100 * (1 + HAIR):
            raise InputError(
                f'"{file}", {one.where}: {what} is {found:g}, which is not from 0 to 100: places are in percent.'
            )
        nearly += not free and not 0 <= found <= 100
        return found

    if "points" in value:
        corners = value["points"]
        is_list = isinstance(corners, list) and all(isinstance(c, list) and len(c) == 2 for c in corners)
        if not is_list or not corners:
            raise InputError(f'"{file}", {one.where}.points: [[x, y], …] was expected, got {quoted(corners)}.')
        points = [(percent("x", x) * width, percent("y", y) * height) for x, y in corners]
        return Head(None, box_around(points), one.provenance, one.where), nearly
    if "x" not in value:
        raise InputError(f'"{file}", {one.where}: a brush stroke is no shape that a head can have: draw rectangles.')
    x, y = (percent(key, value.get(key), free=bool(angle)) * side for key, side in (("x", width), ("y", height)))
    if "radiusX" in value:
        radii = percent("radiusX", value["radiusX"]) * width, percent("radiusY", value.get("radiusY")) * height
        return Head(None, box_around_ellipse((x, y), radii, angle), one.provenance, one.where), nearly
    if "height" not in value:  # a key point, whose width is that of the dot
        return Head((x, y), None, where=one.where), nearly
    sides = percent("width", value.get("width")) * width, percent("height", value["height"]) * height
    box: Box = (x, y, x + sides[0], y + sides[1])
    if angle % 360:
        box = box_around(turned(corners_of(box), (x, y), angle))
    return Head(None, box, one.provenance, one.where), nearly
