"""The sdist and the wheel: the same bytes from any folder, and in them what must be and nothing else."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
LARGEST = 16_000_000


class Built(NamedTuple):
    """A checkout, and what was built of it."""

    checkout: Path
    sdist: Path
    wheel: Path


@pytest.fixture(scope="module")
def wheels() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT))
        module = importlib.import_module("supply.wheel")
        pytest.importorskip("build")
        if shutil.which("git") is None or not (ROOT / ".git").exists():
            pytest.skip("a wheel is built of a commit, and this is no checkout")
        if not module.is_backend_here():
            pytest.skip(f"setuptools is not of the version in {module.PIN}, and would be downloaded")
        yield module


@pytest.fixture(scope="module")
def first(wheels: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Built:
    return built(wheels, tmp_path_factory.mktemp("first"), umask=0o077, zone="Pacific/Apia")


@pytest.fixture(scope="module")
def second(wheels: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Built:
    return built(
        wheels, tmp_path_factory.mktemp("second") / "a folder" / "deeper", umask=0o002, zone="UTC", litter=True
    )


def built(wheels: ModuleType, folder: Path, *, umask: int, zone: str, litter: bool = False) -> Built:
    """Clone this checkout's last commit into a folder, and build it there under another umask and time zone."""
    before = os.umask(umask)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TZ", zone)
            folder.mkdir(parents=True, exist_ok=True)
            checkout = folder / "checkout"
            subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", ROOT, checkout], check=True)
            if litter:
                leave_litter(checkout)
            return Built(checkout, *wheels.build(checkout, folder / "out"))
    finally:
        os.umask(before)


def leave_litter(checkout: Path) -> None:
    """What earlier builds, runs and edits leave: it must not get in."""
    for name in (
        "build/lib/headcount/old.py",
        "src/headcount/core/__pycache__/x.pyc",
        "src/headcount/weights/mine.onnx",
    ):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_bytes(b"left over")
    with (checkout / "src" / "headcount" / "__init__.py").open("a", encoding="utf-8") as file:
        file.write("\nCHANGED = True\n")
    for path in (checkout / "src").rglob("*.py"):
        os.utime(path, (1_000_000_000, 1_000_000_000))


def test_two_builds_are_bit_equal(first: Built, second: Built) -> None:
    assert first.sdist.name == second.sdist.name
    assert first.wheel.name == second.wheel.name
    assert first.sdist.read_bytes() == second.sdist.read_bytes()
    assert first.wheel.read_bytes() == second.wheel.read_bytes()


def test_the_wheel_holds_the_package_and_nothing_else(first: Built) -> None:
    done = subprocess.run(
        ["git", "ls-files", "src/headcount"], cwd=first.checkout, capture_output=True, text=True, check=True
    )
    tracked = {line.removeprefix("src/") for line in done.stdout.splitlines()}
    with zipfile.ZipFile(first.wheel) as wheel:
        names = set(wheel.namelist())
        sizes = {entry.filename: entry.file_size for entry in wheel.infolist()}
        modes = {entry.external_attr >> 16 & 0o777 for entry in wheel.infolist()}
    about = {name for name in names if name.split("/")[0].endswith(".dist-info")}
    assert names - about == tracked
    assert {name.partition("/")[2] for name in about} == {
        "METADATA", "RECORD", "WHEEL", "entry_points.txt", "top_level.txt", "licenses/LICENSE",
    }  # fmt: skip
    for place in ("py.typed", "recipes/headcount-s.yaml", "weights/headcount-s.onnx", "weights/headcount-s.safetensors",
                  "weights/headcount-s.json", "serve/static/page.html", "label/page/static/page.css",
                  "video/page/static/main.js", "synth/rendered/shaders/thing.glsl",
                  "data/sets/lists/shanghaitech-a.json"):  # fmt: skip
        assert f"headcount/{place}" in names
    assert not [name for name in names if "test" in name.split("/") or name.endswith((".pyc", ".pth"))]
    assert max(sizes.values()) <= LARGEST
    assert modes <= {0o644, 0o664}


def test_the_sdist_is_enough_to_build_it_and_says_nothing_of_who_did(first: Built) -> None:
    with tarfile.open(first.sdist) as sdist:
        members = sdist.getmembers()
    assert {(one.uid, one.gid, one.uname, one.gname) for one in members} == {(0, 0, "", "")}
    assert len({one.mtime for one in members}) == 1
    names = {one.name.partition("/")[2] for one in members}
    assert {"pyproject.toml", "LICENSE", "README.md", "CHANGELOG.md", "src/headcount/weights/headcount-s.onnx"} <= names
    assert not [name for name in names if name.startswith(("tests", "build/", ".git")) or name.endswith(".pyc")]


def test_the_metadata_name_the_licence_and_the_extras(first: Built) -> None:
    with zipfile.ZipFile(first.wheel) as wheel:
        (name,) = (one for one in wheel.namelist() if one.endswith("dist-info/METADATA"))
        lines = wheel.read(name).decode().splitlines()
    assert "License-Expression: Apache-2.0" in lines
    assert "Requires-Python: >=3.11" in lines
    assert "Provides-Extra: train" in lines


def test_a_folder_that_is_no_checkout_is_refused(wheels: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(wheels.BuildError, match="is no checkout with a commit"):
        wheels.build(tmp_path, tmp_path / "out")


def test_the_command_tells_hashes(wheels: ModuleType, first: Built, monkeypatch: pytest.MonkeyPatch,
                                  capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    monkeypatch.setattr(wheels, "build", lambda root, folder: [first.sdist, first.wheel])
    monkeypatch.setattr(sys, "argv", ["supply.wheel"])
    assert wheels.main() == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("commit ")
    assert [line.split()[1] for line in out[1:]] == [first.sdist.name, first.wheel.name]
    assert all(len(line.split()[0]) == 64 for line in out[1:])
