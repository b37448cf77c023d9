"""CVAT's XML ("CVAT for images 1.1"), read and written: one file for many images.

Documented at docs.cvat.ai (manual, formats, CVAT). Coordinates are pixels, the upper left corner of the first pixel at
(0, 0), as headcount has them. Of an ``image`` are read its boxes, points, and polygons, ellipses and masks by their
bounding boxes; a box turned by ``rotation`` counts by the bounding box of what was turned. Where several labels are
declared, the one called "head" is counted. One box and one point of the same ``group_id`` are one head: written so
where a point is not the middle of its box. Tracks, of "CVAT for video 1.1", are read too (see ``cvat_tracks``).

``source`` tells how a box came to be: ``manual`` and ``file`` are annotated, ``semi-auto`` interpolated, ``auto``
pseudo. An image's ``subset`` is its split. Attributes of the image are those of its ``tag`` "image". Image files are
named relative to the file, to ``images`` beside it, or to ``images/SUBSET``. Their ids are frames, which each task of a
project numbers anew.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from headcount.core.errors import InputError
from headcount.core.files import atomic_text, is_file, is_folder
from headcount.core.scene import Provenance, Scene
from headcount.data.formats.cvat_tracks import FrameHeads, frames_of, read_tracks
from headcount.data.formats.heads import Head, annotation_of, drawn_as_points, heads_of, join_groups
from headcount.data.formats.places import copied, refuse_taken_files, written_names
from headcount.data.formats.raw import Listing, RawAnnotation, RawScene, Remark, annotates_all, given, refusing
from headcount.data.formats.shapes import box_around, box_around_ellipse, box_around_turned
from headcount.data.parse.paths import Finder
from headcount.data.parse.values import HEAD, cut, head_classes, known_shape, number, same_id, size_wh, split_of
from headcount.data.parse.xml import element_line, parse_xml

_SHAPES = ("box", "points", "polygon", "ellipse", "mask")
_NUMBERS = {
    "box": ("xtl", "ytl", "xbr", "ybr"),
    "ellipse": ("cx", "cy", "rx", "ry"),
    "mask": ("left", "top", "width", "height"),
}
_SOURCES: dict[str, Provenance] = {
    "manual": "annotated", "file": "annotated", "semi-auto": "interpolated", "auto": "pseudo",
}  # fmt: skip
_SOURCE_OF: dict[Provenance, str] = {"annotated": "manual", "interpolated": "semi-auto", "pseudo": "auto"}
_TAG = "image"
_MAX_BYTES = 1 << 30  # one file of a whole data set
_NOT_XML = re.compile("[^\t\n -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def list_cvat(path: Path) -> Listing:
    """The images of a CVAT file, in the order of the file; the images themselves unopened.

    ``path`` is the file, or a folder that holds ``annotations.xml``.

    Raises:
        InputError: there is no such file; an UnreadableAnnotationError where it is there but malformed.
    """
    file = path / "annotations.xml" if is_folder(path) else path
    if not is_file(file):
        raise InputError(f'There is no CVAT file "{file}": name the .xml file, or the folder of annotations.xml.')
    with annotates_all(file):
        scenes = _parse(file)
    return Listing(tuple(scenes), () if scenes else (Remark("empty", file, "no image is named in this file"),))


def write_cvat(
    scenes: Sequence[Scene], path: str | Path, *, splits: Sequence[str] = (), copy_images: bool = False,
    overwrite: bool = False,
) -> None:  # fmt: skip
    """Write Scenes to an ``.xml`` file; with ``copy_images`` their images to ``images`` beside it.

    A box that belongs to no point is left out, and the region; all else is kept exactly.

    Raises:
        InputError: the file is there and ``overwrite`` is False, a scene holds pixels and no file, two scenes share an
            image, a name holds a character that XML cannot, or the file cannot be written.
    """
    file = Path(path)
    refuse_taken_files([file], overwrite=overwrite)
    written_names(scenes, file.parent)  # says what is wrong before an image is copied
    if copy_images:
        scenes = copied(scenes, file.parent / "images", overwrite=overwrite)
    root = Element("annotations")
    SubElement(root, "version").text = "1.1"
    labels = SubElement(SubElement(SubElement(root, "meta"), "task"), "labels")
    attributes = sorted({key for scene in scenes for key in scene.attributes})
    for name, keys in ((HEAD, []), (_TAG, attributes)):
        if name == HEAD or keys:
            _declare(labels, name, keys)
    named = zip(scenes, written_names(scenes, file.parent), splits or [""] * len(scenes), strict=True)
    for index, (scene, name, split) in enumerate(named):
        width, height = scene.size_wh
        image = SubElement(root, "image", id=str(index), name=_text(name), width=str(width), height=str(height))
        if split:
            image.set("subset", split)
        if scene.attributes:
            tag = SubElement(image, "tag", label=_TAG, source="manual")
            for key, value in scene.attributes.items():
                SubElement(tag, "attribute", name=_text(key)).text = _text(value)
        for group, head in enumerate(heads_of(scene), start=1):
            _draw(image, head, group)
    indent(root, " ")
    with atomic_text(file) as out:
        out.write('<?xml version="1.0" encoding="utf-8"?>\n' + tostring(root, encoding="unicode") + "\n")


def _declare(labels: Element, name: str, keys: Sequence[str]) -> None:
    label = SubElement(labels, "label")
    SubElement(label, "name").text = name
    attributes = SubElement(label, "attributes")
    for key in keys:
        attribute = SubElement(attributes, "attribute")
        SubElement(attribute, "name").text = _text(key)
        SubElement(attribute, "mutable").text = "False"
        SubElement(attribute, "input_type").text = "text"


def _draw(image: Element, head: Head, group: int) -> None:
    """The box or point of a head, or both in a group."""
    both = {"group_id": str(group)} if head.point_xy is not None and head.box_xyxy is not None else {}
    shared = {"label": HEAD, "occluded": "0", "z_order": "0", **both}
    if head.box_xyxy is not None:
        corners = dict(zip(("xtl", "ytl", "xbr", "ybr"), map(repr, head.box_xyxy), strict=True))
        SubElement(image, "box", {**shared, "source": _SOURCE_OF[head.provenance], **corners})
    if head.point_xy is not None:
        x, y = head.point_xy
        SubElement(image, "points", {**shared, "source": "manual", "points": f"{x!r},{y!r}"})


def _text(text: str) -> str:
    found = _NOT_XML.search(text)
    if found is not None:
        raise InputError(f"{text!a} holds {found[0]!a}, which XML cannot: rename it, or choose another format.")
    return text


def _parse(file: Path) -> list[RawScene]:
    root = parse_xml(file, "annotations", max_bytes=_MAX_BYTES)
    declared = [(name.text or "").strip() for name in root.iterfind("meta//labels/label/name")]
    used = {shape.get("label", "") for image in root.iterfind("image") for shape in image if shape.tag in _SHAPES}
    used |= {track.get("label", "") for track in root.iterfind("track")}
    names = list(dict.fromkeys([*declared, *sorted(used)]))
    rows = {name: row for row, name in enumerate(names)}
    heads = frozenset(names[row] for row in head_classes(names, {rows[one] for one in used}, f'"{file}"'))
    if root.find("track") is not None and root.find("image") is None:
        return _of_tracks(root, file, heads)
    tracks = read_tracks(root, file, heads, _heads, {_id_of(image) for image in root.iterfind("image")})
    _refuse_mixed_tasks(root, file)
    scenes: list[RawScene] = []
    seen: dict[Path, str] = {}
    finders: dict[str, Finder] = {}
    for image in root.iterfind("image"):
        where, subset = f"line {element_line(image)}", image.get("subset", "")
        finder = finders.setdefault(subset, Finder(_folders(file.parent, subset)))
        place = finder.image(image.get("name"), file, where)
        if place.path in seen:
            first = f"stands at {seen[place.path]} already"
            raise InputError(f'"{file}", {where}: "{cut(place.name)}" {first}: give it once.')
        seen[place.path] = where
        try:
            annotation, points_only = _annotation(image, heads, file, tracks.get(_id_of(image), FrameHeads()))
            read = given(annotation)
        except InputError as error:  # of this image alone
            read, points_only = refusing(error), False
        split = split_of(subset)
        # Names are unique by their places: one name may stand in two subsets.
        unique = place.name if f"images/{subset}/" not in place.path.as_posix() else f"{split}/{place.name}"
        scenes.append(
            RawScene(
                unique, split, place.path, file, read, group=Path(place.name).parent.as_posix(),
                refuse_outside=points_only, origin=where, found_by=place.found_by,
            )
        )  # fmt: skip
    return scenes


def _of_tracks(root: Element, file: Path, heads: Collection[str]) -> list[RawScene]:
    """The frames of a file that has tracks and names no images."""
    frames = frames_of(root, file)
    tracks = read_tracks(root, file, heads, _heads, frames.images)
    scenes = []
    for at in sorted(frames.images):
        image, found = frames.images[at], tracks.get(at, FrameHeads())
        name = image.relative_to(file.parent).as_posix() if isinstance(image, Path) else f"{frames.name}#{at}"
        read = given(annotation_of(found.heads, ignored=found.ignored))
        points_only = drawn_as_points(found.heads)
        scenes.append(
            RawScene(
                name.removeprefix("images/"), "", image, file, read, group=frames.name, refuse_outside=points_only,
                origin=found.origin,
            )
        )  # fmt: skip
    return scenes


def _refuse_mixed_tasks(root: Element, file: Path) -> None:
    """
    Raises:
        InputError: there are tracks, and frames of one number in several tasks.
    """
    track = root.find("track")
    ids = [_id_of(image) for image in root.iterfind("image")]
    if track is not None and len(set(ids)) < len(ids):
        raise InputError(
            f'"{file}", line {element_line(track)}: there are tracks, and several images of one id: export each task '
            "by itself."
        )


def _id_of(image: Element) -> int:
    """The number of an image's frame; −1 where it is none."""
    stated = same_id(image.get("id", ""))
    return int(stated) if re.fullmatch("[0-9]{1,9}", stated) else -1


