"""MAT files, read safely: the one door through which `.mat` annotations come in.

A file is walked through before scipy sees any of it: every tag, size and class, of every variable, compressed ones
unpacked within a bound. What scipy then reads is a copy of the variables asked for, in which every count fits its data.
So a damaged or hostile file is one sentence, and never a crash, a full memory or an object brought to life.

- Versions 5 to 7 (MATLAB's ``-v6`` and ``-v7``, Octave, scipy), either byte order.
- Version 7.3 is HDF5: arrays of numbers are read by h5py, which an extra brings.
- Objects, function handles, Java objects: the file is refused, whichever variable holds them.

Layout: "MAT-File Format", MathWorks, chapter 1, "Level 5 MAT-File Format".
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import import_module
from io import BytesIO
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headcount.core.errors import InputError, MissingExtraError, nearest
from headcount.core.hdf5 import HDF5_BEGINNING, plain_dataset
from headcount.core.table import is_installed
from headcount.data.parse.text import read_bytes
from headcount.data.parse.values import LARGEST_PX, cut

MAT_MAX_BYTES = 2**27
"""Larger files, and files that unpack to more than this, hold no annotations: 128 MiB are 8 million points."""
MAT_MAX_MEMBERS = 500_000
"""More cells, fields of structures and variables are no annotations: 8 bytes each in the file, 200 once read."""
MAT_MAX_ROWS = 1_000_000
"""More heads are in no image, fifty times those of the fullest published one; a small file can unpack to them."""
HDF5_EXTRA = "train"
"""The extra that brings h5py, which reads version 7.3."""
_DEEPEST = 32
_MOST_DIMENSIONS = 32

_CELL, _STRUCT, _CHAR, _SPARSE = 1, 2, 4, 5
_NUMBERS = range(6, 16)
_REFUSED = {3: "an object", 16: "a function handle", 17: "an object (of a class, a table, a string or Java)"}
_INT8, _INT32, _UINT32, _MATRIX, _COMPRESSED = 1, 5, 6, 14, 15
_ITEM_BYTES = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 9: 8, 12: 8, 13: 8, 16: 1, 17: 2, 18: 4}
_COMPLEX = 0x0800


def read_members(path: Path, keys: Sequence[str], *, optional: Sequence[str] = ()) -> dict[str, NDArray[Any]]:
    """What a MAT file holds under ``keys``: variables (``annPoints``) and members of structures (``a.b``).

    1×1 cells on the way are looked through. An ``optional`` key that is not there is left out of the result.

    Raises:
        InputError: the file is missing, damaged, of another version, too large, or holds objects or functions; or it
            lacks a key. File and key are named.
    """
    wanted = {key.split(".")[0] for key in (*keys, *optional)}
    values = _read_variables(path, wanted)
    found = {}
    for key in (*keys, *optional):
        try:
            found[key] = _member(values, key, path)
        except _MissingKeyError:
            if key in keys:
                raise
    return found


def as_rows(value: NDArray[Any], columns: int, path: Path, key: str) -> NDArray[np.float64]:
    """(n, columns) float64 of a matrix of real numbers as written; one without entries, of any shape, is no rows.

    NaN and infinite values pass: whoever knows the image tells of them. ``row_names`` are their places.

    Raises:
        InputError: another shape, text or cells, too many rows, or a number that lies in no image.
    """
    if value.dtype.kind in "iuf" and value.size == 0:
        return np.zeros((0, columns))
    if value.dtype.kind not in "iuf" or value.ndim != 2 or value.shape[1] != columns:
        what = {"U": "text", "S": "text", "O": "cells", "V": "a structure", "c": "complex numbers", "b": "yes and no"}
        found = what.get(value.dtype.kind, "numbers")
        size = "×".join(map(str, value.shape))
        raise InputError(f'"{path}", {key}: n×{columns} real numbers were expected, but this is {size} {found}.')
    if len(value) > MAT_MAX_ROWS:
        raise InputError(f'"{path}", {key}: {len(value):,} rows are more heads than an image shows ({MAT_MAX_ROWS:,}).')
    rows = value.astype(np.float64)
    absurd = np.argwhere(np.isfinite(rows) & (np.abs(rows) > LARGEST_PX))
    if len(absurd):
        row, column = absurd[0].tolist()
        raise InputError(f'"{path}", {key} row {row + 1}: {rows[row, column]:g} lies in no image.')
    return rows


def as_column(value: NDArray[Any], path: Path, key: str) -> NDArray[np.float64]:
    """(n,) float64 of a row or a column of real numbers.

    Raises:
        InputError: as ``as_rows``.
    """
    return as_rows(value.reshape(-1, 1) if 1 in value.shape else value, 1, path, key)[:, 0]


def row_names(key: str, rows: int) -> tuple[str, ...]:
    """The places of a matrix's rows, counted from 1 as MATLAB does, for messages.

    >>> row_names("annPoints", 2)
    ('annPoints row 1', 'annPoints row 2')
    """
    return tuple(f"{key} row {row + 1}" for row in range(rows))


class _MissingKeyError(InputError):
    """The file is sound and lacks a key."""


def _member(values: dict[str, NDArray[Any]], key: str, path: Path) -> NDArray[Any]:
    first, *rest = key.split(".")
    if first not in values:
        raise _missing(path, first, list(values), "")
    value = _look_through(values[first])
    for depth, name in enumerate(rest, start=1):
        place = ".".join(key.split(".")[:depth])
        names = value.dtype.names or ()
        if value.size != 1 or not names:
            raise InputError(f'"{path}", {place}: a structure with {name} was expected, but this is none.')
        if name not in names:
            raise _missing(path, name, list(names), f", {place}")
        value = _look_through(value[name])
    return value


def _look_through(value: NDArray[Any]) -> NDArray[Any]:
    for _ in range(_DEEPEST):
        if value.dtype != np.object_ or value.size != 1:
            break
        value = np.asarray(value.flat[0])
    return value


def _missing(path: Path, name: str, known: list[str], place: str) -> _MissingKeyError:
    held = cut(", ".join(sorted(known))) or "nothing"
    hint = nearest(name, known)
    hint = hint if hint.startswith(" Did") else ""
    return _MissingKeyError(f'"{path}"{place} holds {held}, but {name} was expected.{hint}')


def _read_variables(path: Path, wanted: set[str]) -> dict[str, NDArray[Any]]:
    """The wanted variables; those that are not wanted, but there, as empty arrays, for their names."""
    content = read_bytes(path, "MAT file of annotations", max_bytes=MAT_MAX_BYTES)
    if content[:8] == HDF5_BEGINNING or content[512:520] == HDF5_BEGINNING:
        return _read_hdf5(path, wanted)
    header, order = content[:128], {b"IM": "<", b"MI": ">"}.get(content[126:128], "")
    if len(header) < 128 or not order or struct.unpack_from(order + "H", header, 124)[0] != 0x0100:
        raise InputError(f'"{path}" is no MAT file of version 5 to 7: save it in MATLAB with the option -v7.')
    variables = _Walk(path, order).variables(content)
    # The offset of a subsystem's data, of which there is none in what was accepted, is blanked.
    clean = header[:116] + b" " * 8 + header[124:]
    clean += b"".join(element for name, element in variables.items() if name in wanted)
    from scipy.io import loadmat  # 0.1 s to import, and only the readers need it

    try:
        stream: Any = BytesIO(clean)  # an open file is as good as a path, though scipy's types say otherwise
        read = loadmat(stream) if wanted & variables.keys() else {}
    except Exception as error:  # scipy raises a dozen kinds on a damaged file
        raise InputError(f'"{path}" is damaged: {cut(str(error)) or type(error).__name__}.') from error
    return {name: np.asarray(read[name]) if name in read else np.zeros(0) for name in variables}


@dataclass(slots=True)
class _Walk:
    """One walk through a file of version 5 to 7: every element is inside the one that holds it."""

    path: Path
    order: str
    left: int = field(default=MAT_MAX_BYTES)
    members: int = field(default=0)

    def variables(self, content: bytes) -> dict[str, bytes]:
        """Each variable by its name: its whole element, unpacked.

        Raises:
            InputError: the file is damaged, too large unpacked, or holds what is refused.
        """
        found: dict[str, bytes] = {}
        at = 128
        while len(content) - at >= 8:
            self.count(1)
            kind, size = struct.unpack_from(self.order + "II", content, at)
            if size > len(content) - at - 8:
                raise self.damaged(f"it is cut short after {len(content):,} bytes")
            element = content[at : at + 8 + size]
            at += 8 + size
            if kind == _COMPRESSED:
                element = self.unpack(element[8:])
            name = self.variable(element)
            if name in found:
                raise self.damaged(f'there are two variables "{cut(name)}"')
            found[name] = element
        if content[at:].strip(b"\0"):
            raise self.damaged(f"it is cut short after {len(content):,} bytes")
        return found

    def count(self, members: int) -> None:
        self.members += members
        if self.members > MAT_MAX_MEMBERS:
            raise InputError(
                f'"{self.path}" holds over {MAT_MAX_MEMBERS:,} cells and fields: these are no annotations.'
            )

    def unpack(self, packed: bytes) -> bytes:
        unpacker = zlib.decompressobj()
        try:
            element = unpacker.decompress(packed, self.left + 1)
        except zlib.error as error:
            raise self.damaged("a compressed variable cannot be unpacked") from error
        self.left -= len(element)
        if self.left < 0:
            raise InputError(f'"{self.path}" unpacks to over {MAT_MAX_BYTES:,} bytes: these are no annotations.')
        if not unpacker.eof:
            raise self.damaged("a compressed variable is cut short")
        return element

    def variable(self, element: bytes) -> str:
        """The name of a variable that is sound."""
        if len(element) < 8 or struct.unpack_from(self.order + "I", element)[0] != _MATRIX:
            raise self.damaged("there is something other than variables")
        end = 8 + int(struct.unpack_from(self.order + "I", element, 4)[0])
        if end != len(element):
            raise self.damaged("a variable is cut short")
        name, at = self.matrix(element, 8, end, "", depth=0)
        if at != end:
            raise self.damaged(f"the variable {cut(name)} is larger than what it holds")
        if not name:  # where MATLAB keeps the workspaces of functions and the contents of objects
            raise self.refused("", "functions or objects")
        return name

    def matrix(self, data: bytes, at: int, end: int, place: str, *, depth: int) -> tuple[str, int]:
        """The name of the array that begins at ``at``, behind its tag, and where it ends."""
        kind, flags = self.need(data, at, end, "IIII")[0:3:2]
        group = flags & 0xFF
        # Opaque objects have no dimensions, but a name at once.
        name = "" if group == 17 and depth else self.name_of(data, at, end, opaque=group == 17)
        place = f"{place}{name}" if not depth else place
        if group in _REFUSED:
            raise self.refused(place, _REFUSED[group])
        if kind != _UINT32 or depth > _DEEPEST:
            raise self.damaged(f"{cut(place) or 'a variable'} is nested too deeply or has no flags")
        kind, start, size, at = self.element(data, at + 16, end)
        dimensions = struct.unpack_from(f"{self.order}{size // 4}i", data, start)
        if kind != _INT32 or size % 4 or not 2 <= len(dimensions) <= _MOST_DIMENSIONS or min(dimensions) < 0:
            raise self.damaged(f"{cut(place) or 'a variable'} has no dimensions")
        count = prod(dimensions)
        _, _, _, at = self.element(data, at, end)  # the name
        if group in _NUMBERS:
            for _ in range(2 if flags & _COMPLEX else 1):
                at = self.numbers(data, at, end, count, place, exact=True)
        elif group == _CHAR:
            at = self.numbers(data, at, end, count, place, exact=False)
        elif group == _CELL:
            at = self.matrices(data, at, end, count, [place] if count == 1 else [], depth)
        elif group == _STRUCT:
            names, at = self.field_names(data, at, end, place)
            self.count(count)  # an array of structures without fields takes no room in the file
            at = self.matrices(data, at, end, count * len(names), [f"{place}.{each}" for each in names], depth)
        else:
            text = "a sparse matrix: save it as a full one" if group == _SPARSE else f"of the unknown class {group}"
            raise InputError(f'"{self.path}", {cut(place)}: this is {text}.')
        return name, at

    def name_of(self, data: bytes, at: int, end: int, *, opaque: bool) -> str:
        at += 16
        if not opaque:
            _, _, _, at = self.element(data, at, end)
        kind, start, size, _ = self.element(data, at, end)
        if kind not in (_INT8, 16):
            raise self.damaged("a variable has no name")
        return data[start : start + size].decode("latin-1")

    def matrices(self, data: bytes, at: int, end: int, count: int, places: list[str], depth: int) -> int:
        """Past ``count`` arrays, each with its tag."""
        if count > (end - at) // 8:
            raise self.damaged(f"{count:,} members are stated, and there is no room for them")
        self.count(count)
        for index in range(count):
            kind, size = self.need(data, at, end, "II")
            start = at + 8
            if kind != _MATRIX or size > end - start:
                raise self.damaged(f"{cut(places[0]) if places else 'a cell'} is cut short")
            at = start + size
            if size:
                place = places[index % len(places)] if places else f"cell {index + 1}"
                _, after = self.matrix(data, start, at, place, depth=depth + 1)
                if after != at:
                    raise self.damaged(f"{cut(place)} is larger than what it holds")
        return at

    def field_names(self, data: bytes, at: int, end: int, place: str) -> tuple[list[str], int]:
        kind, start, size, at = self.element(data, at, end)
        length = struct.unpack_from(self.order + "i", data, start)[0] if (kind, size) == (_INT32, 4) else 0
        kind, start, size, at = self.element(data, at, end)
        if length < 1 or kind != _INT8 or size % length:
            raise self.damaged(f"the structure {cut(place)} has no names")
        self.count(size // length)
        names = [data[start + i : start + i + length].split(b"\0")[0].decode("latin-1") for i in range(0, size, length)]
        return names, at

    def numbers(self, data: bytes, at: int, end: int, count: int, place: str, *, exact: bool) -> int:
        kind, _, size, at = self.element(data, at, end)
        item = _ITEM_BYTES.get(kind, 0)
        if not item or (size != count * item if exact else size < count):
            raise self.damaged(f"{cut(place) or 'an array'} states {count:,} values and holds {size:,} bytes")
        return at

    def element(self, data: bytes, at: int, end: int) -> tuple[int, int, int, int]:
        """(type, where its data begins, their bytes, where the next element begins) of a data element."""
        first, size = self.need(data, at, end, "II")
        if first >> 16:  # the small format: type and size share four bytes, the data are in the other four
            kind, start, size, after = first & 0xFFFF, at + 4, first >> 16, at + 8
            if size > 4:
                raise self.damaged("a small element is larger than four bytes")
        else:
            kind, start = first, at + 8
            after = start + size + -size % 8
        if after > end:
            raise self.damaged("an element is larger than what holds it")
        return kind, start, size, after

    def need(self, data: bytes, at: int, end: int, form: str) -> tuple[int, ...]:
        if end - at < 4 * len(form):
            raise self.damaged("a variable is cut short")
        return struct.unpack_from(self.order + form, data, at)

    def damaged(self, text: str) -> InputError:
        return InputError(f'"{self.path}" is damaged: {text}.')

    def refused(self, place: str, what: str) -> InputError:
        where = f", {cut(place)}" if place else ""
        return InputError(f'"{self.path}"{where}: {what} in a MAT file is never read: save the numbers alone.')


def _read_hdf5(path: Path, wanted: set[str]) -> dict[str, NDArray[Any]]:
    """Arrays of numbers of a file of version 7.3."""
    again = 'save it again in MATLAB with save(…, "-v7")'
    if not is_installed("h5py"):
        # An InputError: one such file among many is that file's problem.
        missing = MissingExtraError("or install what reads it, which", HDF5_EXTRA)
        raise InputError(f'"{path}" is a MAT file of version 7.3 (HDF5): {again}, {missing}') from missing
    h5py = import_module("h5py")  # by its name: whoever has no such file has no need of it
    found: dict[str, NDArray[Any]] = {}
    try:
        with h5py.File(path, "r") as file:
            if "#subsystem#" in file:
                raise InputError(f'"{path}": functions or objects in a MAT file are never read: save the numbers.')
            for key in file:
                name = key if isinstance(key, str) else key.decode("latin-1")  # h5py's form of what is no UTF-8
                found[name] = np.zeros(0)
                if name not in wanted:
                    continue
                stored = plain_dataset(file, name)
                if stored is None or "MATLAB_object_decode" in stored.attrs:
                    raise InputError(f'"{path}", {name}: of version 7.3 only arrays of numbers are read: {again}.')
                if stored.size * 8 > MAT_MAX_BYTES:
                    raise InputError(f'"{path}", {name}: {stored.size:,} values are no annotations.')
                # What MATLAB calls empty is stored as its dimensions.
                found[name] = np.zeros((0, 0)) if stored.attrs.get("MATLAB_empty", 0) else np.asarray(stored[()]).T
    except InputError:
        raise
    except Exception as error:  # HDF5 raises many kinds on a damaged file
        raise InputError(f'"{path}" is damaged: {cut(str(error)) or type(error).__name__}.') from error
    return found
