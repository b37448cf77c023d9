"""WebDataset tars: the images in them, each known by where its bytes lie.

Nothing is unpacked, unpickled or decoded here, and no member's name becomes a path on disk: it is a text in a row.
Links, devices, folders and sparse files are left out, and so is what is no image.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from headcount.core.errors import InputError
from headcount.core.image import is_image_name
from headcount.core.image_kinds import unread_suffixes
from headcount.core.notes import Note
from headcount.core.words import plural
from headcount.data.manifests.addresses import FILE_BYTES_MAX, is_address, open_file
from headcount.data.manifests.entries import Entry, ManifestOptions, Met
from headcount.data.manifests.files import absolute
from headcount.data.media.sources import LeftAside
from headcount.data.media.video import is_video_name

_HEADER_MAX = 2**20
_NAME_MAX = 4096


def read_tar(source: str, options: ManifestOptions) -> Iterator[Met]:
    """The images in a tar, in the order in which they lie there.

    Raises:
        InputError: it cannot be read, is no plain tar, or is damaged.
    """
    del options
    address = source if is_address(source) else absolute(source)
    too_large, found = 0, False
    for member in _members(source):
        name = member.name[:_NAME_MAX]
        path = PurePosixPath(name)
        if member.size > FILE_BYTES_MAX:
            too_large += 1
        elif path.name.startswith("._"):
            continue
        elif is_image_name(Path(path)):
            found = True
            yield Entry(address, name, member.offset_data, member.size)
        elif is_video_name(Path(path)):
            yield LeftAside(Path(path.name), "video")
        elif (kind := unread_suffixes().get(path.suffix.lower())) is not None:
            yield LeftAside(Path(path.name), kind)
    if too_large:
        yield Note(f'"{source}" has {plural(too_large, "member")} of more than {FILE_BYTES_MAX:,} bytes, left out.')
    if not found:
        raise InputError(f'The tar "{source}" holds no image.')


@lru_cache(maxsize=8)
def members_of(source: str) -> dict[str, tuple[int, int]]:
    """The images in a tar: name → where its bytes begin, and how many there are; of one name the first.

    Raises:
        InputError: as ``read_tar``.
    """
    found: dict[str, tuple[int, int]] = {}
    for met in read_tar(source, ManifestOptions()):
        if isinstance(met, Entry) and met.offset is not None and met.size is not None:
            found.setdefault(met.member, (met.offset, met.size))
    return found


def _members(source: str) -> Iterator[tarfile.TarInfo]:
    """The regular files in a tar; only one header is held at a time."""
    with open_file(source) as file:
        try:
            with tarfile.open(fileobj=cast(BinaryIO, _Headers(file)), mode="r:", errorlevel=0) as tar:
                end = 0
                while (member := tar.next()) is not None:
                    tar.members = []  # type: ignore[attr-defined]  # it would keep all of them
                    if member.offset_data < end or member.size < 0:
                        raise InputError(f'The tar "{source}" is damaged: a member begins inside the one before.')
                    end = member.offset_data + (member.size if member.isreg() else 0)
                    if member.isreg() and not member.issparse():
                        yield member
        except (tarfile.TarError, EOFError, ValueError, OverflowError, OSError) as error:
            raise InputError(
                f'"{source}" is damaged, or no plain tar ({str(error)[:200]}): unpack one that is compressed, or copy '
                "it again."
            ) from error


class _Headers:
    """A file of which only headers are read: one that says it is large is a trap."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _HEADER_MAX:
            raise tarfile.ReadError(f"a header of {size:,} bytes")
        return self._file.read(size)
