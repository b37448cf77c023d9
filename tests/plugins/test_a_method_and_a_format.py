"""A package outside the source tree adds a method and a format through entry points, and uses both."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import headcount

pytestmark = pytest.mark.slow

SITE = Path(__file__).parent / "site"
SOURCES = Path(headcount.__file__).parents[1]
HEADS = {"a.png": [(20.5, 30.25), (60.0, 40.0)], "b c.png": [], "d.png": [(5.0, 5.0)]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(3)
    for name in HEADS:
        Image.fromarray(rng.integers(0, 256, (64, 96, 3), dtype=np.uint8)).save(tmp_path / name)
    lines = [
        "\t".join([name, *(f"{value!r}" for point in points for value in point)]) for name, points in HEADS.items()
    ]
    (tmp_path / "heads.dots").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


def run(folder: Path, *arguments: str, with_package: bool = True, code: int = 0) -> str:
    path = [str(SOURCES), *([str(SITE)] if with_package else [])]
    done = subprocess.run(
        [sys.executable, "-m", "headcount", *arguments], cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


IN_TURN = """
import contextlib, io, json, sys
from headcount.cli.main import main

told = []
for arguments in json.load(sys.stdin):
    sys.argv[1:] = arguments
    code, said = 0, io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
    told.append((code, said.getvalue()))
print(json.dumps(told))
"""


def run_in_turn(folder: Path, *commands: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """Several commands in one process: training and exporting take seconds to import."""
    done = subprocess.run(
        [sys.executable, "-c", IN_TURN], cwd=folder, input=json.dumps(commands), capture_output=True, text=True,
        check=False, env={**os.environ, "PYTHONPATH": os.pathsep.join([str(SOURCES), str(SITE)])},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    yield from json.loads(done.stdout.splitlines()[-1])


def test_its_format_is_listed_read_checked_and_written(folder: Path) -> None:
    assert "dots" in run(folder, "datasets", "list")
    assert "3 images, 3 heads" in run(folder, "datasets", "convert", "dots=heads.dots", "heads.csv", "--to", "points")
    run(folder, "datasets", "convert", "points=heads.csv", "again.dots", "--to", "dots")
    assert (folder / "again.dots").read_text() == (folder / "heads.dots").read_text()
    assert "nothing wrong found" in run(folder, "datasets", "check", "dots=heads.dots")
    (folder / "heads.dots").write_text("a.png\t1.0\tx\n")
    told = run(folder, "datasets", "convert", "dots=heads.dots", "new.csv", "--to", "points", code=2)
    assert 'heads.dots", line 1: x and y of each head were expected' in told


def test_without_the_package_there_is_no_such_name(folder: Path) -> None:
    told = run(folder, "datasets", "check", "dots=heads.dots", with_package=False, code=2)
    assert '"dots" is no data set' in told


def test_images_may_lie_elsewhere_be_copied_and_nothing_is_overwritten(folder: Path) -> None:
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    arguments = ("datasets", "convert", "dots=heads.dots", str(elsewhere / "far.dots"), "--to", "dots")
    run(folder, *arguments)
    assert (elsewhere / "far.dots").read_text().startswith("../a.png")
    assert "--force" in run(folder, *arguments, code=2)
    run(folder, *arguments, "--force", "--copy-images")
    assert (elsewhere / "far.dots").read_text().startswith("images/a.png")


def test_a_broken_package_takes_nothing_else_away(folder: Path) -> None:
    info = folder / "broken-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    kinds = ("methods", "decoders", "runtimes", "formats", "sets", "writers", "metrics", "commands")
    (info / "entry_points.txt").write_text("".join(f"[headcount.{kind}]\nbroken = broken:ROW\n" for kind in kinds))
    for arguments in (
        ["--help"],
        ["count", "--help"],
        ["datasets", "list"],
        ["datasets", "convert", "dots=heads.dots", "heads.csv", "--to", "points"],
        ["count", "a.png", "--output", "a.csv"],
    ):
        run(folder, *arguments)
    told = run(folder, "evaluate", "headcount-s", "--data", "points=heads.csv")
    assert 'Note: The metric "broken" of the package "broken" cannot be loaded' in told
    assert "MAE" in told


@pytest.mark.slow
def test_its_method_trains_exports_counts_and_is_measured(folder: Path) -> None:
    (folder / "one.yaml").write_text(
        "name: one\nmethod: one_layer\nmodel: {density_sigma: 3}\ndata: {sources: {dots: heads.dots}, crop: 64}\n"
        "batch: 2\nepochs: 1\nsteps_per_epoch: 3\nthreads: 1\n"
    )
    done = run_in_turn(
        folder,
        ("train", "one.yaml"),
        ("export", "runs/one", "--output", "one.onnx"),
        ("count", "a.png", "--model", "one.onnx"),
        ("evaluate", "one.onnx", "--data", "dots=heads.dots"),
        ("train", "one.yaml", "model.density_sgima=2", "output=elsewhere"),
        ("train", "one.yaml", "method=one_leyer"),
    )
    for code, words in (
        (0, ("Done",)),
        (0, ("Exported", "one.onnx")),
        (0, ("a.png: ",)),
        (0, ("3 images, 3 heads", "MAE")),
        (2, ('Did you mean "density_sigma"',)),
        (2, ('Did you mean "one_layer"',)),
    ):
        ended, told = next(done)
        assert ended == code, told
        assert all(word in told for word in words), told
