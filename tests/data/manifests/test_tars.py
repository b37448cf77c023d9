"""WebDataset tars: images alone, and nothing of them that could do harm."""

from __future__ import annotations

import io
import pickle
import tarfile
from pathlib import Path

import pytest

from headcount.core.errors import InputError
from headcount.core.notes import Note
from headcount.data.manifests.addresses import read_file
from headcount.data.manifests.entries import Entry
from headcount.data.manifests.table import read_manifests
from headcount.data.manifests.tars import members_of


def write_tar(path: Path, members: list[tuple[str, bytes]], *, odd: list[tarfile.TarInfo] | None = None) -> None:
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for info in odd or []:
            tar.addfile(info)
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def found(path: Path) -> list[Entry]:
    return [each for each in read_manifests([str(path)]) if isinstance(each, Entry)]


def test_members_are_the_bytes_at_their_place(tmp_path: Path) -> None:
    write_tar(tmp_path / "a.tar", [("x/0.jpg", b"zero"), ("x/0.json", b"{}"), ("x/1.png", b"one"), ("1.cls", b"7")])
    entries = found(tmp_path / "a.tar")
    assert [(entry.address, entry.member) for entry in entries] == [
        (str(tmp_path / "a.tar"), "x/0.jpg"), (str(tmp_path / "a.tar"), "x/1.png"),
    ]  # fmt: skip
    content = [read_file(entry.address, offset=entry.offset, size=entry.size) for entry in entries]
    assert content == [b"zero", b"one"]
    assert members_of(str(tmp_path / "a.tar")) == {entry.member: (entry.offset, entry.size) for entry in entries}


class _Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (eval, ("__import__('pathlib').Path('let-in').touch()",))


def test_hostile_members_do_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    odd = []
    for kind, name in (
        (tarfile.SYMTYPE, "link.jpg"), (tarfile.LNKTYPE, "hard.jpg"), (tarfile.CHRTYPE, "device.jpg"),
        (tarfile.FIFOTYPE, "pipe.jpg"), (tarfile.DIRTYPE, "folder.jpg"),
    ):  # fmt: skip
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, "/etc/passwd"
        odd.append(info)
    members = [
        ("0.pkl", pickle.dumps(_Bomb())), ("0.pyd", pickle.dumps(_Bomb())), ("../../out.jpg", b"outside"),
        ("/etc/absolute.jpg", b"absolute"), ("a\x1b[31m.jpg", b"coloured"), ("0.jpg", pickle.dumps(_Bomb())),
    ]  # fmt: skip
    write_tar(tmp_path / "a.tar", members, odd=odd)
    before = sorted(path.name for path in tmp_path.parent.rglob("*"))
    entries = found(tmp_path / "a.tar")
    assert [entry.member for entry in entries] == ["../../out.jpg", "/etc/absolute.jpg", "a\x1b[31m.jpg", "0.jpg"]
    assert read_file(entries[0].address, offset=entries[0].offset, size=entries[0].size) == b"outside"
    assert sorted(path.name for path in tmp_path.parent.rglob("*")) == before


def test_a_header_that_says_it_is_huge_is_not_read(tmp_path: Path) -> None:
    info = tarfile.TarInfo("huge")
    info.type, info.size = tarfile.XHDTYPE, 2**33
    (tmp_path / "a.tar").write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(10_240))
    with pytest.raises(InputError, match="a header of 8,589,934,592 bytes"):
        found(tmp_path / "a.tar")


def test_a_member_larger_than_any_image_is_left_out(tmp_path: Path) -> None:
    info = tarfile.TarInfo("huge.jpg")
    info.size = 2**31
    small = tarfile.TarInfo("small.jpg")
    with (tmp_path / "a.tar").open("wb") as file:
        file.write(info.tobuf())
        file.seek(2**31, io.SEEK_CUR)
        file.write(small.tobuf() + bytes(1024))
    told = list(read_manifests([str(tmp_path / "a.tar")]))
    assert [each.member for each in told if isinstance(each, Entry)] == ["small.jpg"]
    assert ["1 member of more than" in each.text for each in told if isinstance(each, Note)] == [True]


def test_a_tar_that_is_cut_off_gives_what_is_there(tmp_path: Path) -> None:
    write_tar(tmp_path / "whole.tar", [("0.jpg", bytes(5000)), ("1.jpg", bytes(5000))])
    (tmp_path / "cut.tar").write_bytes((tmp_path / "whole.tar").read_bytes()[:8000])
    entries = found(tmp_path / "cut.tar")
    assert [entry.member for entry in entries] == ["0.jpg", "1.jpg"]
    with pytest.raises(InputError, match="ends before"):
        read_file(entries[1].address, offset=entries[1].offset, size=entries[1].size)


def test_a_compressed_tar_and_one_without_images_are_refused(tmp_path: Path) -> None:
    write_tar(tmp_path / "none.tar", [("0.json", b"{}")])
    with pytest.raises(InputError, match="holds no image"):
        found(tmp_path / "none.tar")
    import gzip

    (tmp_path / "packed.tar").write_bytes(gzip.compress((tmp_path / "none.tar").read_bytes()))
    with pytest.raises(InputError, match="no plain tar"):
        found(tmp_path / "packed.tar")
