"""The folder that a batch is written to, on disk or at an address: a file there is whole, or not there at all.

On disk a file is written under another name, flushed to the disk and renamed; an object store's put is whole by itself.
"""

from __future__ import annotations

import itertools
import os
import platform
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from headcount.core.errors import HeadcountError, InputError
from headcount.core.files import discard, flush_folder, rename_over, writing
from headcount.data.manifests.addresses import file_system, is_address

_numbers = itertools.count()
_DAY_S = 86_400


class Store(Protocol):
    """A folder; ``name``s are relative to it, with slashes."""

    place: str

    def read(self, name: str) -> bytes | None:
        """What a file holds; None where there is none.

        Raises:
            InputError: it cannot be read.
        """

    def put(self, name: str, data: bytes) -> None:
        """Write a file whole, in the place of one that is there.

        Raises:
            InputError: it cannot be written.
        """

    def put_new(self, name: str, data: bytes) -> bool:
        """Write a file whole where there is none; False where there is one, whoever of several writers was first.

        Raises:
            InputError: it cannot be written.
        """

    def names(self, folder: str = "") -> set[str]:
        """The names in a folder of it, none where that is not there; hidden ones are left out.

        Raises:
            InputError: it cannot be listed.
        """

    def remove(self, name: str) -> None:
        """Delete a file, if it is there and can be."""

    def clear(self) -> None:
        """Delete what writers that are dead left half-written."""

    def old_names(self, folder: str) -> set[str]:
        """Those in a folder of it that nobody has written to for a day, where that can be said."""

    def parquet_source(self) -> tuple[str, Any]:
        """The folder as pyarrow's data sets name it, and the file system it lies in (None: the local one)."""


def open_store(place: str | Path) -> Store:
    """The folder at a path or an address; it is made when something is written.

    Raises:
        InputError: the address cannot be written to, or a file lies at the path.
    """
    text = str(place)
    return AddressStore(text) if is_address(text) else DiskStore(Path(text))


class DiskStore:
    """A folder on disk, which several machines may share."""

    def __init__(self, folder: Path) -> None:
        if folder.exists() and not folder.is_dir():
            raise InputError(f'"{folder}" is a file where a folder was expected: choose another name.')
        self._folder, self.place = folder.absolute(), str(folder)

    def read(self, name: str) -> bytes | None:
        try:
            return (self._folder / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unread(self.place, name, error) from error

    def put(self, name: str, data: bytes) -> None:
        path = self._folder / name
        with writing(path), self._partial(path, data) as partial:
            rename_over(partial, path)
            flush_folder(path.parent)

    def put_new(self, name: str, data: bytes) -> bool:
        path = self._folder / name
        with writing(path), self._partial(path, data) as partial:
            try:
                os.link(partial, path)  # fails where there is one, whoever was first, also over NFS
            except FileExistsError:
                return False
            except OSError:  # a file system without links
                if not _put_exclusively(path, data):
                    return False
            flush_folder(path.parent)
        return True

    def names(self, folder: str = "") -> set[str]:
        try:
            with os.scandir(self._folder / folder) as found:
                return {entry.name for entry in found if not entry.name.startswith(".")}
        except FileNotFoundError:
            return set()
        except OSError as error:
            raise _unread(self.place, folder, error) from error

    def remove(self, name: str) -> None:
        discard(self._folder / name)

    def clear(self) -> None:
        for path in self._folder.rglob(".*.partial"):
            if _is_left(path):
                discard(path)

    def old_names(self, folder: str) -> set[str]:
        return {name for name in self.names(folder) if _is_old(self._folder / folder / name)}

    def parquet_source(self) -> tuple[str, Any]:
        return str(self._folder), None

    @contextmanager
    def _partial(self, path: Path, data: bytes) -> Iterator[Path]:
        """The data, on the disk, under a hidden name beside ``path`` that says whose it is."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{_host()}.{os.getpid()}-{next(_numbers)}.partial")
        try:
            with partial.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            yield partial
        finally:
            discard(partial)


class AddressStore:
    """A folder at an address."""

    def __init__(self, address: str) -> None:
        self.place = address.rstrip("/")
        self._fs, path = file_system(self.place)
        self._path = path.rstrip("/")
        if self.place.startswith("http"):
            raise InputError(f'"{address}" cannot be written to: name a folder of a bucket, or on disk.')

    def read(self, name: str) -> bytes | None:
        try:
            return bytes(self._fs.cat_file(f"{self._path}/{name}"))
        except FileNotFoundError:
            return None
        except Exception as error:
            raise _unread(self.place, name, error) from error

    def put(self, name: str, data: bytes) -> None:
        with self._writing(name):
            self._fs.pipe_file(f"{self._path}/{name}", data)

    def put_new(self, name: str, data: bytes) -> bool:
        path = f"{self._path}/{name}"
        with self._writing(name):
            self._fs.invalidate_cache()
            if self._fs.exists(path):
                return False
            try:
                self._fs.pipe_file(path, data, mode="create")
            except FileExistsError:
                return False
            except (TypeError, NotImplementedError) as error:
                raise InputError(
                    f'"{self.place}" cannot be written to by several machines: its file system cannot say who was '
                    "first; write to a folder on disk, or to a bucket (s3://, gs://)."
                ) from error
        return True

    def names(self, folder: str = "") -> set[str]:
        path = f"{self._path}/{folder}".rstrip("/")
        try:
            self._fs.invalidate_cache()
            found = self._fs.ls(path, detail=False)
        except FileNotFoundError:
            return set()
        except Exception as error:
            raise _unread(self.place, folder, error) from error
        below = (str(each).rstrip("/") for each in found)
        return {name for each in below if each != path and (name := each.rpartition("/")[2]) and name[0] != "."}

    def remove(self, name: str) -> None:
        with suppress(Exception):
            self._fs.rm_file(f"{self._path}/{name}")

    def clear(self) -> None:
        pass  # a put that was cut off leaves nothing

    def old_names(self, folder: str) -> set[str]:
        return set()

    def parquet_source(self) -> tuple[str, Any]:
        return self._path, self._fs

    @contextmanager
    def _writing(self, name: str) -> Iterator[None]:
        try:
            yield
        except HeadcountError:
            raise
        except Exception as error:
            raise InputError(
                f'"{self.place}/{name}" cannot be written ({str(error)[:300] or type(error).__name__}): '
                "check the way to it and what you may do there."
            ) from error


def _put_exclusively(path: Path, data: bytes) -> bool:
    try:
        with path.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        return False
    except OSError:
        discard(path)
        raise
    return True


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9-]", "-", platform.node())[:40] or "host"


def _is_left(path: Path) -> bool:
    """Whether a half-written file is that of a process that is dead: of this machine, or it is a day old."""
    found = re.fullmatch(r"\..+\.([A-Za-z0-9-]+)\.(\d+)-\d+\.partial", path.name)
    if found is None:
        return False
    if found[1] == _host() and os.name == "posix":
        return not _lives(int(found[2]))
    return _is_old(path)


def _is_old(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime > _DAY_S
    except OSError:
        return False


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def _unread(place: str, name: str, error: Exception) -> InputError:
    why = str(getattr(error, "strerror", None) or error)[:300] or type(error).__name__
    return InputError(f'"{place}/{name}" cannot be read ({why}): check it and the way to it.')
