"""Files at addresses (``s3://``, ``gs://``, ``https://``…), through fsspec, which is imported only where one is given.

Only protocols of the table below are followed, and no chains of them: an address may come from anybody's list.
"""

from __future__ import annotations

import importlib
import io
import posixpath
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep
from typing import Any, BinaryIO, cast

from headcount.core.addresses import without_secrets
from headcount.core.errors import HeadcountError, InputError, MissingExtraError
from headcount.core.files import file_size
from headcount.core.table import is_installed
from headcount.data.manifests.waiting import AwaitedFile, awaited

FILE_BYTES_MAX = 2**30
"""No image file is larger."""

PROTOCOLS = {
    "s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "http": "aiohttp", "https": "aiohttp",
    "abfs": "adlfs", "abfss": "adlfs", "az": "adlfs", "hdfs": "pyarrow", "webhdfs": "requests",
    "sftp": "paramiko", "ssh": "paramiko", "hf": "huggingface_hub", "oss": "ossfs", "ftp": "", "memory": "",
}  # fmt: skip
"""Protocol → the package that it needs beside fsspec."""
_LINE_MAX = 2**20
_BLOCK = 2**20
_PIECE = 2**24
_WAITS_S = (0.2, 1.0)
"""Between the tries to read an address."""
_BUSY = (408, 425, 429)
"""What servers say that are asked too much or too soon."""
_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+)://(.*)", re.IGNORECASE | re.DOTALL)


def is_address(text: str) -> bool:
    """Whether a text is an address, of whatever protocol, rather than a path.

    >>> is_address("s3://bucket/a.jpg"), is_address("C:/a.jpg"), is_address("a.jpg")
    (True, False, False)
    """
    return _ADDRESS.match(text) is not None


def file_system(address: str) -> tuple[Any, str]:
    """The fsspec file system of an address, and what it calls the file.

    Raises:
        InputError: the protocol is not known, or its package is not installed.
        MissingExtraError: fsspec is not installed.
    """
    found = _ADDRESS.match(address)
    protocol = found[1].lower() if found else ""
    if protocol not in PROTOCOLS or "::" in address:
        raise InputError(
            f'"{address[:200]}" is no address that files can be read from: '
            f"expected one that begins with {', '.join(f'{name}://' for name in ('s3', 'gs', 'https', 'az'))}…"
        )
    if not is_installed("fsspec"):
        raise MissingExtraError(f"An address ({protocol}://)", "batch")
    package = PROTOCOLS[protocol]
    if package and not is_installed(package):
        raise InputError(
            f'"{address[:200]}" needs the package "{package}", which is not installed: install it (pip install '
            f"{package})."
        )
    core = importlib.import_module("fsspec.core")
    with _told(address):
        fs, path = core.url_to_fs(address)
    return fs, str(path)


@contextmanager
def open_file(place: str, *, forward: bool = False) -> Iterator[BinaryIO]:
    """A file open for its bytes, by its path or its address.

    Args:
        place: a path or an address; each read of one that gives nothing for a minute fails.
        forward: whether it is read from its begin to its end alone, which servers do that give no parts of files.

    Raises:
        InputError: it is not there, is no regular file, or cannot be read.
    """
    if not is_address(place):
        file_size(Path(place))  # says what is no regular file, which is not opened
        with _told(place), Path(place).open("rb") as file:
            yield file
        return
    fs, path = file_system(place)
    more = {"block_size": 0} if forward and place.lower().startswith("http") else {}
    with _told(place), AwaitedFile(awaited(lambda: fs.open(path, "rb", **more))) as raw:
        yield cast(BinaryIO, io.BufferedReader(raw, _BLOCK))


def read_file(place: str, *, offset: int | None = None, size: int | None = None) -> bytes:
    """The bytes of a file, or ``size`` of them from ``offset``; an address that fails is tried three times.

    Raises:
        InputError: it cannot be read, or has more than ``FILE_BYTES_MAX`` bytes.
    """
    if size is not None and size > FILE_BYTES_MAX:
        raise _too_large(place)
    for wait_s in (*_WAITS_S, None) if is_address(place) else (None,):
        try:
            return _read(place, offset, size)
        except InputError as error:
            if wait_s is None or not _may_pass(error.__cause__):
                raise
            sleep(wait_s)
    raise AssertionError("the last try returns or raises")


