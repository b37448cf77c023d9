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
from typing import Any, BinaryIO, cast

from headcount.core.addresses import without_secrets
from headcount.core.errors import HeadcountError, InputError, MissingExtraError
from headcount.core.files import file_size
from headcount.core.table import is_installed

FILE_BYTES_MAX = 2**30
"""No image file is larger."""

PROTOCOLS = {
    "s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "http": "aiohttp", "https": "aiohttp",
    "abfs": "adlfs", "abfss": "adlfs", "az": "adlfs", "hdfs": "pyarrow", "webhdfs": "requests",
    "sftp": "paramiko", "ssh": "paramiko", "hf": "huggingface_hub", "oss": "ossfs", "ftp": "", "memory": "",
}  # fmt: skip
"""Protocol → the package that it needs beside fsspec."""
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
def open_file(place: str) -> Iterator[BinaryIO]:
    """A file open for its bytes, by its path or its address.

    Raises:
        InputError: it is not there, is no regular file, or cannot be read.
    """
    if not is_address(place):
        file_size(Path(place))  # says what is no regular file, which is not opened
        with _told(place), Path(place).open("rb") as file:
            yield file
        return
    fs, path = file_system(place)
    with _told(place), fs.open(path, "rb") as file:
        yield cast(BinaryIO, file)


def read_file(place: str, *, offset: int | None = None, size: int | None = None) -> bytes:
    """The bytes of a file, or ``size`` of them from ``offset``; an address that fails is tried three times.

    Raises:
        InputError: it cannot be read, or has more than ``FILE_BYTES_MAX`` bytes.
    """
    if size is not None and size > FILE_BYTES_MAX:
        raise _too_large(place)
    for last in (False, False, True) if is_address(place) else (True,):
        try:
            return _read(place, offset, size)
        except InputError as error:
            if last or not isinstance(error.__cause__, OSError) or isinstance(error.__cause__, FileNotFoundError):
                raise
    raise AssertionError("the last try returns or raises")


def _read(place: str, offset: int | None, size: int | None) -> bytes:
    if is_address(place) and offset is not None and size is not None:
        fs, path = file_system(place)
        with _told(place):
            data = bytes(fs.cat_file(path, start=offset, end=offset + size))
    else:
        with open_file(place) as file:
            if offset:
                file.seek(offset)
            data = file.read(FILE_BYTES_MAX + 1 if size is None else size)
    if len(data) > FILE_BYTES_MAX:
        raise _too_large(place)
    if size is not None and len(data) < size:
        raise InputError(f'"{place}" ends before the {size:,} bytes from {offset or 0:,}: copy it again.')
    return data


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


_LINE_MAX = 2**20
