"""Where a converted data set's files go: names that do not meet, links and copies that overwrite nothing unasked."""

from __future__ import annotations

import errno
import os
import re
import shutil
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from headcount.core.errors import InputError
from headcount.core.files import discard, is_folder, partial_beside, writing
from headcount.core.image import VideoFrame, is_image_name, read_header
from headcount.core.locks import lock_of
from headcount.core.scene import LazyScenes, Scene
from headcount.data.parse.paths import relative

_LONGEST_BYTES = 200
_NO_PLACE_AT_ALL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES)


def image_of(scene: Scene) -> Path:
    """The image's file.

    Raises:
        InputError: the scene holds pixels and no file, or is a frame of a video.
    """
    if isinstance(scene.image, VideoFrame):
        raise InputError(f'"{scene.image}" is a frame of a video and no file: save the frame as an image first.')
    if not isinstance(scene.image, Path):
        raise InputError(f'The scene "{scene.name}" holds pixels and no file: save its image first.')
    return scene.image


def place_names(
    scenes: Sequence[Scene], splits: Sequence[str] = (), *, avoid: Iterable[str] = (), flat: bool = False
) -> list[str]:
    """Where each scene's files go below their folder, without suffix: ``SPLIT/FOLDERS/NAME``, no two the same.

    The name is the scene's own, less its data set and its split, without ``..``, without folders named as in
    ``avoid``; ``flat`` ones have no folders and no spaces. Names that file systems take for the same (A and a) are told
    apart by a number.

    >>> from pathlib import Path
    >>> scenes = [Scene(Path("x.jpg"), name=name, source="set") for name in ("set/train/a", "b/../A.jpg", "set/a.png")]
    >>> place_names(scenes, ["train", "train", ""])
    ['train/a', 'train/b/A', 'a']
    >>> place_names(scenes)
    ['train/a', 'b/A', 'a']
    """
    taken: set[str] = set()
    names = []
    avoided = {".", "..", "/", *avoid}
    for scene, split in zip(scenes, splits or [""] * len(scenes), strict=True):
        image = image_of(scene)
        name = scene.name.removeprefix(f"{scene.source}/") if scene.source else scene.name
        path = PurePosixPath(name or image.name)
        if is_image_name(Path(path.name)):
            path = path.with_suffix("")
        parts = [short for part in path.parts if part not in avoided and (short := _short(part))] or ["image"]
        if split and parts[0] == split and len(parts) > 1:
            del parts[0]
        wanted = "/".join([split] * bool(split) + parts)
        if flat:
            wanted = re.sub(r"[\s/]+", "_", wanted).lstrip(".") or "image"
        name, number = wanted, 1
        while (key := unicodedata.normalize("NFC", name).casefold()) in taken:
            number += 1
            name = f"{wanted}-{number}"
        taken.add(key)
        names.append(name)
    return names


def _short(part: str) -> str:
    # A file system takes 255 bytes; a suffix and a number are still to come.
    part = part.replace("\\", "_").replace(":", "_")
    return part.encode("utf-8", "ignore")[:_LONGEST_BYTES].decode("utf-8", "ignore")


def image_suffix(image: Path) -> str:
    """The suffix that makes the image known as one: its own, or where that is none of an image, its format's."""
    return image.suffix if is_image_name(image) else f".{read_header(image).format.lower()}"


def refuse_taken_files(paths: Iterable[Path], *, overwrite: bool) -> None:
    """
    Raises:
        InputError: one of the files exists and ``overwrite`` is False, or is a folder.
    """
    for path in paths:
        with writing(path):
            if is_folder(path):
                raise InputError(f'"{path}" is a folder where a file is to be written: choose another place.')
            if (path.exists() or path.is_symlink()) and not overwrite:
                raise InputError(f'"{path}" exists already: choose another place.', remedy="overwrite")


def refuse_filled(folder: Path, *, overwrite: bool) -> None:
    """
    Raises:
        InputError: it is a file, or holds something and ``overwrite`` is False.
    """
    with writing(folder):
        if folder.exists() and not folder.is_dir():
            raise InputError(f'"{folder}" is a file, but this format is a folder of files: name a folder.')
        if not overwrite and folder.exists() and any(each.name != lock_of(folder).name for each in folder.iterdir()):
            raise InputError(f'"{folder}" holds files already: name a new folder.', remedy="overwrite")


def written_names(scenes: Iterable[Scene], folder: Path) -> list[str]:
    """How the images of scenes are named in a file of ``folder``: relative to it, with forward slashes.

    Raises:
        InputError: a scene holds pixels and no file, or two are of one image.
    """
    names: dict[str, None] = {}
    for scene in scenes:
        name = relative(image_of(scene), folder)
        if name in names:
            raise InputError(f'Two scenes are of the image "{name}": give each image once.')
        names[name] = None
    return list(names)


def copied(
    scenes: Sequence[Scene], folder: Path, names: Sequence[str] = (), *, overwrite: bool = False
) -> Sequence[Scene]:  # fmt: skip
    """The scenes, their images copied into a folder under ``names`` (those of ``place_names``).

    Raises:
        InputError: one of them would overwrite a file and ``overwrite`` is False: none is copied then.
    """
    images = [image_of(scene) for scene in scenes]
    names = names or place_names(scenes)
    places = [folder / f"{name}{image_suffix(image)}" for name, image in zip(names, images, strict=True)]
    refuse_taken_files(places, overwrite=overwrite)
    for image, place in zip(images, places, strict=True):
        put_image(image, place, copy=True)
    return LazyScenes(len(places), lambda index: replace(scenes[index], image=places[index]))


def same_place(one: Path, other: Path) -> bool:
    """Whether two paths lead to one file."""
    try:
        return one.samefile(other)
    except OSError:
        return False


def put_image(image: Path, place: Path, *, copy: bool) -> None:
    """Make the image be found at ``place``: as a copy, or as a link to it.

    What lay there is replaced, if it is another. A link that lies there is itself replaced; the file that it
    leads to stays as it is.

    Raises:
        InputError: it cannot be written, or no links can be made here.
    """
    if same_place(image, place) and not (copy and place.is_symlink()):
        return
    with writing(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        beside, _ = partial_beside(place.parent.resolve() / f"new{place.suffix}")
        try:
            if copy:
                shutil.copyfile(image, beside)
            else:
                _link(image, beside)
            beside.replace(place)
        finally:
            discard(beside)


def _link(image: Path, beside: Path) -> None:
    try:
        beside.symlink_to(os.path.relpath(image.resolve(), beside.parent))
    except (OSError, NotImplementedError, ValueError) as error:
        # No links here, or another drive. Where the place is full or closed, a copy would not help either.
        if isinstance(error, OSError) and error.errno in _NO_PLACE_AT_ALL:
            raise
        raise InputError(
            f'No link to "{image}" can be made in "{beside.parent}" ({error}): copy the images.',
            remedy="copy_images",
        ) from error