def _may_pass(error: BaseException | None) -> bool:
    """Whether what a server or the way to it did may be gone at another try: it is not there, and it is forbidden, is
    said for good.
    """
    if error is None or isinstance(error, FileNotFoundError | PermissionError | ValueError | TypeError):
        return False
    return not 400 <= getattr(error, "status", 0) < 500 or getattr(error, "status", 0) in _BUSY


def _read(place: str, offset: int | None, size: int | None) -> bytes:
    if is_address(place) and offset is not None and size is not None:
        data = _read_part(place, offset, size)
    else:
        with open_file(place, forward=not offset) as file:
            if offset:
                file.seek(offset)
            data = _read_most(file, FILE_BYTES_MAX + 1 if size is None else size)
    if len(data) > FILE_BYTES_MAX:
        raise _too_large(place)
    if size is not None and len(data) < size:
        raise InputError(f'"{place}" ends before the {size:,} bytes from {offset or 0:,}: copy it again.')
    return data


def _read_part(place: str, offset: int, size: int) -> bytes:
    """So many bytes of a file at an address, without opening it."""
    fs, path = file_system(place)
    pieces: list[bytes] = []
    for first in range(offset, offset + size, _PIECE):
        last = min(first + _PIECE, offset + size)
        with _told(place):
            piece = bytes(awaited(lambda first=first, last=last: fs.cat_file(path, start=first, end=last)))  # type: ignore[misc]
        if len(piece) > last - first:
            raise InputError(f'The server of "{place}" gives whole files and no parts of them: copy the file here.')
        pieces.append(piece)
    return b"".join(pieces)


def _read_most(file: BinaryIO, most: int) -> bytes:
    """What is left of a file, but no more than ``most`` bytes; no more is held than comes."""
    blocks: list[bytes] = []
    while most > 0 and (block := file.read(min(most, _BLOCK))):
        blocks.append(block)
        most -= len(block)
    return b"".join(blocks)


def _too_large(place: str) -> InputError:
    return InputError(f'"{place}" has more than the limit of {FILE_BYTES_MAX:,} bytes for an image: split it.')


@contextmanager
def _told(place: str) -> Iterator[None]:
    """What a file system says against a place, whatever it raises, as an InputError in a sentence."""
    try:
        yield
    except HeadcountError:
        raise
    except FileNotFoundError as error:
        raise InputError(f'There is no file "{place}": check the path.') from error
    except Exception as error:
        why = without_secrets(str(getattr(error, "strerror", None) or error)).strip() or type(error).__name__
        raise InputError(f'"{place}" cannot be read ({why[:300]}): check it and the way to it.') from error


def join(base: str, name: str) -> str:
    """A name in the folder of a file at an address.

    >>> join("s3://bucket/lists/a.csv", "images/1.jpg")
    's3://bucket/lists/images/1.jpg'
    """
    return posixpath.join(posixpath.dirname(base), name)


def text_lines(file: BinaryIO) -> Iterator[str]:
    """The lines of a text file of anybody, as they come: UTF-8, or UTF-16 and UTF-32 with a mark.

    Raises:
        InputError: a line is longer than a MiB.
        UnicodeDecodeError: it is no such text.
    """
    head = file.read(4)
    file.seek(0)
    encoding = "utf-8-sig"
    if head in (b"\xff\xfe\0\0", b"\0\0\xfe\xff"):
        encoding = "utf-32"
    elif head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "utf-16"
    text = io.TextIOWrapper(file, encoding=encoding)
    try:
        while line := text.readline(_LINE_MAX + 1):
            if len(line) > _LINE_MAX:
                raise InputError("a line is longer than a million signs")
            yield line.removesuffix("\n")
    finally:
        text.detach()
