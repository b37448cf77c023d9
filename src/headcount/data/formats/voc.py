"""Pascal VOC: one XML file an image, read and written; what LabelImg, CVAT and others call "VOC" too.

    FOLDER/Annotations/a.xml            one file an image, paired with it by its name, whatever <filename> says
    FOLDER/JPEGImages/a.jpg             the image, in any format that headcount reads
    FOLDER/ImageSets/Main/train.txt     names without suffix, one a line; also val, test, trainval; may be missing

Documented in "The PASCAL Visual Object Classes Challenge 2012 Development Kit", section 4.

**Corners** are taken as they are written, as places of edges: xmin = 0, xmax = width is the whole image. So do the
tools that people label with (LabelImg, CVAT); the challenge's own files count pixels from 1 and include the last, so
that their left and upper edges are a pixel further out than read here. `scut_head.py` has the measurement behind this.

**Who is a head** is one rule for all formats (``parse.values.head_classes``): where any object (or part of one) in the
folder is named head, those are and nothing else; else the one name that all objects have. ``difficult`` and
``truncated`` heads are heads.

Two further elements are written, which other readers pass over: an object's ``<provenance>`` where its box is not
``annotated``, and its ``<point>`` (in VOC since 2011) where that is not the middle of the box.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from functools import partial
from pathlib import Path
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape

import numpy as np

from headcount.core.errors import InputError, nearest
from headcount.core.files import atomic_text, is_file, is_folder, writing
from headcount.core.geometry import centres
from headcount.core.image import IMAGE_SUFFIXES
from headcount.core.scene import Provenance, Scene
from headcount.data.formats.folders import need_folder, wrong_folder
from headcount.data.formats.places import image_of, image_suffix, place_names, put_image, refuse_filled
from headcount.data.formats.raw import (
    Listing,
    RawAnnotation,
    RawScene,
    Remark,
    UnreadableAnnotationError,
    annotates_all,
    no_annotation,
)
from headcount.data.parse.paths import same_name
from headcount.data.parse.text import decode, read_bytes, read_lines
from headcount.data.parse.values import cut, head_classes, plain_name, stated_provenance
from headcount.data.parse.xml import XML_MAX_BYTES, child_number, element_line, need_child, parse_xml

ANNOTATIONS, IMAGES, LISTS = "Annotations", "JPEGImages", "ImageSets/Main"
_SPLITS = ("train", "val", "test")
_NAME_IN_FILE = re.compile("<name>([^<]{0,200})</name>")
_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_MAX_LIST_BYTES = 2**26
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def read_voc_annotation(path: Path, heads: Collection[str] | None = None) -> RawAnnotation:
    """The boxes of an annotation file as written, in the file's order; ``where`` is the line of each.

    ``heads`` are the names, as ``plain_name`` has them, of the objects and parts that are heads; others are
    ``ignored``. Without, every object is one.

    Raises:
        InputError: the file is missing, no XML, of another format, or a corner is missing or no number.
    """
    root = parse_xml(path, "annotation")
    boxes: list[list[float]] = []
    points: list[tuple[float, float] | None] = []
    provenance: list[Provenance] = []
    where: list[str] = []
    ignored = 0
    for element in _objects(root, parts=heads is not None):
        if heads is not None and plain_name(element.findtext("name") or "") not in heads:
            ignored += element.tag == "object"
            continue
        corners = need_child(path, element, "bndbox")
        boxes.append([child_number(path, corners, tag) for tag in _CORNERS])
        points.append(_point(path, element))
        where.append(f"line {element_line(element)}")
        made = (element.findtext("provenance") or "annotated").strip()
        provenance.append(stated_provenance(made, path, where[-1]))
    boxes_xyxy = np.array(boxes, np.float64).reshape(-1, 4)
    own = [middle if point is None else point for point, middle in zip(points, centres(boxes_xyxy), strict=True)]
    return RawAnnotation(
        points_xy=np.array(own, np.float64).reshape(-1, 2) if any(points) else None,
        boxes_xyxy=boxes_xyxy,
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


def _point(path: Path, element: Element) -> tuple[float, float] | None:
    point = element.find("point")
    return None if point is None else (child_number(path, point, "x"), child_number(path, point, "y"))


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
    names = sorted({name for path in truths.values() for name in _names_in(path)})
    heads = head_classes(names, set(range(len(names))), f'"{root / ANNOTATIONS}"')
    return list_voc_folder(root, heads=frozenset(names[row] for row in heads))


def list_voc_folder(root: Path, *, heads: Collection[str] | None) -> Listing:
    """As ``list_voc``, where it is known who is a head: objects of these names, or every object."""
    for name in (ANNOTATIONS, IMAGES):
        if not is_folder(root / name):
            raise wrong_folder(root, [ANNOTATIONS, IMAGES], "give the folder that holds both")
    truths = files_by_stem(root, ANNOTATIONS, {".xml"})
    images = files_by_stem(root, IMAGES, IMAGE_SUFFIXES)
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
        read = no_annotation if truth is None else partial(read_voc_annotation, truth, heads)
        scenes.append(RawScene(name, splits.get(name, ""), images.get(name), truth, read))
    return Listing(tuple(scenes), tuple(remarks))


def files_by_stem(root: Path, folder: str, suffixes: Collection[str]) -> dict[str, Path]:
    """The files of a folder by name without suffix, in order; of two that share it, the first."""
    if not is_folder(root / folder):
        raise wrong_folder(root, [folder], f"give the folder that holds {ANNOTATIONS} and {IMAGES}")
    found: dict[str, Path] = {}
    for path in sorted((root / folder).iterdir()):
        if path.suffix.lower() in suffixes and not path.name.startswith("."):
            found.setdefault(same_name(path.stem), path)
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
        with annotates_all(path):
            lines = read_lines(path, "list of names", max_bytes=_MAX_LIST_BYTES)
        for line, text in enumerate(lines, start=1):
            words = text.split()
            if not words:
                continue
            name = same_name(words[0])  # the challenge's lists of one class have 1 or -1 behind it
            if split == "trainval":
                if found.setdefault(name, "train") == "test":
                    raise _listed_twice(path, line, name, "test")
            elif found.setdefault(name, split) != split:
                raise _listed_twice(path, line, name, found[name])
    return found


def _listed_twice(path: Path, line: int, name: str, other: str) -> UnreadableAnnotationError:
    return UnreadableAnnotationError(
        f'"{path}", line {line}: "{cut(name)}" is in the list "{other}" too: an image belongs to one split.'
    )


def _names_in(path: Path) -> set[str]:
    """The names of the objects and parts in an annotation file, without parsing it."""
    try:
        content = read_bytes(path, "annotation", max_bytes=XML_MAX_BYTES)
    except InputError:
        return set()  # who reads it says why
    try:
        text = decode(content, path)
    except InputError:
        text = content.decode("latin-1")  # whatever its encoding, tags are the same
    return {plain_name(name) for name in _NAME_IN_FILE.findall(text)}


def voc_text(scene: Scene, file_name: str) -> str:
    """The annotation file of a Scene; ``file_name`` is the image's in ``JPEGImages``.

    Raises:
        InputError: the scene has points without boxes, or the name holds what XML cannot.
    """
    boxes = np.zeros((0, 4)) if scene.boxes_xyxy is None else scene.boxes_xyxy
    if len(boxes) != scene.count:
        raise InputError(
            f'"{scene.name}" has {scene.count} heads and {len(boxes)} boxes, but VOC holds heads as boxes: make boxes '
            "of the points first."
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
    scenes: Sequence[Scene], folder: str | Path, *, splits: Sequence[str] = (), copy_images: bool = False,
    overwrite: bool = False,
) -> None:  # fmt: skip
    """Write Scenes as a VOC folder, their images as links (or copies); ``list_voc`` reads it back without loss.

    An image is named by its scene, blanks and ``/`` becoming ``_``. ``splits`` are the scenes' (``train``, ``val``,
    ``test`` or empty) and become lists. Regions and attributes are no part of the format.

    Raises:
        InputError: the folder holds something and ``overwrite`` is False, a scene holds pixels and no file, boxes are
            missing, or a file cannot be written. Nothing is written where a scene is at fault.
    """
    folder = Path(folder)
    refuse_filled(folder, overwrite=overwrite)
    splits = list(splits) or [""] * len(scenes)
    for split in filter(None, splits):
        if split not in _SPLITS:
            raise InputError(f'"{split}" is no split of a VOC folder.{nearest(split, _SPLITS)}')
    stems = place_names(scenes, flat=True)  # lists are split at spaces, so a name has none
    names = [f"{stem}{image_suffix(image_of(scene))}" for stem, scene in zip(stems, scenes, strict=True)]
    texts = [voc_text(scene, name) for scene, name in zip(scenes, names, strict=True)]
    present = [split for split in _SPLITS if split in splits]
    with writing(folder):
        for part in (ANNOTATIONS, IMAGES, *([LISTS] if present else [])):
            (folder / part).mkdir(parents=True, exist_ok=True)
    for scene, stem, name, text in zip(scenes, stems, names, texts, strict=True):
        put_image(image_of(scene), folder / IMAGES / name, copy=copy_images)
        with atomic_text(folder / ANNOTATIONS / f"{stem}.xml") as file:
            file.write(text)
    for split in present:
        with atomic_text(folder / LISTS / f"{split}.txt") as file:
            file.writelines(f"{stem}\n" for stem, each in zip(stems, splits, strict=True) if each == split)
