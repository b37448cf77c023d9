"""Files are written whole, by each writer under a name of its own."""

from __future__ import annotations

import json
import os
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest

from headcount.core.errors import InputError, MissingFileError
from headcount.core.files import (
    atomic_text,
    discard,
    file_size,
    is_file,
    is_folder,
    partial_beside,
    refuse_suffix,
    refuse_taken,
    replacing,
    write_json,
)


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old", encoding="utf-8")

    def interrupted() -> None:
        with atomic_text(path) as file:
            file.write("ne")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text(encoding="utf-8") == "old"
    with atomic_text(path) as file:
        file.write("new")
    assert path.read_text(encoding="utf-8") == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_two_writers_share_no_name(tmp_path: Path) -> None:
    (one, target), (other, _) = partial_beside(tmp_path / "a.png"), partial_beside(tmp_path / "a.png")
    assert one != other
    assert (one.suffix, one.parent, target) == (".png", tmp_path, tmp_path / "a.png")
    assert len(partial_beside(tmp_path / f"{'名' * 83}.png")[0].name.encode()) <= 255


def test_what_a_link_leads_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    link = tmp_path / "link.txt"
    link.symlink_to(tmp_path / "there" / "real")
    with replacing(link) as partial:
        assert (partial.parent, partial.suffix) == (tmp_path / "there", ".txt")
        partial.write_text("new", encoding="utf-8")
    assert link.is_symlink()
    assert (tmp_path / "there" / "real").read_text(encoding="utf-8") == "new"


@pytest.mark.parametrize(("refusals", "system", "done"), [(3, "nt", True), (99, "nt", False), (1, "posix", False)])
def test_windows_is_asked_again_while_a_reader_holds_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusals: int, system: str, done: bool
) -> None:
    """As Windows does it: nothing takes the place of a file that is open."""
    path, left, replace = tmp_path / "a.txt", [refusals], Path.replace

    def refuse(self: Path, target: Path) -> Path:
        left[0] -= 1
        if left[0] >= 0:
            raise PermissionError(13, "Access is denied")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", refuse)
    monkeypatch.setattr("headcount.core.files.os", SimpleNamespace(**{**vars(os), "name": system}))
    monkeypatch.setattr("headcount.core.files.time", SimpleNamespace(sleep=lambda seconds: None))
    with nullcontext() if done else pytest.raises(PermissionError), replacing(path) as partial:
        partial.write_text("new", encoding="utf-8")
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"] * done


def test_cleaning_up_does_not_hide_the_first_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="File name too long"), atomic_text(tmp_path / f"a.{'x' * 300}"):
        pass
    with pytest.raises(InputError, match="cannot be written"), atomic_text(tmp_path / "nowhere" / "a.txt"):
        pass
    discard(tmp_path / ("x" * 300))


def test_names_too_long_are_no_file(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 300)
    assert (is_file(path), is_folder(path), is_folder(tmp_path)) == (False, False, True)
    with pytest.raises(InputError, match="too long"):
        file_size(path)
    with pytest.raises(MissingFileError, match="no file"):
        file_size(tmp_path / "x")
    with pytest.raises(InputError, match="folder"):
        file_size(tmp_path)


def test_what_stands_in_the_way_is_said_before_the_work(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    refuse_taken(None, overwrite=False)
    refuse_taken(path, overwrite=False)
    path.touch()
    refuse_taken(path, overwrite=True)
    with pytest.raises(
        InputError, match=r'a\.json" exists already: choose another name, or pass overwrite=True\.$'
    ) as caught:
        refuse_taken(path, overwrite=False)
    assert caught.value.remedy == "overwrite"
    with pytest.raises(InputError, match="is a folder"):
        refuse_taken(tmp_path, overwrite=True)
    with pytest.raises(InputError, match="no folder"):
        refuse_taken(tmp_path / "no" / "a.json", overwrite=False)
    refuse_taken(tmp_path / "no" / "a.json", overwrite=False, makes_folder=True)


def test_another_suffix_is_refused() -> None:
    refuse_suffix(Path("a.ONNX"), ".onnx", ".safetensors")
    with pytest.raises(InputError, match=r'a \.onnx or \.safetensors file, but it is "a\.txt"'):
        refuse_suffix(Path("a.txt"), ".onnx", ".safetensors")


def test_json_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    write_json(path, {"name": "a\udcff.jpg"})
    assert json.loads(path.read_text(encoding="utf-8")) == {"name": "a\udcff.jpg"}
    write_json(path, {"data": "größe", "mae": 1.5})
    assert path.read_text(encoding="utf-8") == '{\n  "data": "größe",\n  "mae": 1.5\n}\n'
    with pytest.raises(TypeError):
        write_json(path, {"mae": object()})
    with pytest.raises(InputError, match="cannot be written"):
        write_json(tmp_path / "none" / "report.json", {})
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.json"]
