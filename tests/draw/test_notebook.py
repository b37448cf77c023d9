"""A prediction on the screen: what a notebook is given, and what happens outside of one."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from headcount.core.prediction import Prediction


@pytest.fixture
def prediction(tmp_path: Path) -> Prediction:
    Image.new("RGB", (2000, 1000)).save(tmp_path / "wide.png")
    return Prediction(1.0, (2000, 1000), np.array([[9.0, 9.0]]), "heads", source=str(tmp_path / "wide.png"))


def notebook(monkeypatch: pytest.MonkeyPatch, shell: object) -> list[Image.Image]:
    shown: list[Image.Image] = []
    python, display = ModuleType("IPython"), ModuleType("IPython.display")
    python.get_ipython = lambda: shell  # type: ignore[attr-defined]
    display.display = shown.append  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", python)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    return shown


def test_a_notebook_shows_it_below_its_cell(monkeypatch: pytest.MonkeyPatch, prediction: Prediction) -> None:
    shown = notebook(monkeypatch, SimpleNamespace(kernel=1))
    prediction.show()
    prediction.show(np.zeros((1000, 2000, 3), np.uint8), kind="points")
    assert [picture.size[0] for picture in shown] == [1600, 1600]


@pytest.mark.parametrize("shell", ["none", None, SimpleNamespace()])
def test_elsewhere_the_viewer_shows_it(monkeypatch: pytest.MonkeyPatch, prediction: Prediction, shell: object) -> None:
    shown = [] if shell == "none" else notebook(monkeypatch, shell)
    viewed: list[Image.Image] = []
    monkeypatch.setattr(Image.Image, "show", lambda self: viewed.append(self))
    prediction.show()
    assert (len(viewed), shown) == (1, [])


def test_a_notebook_shows_a_last_line_by_itself_where_its_image_is_at_hand(prediction: Prediction) -> None:
    png = prediction._repr_png_()
    assert png is not None
    with Image.open(io.BytesIO(png)) as picture:
        assert picture.format == "PNG"
        assert picture.size[0] == 1600
    assert Prediction(1.0, (4, 4), source="away.png")._repr_png_() is None
    assert Prediction(1.0, (4, 4))._repr_png_() is None
