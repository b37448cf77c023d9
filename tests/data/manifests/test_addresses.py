"""Addresses: folders, patterns, lists, tables and tars through fsspec, and what is refused."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from typing import Any

import pytest

from headcount.core.errors import InputError
from headcount.data.manifests import addresses
from headcount.data.manifests.entries import Entry, ManifestOptions
from headcount.data.manifests.table import read_manifests

fsspec = pytest.importorskip("fsspec")


@pytest.fixture
def memory() -> Iterator[Any]:
    fs = fsspec.filesystem("memory")
    yield fs
    fs.store.clear()
    fs.pseudo_dirs[:] = [""]


def found(*sources: str, recursive: bool = False) -> list[str]:
    options = ManifestOptions(recursive=recursive)
    return [each.name for each in read_manifests(sources, options) if isinstance(each, Entry)]


def test_a_folder_and_a_pattern_at_an_address_are_in_natural_order(memory: Any) -> None:
    for name in ("10.jpg", "2.jpg", "a.txt", "deeper/1.jpg", "film.mp4"):
        memory.pipe_file(f"/in/{name}", b"x")
    assert found("memory://in/") == ["memory:///in/2.jpg", "memory:///in/10.jpg"]
    assert found("memory://in/", recursive=True)[-1] == "memory:///in/deeper/1.jpg"
    assert found("memory://in/*.mp4") == ["memory:///in/film.mp4"]
    with pytest.raises(InputError, match="holds no image"):
        found("memory://in/*.txt")


def test_lists_tables_and_tars_at_an_address_name_what_lies_beside_them(memory: Any) -> None:
    memory.pipe_file("/in/list.txt", b"1.jpg\nhttps://host/2.jpg\n")
    memory.pipe_file("/in/table.csv", b"path\nsub/1.jpg\n")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        info = tarfile.TarInfo("m.jpg")
        info.size = 3
        tar.addfile(info, io.BytesIO(b"abc"))
    memory.pipe_file("/in/shard-0.tar", packed.getvalue())
    assert found("memory://in/list.txt") == ["memory://in/1.jpg", "https://host/2.jpg"]
    assert found("memory://in/table.csv") == ["memory://in/sub/1.jpg"]
    assert found("memory://in/shard-{0..0}.tar") == ["memory://in/shard-0.tar/m.jpg"]
    (entry,) = read_manifests(["memory://in/shard-0.tar"])
    assert isinstance(entry, Entry)
    assert addresses.read_file(entry.address, offset=entry.offset, size=entry.size) == b"abc"


def test_a_missing_file_at_an_address_is_told(memory: Any) -> None:
    with pytest.raises(InputError, match=r'There is no file "memory://in/gone\.jpg"'):
        addresses.read_file("memory://in/gone.jpg")


@pytest.mark.parametrize("address", ["python://x", "reference://a", "zip://a.jpg::s3://b/c.zip", "rtsp://host/live"])
def test_other_protocols_and_chains_are_refused(address: str) -> None:
    with pytest.raises(InputError, match="no address that files can be read from"):
        addresses.file_system(address)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "is_installed", lambda package: package != "gcsfs")
    with pytest.raises(InputError, match='needs the package "gcsfs", which is not installed'):
        addresses.file_system("gs://bucket/a.jpg")


def test_passwords_are_in_no_message() -> None:
    with pytest.raises(InputError) as caught:
        addresses.read_file("http://user:secret@127.0.0.1:9/a.jpg?token=secret")
    assert "secret" not in caught.value.message


def test_an_address_that_fails_at_first_is_tried_again(memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    memory.pipe_file("/in/1.jpg", b"abc")
    tries = []

    def read(place: str, offset: int | None, size: int | None) -> bytes:
        tries.append(place)
        if len(tries) < 3:
            raise InputError("the line broke") from ConnectionResetError()
        return b"abc"

    monkeypatch.setattr(addresses, "_read", read)
    assert addresses.read_file("memory://in/1.jpg") == b"abc"
    assert len(tries) == 3
