"""From files to files: what data sets are called, what is gathered for a prediction file, what is missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from headcount.core.errors import InputError
from headcount.core.prediction import Prediction
from headcount.core.scene import Scene
from headcount.evaluate.files import NwpuPredictions, evaluate_prediction_file, read_sets


@pytest.fixture
def points(tmp_path: Path) -> Path:
    Image.new("RGB", (64, 48)).save(tmp_path / "a_1.png")
    (tmp_path / "hall.csv").write_text("image,x,y\na_1.png,10.5,10.5\n")
    return tmp_path / "hall.csv"


def test_ones_own_images_are_called_by_their_file_and_taken_whole(points: Path) -> None:
    sets = read_sets([f"points={points}"], None)
    assert {key: len(read.scenes) for key, read in sets.items()} == {("points-hall", "all"): 1}
    assert list(read_sets([f"points={points}"], "train")) == [("points-hall", "train")]
    with pytest.raises(InputError, match='"points-hall" is given twice'):
        read_sets([f"points={points}", f"points={points}"], None)


def test_published_sets_are_called_by_their_name_and_validated_on(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []
    monkeypatch.setattr("headcount.evaluate.files.read_set", lambda *given: asked.append(given) or [])
    assert list(read_sets(["shanghaitech-a=x", "mall=y"], None)) == [("shanghaitech-a", "val"), ("mall", "val")]
    assert asked == [("shanghaitech-a=x", "val"), ("mall=y", "val")]


def test_a_prediction_file_is_refused_before_anything_is_counted(tmp_path: Path, points: Path) -> None:
    (tmp_path / "taken.txt").touch()
    for name, words in (("a.json", "ends in .txt"), ("taken.txt", "exists already"), ("no/a.txt", "no folder")):
        with pytest.raises(InputError, match=words):
            NwpuPredictions(tmp_path / name)
    with pytest.raises(InputError, match="ends in no number"):
        NwpuPredictions(tmp_path / "a.txt").expect({("d", "val"): [Scene(points, name="hall")]})


def test_a_prediction_file_is_gathered_and_scored(tmp_path: Path) -> None:
    scenes = [Scene(np.zeros((48, 64, 3), np.uint8), [[10.0, 10.0]], name=f"{number}.jpg") for number in (7, 12)]
    found = NwpuPredictions(tmp_path / "found.txt")
    found.expect({("d", "val"): scenes})
    found.add(scenes[0], Prediction(1, (64, 48), [[63.99, 47.0]], "heads"), 0.1)  # type: ignore[arg-type]
    found.add(scenes[1], Prediction(0, (64, 48), points_kind="heads"), 0.1)
    found.write()
    assert found.path.read_text() == "7 1 63 47\n12 0\n"
    with pytest.raises(InputError, match="without saying where"):
        found.add(scenes[0], Prediction(1, (64, 48)), 0.1)
    (tmp_path / "truth.txt").write_text("7 1 60 47 3 6 1\n12 0\n")
    Image.new("RGB", (64, 48)).save(tmp_path / "0012.jpg")
    report = evaluate_prediction_file(found.path, tmp_path / "truth.txt", images=tmp_path)
    assert report.missing == [7]
    assert report.lines()[0] == "found.txt against truth.txt"
    assert max(map(len, report.lines())) <= 80
    assert report.result.at("sigma_l").total.f1 == report.result.at("sigma_s").total.f1 == 1
    assert report.to_dict()["counting"]["mae"] == 0
    (tmp_path / "0007.jpg").write_bytes(b"no image")
    report = evaluate_prediction_file(found.path, tmp_path / "truth.txt", images=tmp_path)
    assert (report.missing, [one.name for one in report.skipped]) == ([], ["0007"])
    with pytest.raises(InputError, match=r"first was expected as 0007\.jpg"):
        evaluate_prediction_file(found.path, tmp_path / "truth.txt", images=Path(__file__).parent)
