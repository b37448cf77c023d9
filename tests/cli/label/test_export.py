"""`headcount label export` and `import`: what they say and their exit codes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from headcount.core import table
from headcount.core.scene import Scene
from headcount.data.formats.head_list import write_boxes

RunCli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with ``photos`` and ``boxes.csv`` of one of its two images."""
    (tmp_path / "photos").mkdir()
    for name in ("a.png", "b.png"):
        Image.new("RGB", (60, 40)).save(tmp_path / "photos" / name)
    scene = Scene(tmp_path / "photos" / "a.png", np.array([[9.0, 9.0]]), np.array([[4.0, 4.0, 14.0, 14.0]]))
    write_boxes([scene], tmp_path / "boxes.csv")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_labels_go_in_and_out(run_cli: RunCli, place: Path) -> None:
    assert run_cli("label", "import", "photos", "boxes=boxes.csv") == (0, "read 1 head on 1 image\n", "")
    code, out, err = run_cli("label", "export", "photos", "out.csv", "--to", "boxes")
    assert (code, out, err) == (0, "wrote out.csv: 1 image, 1 head\n", "")
    assert (place / "out.csv").read_text() == (place / "boxes.csv").read_text()


def test_work_that_is_there_is_kept(run_cli: RunCli, place: Path) -> None:
    run_cli("label", "import", "photos", "boxes=boxes.csv")
    code, out, err = run_cli("label", "import", "photos", "boxes=boxes.csv")
    assert (code, out) == (1, "read 0 heads on 0 images\n")
    assert err == "1 image with labels already, kept as they are: a.png\n"
    assert run_cli("label", "import", "photos", "boxes=boxes.csv", "--force")[0] == 0


def test_nothing_to_export(run_cli: RunCli, place: Path) -> None:
    code, _, err = run_cli("label", "export", "photos", "out.csv", "--to", "points")
    assert code == 2
    assert "label the folder first" in err


def test_the_page_needs_its_extra(run_cli: RunCli, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "is_installed", lambda package: package != "fastapi")
    code, out, err = run_cli("label", "open", "photos")
    assert (code, out) == (2, "")
    assert err == (
        'Error: headcount label open needs the "label" extra: install it from a checkout with pip install ".[label]".\n'
    )


def test_a_host_that_others_can_reach(run_cli: RunCli, place: Path) -> None:
    pytest.importorskip("fastapi", reason="the page needs the label extra")
    code, _, err = run_cli("label", "open", "photos", "--host", "0.0.0.0", "--token", "short")
    assert code == 2
    assert "8 to 128 letters and digits" in err
