"""A prediction in other libraries' hands; a stand-in for each shows what it is given where it is not installed."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from headcount.core.errors import InputError
from headcount.core.prediction import Prediction

POINTS = np.array([[2.0, 3.0], [20.0, 9.0]])
BOXES = np.array([[1.0, 1, 3, 6], [18, 4, 24, 14]])


def made(**changes: Any) -> Prediction:
    fields: dict[str, Any] = {"count": 2.0, "size_wh": (64, 48), "points_xy": POINTS, "points_kind": "heads"}
    return Prediction(**{**fields, "source": "in/0042.jpg", "model": "m", **changes})


def stand_in(monkeypatch: pytest.MonkeyPatch, package: str, name: str) -> None:
    """A package whose object of that name gives back what it is called with."""
    module = ModuleType(package)
    setattr(module, name, lambda *given, **named: SimpleNamespace(given=given, **named))
    monkeypatch.setitem(sys.modules, package, module)
    monkeypatch.setattr("headcount.core.table.is_installed", lambda package: True)


def test_detections(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, "supervision", "Detections")
    found = made(boxes_xyxy=BOXES, scores=np.array([0.25, 0.5])).to_supervision()
    assert (found.xyxy.dtype, found.xyxy.tolist()) == (np.float32, BOXES.tolist())
    assert (found.confidence.tolist(), found.class_id.tolist()) == ([0.25, 0.5], [0, 0])
    assert found.data["class_name"].tolist() == ["head", "head"]
    assert found.data["point_xy"].tolist() == POINTS.tolist()
    # What marks a head is not as large as one.
    for without in (made(), made(boxes_xyxy=BOXES, boxes_kind="parts")):
        found = without.to_supervision()
        assert found.xyxy.tolist() == [[2, 3, 2, 3], [20, 9, 20, 9]]
        assert found.confidence is None
    assert made(points_xy=[], count=0.0).to_supervision().xyxy.shape == (0, 4)
    with pytest.raises(InputError, match='"m" counts without saying where'):
        Prediction(3.0, (64, 48), model="m").to_supervision()


def test_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, "pandas", "DataFrame")
    (columns,) = made(boxes_xyxy=BOXES, scores=np.array([0.25, 0.5])).to_pandas().given
    assert list(columns) == ["source", "x", "y", "score", "x1", "y1", "x2", "y2"]
    assert (columns["source"].tolist(), list(columns["x2"])) == (["in/0042.jpg"] * 2, [3, 24])
    (columns,) = Prediction(3.0, (64, 48)).to_pandas().given
    assert {name: list(column) for name, column in columns.items()} == {"source": [], "x": [], "y": []}
    assert columns["source"].dtype == object  # no number, also where there is no row


def test_a_library_that_does_not_load_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headcount.core.table.is_installed", lambda package: True)
    monkeypatch.setitem(sys.modules, "supervision", None)  # as where what it needs is missing
    with pytest.raises(InputError, match='"supervision" cannot be loaded'):
        made().to_supervision()


def test_with_the_libraries_themselves() -> None:
    supervision = pytest.importorskip("supervision", reason="supervision is not installed")
    found = made().to_supervision()
    zone = supervision.PolygonZone(
        np.array([[0, 0], [9, 0], [9, 9], [0, 9]]), triggering_anchors=[supervision.Position.CENTER]
    )
    assert zone.trigger(found).tolist() == [True, False]
    pytest.importorskip("pandas", reason="pandas is not installed")
    assert made().to_pandas().shape == (2, 3)


@pytest.mark.parametrize("package", ["supervision", "pandas"])
def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    monkeypatch.setattr("headcount.core.table.is_installed", lambda package: False)
    with pytest.raises(InputError, match=rf'to_{package}\(\) needs the package "{package}", which is not installed'):
        getattr(made(), f"to_{package}")()


def test_coco() -> None:
    assert made(boxes_xyxy=BOXES, scores=np.array([0.25, 0.123456])).to_coco() == [
        {"image_id": 42, "category_id": 1, "bbox": [1, 1, 2, 5], "score": 0.25},
        {"image_id": 42, "category_id": 1, "bbox": [18, 4, 6, 10], "score": 0.1235},
    ]
    first, _ = made(source="in/hall.png").to_coco(category_id=7)
    assert first == {"image_id": "hall", "category_id": 7, "keypoints": [2, 3, 2], "score": 1}
    assert made().to_coco(image_id=0)[1]["image_id"] == 0
    with pytest.raises(InputError, match="take another model"):
        Prediction(3.0, (64, 48)).to_coco()


def test_the_density_map_alone(tmp_path: Path) -> None:
    density = np.random.default_rng(1).random((6, 8), dtype=np.float32)
    path = made(density=density, density_stride=8).save(tmp_path / "d.npy")
    read = np.load(path, allow_pickle=False)
    assert read.dtype == np.float32
    assert (read == density).all()
    with pytest.raises(InputError, match=r'"m" makes no density map, so it gives no \.npy'):
        made().save(tmp_path / "none.npy")
    assert not (tmp_path / "none.npy").exists()