def _folders(folder: Path, subset: str) -> list[Path]:
    """What the names of a subset are relative to."""
    inner = [folder / "images" / subset] if subset else []
    return [*inner, folder / "images", folder] if subset else [folder, folder / "images", folder / "images/default"]


def _annotation(image: Element, labels: Collection[str], file: Path, tracked: FrameHeads) -> tuple[RawAnnotation, bool]:
    """What is said of an image, by its shapes and by tracks, and whether every head has a point of its own."""
    drawn: list[tuple[Head, str | None]] = [(head, None) for head in tracked.heads]
    attributes: dict[str, str] = {}
    ignored = Counter(tracked.ignored)
    for shape in image:
        where = f"line {element_line(shape)}"
        if shape.tag == "tag":
            if shape.get("label") == _TAG:
                found = {each.get("name", ""): each.text or "" for each in shape.iterfind("attribute")}
                attributes |= found
            continue
        label = shape.get("label")
        if label is None:
            raise InputError(f'"{file}", {where}: <{shape.tag[:40]}> has no label.')
        if label not in labels:
            ignored[label] += 1
            continue
        group = shape.get("group_id")
        drawn += [(one, group if group not in ("", "0") else None) for one in _heads(shape, file, where)]
    stated = size_wh(image.get("width"), image.get("height"))
    heads = join_groups(drawn)
    read = annotation_of(heads, size_wh=stated, attributes=attributes, ignored=ignored)
    return read, drawn_as_points(heads)


