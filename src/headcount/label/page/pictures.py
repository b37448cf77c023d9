"""The images of a folder as the page sees them: their list, why one cannot be shown, and tiles at every zoom.

Level 0 is the image as it is; each next level is half as large. Tile (column, row) of a level is its pixels from
(512 · column, 512 · row). A level's sides are rounded up, the outermost pixels repeated, so that a pixel (i, j) of
level l covers exactly the square from (i · 2ˡ, j · 2ˡ) of the image.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from headcount.core.errors import InputError
from headcount.core.image import RgbImage, is_image_name, read_header, read_image
from headcount.core.image_kinds import unread_suffixes
from headcount.core.limits import DEFAULT_MAX_PIXELS
from headcount.data.media.folders import folders_below, list_folder

TILE_PX = 512
BLOCK_PX = 1024
"""About the side of a block, by which progress on a large image is told."""
_JPEG = [cv2.IMWRITE_JPEG_QUALITY, 92, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
_SMALLEST_LEVEL_PX = 256
Key = TypeVar("Key")
Value = TypeVar("Value")


def image_names(folder: Path, *, recursive: bool = False) -> list[str]:
    """The image files of a folder by their names below it, with forward slashes, in natural order; none is opened.

    Kinds of images that are not read are among them: whoever looks for them is told why they cannot be shown.

    Raises:
        InputError: there is no such folder, it cannot be read, or holds no image.
    """
    if not folder.is_dir():
        raise InputError(f'There is no folder "{folder}": name the one that the images are in.')
    names = []
    for each in folders_below(folder) if recursive else [folder]:
        if isinstance(each, InputError):
            continue
        for path in list_folder(each):
            is_image = is_image_name(path) or path.suffix.lower() in unread_suffixes()
            if is_image and not path.name.startswith("."):
                names.append(path.relative_to(folder).as_posix())
    if not names:
        raise InputError(f'The folder "{folder}" holds no image: name the one that the images are in.')
    return names


class ReplacedError(InputError):
    """A picture whose file is not the one any more that was asked for."""

    def __init__(self) -> None:
        super().__init__("This picture's file was replaced since it was opened: open it anew.")


NO_UTF8 = "Its name is no UTF-8: rename the file."


def kept_names(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Names that the database and the page can hold; and the others, which are not UTF-8, as they can be shown.

    >>> kept_names(["a.jpg", "b\\udcff.jpg"])
    (['a.jpg'], ['b\\\\xff.jpg'])
    """
    pairs = [(name, shown_name(name)) for name in names]
    return [name for name, shown in pairs if name == shown], [shown for name, shown in pairs if name != shown]


def shown_name(name: str) -> str:
    """A file's name as text that everything can hold: bytes of it that are no UTF-8 are written as \\xff."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


@dataclass(frozen=True, slots=True)
class Looked:
    """What an image's file says of itself: its size, or why it cannot be shown. ``version`` changes with the file."""

    size_wh: tuple[int, int] = (0, 0)
    problem: str = ""
    version: str = ""


