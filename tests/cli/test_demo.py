"""`headcount demo`: a painted crowd, or one's own photo."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.slow

RunCli = Callable[..., tuple[int, str, str]]


def test_a_painted_scene(place: Path, run_cli: RunCli) -> None:
    code, out, err = run_cli("demo")
    assert (code, err) == (0, "")
    assert out.startswith("scene.png: ")
    truth = int(out.split("the truth is ")[1].split()[0].replace(",", ""))
    folder = place / "demo-output"
    names = {"scene.png", "truth.csv", "overlay.png", "density.png", "prediction.json"}
    assert {path.name for path in folder.iterdir() if not path.name.startswith(".")} == names
    assert len((folder / "truth.csv").read_text(encoding="utf-8").splitlines()) == truth + 1
    assert json.loads((folder / "prediction.json").read_text(encoding="utf-8"))["size_wh"] == [1024, 768]
    assert max(map(len, out.splitlines())) <= 80


def test_it_can_be_run_again_and_on_ones_own_photo(place: Path, run_cli: RunCli) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save("mine.png")
    assert run_cli("demo")[0] == 0
    code, out, _ = run_cli("demo", "mine.png")
    assert code == 0
    assert out.startswith("mine.png: ")
    assert "truth" not in out
    assert not (place / "demo-output" / "scene.png").exists()
    assert (place / "mine.png").exists()


def test_a_file_of_the_demo_is_no_photo(place: Path, run_cli: RunCli) -> None:
    run_cli("demo")
    before = {path.name: path.stat().st_mtime_ns for path in (place / "demo-output").iterdir()}
    for name in ("scene.png", "overlay.png"):
        code, out, err = run_cli("demo", f"demo-output/{name}")
        assert (code, out) == (2, "")
        assert "copy it elsewhere" in err
    assert before == {path.name: path.stat().st_mtime_ns for path in (place / "demo-output").iterdir()}


def test_other_folders_are_left_alone(place: Path, run_cli: RunCli) -> None:
    (place / "mine").mkdir()
    (place / "mine" / "scene.png").write_text("precious", encoding="utf-8")
    code, _, err = run_cli("demo", "--output-dir", "mine")
    assert code == 2
    assert "no demo wrote" in err
    assert (place / "mine" / "scene.png").read_text(encoding="utf-8") == "precious"


def test_a_bad_photo_changes_nothing(place: Path, run_cli: RunCli, bad_images: dict) -> None:
    for path, _ in bad_images.values():
        code, out, err = run_cli("demo", path)
        assert (code, out) == (2, "")
        assert path.name in err
    assert not (place / "demo-output").exists()