def _heads(shape: Element, file: Path, where: str) -> list[Head]:
    """The heads of a shape: one, or one for each of several points."""
    known_shape(shape.tag, _SHAPES, file, where)
    provenance = _SOURCES.get(shape.get("source", ""), "annotated")
    if shape.tag in ("points", "polygon"):
        points = [_pair(pair, file, where) for pair in shape.get("points", "").split(";")]
        if shape.tag == "points":
            return [Head(point, None, where=where) for point in points]
        return [Head(None, box_around(points), provenance, where)]
    values = [number(shape.get(key), key, file, where) for key in _NUMBERS[shape.tag]]
    if shape.tag == "mask":
        left, top, width, height = values
        if width < 0 or height < 0:
            raise InputError(f'"{file}", {where}: width and height must not be negative.')
        return [Head(None, (left, top, left + width, top + height), provenance, where)]
    angle = number(shape.get("rotation", "0"), "rotation", file, where)
    if shape.tag == "box":
        x1, y1, x2, y2 = values
        if x2 < x1 or y2 < y1:
            raise InputError(f'"{file}", {where}: xbr and ybr must not be smaller than xtl and ytl.')
        return [Head(None, box_around_turned((x1, y1, x2, y2), angle), provenance, where)]
    cx, cy, rx, ry = values
    if rx < 0 or ry < 0:
        raise InputError(f'"{file}", {where}: rx and ry must not be negative.')
    return [Head(None, box_around_ellipse((cx, cy), (rx, ry), angle), provenance, where)]


def _pair(text: str, file: Path, where: str) -> tuple[float, float]:
    x, separator, y = text.partition(",")
    if not separator:
        raise InputError(f'"{file}", {where}: points "x,y;x,y;…" were expected, got {text[:40]!r}.')
    return number(x, "x", file, where), number(y, "y", file, where)
