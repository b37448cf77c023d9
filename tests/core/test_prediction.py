"""A Prediction is plain data and comes back from it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from headcount.core.errors import InputError
from headcount.core.prediction import Prediction


def full() -> Prediction:
    return Prediction(
        count=2.4, size_wh=(64, 48), points_xy=np.array([[1.5, 2.5], [60.0, 40.0]]), points_kind="peaks",
        scores=np.array([0.5, 0.9]), density=np.full((6, 8), 0.05, np.float32), density_stride=8, interval=(1.0, 4.0),
        model="m", runtime="openvino cpu bf16", source="a/ü.jpg", timing_ms={"read": 1.0}, warnings=("careful",),
    )  # fmt: skip


@pytest.mark.parametrize("prediction", [Prediction(0.0, (1, 1)), full()], ids=["empty", "full"])
def test_round_trip(prediction: Prediction) -> None:
    plain = json.loads(json.dumps(prediction.to_dict()))
    assert Prediction.from_dict(plain).to_dict() == {k: v for k, v in plain.items() if k != "density"}


def test_counts_are_finite_and_scores_float64() -> None:
    for count in (float("nan"), float("inf")):
        with pytest.raises(InputError, match="finite"):
            Prediction(count, (8, 8))
    scored = Prediction(1.0, (8, 8), points_xy=np.ones((1, 2)), scores=np.ones(1, np.float32))
    assert scored.scores is not None
    assert scored.scores.dtype == np.float64


def test_scores_and_boxes_must_match_points() -> None:
    with pytest.raises(InputError, match="one each"):
        Prediction(1.0, (8, 8), points_xy=np.zeros((2, 2)), scores=np.zeros(1))
    with pytest.raises(InputError, match="1 boxes were given for 2 points"):
        Prediction(1.0, (8, 8), points_xy=np.zeros((2, 2)), boxes_xyxy=np.zeros((1, 4)))


@pytest.mark.parametrize(
    "plain",
    [
        {},
        {"count": 1},
        {"count": "many", "size_wh": [1, 1]},
        {"count": 1, "size_wh": [1]},
        {"count": 1, "size_wh": [float("inf"), 1]},
        {"count": 10**400, "size_wh": [1, 1]},
        {"count": 1, "size_wh": [1, 1], "interval": [1]},
        {"count": float("nan"), "size_wh": [1, 1]},
    ],
)
def test_from_dict_says_what_is_wrong(plain: dict) -> None:
    with pytest.raises(InputError, match="prediction"):
        Prediction.from_dict(plain)


def test_save_refuses_and_overwrites(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    full().save(target)
    with pytest.raises(InputError, match="exists already") as caught:
        full().save(target)
    assert caught.value.remedy == "overwrite"
    full().save(target, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    with pytest.raises(InputError, match="Did you mean"):
        full().save(tmp_path / "a.jsn")
    with pytest.raises(InputError, match=r'no folder ".*nowhere"'):
        full().save(tmp_path / "nowhere" / "a.json")


def test_picture_needs_the_image(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"not at hand: pass image=…"):
        full().save(tmp_path / "a.png")
    full().save(tmp_path / "a.png", image=np.zeros((48, 64, 3), np.uint8))
    assert (tmp_path / "a.png").stat().st_size > 0


def test_it_is_drawn_on_whatever_was_counted(tmp_path: Path) -> None:
    path, pixels = tmp_path / "a.png", np.arange(48 * 64 * 3, dtype=np.uint8).reshape(48, 64, 3)
    Image.fromarray(pixels).save(path)
    expected = full().draw(pixels)
    for given in (path, str(path), path.read_bytes(), path.open("rb"), Image.open(path)):
        assert np.array_equal(full().draw(given), expected)
    full().save(tmp_path / "b.png", image=Image.open(path))
    assert np.array_equal(np.asarray(Image.open(tmp_path / "b.png")), expected)
    with pytest.raises(InputError, match="a dict was given"):
        full().draw({})  # type: ignore[arg-type]


def test_it_is_saved_in_a_process_that_has_loaded_nothing_else(tmp_path: Path) -> None:
    code = (
        "import sys, numpy, headcount; "
        "headcount.Prediction(3.0, (10, 10)).save(sys.argv[1], image=numpy.zeros((10, 10, 3), numpy.uint8))"
    )
    for name in ("x.json", "x.jsonl", "x.csv", "x.png", "x.jpg"):
        subprocess.run([sys.executable, "-c", code, str(tmp_path / name)], check=True, timeout=60)
        assert (tmp_path / name).stat().st_size > 0


@pytest.mark.parametrize("size", [10, (10,), (10, 10, 3), (0, 10), (10, 1.5), "10", None])
def test_a_size_is_two_whole_numbers(size: Any) -> None:
    with pytest.raises(InputError, match=r"\(width, height\) in whole pixels"):
        Prediction(3.0, size)


@pytest.mark.parametrize("count", ["3", None, float("nan"), float("inf")])
def test_a_count_is_a_finite_number(count: Any) -> None:
    with pytest.raises(InputError, match="finite number"):
        Prediction(count, (8, 8))
