"""What a YOLO folder holds: the names of the classes, and the images with their splits and text files.

Four ways to say it, the first that is there:

    data.yaml                  path, train, val, test, names; as Ultralytics, Roboflow and CVAT write it
    obj.data, obj.names        train = data/train.txt, names = data/obj.names; darknet's, as CVAT's "YOLO 1.1" has it
    classes.txt                a name a line, beside images/ and labels/ as Label Studio writes it, or beside the
                               images, as LabelImg does (Roboflow's "YOLO Darknet": _darknet.labels); folders named
                               train, val or test tell the split

An image's text file stands where its path has ``labels`` for the last ``images``, else beside the image.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from headcount.core.errors import InputError, nearest
from headcount.core.files import is_file, is_folder
from headcount.core.image import is_image_name
from headcount.data.formats.folders import entries, files_below, folders_in, wrong_folder
from headcount.data.formats.raw import Remark
from headcount.data.parse.paths import MAX_NAME, Finder, FoundName, same_name
from headcount.data.parse.text import read_lines
from headcount.data.parse.values import cut, quoted, same_id, split_in, split_of
from headcount.data.parse.yaml import read_yaml

SPLITS = ("train", "val", "test")
_YAML_NAMES = ("data.yaml", "dataset.yaml", "data.yml")
_CLASSES = ("classes.txt", "_darknet.labels", "obj.names")
_KIND, _LIST = "YOLO data.yaml", "list of images"
_MAX_YAML_BYTES = _MAX_NAMES_BYTES = 2**19
_MAX_CLASS = 999_999


@dataclass(slots=True)
class YoloImage:
    """An image: its name in the set, its split, its text file (None where there is none), and how it was found."""

    name: str
    split: str
    label: Path | None = None
    found_by: str = ""


@dataclass(slots=True)
class YoloFolder:
    """A folder as its files say.

    Attributes:
        file: what names the classes.
        names: of the classes, by their number.
        keypoints: how many values of keypoints follow each box.
        images: by their path, in order.
        texts: text files in the folders of these that are of no image, and their splits; perhaps no annotations.
        remarks: what is not as the files say.
    """

    file: Path
    names: Mapping[int, str]
    keypoints: int = 0
    images: dict[Path, YoloImage] = field(default_factory=dict)
    texts: dict[Path, str] = field(default_factory=dict)
    remarks: list[Remark] = field(default_factory=list)


def find_yolo(path: Path) -> YoloFolder:
    """What is in a folder, or what the file says that describes it; images and their text files unopened.

    Raises:
        InputError: none of the files is there, or it is malformed, or nothing of what it names is there.
    """
    if is_file(path):
        if path.suffix.lower() not in (".yaml", ".yml", ".data"):
            raise InputError(f'"{path}" is no {_KIND}: name that file, or its folder.')
        file = path
    elif not is_folder(path):
        raise InputError(f'There is no folder "{path}": give the one that holds data.yaml.')
    else:
        file = _described_by(path)
    if file.suffix.lower() == ".data":
        return _of_darknet(file)
    return _of_classes(path, file) if file.name.lower() in _CLASSES else _of_yaml(file)


def label_of(image: Path) -> Path:
    """Where an image's boxes stand.

    >>> label_of(Path("set/images/train/a.b.jpg")).as_posix()
    'set/labels/train/a.b.txt'
    """
    parts = list(image.parts)
    for index in range(len(parts) - 2, -1, -1):
        if parts[index].lower() == "images":
            parts[index] = "Labels" if parts[index][0] == "I" else "labels"
            break
    return Path(*parts).with_suffix(".txt")


def _described_by(folder: Path) -> Path:
    there = [path for path in entries(folder) if is_file(path)]
    usual = [path for name in _YAML_NAMES for path in there if path.name == name]
    found = usual or [path for path in there if path.suffix.lower() in (".yaml", ".yml")]
    found = found or [path for path in there if path.suffix.lower() == ".data"]
    splits = [inner for inner in folders_in(folder) if split_of(inner.name)]
    places = [folder, folder / "labels", folder / "images", *splits]
    found = found or [path for place in places for path in entries(place) if path.name.lower() in _CLASSES][:1]
    if not found:
        advice = "it says where images are and what the classes are called (train: images/train, names: {0: head})"
        raise wrong_folder(folder, ["data.yaml", "obj.data", _CLASSES[0]], advice)
    if len(found) > 1:
        raise InputError(f'"{folder}" holds "{found[0].name}" and "{found[1].name}": name the one that is meant.')
    return found[0]


class _Labels:
    """The text files of images; each folder is listed once."""

    def __init__(self) -> None:
        self._listed = cache(self._list)
        self._taken: set[Path] = set()

    def of(self, image: Path) -> Path | None:
        usual = label_of(image)
        for place in dict.fromkeys((usual, usual.parent.parent / usual.parent.name.lower() / usual.name,
                                    image.with_suffix(".txt"))):  # fmt: skip
            names = self._listed(place.parent)
            found = names.get(place.name) or names.get(same_name(place.stem))
            if found is not None and found.name.lower() not in _CLASSES:
                self._taken.add(found)
                return found
        return None

    def of_no_image(self, images: Path) -> Iterator[Path]:
        """The text files for a folder of images whose image is not there; ask once all images are known."""
        for path in files_below(label_of(images / "any").parent):
            if path.suffix.lower() == ".txt" and path.name.lower() not in _CLASSES and path not in self._taken:
                yield path

    @staticmethod
    def _list(folder: Path) -> dict[str, Path]:
        texts = [path for path in entries(folder) if path.suffix.lower() == ".txt"]
        return {same_name(path.stem): path for path in texts} | {path.name: path for path in texts}


def _of_yaml(file: Path) -> YoloFolder:
    data = read_yaml(file, _KIND, max_bytes=_MAX_YAML_BYTES)
    found = YoloFolder(file, _names(data.get("names"), file), _keypoint_values(data, file))
    root, stated = file.parent, data.get("path")
    if isinstance(stated, str) and 0 < len(stated) <= MAX_NAME and "\0" not in stated:
        # A path of another machine leads nowhere: the file's own folder then.
        place = Finder([root]).find(stated).path
        root = place if is_folder(place) else root
    if not (splits := _stated_splits(data)):
        raise InputError(f'"{file}" names no images: "train", "val" or "test" was expected.{nearest("train", data)}')
    _add_splits(found, root, splits)
    return found


def _stated_splits(data: Mapping[str, Any]) -> dict[str, Any]:
    """What is named for each split, by any of its usual names (``val``, ``valid``)."""
    there = [key for key, value in data.items() if value not in (None, "")]
    named: dict[str, str] = {}
    for key in sorted(there, key=lambda key: key not in SPLITS):  # its own name first
        named.setdefault(split_of(key), key)
    return {split: data[named[split]] for split in SPLITS if split in named}


def _of_darknet(file: Path) -> YoloFolder:
    stated: dict[str, str] = {}
    for number, line in enumerate(read_lines(file, "YOLO obj.data", max_bytes=_MAX_YAML_BYTES), start=1):
        key, separator, value = line.partition("#")[0].partition("=")
        if not separator and key.strip():
            raise InputError(f'"{file}", line {number}: key = value was expected, got {quoted(line)}.')
        key = key.strip().lower()
        if key and stated.setdefault(key, value.strip()) != value.strip():
            raise InputError(f'"{file}", line {number}: {quoted(key)} stands there twice: give it once.')
    named = Finder([file.parent]).image(stated.get("names"), file, "names", kind="a file of class names").path
    found = YoloFolder(file, _names(_class_lines(named), named))
    lists = _stated_splits(stated)
    # Subsets of other names are of no split.
    others = [name for key, name in stated.items() if name.lower().endswith(".txt") and not split_of(key)]
    if others:
        lists[""] = others
    if not lists:
        raise InputError(f'"{file}" names no images: "train = train.txt" was expected.{nearest("train", stated)}')
    _add_splits(found, file.parent, lists)
    left = [path for path in files_below(file.parent) if is_image_name(path) and path not in found.images]
    if left:
        how_many = "1 image is" if len(left) == 1 else f"{len(left):,} images are"
        text = f"{how_many} in none of its lists, and left out: {left[0].name} for one"
        found.remarks.append(Remark("stray-file", left[0].parent, text))
    return found


def _of_classes(root: Path, file: Path) -> YoloFolder:
    found = YoloFolder(file, _names(_class_lines(file), file))
    labels = _Labels()
    for image in filter(is_image_name, files_below(root)):
        name = image.relative_to(root)
        split = split_in(name.parts[:-1])
        found.images[image] = YoloImage(name.as_posix().removeprefix("images/"), split, labels.of(image))
    for text in labels.of_no_image(root):
        found.texts[text] = split_in(text.relative_to(root).parts[:-1])
    if not found.images:
        found.remarks.append(Remark("empty", root, "no image is in this folder"))
    return found


def _add_splits(found: YoloFolder, root: Path, splits: Mapping[str, Any]) -> None:
    """The images of each split: of a folder, a list, or several of these."""
    file, labels = found.file, _Labels()
    finder = Finder([root, file.parent])
    missing: list[tuple[Path, InputError]] = []
    listed: list[tuple[Path, str]] = []
    for split, stated in splits.items():
        folders = stated if isinstance(stated, list) else [stated]
        for number, folder in enumerate(folders):
            where = f"{split or 'lists'}[{number}]" if len(folders) > 1 else split or "lists"
            if not isinstance(folder, str) or not folder or "\0" in folder or len(folder) > MAX_NAME:
                raise InputError(f'"{file}", {where}: a folder of images was expected, got {quoted(folder)}.')
            place = _folder(finder, folder, file, where)
            if place is None:
                path = Path(os.path.normpath(root / folder))
                text = f'"{file}", {where}: there is no folder "{cut(str(path), 1000)}".'
                missing.append((path, InputError(text)))
                continue
            before = len(found.images)
            for image, one in _images(place, root, split, labels):
                other = found.images.setdefault(image, one).split
                if other != split:
                    raise InputError(f'"{file}": "{image}" is in {other} and in {split}: name it in one.')
            if len(found.images) == before:
                found.remarks.append(Remark("empty", place, "no image is in this folder"))
            if is_folder(place):  # a list says what belongs to it
                listed.append((place, split))
    for place, split in listed:
        found.texts |= dict.fromkeys(labels.of_no_image(place), split)
    if missing and not found.images:
        raise missing[0][1]
    found.remarks += [
        Remark("missing-folder", path, f'"{file.name}" names this folder, but it is not there') for path, _ in missing
    ]


def _folder(finder: Finder, name: str, file: Path, where: str) -> Path | None:
    """The folder or list of a split.

    Raises:
        InputError: it is one above the file's own, and so no folder of a split, but perhaps a whole disk.
    """
    # Some tools write "../train/images" for what lies beside the file.
    for each in (name, re.sub(r"^(\.\.[/\\])+", "", name)):
        if not each:
            continue
        is_bare = not each.strip("/\\.")  # which names no file in a folder
        place = Path(os.path.normpath(finder.folders[0] / each)) if is_bare else finder.find(each).path
        if is_folder(place) and place.resolve() in file.parent.resolve().parents:
            above = cut(str(place), 200)
            raise InputError(f'"{file}", {where}: "{above}" is above the folder of this file: name a folder of images.')
        if is_folder(place) or is_file(place):
            return place
    return None


def _images(place: Path, root: Path, split: str, labels: _Labels) -> Iterator[tuple[Path, YoloImage]]:
    """The images of a folder, or of a list."""
    if is_folder(place):
        for image in filter(is_image_name, files_below(place)):
            yield image, YoloImage(_name(image, root), split, labels.of(image))
        return
    finder = Finder([place.parent, root])
    for row, line in enumerate(read_lines(place, _LIST), start=1):
        if line.strip():
            found = finder.image(line.strip(), place, f"line {row}")
            label = _label_of_missing(found, finder) if found.rule == "missing" else labels.of(found.path)
            yield found.path, YoloImage(_name(found.path, root), split, label, found.found_by)


def _label_of_missing(image: FoundName, finder: Finder) -> Path | None:
    """The text file of an image that is not there, as in exports without images."""
    for name in (label_of(Path(image.name)).as_posix(), PurePosixPath(image.name).with_suffix(".txt").as_posix()):
        if (label := finder.find(name)).rule != "missing" and is_file(label.path):
            return label.path
    return None


def _name(image: Path, root: Path) -> str:
    base = Path(os.path.normpath(root))
    inside = image.relative_to(base) if image.is_relative_to(base) else image
    return inside.as_posix().removeprefix("images/")


def _class_lines(file: Path) -> list[str]:
    lines = [line.strip() for line in read_lines(file, "list of class names", max_bytes=_MAX_NAMES_BYTES)]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def _names(names: Any, file: Path) -> dict[int, str]:
    """The names of the classes by their numbers, which need not begin at 0 and may be text."""
    names = dict(enumerate(names)) if isinstance(names, list) else names
    pairs = list(names.items()) if isinstance(names, dict) else []
    if not pairs or not all(isinstance(name, str | int) for _, name in pairs):
        raise InputError(f'"{file}", names: the names of the classes were expected, as in "names: {{0: head}}".')
    found: dict[int, str] = {}
    for key, name in pairs:
        number = same_id(key) if isinstance(key, int | float | str) else ""
        if isinstance(key, bool) or not re.fullmatch("[0-9]{1,6}", number) or int(number) in found:
            wanted = f"a number of a class, from 0 to {_MAX_CLASS:,} and each once,"
            raise InputError(f'"{file}", names: {wanted} was expected, got {quoted(key)}.')
        found[int(number)] = str(name)
    return dict(sorted(found.items()))


def _keypoint_values(data: Mapping[str, Any], file: Path) -> int:
    shape = data.get("kpt_shape")
    if shape is None:
        return 0
    if not isinstance(shape, list) or len(shape) != 2 or not all(type(one) is int and 0 < one < 1000 for one in shape):
        raise InputError(f'"{file}", kpt_shape: [number, 2 or 3] was expected, got {quoted(shape)}.')
    return int(shape[0] * shape[1])
