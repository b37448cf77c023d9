"""Pascal VOC: one XML file an image, read and written; what LabelImg, CVAT and others call "VOC" too.

    FOLDER/Annotations/a.xml            one file an image, paired with it by its name, whatever <filename> says
    FOLDER/JPEGImages/a.jpg             the image, in any format that headcount reads
    FOLDER/ImageSets/Main/train.txt     names without suffix, one a line; also val, test, trainval; may be missing

Documented in "The PASCAL Visual Object Classes Challenge 2012 Development Kit", section 4.

**Corners** are taken as they are written, as places of edges: xmin = 0, xmax = width is the whole image. So do the
tools that people label with (LabelImg, CVAT); the challenge's own files count pixels from 1 and include the last, so
that their left and upper edges are a pixel further out than read here. `scut_head.py` has the measurement behind this.

**Who is a head**: where any object (or part of one) in the folder is named head, those are and nothing else; else every
object is, whatever its name. Names are compared without case, ``_`` and ``-``: ``head``, ``heads``, ``human head``,
``person head``, ``pedestrian head``. ``difficult`` and ``truncated`` heads are heads.

Two further elements are written, which other readers pass over: an object's ``<provenance>`` where its box is not
``annotated``, and its ``<point>`` (in VOC since 2011) where that is not the middle of the box.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import get_args
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape

import numpy as np

from headcount.core.errors import InputError, nearest
from headcount.core.files import atomic_text, file_size, is_file, is_folder, replacing, writing
from headcount.core.image import SUFFIXES
from headcount.core.scene import Provenance, Scene
from headcount.data.formats.raw import (
    Listing,
    RawAnnotation,
    RawScene,
    Remark,
    UnreadableAnnotationError,
    need_folder,
    no_annotation,
    wrong_folder,
)
from headcount.data.parse.xml import MAX_BYTES, child_number, element_line, need_child, parse_xml, xml_error

ANNOTATIONS, IMAGES, LISTS = "Annotations", "JPEGImages", "ImageSets/Main"
HEAD_NAMES = frozenset({"head", "heads", "human head", "person head", "pedestrian head"})
_SPLITS = ("train", "val", "test")
_PROVENANCES: tuple[Provenance, ...] = get_args(Provenance)
_HEAD_IN_FILE = re.compile(rb"<name>\s*(?:(?:human|person|pedestrian)[ _-])?heads?\s*</name>", re.IGNORECASE)
_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_MAX_LIST_BYTES = 2**26
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def read_voc_annotation(path: Path, *, named_heads_only: bool = False) -> RawAnnotation:
    """The boxes of an annotation file as written, in the file's order; ``where`` is the line of each.

    ``named_heads_only``: what is not named as a head is not one; it is then among the ``ignored``.

    Raises:
        InputError: the file is missing, no XML, of another format, or a corner is missing or no number.
    """
    root = parse_xml(path, "annotation")
    boxes: list[list[float]] = []
    points: list[tuple[float, float]] = []
    provenance: list[Provenance] = []
    where: list[str] = []
    ignored = 0
    for element in _objects(root, parts=named_heads_only):
        if named_heads_only and _plain(element.findtext("name")) not in HEAD_NAMES:
            ignored += element.tag == "object"
            continue
        corners = need_child(path, element, "bndbox")
        x1, y1, x2, y2 = (child_number(path, corners, tag) for tag in _CORNERS)
        boxes.append([x1, y1, x2, y2])
        points.append(_point(path, element) or ((x1 + x2) / 2, (y1 + y2) / 2))
        provenance.append(_provenance(path, element))
        where.append(f"line {element_line(element)}")
    centres = [((x1 + x2) / 2, (y1 + y2) / 2) for x1, y1, x2, y2 in boxes]
    return RawAnnotation(
        points_xy=None if points == centres else np.array(points, np.float64).reshape(-1, 2),
        boxes_xyxy=np.array(boxes, np.float64).reshape(-1, 4),
        box_provenance=tuple(provenance),
        where=tuple(where),
        stated_size_wh=_stated_size(path, root),
        ignored=ignored,
    )


def _objects(root: Element, *, parts: bool) -> Iterator[Element]:
    for element in root.iterfind("object"):
        yield element
        if parts:
            yield from element.iterfind("part")


def _plain(name: str | None) -> str:
    return re.sub(r"[\s_-]+", " ", name or "").strip().lower()


def _point(path: Path, element: Element) -> tuple[float, float] | None:
    point = element.find("point")
    return None if point is None else (child_number(path, point, "x"), child_number(path, point, "y"))


def _provenance(path: Path, element: Element) -> Provenance:
    text = (element.findtext("provenance") or "annotated").strip()
    for known in _PROVENANCES:
        if text == known:
            return known
    raise xml_error(path, element, f'"{text[:40]}" is no provenance of a box.{nearest(text[:40], _PROVENANCES)}')


def _stated_size(path: Path, root: Element) -> tuple[int, int] | None:
    """(width, height) as stated, wrong or zero as it may be; None where nothing is said."""
    size = root.find("size")
    if size is None:
        return None
    return round(child_number(path, size, "width")), round(child_number(path, size, "height"))


def list_voc(root: Path) -> Listing:
    """The images and annotations of a VOC folder, in the order of their names.

    Splits are those of the lists, where there are any: what only ``trainval`` holds is for training, what no list
    holds has no split.

    Raises:
        InputError: the layout is another; an UnreadableAnnotationError where a list is no list of names, or one image
            is listed in two splits.
    """
    need_folder(root, f"{ANNOTATIONS} and {IMAGES}")
    truths = files_by_stem(root, ANNOTATIONS, {".xml"})
    return list_voc_folder(root, named_heads_only=any(_names_a_head(path) for path in truths.values()))


def list_voc_folder(root: Path, *, named_heads_only: bool) -> Listing:
    """As ``list_voc``, where it is known who is a head."""
    for name in (ANNOTATIONS, IMAGES):
        if not is_folder(root / name):
            raise wrong_folder(root, [ANNOTATIONS, IMAGES], "give the folder that holds both")
    truths = files_by_stem(root, ANNOTATIONS, {".xml"})
    images = files_by_stem(root, IMAGES, SUFFIXES)
    splits = read_lists(root)
    remarks = [] if images else [Remark("empty", root / IMAGES, "no image is in this folder")]
    for folder, known in ((ANNOTATIONS, truths), (IMAGES, images)):
        taken = set(known.values())
        for path in sorted((root / folder).iterdir()):
            if path not in taken and not path.name.startswith("."):
                remarks.append(Remark("stray-file", path, f"this is not what belongs into {folder}, or twice there"))
    unlisted = sorted(images.keys() - splits.keys()) if splits else []
    if unlisted:
        number = "1 image is" if len(unlisted) == 1 else f"{len(unlisted)} images are"
        text = f"{number} in none of its lists, and so in no split: {unlisted[0]} for one"
        remarks.append(Remark("stray-file", root / LISTS, text))
    scenes = []
    for name in sorted({*images, *truths, *splits}):
        truth = truths.get(name)
        if truth is None and name not in images:
            truth = root / ANNOTATIONS / f"{name}.xml"  # listed, and not there: whoever reads it says so
        read = no_annotation if truth is None else partial(
            read_voc_annotation, truth, named_heads_only=named_heads_only
        )  # fmt: skip
        scenes.append(RawScene(name, splits.get(name, ""), images.get(name), truth, read))
    return Listing(tuple(scenes), tuple(remarks))


def files_by_stem(root: Path, folder: str, suffixes: Collection[str]) -> dict[str, Path]:
    """The files of a folder by name without suffix, in order; of two that share it, the first."""
    if not is_folder(root / folder):
        raise wrong_folder(root, [folder], f"give the folder that holds {ANNOTATIONS} and {IMAGES}")
    found: dict[str, Path] = {}
    for path in sorted((root / folder).iterdir()):
        if path.suffix.lower() in suffixes and not path.name.startswith("."):
            found.setdefault(path.stem, path)
    return found


def read_lists(root: Path) -> dict[str, str]:
    """Names to splits, of ``ImageSets/Main/{train,val,test,trainval}.txt`` as far as they are there.

    Raises:
        UnreadableAnnotationError: a list is no text, or a name is in two of train, val and test.
    """
    found: dict[str, str] = {}
    for split in (*_SPLITS, "trainval"):
        path = root / LISTS / f"{split}.txt"
        if not is_file(path):
            continue
        for line, text in enumerate(_list_lines(path), start=1):
            words = text.split()
            if not words:
                continue
            name = words[0]  # the challenge's lists of one class have 1 or -1 behind it
            if split == "trainval":
                if found.setdefault(name, "train") == "test":
                    raise _listed_twice(path, line, name, "test")
            elif found.setdefault(name, split) != split:
                raise _listed_twice(path, line, name, found[name])
    return found


def _list_lines(path: Path) -> list[str]:
    if file_size(path) > _MAX_LIST_BYTES:
        raise UnreadableAnnotationError(f'"{path}" is too large for a list of names.')
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableAnnotationError(f'"{path}" is no UTF-8 text (byte {error.start}): a list of names.') from error
    except OSError as error:
        raise UnreadableAnnotationError(f'"{path}" cannot be read ({error.strerror or error}).') from error
    return text.splitlines()


def _listed_twice(path: Path, line: int, name: str, other: str) -> UnreadableAnnotationError:
    return UnreadableAnnotationError(
        f'"{path}", line {line}: "{name[:80]}" is in the list "{other}" too: an image belongs to one split.'
    )


def _names_a_head(path: Path) -> bool:
    """Whether an annotation file has anything named a head in it, without parsing it."""
    try:
        return file_size(path) <= MAX_BYTES and _HEAD_IN_FILE.search(path.read_bytes()) is not None
    except (InputError, OSError):
        return False  # who reads it says why


def voc_losses(scene: Scene) -> tuple[str, ...]:
    """What of a Scene VOC cannot hold, in words; empty where it holds all."""
    losses = []
    if scene.region is not None:
        losses.append("the region of interest")
    if scene.attributes:
        losses.append(f"the attributes {', '.join(sorted(scene.attributes))}")
    return tuple(losses)


def voc_text(scene: Scene, file_name: str) -> str:
    """The annotation file of a Scene; ``file_name`` is the image's in ``JPEGImages``.

    Raises:
        InputError: the scene has points without boxes, or the name holds what XML cannot.
    """
    boxes = np.zeros((0, 4)) if scene.boxes_xyxy is None else scene.boxes_xyxy
    if len(boxes) != scene.count:
        raise InputError(
            f'"{scene.name}" has {scene.count} heads and {len(boxes)} boxes, but VOC holds heads as boxes: make boxes '
            'of points with "headcount label interpolate" first.'
        )
    if _NOT_IN_XML.search(file_name):
        raise InputError(f"The image name {file_name!r} holds characters that XML cannot: rename the image.")
    width, height = scene.size_wh
    lines = [
        "<annotation>", f"\t<folder>{IMAGES}</folder>", f"\t<filename>{escape(file_name)}</filename>",
        f"\t<size><width>{width}</width><height>{height}</height><depth>3</depth></size>", "\t<segmented>0</segmented>",
    ]  # fmt: skip
    provenance = scene.box_provenance or ("annotated",) * len(boxes)
    for box, point, made in zip(boxes.tolist(), scene.points_xy.tolist(), provenance, strict=True):
        corners = "".join(f"<{tag}>{_number(value)}</{tag}>" for tag, value in zip(_CORNERS, box, strict=True))
        lines += ["\t<object>", "\t\t<name>head</name>", "\t\t<pose>Unspecified</pose>"]
        lines += ["\t\t<truncated>0</truncated>", "\t\t<difficult>0</difficult>", f"\t\t<bndbox>{corners}</bndbox>"]
        if point != [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2]:
            lines.append(f"\t\t<point><x>{_number(point[0])}</x><y>{_number(point[1])}</y></point>")
        if made != "annotated":
            lines.append(f"\t\t<provenance>{made}</provenance>")
        lines.append("\t</object>")
    return "\n".join([*lines, "</annotation>", ""])


def _number(value: float) -> str:
    """The shortest text that reads back as the same number; whole pixels as old readers want them, without a dot."""
    return str(int(value)) if value.is_integer() else repr(value)


def write_voc(
    scenes: Sequence[Scene], folder: Path, *, splits: Mapping[str, str] | None = None, overwrite: bool = False
) -> Path:
    """Write Scenes as a VOC folder, their images copied into it; ``list_voc`` reads it back without loss.

    An image is named by its scene, ``/`` becoming ``_``, or by its file where the scene has no name. ``splits`` maps
    scenes' names to ``train``, ``val`` or ``test`` and becomes lists. What ``voc_losses`` names is not kept.

    Raises:
        InputError: files are there already and ``overwrite`` is False, a scene holds pixels and no file, two have the
            same name, boxes are missing, or the folder cannot be written. Nothing is written where a scene is at fault.
    """
    planned: dict[str, tuple[Path, str]] = {}  # stem → image to copy, text of the annotation
    lists: dict[str, list[str]] = {}
    for scene in scenes:
        if not isinstance(scene.image, Path):
            raise InputError(f'The scene "{scene.name}" holds pixels and no file: save its image first.')
        stem = _stem(scene, scene.image)
        if stem in planned:
            raise InputError(f'Two scenes would be named "{stem}" in "{folder}": give them names of their own.')
        planned[stem] = scene.image, voc_text(scene, stem + scene.image.suffix)
        split = (splits or {}).get(scene.name, "")
        if split and split not in _SPLITS:
            raise InputError(f'"{split}" is no split of a VOC folder.{nearest(split, _SPLITS)}')
        if split:
            lists.setdefault(split, []).append(stem)
    targets = {stem: folder / IMAGES / (stem + image.suffix) for stem, (image, _) in planned.items()}
    with writing(folder):
        files = [*targets.values(), *(folder / ANNOTATIONS / f"{stem}.xml" for stem in planned)]
        there = [] if overwrite else [path for path in files if path.exists()]
        if there:
            raise InputError(
                f'"{there[0]}" exists already: choose another folder, or allow it to be overwritten (--force).'
            )
        for name in (ANNOTATIONS, IMAGES, *([LISTS] if lists else [])):
            (folder / name).mkdir(parents=True, exist_ok=True)
    for stem, (image, text) in planned.items():
        if not is_file(targets[stem]) or not targets[stem].samefile(image):
            with writing(targets[stem]), replacing(targets[stem]) as hidden:
                shutil.copyfile(image, hidden)
        with atomic_text(folder / ANNOTATIONS / f"{stem}.xml") as file:
            file.write(text)
    for split, stems in lists.items():
        with atomic_text(folder / LISTS / f"{split}.txt") as file:
            file.writelines(f"{stem}\n" for stem in stems)
    return folder


def _stem(scene: Scene, image: Path) -> str:
    # Lists are split at spaces, so a name has none.
    name = scene.name.removesuffix(image.suffix) or image.stem
    return re.sub(r"[\s/\\:]+", "_", name).lstrip(".") or "image"
