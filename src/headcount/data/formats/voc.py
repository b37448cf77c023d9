"""Pascal VOC: one XML file an image, read and written; what LabelImg, CVAT and others call "VOC" too.

    FOLDER/Annotations/a.xml            one file an image, paired with it by its name, whatever <filename> says
    FOLDER/JPEGImages/a.jpg             the image, in any format that headcount reads
    FOLDER/ImageSets/Main/train.txt     names without suffix, one a line; also val, test, trainval; may be missing

Other layouts of such files are read too: LabelImg's, beside the images, and those of others, in folders of any names
(``train/a.xml`` and ``train/a.jpg``, ``labels/a.xml`` and ``images/a.jpg``). An image is that of its annotation's name
in the same folder, or in the same folder of another (``Annotations/x/a.xml``, ``JPEGImages/x/a.jpg``); else the only
one of that name, or of ``<filename>``, in the same split or at all. The first folder that is named as a split tells it,
where there are no lists.

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
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape, unescape

import numpy as np

from headcount.core.errors import InputError, nearest
from headcount.core.files import atomic_text, is_file, is_folder, writing
from headcount.core.geometry import centres
from headcount.core.image import IMAGE_SUFFIXES, is_image_name
from headcount.core.scene import Provenance, Scene
from headcount.data.formats.folders import entries, files_below, folders_in, need_folder, wrong_folder
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
from headcount.data.parse.values import cut, head_classes, plain_name, size_wh, split_in, stated_provenance
from headcount.data.parse.xml import XML_MAX_BYTES, child_number, element_line, need_child, parse_xml

ANNOTATIONS, IMAGES, LISTS = "Annotations", "JPEGImages", "ImageSets/Main"
_SPLITS = ("train", "val", "test")
_NAME_IN_FILE = re.compile("<name>([^<]{0,200})</name>")
_ROOT_IN_FILE = re.compile(r"<annotation[\s>]")
_FILENAME_IN_FILE = re.compile("<filename>([^<]{0,1000})</filename>")
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
    ignored: Counter[str] = Counter()
    for element in _objects(root, parts=heads is not None):
        name = (element.findtext("name") or "").strip()
        if heads is not None and plain_name(name) not in heads:
            if element.tag == "object":
                ignored[name] += 1
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
        stated_size_wh=size_wh(root.findtext("size/width"), root.findtext("size/height")),
        ignored=sum(ignored.values()),
        ignored_as=ignored,
    )


def _objects(root: Element, *, parts: bool) -> Iterator[Element]:
    for element in root.iterfind("object"):
        yield element
        if parts:
            yield from element.iterfind("part")


def _point(path: Path, element: Element) -> tuple[float, float] | None:
    point = element.find("point")
    return None if point is None else (child_number(path, point, "x"), child_number(path, point, "y"))


def list_voc(root: Path) -> Listing:
    """The images and annotations of a VOC folder, or of one that LabelImg wrote, in the order of their names.

    Splits are those of the lists, where there are any: what only ``trainval`` holds is for training, what no list
    holds has no split.

    Raises:
        InputError: the layout is another; an UnreadableAnnotationError where a list is no list of names, or one image
            is listed in two splits.
    """
    need_folder(root, f"{ANNOTATIONS} and {IMAGES}")
    places = [root / name for name in (ANNOTATIONS, IMAGES)]
    if all(map(is_folder, places)) and not any(map(folders_in, places)):
        texts = map(_text_of, files_by_stem(root, ANNOTATIONS, {".xml"}).values())
        return list_voc_folder(root, heads=_head_names(_names_in(texts), root / ANNOTATIONS))
    below = files_below(root)
    names: set[str] = set()
    truths: list[Path] = []
    strays: list[Path] = []
    for path in below:
        if path.suffix.lower() == ".xml":
            text = _text_of(path)
            # What is damaged, or cannot be read, is taken for one: who reads it says so.
            is_one = not text.strip() or _ROOT_IN_FILE.search(text) is not None
            (truths if is_one else strays).append(path)
            names |= _names_in([text]) if is_one else set()
    if not truths:
        raise wrong_folder(root, [ANNOTATIONS, IMAGES], "give the folder that holds both, or images and .xml files")
    listing = _pairs_anywhere(root, truths, list(filter(is_image_name, below)), _head_names(names, root))
    remarks = [Remark("stray-file", path, "this .xml file is no annotation of an image") for path in strays]
    return Listing(listing.scenes, tuple(remarks))


def _head_names(names: Collection[str], place: Path) -> frozenset[str]:
    known = sorted(names)
    return frozenset(known[row] for row in head_classes(known, set(range(len(known))), f'"{place}"'))


def _pairs_anywhere(root: Path, truths: Sequence[Path], images: Sequence[Path], heads: Collection[str]) -> Listing:
    """Annotations and images in folders of any names."""
    by_name: dict[str, list[Path]] = {}
    for path in images:
        for key in {same_name(path.name), same_name(path.stem)}:
            by_name.setdefault(key, []).append(path)
    listed = read_lists(root, {same_name(path.stem) for path in (*truths, *images)})
    scenes: list[RawScene] = []
    taken: dict[Path, Path] = {}
    for truth in truths:
        image = _image_of(truth, root, by_name)
        if image is not None and image in taken:
            raise InputError(f'"{truth}" and "{taken[image]}" are of one image, "{image}": keep one of them.')
        if image is not None:
            taken[image] = truth
        scenes.append(_scene(root, truth, image, truth, listed, partial(read_voc_annotation, truth, heads)))
    scenes += [_scene(root, path, path, None, listed, no_annotation) for path in images if path not in taken]
    return Listing(tuple(sorted(scenes, key=lambda scene: scene.name)))


def _scene(
    root: Path, path: Path, image: Path | None, truth: Path | None, listed: Mapping[str, str],
    read: Callable[[], RawAnnotation],
) -> RawScene:  # fmt: skip
    name = path.relative_to(root)
    split = listed.get(same_name(path.stem), "") if listed else split_in(name.parts[:-1])
    title = name.as_posix() if truth is None else name.with_suffix("").as_posix()
    return RawScene(title, split, image, truth, read, group=name.parent.as_posix())


def _image_of(truth: Path, root: Path, by_name: Mapping[str, Sequence[Path]]) -> Path | None:
    found = by_name.get(same_name(truth.stem), ())
    beside = [image for image in found if image.parent == truth.parent]
    if len(beside) == 1:
        return beside[0]
    where = truth.relative_to(root).parts
    split = split_in(where[:-1])
    mirrored = [image for image in found if image.relative_to(root).parts[1:-1] == where[1:-1]]
    stated = by_name.get(same_name(re.split(r"[/\\]", _stated_name(truth))[-1]), ())
    for candidates in (beside, mirrored, found, stated):
        same = [image for image in candidates if split_in(image.relative_to(root).parts[:-1]) == split]
        for each in (same, candidates):
            if len(each) == 1:
                return each[0]
    return None


def list_voc_folder(root: Path, *, heads: Collection[str] | None) -> Listing:
    """As ``list_voc``, where it is known who is a head: objects of these names, or every object."""
    for name in (ANNOTATIONS, IMAGES):
        if not is_folder(root / name):
            raise wrong_folder(root, [ANNOTATIONS, IMAGES], "give the folder that holds both")
    truths = files_by_stem(root, ANNOTATIONS, {".xml"})
    images = files_by_stem(root, IMAGES, IMAGE_SUFFIXES)
    splits = read_lists(root, {*images, *truths})
    remarks = [] if images else [Remark("empty", root / IMAGES, "no image is in this folder")]
    for folder, known in ((ANNOTATIONS, truths), (IMAGES, images)):
        taken = set(known.values())
        for path in entries(root / folder):
            if path not in taken:
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
    for path in entries(root / folder):
        if path.suffix.lower() in suffixes:
            found.setdefault(same_name(path.stem), path)
    return found


def read_lists(root: Path, known: Collection[str]) -> dict[str, str]:
    """Names to splits, of ``ImageSets/Main/{train,val,test,trainval}.txt`` as far as they are there.

    ``known`` are the names of the images and annotations that are there: a line may hold a name with blanks, or one
    with folders and suffix.

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
            if not (name := _listed_name(text, known)):
                continue
            if split == "trainval":
                if found.setdefault(name, "train") == "test":
                    raise _listed_twice(path, line, name, "test")
            elif found.setdefault(name, split) != split:
                raise _listed_twice(path, line, name, found[name])
    return found


