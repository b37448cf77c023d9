"""MAT files: what is sound is read as scipy reads it; what is damaged, hostile or alive is one sentence."""

from __future__ import annotations

import struct
import sys
import time
import zlib
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.io import savemat
from scipy.io.matlab import MatlabObject
from scipy.sparse import csc_array

from headcount.core.errors import InputError
from headcount.data.parse import mat
from headcount.data.parse.mat import as_column, as_rows, read_members, row_names

REAL = Path(__file__).parents[3] / "../shared/data"


def write(path: Path, variables: dict[str, object], *, packed: bool = False) -> Path:
    savemat(path, variables, do_compression=packed)
    return path


KINDS = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8", ">f8"]


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data(), st.booleans())
def test_any_matrix_comes_back(tmp_path: Path, kind: str, data: st.DataObject, packed: bool) -> None:
    values = data.draw(arrays(kind, st.tuples(st.integers(0, 5), st.integers(0, 5))))
    read = read_members(write(tmp_path / "a.mat", {"a": values, "b": "text"}, packed=packed), ["a"])["a"]
    assert np.array_equal(read, values, equal_nan=True)
    assert read.shape == values.shape


def test_members_of_structures_are_found_through_cells(tmp_path: Path) -> None:
    cell = np.empty((1, 1), object)
    cell[0, 0] = {"location": np.ones((2, 2)), "number": 2.0, "none": []}
    path = write(tmp_path / "a.mat", {"image_info": cell, "weather": "RAIN", "flag": True})
    read = read_members(path, ["image_info.location", "image_info.none"], optional=["gone", "image_info.gone"])
    assert list(read) == ["image_info.location", "image_info.none"]
    assert read["image_info.location"].shape == (2, 2)
    assert as_rows(read["image_info.none"], 2, path, "none").shape == (0, 2)
    assert str(read_members(path, ["weather"])["weather"][0]) == "RAIN"


def test_a_big_endian_file_is_read(tmp_path: Path) -> None:
    header = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack(">H", 0x0100) + b"MI"
    inner = struct.pack(">IIII", 6, 8, 6, 0) + struct.pack(">IIii", 5, 8, 1, 2) + struct.pack(">HH4s", 1, 1, b"p\0\0\0")
    inner += struct.pack(">IIdd", 9, 16, 3.0, 4.0)
    (tmp_path / "a.mat").write_bytes(header + struct.pack(">II", 14, len(inner)) + inner)
    assert read_members(tmp_path / "a.mat", ["p"])["p"].tolist() == [[3, 4]]


def _element(kind: int, data: bytes) -> bytes:
    return struct.pack("<II", kind, len(data)) + data + b"\0" * (-len(data) % 8)


def _variable(group: int, dimensions: tuple[int, ...], name: bytes, body: bytes) -> bytes:
    flags = _element(6, struct.pack("<II", group, 0))
    shape = _element(5, struct.pack(f"<{len(dimensions)}i", *dimensions))
    return _element(14, flags + shape + _element(1, name) + body)