class Pictures:
    """Reads the images of a folder for the page, in bounded memory; several threads may use it at once.

    Args:
        folder: where they are.
        names: their names below it; an image is named by its place in this list, never by a path.
        cache_bytes: how much of decoded images is kept; the last one is, however large.
    """

    def __init__(
        self,
        folder: Path,
        names: Sequence[str],
        *,
        max_pixels: int = DEFAULT_MAX_PIXELS,
        cache_bytes: int = 900_000_000,
        tile_bytes: int = 100_000_000,
    ) -> None:
        self.folder, self.names, self.max_pixels = folder, tuple(names), max_pixels
        self._looked: dict[int, Looked] = {}
        self._lock, self._decoding = threading.Lock(), threading.Lock()
        self._pyramids: _Cache[tuple[int, str], list[RgbImage]] = _Cache(cache_bytes)
        self._tiles: _Cache[tuple[int, str, int, int, int], bytes] = _Cache(tile_bytes)

    def path(self, index: int) -> Path:
        """The file of an image."""
        return self.folder / self.names[index]

    def seen(self, index: int) -> Looked | None:
        """What is known of an image already; nothing is opened."""
        return self._looked.get(index)

    def look(self, index: int, *, anew: bool = False) -> Looked:
        """What an image's header says; nothing is raised. ``anew``: its file may have changed since."""
        known = self._looked.get(index)
        if known is not None and not anew:
            return known
        path, version = self.path(index), ""
        try:
            status = path.stat()
            version = f"{status.st_mtime_ns:x}-{status.st_size:x}"
            if known is not None and known.version == version:
                return known
            header = read_header(path)
            looked = Looked(header.size_wh, "", version)
            if header.pixels > self.max_pixels:
                width, height = header.size_wh
                looked = Looked(
                    problem=f"It has {width}×{height} = {header.pixels:,} pixels, over the limit of "
                    f"{self.max_pixels:,}: shrink it.",
                    version=version,
                )
        except OSError as error:
            looked = Looked(problem=f"It cannot be read ({error.strerror or error}): check the file.")
        except InputError as error:
            looked = Looked(problem=self._without_path(error.message, path), version=version)
        self._looked[index] = looked
        return looked

    def fail(self, index: int, problem: str) -> None:
        """Note why an image cannot be shown, which its header did not tell; it holds until the file changes."""
        known = self._looked.get(index)
        version = known.version if known is not None else ""
        self._looked[index] = Looked(problem=self._without_path(problem, self.path(index)), version=version)

    def _without_path(self, text: str, path: Path) -> str:
        """A sentence that names an image by its name below the folder: whoever looks need not know where that lies."""
        return text.replace(str(path), path.name)

    def levels(self, size_wh: tuple[int, int]) -> int:
        """How many levels an image of this size has."""
        levels = 1
        while max(size_wh) >> (levels - 1) > _SMALLEST_LEVEL_PX:
            levels += 1
        return levels

    def tile(self, index: int, level: int, column: int, row: int, *, version: str = "") -> bytes | None:
        """One tile as JPEG; None where the image has none there. ``version``: of this file and no other.

        Raises:
            InputError: the image cannot be read; ReplacedError: its file is another one now.
        """
        looked = self.look(index, anew=True)
        if looked.problem:
            raise InputError(looked.problem)
        if version and version != looked.version:
            raise ReplacedError
        width, height = (-(-side // 2**level) for side in looked.size_wh)
        x, y = column * TILE_PX, row * TILE_PX
        if not (0 <= level < self.levels(looked.size_wh) and 0 <= x < width and 0 <= y < height):
            return None
        key = (index, looked.version, level, column, row)
        with self._lock:
            found = self._tiles.get(key)
        if found is not None:
            return found
        pixels = self._pyramid(index, looked)[level][y : y + TILE_PX, x : x + TILE_PX]
        content = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), _JPEG)[1].tobytes()
        with self._lock:
            self._tiles.put(key, content, len(content))
        return content

    def _pyramid(self, index: int, looked: Looked) -> list[RgbImage]:
        """All levels of an image; one image is decoded at a time, since each may take hundreds of megabytes."""
        key = (index, looked.version)
        with self._lock:
            found = self._pyramids.get(key)
        if found is not None:
            return found
        with self._decoding:
            with self._lock:
                found = self._pyramids.get(key)
            if found is not None:
                return found
            try:
                levels = [read_image(self.path(index), max_pixels=self.max_pixels)]
            except InputError as error:
                self.fail(index, error.message)
                raise InputError(self.look(index).problem) from error
            if self.look(index, anew=True).version != looked.version:  # replaced while it was read
                raise ReplacedError
            for _ in range(1, self.levels(looked.size_wh)):
                levels.append(halved(levels[-1]))
            with self._lock:
                self._pyramids.put(key, levels, sum(each.nbytes for each in levels))
            return levels


def halved(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(⌈h/2⌉, ⌈w/2⌉, 3): each pixel the mean of four; an odd last row or column is repeated.

    >>> halved(np.array([[[0], [100], [50]]], np.uint8))[..., 0].tolist()
    [[50, 50]]
    """
    height, width = pixels.shape[:2]
    if height % 2 or width % 2:
        pixels = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    small = cv2.resize(pixels, (pixels.shape[1] // 2, pixels.shape[0] // 2), interpolation=cv2.INTER_AREA)
    return np.asarray(small.reshape(*small.shape[:2], -1), np.uint8)


def blocks_of(size_wh: tuple[int, int]) -> tuple[int, int]:
    """(columns, rows) of the equal blocks of an image; 1, 1 where it is no larger than is labelled in one go.

    >>> blocks_of((4000, 3000)), blocks_of((1920, 1080)), blocks_of((2600, 500))
    ((4, 3), (1, 1), (3, 1))
    """
    if max(size_wh) <= 2 * BLOCK_PX:
        return 1, 1
    columns, rows = (max(1, round(side / BLOCK_PX)) for side in size_wh)
    return columns, rows


class _Cache(Generic[Key, Value]):
    """What was used last, up to so many bytes; the last one always."""

    def __init__(self, most: int) -> None:
        self._most, self._held = most, 0
        self._kept: OrderedDict[Key, tuple[Value, int]] = OrderedDict()

    def get(self, key: Key) -> Value | None:
        found = self._kept.get(key)
        if found is None:
            return None
        self._kept.move_to_end(key)
        return found[0]

    def put(self, key: Key, value: Value, size: int) -> None:
        if key in self._kept:
            return
        self._kept[key] = (value, size)
        self._held += size
        while self._held > self._most and len(self._kept) > 1:
            self._held -= self._kept.popitem(last=False)[1][1]