def _listed_name(text: str, known: Collection[str]) -> str:
    whole = same_name(text).strip().replace("\\", "/")
    alone = re.sub(r"\s+(-?1|0)$", "", whole)  # the challenge's lists of one class have 1, 0 or -1 behind a name
    forms = [form for name in (whole, alone) for form in (name, name.rpartition("/")[2])]
    forms += [PurePosixPath(form).stem for form in forms if is_image_name(Path(form)) or form.endswith(".xml")]
    return next((form for form in forms if form in known), alone)


def _listed_twice(path: Path, line: int, name: str, other: str) -> UnreadableAnnotationError:
    return UnreadableAnnotationError(
        f'"{path}", line {line}: "{cut(name)}" is in the list "{other}" too: an image belongs to one split.'
    )


def _names_in(texts: Iterable[str]) -> set[str]:
    """The names of the objects and parts in annotation files."""
    return {plain_name(unescape(name)) for text in texts for name in _NAME_IN_FILE.findall(text)}


def _stated_name(path: Path) -> str:
    found = _FILENAME_IN_FILE.search(_text_of(path))
    return unescape(found[1].strip()) if found else ""


def _text_of(path: Path) -> str:
    """The text of an annotation file, without parsing it; nothing where it cannot be read."""
    try:
        content = read_bytes(path, "annotation", max_bytes=XML_MAX_BYTES)
    except InputError:
        return ""  # who reads it says why
    try:
        return decode(content, path)
    except InputError:
        return content.decode("latin-1")  # whatever its encoding, tags are the same


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