_NOTHING = struct.pack("<II", 14, 0)  # an empty cell, of 8 bytes
_MANY = mat.MAT_MAX_MEMBERS + 1
_ONE_NAME, _NO_NAME = (_element(5, struct.pack("<i", 1)) + _element(1, name) for name in (b"abc", b""))
_HOSTILE = {
    "cells": _variable(1, (1, _MANY), b"p", _NOTHING * _MANY),
    "cells in cells": _variable(1, (1, 3), b"p", _variable(1, (1, _MANY // 2), b"", _NOTHING * (_MANY // 2)) * 3),
    "structures without fields": _variable(2, (1, 2**31 - 1), b"p", _NO_NAME),
    "names of fields": _variable(2, (0, 0), b"p", _element(5, struct.pack("<i", 1)) + _element(1, b"a" * _MANY)),
    "fields": _variable(2, (1, _MANY // 2), b"p", _ONE_NAME + _NOTHING * (_MANY // 2 * 3)),
}  # fmt: skip


@pytest.mark.parametrize("what", _HOSTILE)
@pytest.mark.parametrize("packed", [False, True])
def test_more_members_than_annotations_have_are_refused_before_they_are_made(
    tmp_path: Path, what: str, packed: bool
) -> None:  # fmt: skip
    variable = _HOSTILE[what]
    if packed:
        small = zlib.compress(variable, 1)
        variable = struct.pack("<II", 15, len(small)) + small
    header = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H", 0x0100) + b"IM"
    (tmp_path / "a.mat").write_bytes(header + variable)
    start = time.process_time()
    with pytest.raises(InputError, match=r'a\.mat" holds over 500,000 cells and fields'):
        read_members(tmp_path / "a.mat", ["p"])
    assert time.process_time() - start < 3


@pytest.mark.parametrize(
    ("variables", "keys", "words"),
    [
        ({"annPoint": np.ones((1, 2))}, ["annPoints"], ["annPoint, but annPoints", 'Did you mean "annPoint"']),
        ({"x": np.ones((1, 2))}, ["annPoints"], ["holds x, but annPoints was expected."]),
        ({}, ["annPoints"], ["holds nothing"]),
        ({"a": np.ones((1, 1))}, ["a.b"], [", a: a structure with b was expected"]),
        ({"a": {"c": 1.0}}, ["a.b"], [", a holds c, but b was expected"]),
        ({"a": {"c": {"d": 1.0}}}, ["a.c.e"], [", a.c holds d"]),
    ],
)
def test_a_missing_key_is_told_with_what_is_there(
    tmp_path: Path, variables: dict[str, object], keys: list[str], words: list[str]
) -> None:
    with pytest.raises(InputError) as caught:
        read_members(write(tmp_path / "a.mat", variables), keys)
    for word in [*words, "a.mat"]:
        assert word in str(caught.value)


# Objects and functions.


def array(group: int, rest: bytes, *, name: bytes = b"trap", dimensions: tuple[int, ...] = (1, 1)) -> bytes:
    """A variable's element, of any class and any claims."""
    size = 4 * len(dimensions)
    inner = struct.pack("<IIII", 6, 8, group, 0)
    inner += struct.pack(f"<II{len(dimensions)}i", 5, size, *dimensions) + b"\0" * (-size % 8)
    inner += struct.pack("<II", 1, len(name)) + name + b"\0" * (-len(name) % 8) + rest
    return struct.pack("<II", 14, len(inner)) + inner


def opaque(name: bytes = b"trap") -> bytes:
    text = b"".join(struct.pack("<HH4s", 1, len(t), t) for t in (name, b"MCOS", b"tabl"))
    inner = struct.pack("<IIII", 6, 8, 17, 0) + text
    return struct.pack("<II", 14, len(inner)) + inner


def file_of(*elements: bytes) -> bytes:
    return b"MATLAB 5.0 MAT-file".ljust(116) + b"\0" * 8 + struct.pack("<H", 0x0100) + b"IM" + b"".join(elements)


def packed(element: bytes) -> bytes:
    content = zlib.compress(element)
    return struct.pack("<II", 15, len(content)) + content


def points(name: bytes = b"annPoint") -> bytes:
    return array(6, struct.pack("<IIdd", 9, 16, 1.0, 2.0), name=name, dimensions=(1, 2))


def cell(*elements: bytes) -> bytes:
    return array(1, b"".join(elements), dimensions=(1, len(elements)))


ALIVE = {
    "an object": array(3, b""),
    "a function handle": array(16, points(b"")),
    "an opaque object": opaque(),
    "an object in a cell": cell(points(b""), array(3, b"", name=b"")),
    "an opaque object in a cell": cell(opaque()),
    "a function in a cell in a cell": cell(cell(array(16, b"", name=b""))),
    "the workspace of functions": array(9, struct.pack("<HH4s", 2, 4, b"abcd"), name=b"", dimensions=(1, 4)),
}


@pytest.mark.parametrize("form", [lambda element: element, packed], ids=["plain", "packed"])
@pytest.mark.parametrize("what", ALIVE)
def test_objects_and_functions_are_refused_beside_what_is_asked_for(tmp_path: Path, what: str, form: object) -> None:
    (tmp_path / "a.mat").write_bytes(file_of(points(), form(ALIVE[what])))  # type: ignore[operator]
    with pytest.raises(InputError, match=r'a\.mat".*never read: save the numbers alone'):
        read_members(tmp_path / "a.mat", ["annPoint"])


def test_the_refused_variable_is_named_and_scipys_own_objects_are_refused(tmp_path: Path) -> None:
    kind = np.array([[(1.0,)]], dtype=[("a", object)])
    (tmp_path / "a.mat").write_bytes(file_of(array(16, b"")))
    with pytest.raises(InputError, match=r"a\.mat\", trap: a function handle"):
        read_members(tmp_path / "a.mat", ["annPoint"])
    for value in (MatlabObject(kind, "double"), csc_array(np.eye(3))):
        with pytest.raises(InputError, match=r"never read|sparse"):
            read_members(write(tmp_path / "a.mat", {"a": value}), ["a"])


# Damage and size.

DAMAGED = {
    "nothing": b"",
    "no header": b"MATLAB 5.0 MAT-file",
    "text": b"x,y\n1,2\n" * 40,
    "version 4": struct.pack("<iiiii", 0, 1, 2, 0, 2) + b"p\0" + struct.pack("<dd", 1, 2) + b"\0" * 200,
    "cut tag": file_of(points()[:5]),
    "cut element": file_of(points()[:-8]),
    "cut packed": file_of(packed(points())[:-4]),
    "not packed": file_of(struct.pack("<II", 15, 8) + b"notzlib!"),
    "wrong element": file_of(struct.pack("<II", 9, 8) + b"\0" * 8),
    "repeated": file_of(points(), points()),
    "more values than bytes": file_of(array(6, struct.pack("<IId", 9, 8, 1.0), dimensions=(2**30, 2**30))),
    "negative dimensions": file_of(array(6, struct.pack("<II", 9, 0), dimensions=(-1, 2))),
    "a hundred dimensions": file_of(array(6, struct.pack("<II", 9, 0), dimensions=(0,) * 100)),
    "cells without room": file_of(array(1, b"", dimensions=(2**30, 1))),
    "structures without fields": file_of(
        array(2, struct.pack("<IIIIII", 4 << 16 | 5, 8, 1, 0, 0, 0), dimensions=(2**30, 2))
    ),
    "names of no length": file_of(array(2, struct.pack("<IIII", 4 << 16 | 5, 0, 1, 0))),
    "unknown class": file_of(array(99, b"")),
    "unknown type": file_of(array(6, struct.pack("<IId", 77, 8, 1.0))),
    "cell of numbers": file_of(array(1, struct.pack("<IId", 9, 8, 1.0))),
}


@pytest.mark.parametrize("what", DAMAGED)
def test_a_damaged_file_is_one_sentence(tmp_path: Path, what: str) -> None:
    (tmp_path / "a.mat").write_bytes(DAMAGED[what])
    with pytest.raises(InputError, match=r'a\.mat".*\.$'):
        read_members(tmp_path / "a.mat", ["annPoint"])


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mat, "MAT_MAX_BYTES", 100_000)
    bomb = array(9, struct.pack("<II", 2, 10**6) + b"\0" * 10**6, dimensions=(10**6, 1))
    (tmp_path / "a.mat").write_bytes(file_of(packed(bomb)))
    assert (tmp_path / "a.mat").stat().st_size < 3000
    monkeypatch.setattr(mat._Walk, "__init__", _bounded(mat._Walk.__init__))
    with pytest.raises(InputError, match="unpacks to over 100,000 bytes"):
        read_members(tmp_path / "a.mat", ["trap"])
    (tmp_path / "b.mat").write_bytes(file_of(bomb))
    with pytest.raises(InputError, match="over the limit"):
        read_members(tmp_path / "b.mat", ["trap"])


def _bounded(init: object) -> object:
    return lambda self, path, order: init(self, path, order, 100_000)  # type: ignore[operator]


def test_cells_in_cells_without_end_are_refused(tmp_path: Path) -> None:
    nest = points(b"")
    for _ in range(2000):
        nest = array(1, nest, name=b"")
    (tmp_path / "a.mat").write_bytes(file_of(array(1, nest)))
    with pytest.raises(InputError, match="nested too deeply"):
        read_members(tmp_path / "a.mat", ["trap"])


def test_version_7_3_says_how_to_save_it_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.mat").write_bytes(b"MATLAB 7.3 MAT-file".ljust(512) + b"\x89HDF\r\n\x1a\n" + b"\0" * 64)
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(InputError, match=r'a\.mat" is .* version 7\.3 \(HDF5\).*"-v7".*needs the "train" extra'):
        read_members(tmp_path / "a.mat", ["a"])


def test_version_7_3_is_read_where_h5py_is(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py", reason="h5py is not installed (train extra)")
    with h5py.File(tmp_path / "a.mat", "w", userblock_size=512) as file:
        file["annPoints"] = np.array([[1.0, 3.0, 5.0], [2.0, 4.0, 6.0]])  # as MATLAB stores 3×2
        file["none"] = np.array([0, 2], np.uint64)
        file["none"].attrs["MATLAB_empty"] = 1
        file.create_group("structure")["x"] = [1.0]
        file["link"] = h5py.ExternalLink(str(tmp_path / "b.mat"), "secret")
    read = read_members(tmp_path / "a.mat", ["annPoints", "none"])
    assert read["annPoints"].tolist() == [[1, 2], [3, 4], [5, 6]]
    assert read["none"].size == 0
    for name in ("structure", "link"):
        with pytest.raises(InputError, match=rf"{name}: of version 7\.3 only arrays"):
            read_members(tmp_path / "a.mat", [name])
    with pytest.raises(InputError, match="annPoints, link, none, structure, but gone"):
        read_members(tmp_path / "a.mat", ["gone"])
    with h5py.File(tmp_path / "c.mat", "w", userblock_size=512) as file:
        file[b"ann\xff"] = [1.0]  # no UTF-8: h5py gives such a name as bytes
    with pytest.raises(InputError, match="holds annÿ, but annPoints was expected"):
        read_members(tmp_path / "c.mat", ["annPoints"])
    (tmp_path / "b.mat").write_bytes((tmp_path / "a.mat").read_bytes()[:800])
    with pytest.raises(InputError, match="damaged"):
        read_members(tmp_path / "b.mat", ["a"])


# Rows.


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.ones((3, 3)), "3×3 numbers"),
        (np.ones(4), "4 numbers"),
        (np.array([["a", "b"]]), "1×2 text"),
        (np.ones((1, 2), complex), "complex"),
        (np.empty((1, 2), object), "cells"),
        (np.ones((1, 2), bool), "yes and no"),
        (np.array([[1, 2], [3, 1e9]]), r"p row 2: 1e\+09 lies in no image"),
        (np.array([[-1e300, 2]]), r"p row 1: -1e\+300"),
    ],
)
def test_what_are_no_rows_is_told(value: np.ndarray, words: str) -> None:
    with pytest.raises(InputError, match=words):
        as_rows(value, 2, Path("a.mat"), "p")


def test_rows_keep_what_is_not_finite_for_those_who_know_the_image() -> None:
    rows = as_rows(np.array([[np.nan, 2], [np.inf, -7]]), 2, Path("a.mat"), "p")
    assert np.array_equal(rows, [[np.nan, 2], [np.inf, -7]], equal_nan=True)
    assert as_rows(np.zeros((0, 0)), 2, Path("a.mat"), "p").shape == (0, 2)
    assert as_column(np.array([[1, 2, 3]]), Path("a.mat"), "p").tolist() == [1, 2, 3]
    assert as_column(np.array([[1], [2]]), Path("a.mat"), "p").tolist() == [1, 2]
    assert row_names("p", 0) == ()


# Fuzzing: an InputError or a result, never anything else.


def _outcome(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with suppress(InputError):
        read = read_members(path, ["annPoints"], optional=["image_info.location", "text"])
        as_rows(read["annPoints"], 2, path, "annPoints")


def _whole() -> list[bytes]:
    inner = np.empty((1, 1), object)
    inner[0, 0] = {"location": np.ones((2, 2)), "names": np.array([["a", "bc"]], object)}
    variables = {"annPoints": np.arange(6.0).reshape(3, 2), "image_info": inner, "text": "né"}
    found = []
    for compress in (False, True):
        stream = BytesIO()
        savemat(stream, variables, do_compression=compress)
        found.append(stream.getvalue())
    return found


WHOLE = _whole()


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=400), st.booleans())
def test_fuzz_of_random_bytes(tmp_path: Path, content: bytes, header: bool) -> None:
    _outcome(tmp_path / "fuzz.mat", file_of(content) if header else content)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    whole=st.sampled_from(WHOLE),
    changes=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=6),
    end=st.none() | st.integers(0, 2000),
)
def test_fuzz_of_changed_files(tmp_path: Path, whole: bytes, changes: list[tuple[int, int]], end: int | None) -> None:
    content = bytearray(whole)
    for at, value in changes:
        content[at % len(content)] = value
    _outcome(tmp_path / "fuzz.mat", bytes(content[:end]))


@pytest.mark.skipif(not (REAL / "UCF_CC_50").is_dir(), reason="UCF_CC_50 is not here: ../shared/data/UCF_CC_50")
def test_real_files_are_read() -> None:
    path = REAL / "UCF_CC_50/1_ann.mat"
    assert read_members(path, ["annPoints"])["annPoints"].shape == (4633, 2)


def test_more_heads_than_an_image_shows_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mat, "MAT_MAX_ROWS", 3)
    assert len(as_rows(np.zeros((3, 2)), 2, Path("a.mat"), "p")) == 3
    with pytest.raises(InputError, match=r'"a\.mat", p: 4 rows are more heads than an image shows \(3\)'):
        as_rows(np.zeros((4, 2)), 2, Path("a.mat"), "p")
