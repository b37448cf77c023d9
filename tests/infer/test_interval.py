"""The range of a model's counts is learned from images with a known number, and travels in its card."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import headcount
from headcount.core.card import ModelCard
from headcount.core.errors import InputError, ModelError
from headcount.evaluate.files import read_sets
from headcount.evaluate.run import evaluate_scenes
from headcount.infer.calibrate import calibrate, calibrate_interval


@pytest.fixture
def model(spots_model: Path, tmp_path: Path) -> Path:
    for suffix in (".onnx", ".json"):
        shutil.copy(spots_model.with_suffix(suffix), tmp_path / f"spots{suffix}")
    return tmp_path / "spots.onnx"


@pytest.fixture
def crowd(tmp_path: Path) -> Path:
    """40 pictures of up to 30 bright heads, of which every second one hides some from the model; ``points.csv``."""
    folder = tmp_path / "crowd"
    folder.mkdir()
    draw = np.random.default_rng(5)
    rows = ["image,x,y"]
    for number in range(40):
        pixels = np.zeros((96, 144, 3), np.uint8)
        spots = [(x, y) for y in range(8, 88, 16) for x in range(8, 136, 16)]
        heads = int(draw.integers(0, 30))
        for k, at in enumerate(draw.permutation(len(spots))[:heads]):
            x, y = spots[at]
            pixels[y : y + 4, x : x + 4] = 20 if number % 2 and k % 4 == 3 else 230
            rows.append(f"{number}.png,{x + 2},{y + 2}")
        rows += [] if heads else [f"{number}.png,,"]
        Image.fromarray(pixels).save(folder / f"{number}.png")
    (folder / "points.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder / "points.csv"


def test_a_calibrated_model_gives_ranges_that_hold(model: Path, crowd: Path) -> None:
    assert headcount.load(model).count(crowd.parent / "1.png").interval is None
    chosen = calibrate_interval(model, [f"points={crowd}"], split="all", precision="f32")
    assert chosen.lines()[0] == "spots: the range of its counts, learned from 40 images"
    card = ModelCard.read(model.with_suffix(".json"))
    assert card.interval == chosen.fitted.spec
    (result,) = card.results
    assert (result.metric, result.images, result.value) == (
        "coverage",
        40,
        chosen.fitted.coverage["points-points"].share,
    )
    counter = headcount.load(model, precision="f32")
    (read,) = read_sets([f"points={crowd}"], "all").values()
    report = evaluate_scenes(counter, read)
    assert report.results["interval"].to_dict()["coverage"] >= 0.85
    found = counter.count(crowd.parent / "1.png")
    assert found.interval_level == 0.9
    assert found.interval is not None
    assert found.interval[0] <= found.count <= found.interval[1]


def test_the_level_is_chosen_where_the_model_is_loaded(model: Path, crowd: Path) -> None:
    calibrate_interval(model, [f"points={crowd}"], split="all")
    picture = crowd.parent / "1.png"
    half, wide = (headcount.load(model, interval=level).count(picture) for level in (0.5, 0.98))
    assert (half.interval_level, wide.interval_level) == (0.5, 0.98)
    assert half.interval is not None
    assert wide.interval is not None
    assert wide.interval[0] <= half.interval[0] <= half.interval[1] < wide.interval[1]
    with pytest.raises(InputError, match=r"from 0\.5 to 0\.99, but 0\.2"):
        headcount.load(model, interval=0.2)
    again = headcount.Prediction.from_dict(json.loads(json.dumps(half.to_dict())))
    assert again.interval == pytest.approx(half.interval, abs=1e-3)
    assert again.interval_level == 0.5


def test_in_a_region_the_range_is_that_of_the_people_in_it(model: Path, crowd: Path) -> None:
    calibrate_interval(model, [f"points={crowd}"], split="all")
    counter = headcount.load(model)
    pictures = [crowd.parent / f"{number}.png" for number in range(8)]
    most = max(pictures, key=lambda picture: counter.count(picture).count)
    whole = counter.count(most)
    part = counter.count(most, region=[[0, 0], [72, 0], [72, 96], [0, 96]])
    assert 0 < part.count < whole.count
    assert part.interval is not None
    assert part.interval[0] <= part.count <= part.interval[1]
    assert not part.warnings


def test_how_it_decodes_chosen_anew_makes_the_range_void(model: Path, crowd: Path, spots: Path) -> None:
    calibrate_interval(model, [f"points={crowd}"], split="all")
    calibrate(model, [f"boxes={spots}"], split="all")
    card = ModelCard.read(model.with_suffix(".json"))
    assert card.interval is None
    assert "coverage" not in {result.metric for result in card.results}


def test_photographs_of_nobody_are_data_too(model: Path, crowd: Path, tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    for number in range(30):
        Image.fromarray(np.full((64, 64, 3), 4 * number, np.uint8)).save(folder / f"{number}.png")
    chosen = calibrate_interval(model, [f"points={crowd}", f"negatives={folder}"], split="all")
    assert chosen.sets == (("points-points", "all", 40), ("negatives", "all", 30))
    assert chosen.fitted.spec.images == 70


def test_what_cannot_be_learned_is_said(model: Path, crowd: Path, spots: Path) -> None:
    with pytest.raises(InputError, match="but there are 3: add some"):
        calibrate_interval(model, [f"boxes={spots}"], split="all")
    with pytest.raises(InputError, match="test split chooses nothing"):
        calibrate_interval(model, [f"points={crowd}"], split="test")
    path = model.with_suffix(".json")
    card = ModelCard.read(path).model_copy(update={"task": "size", "decoder": None})
    path.write_text(card.to_json(), encoding="utf-8")
    with pytest.raises(ModelError, match="counts nobody: there is no range to learn"):
        calibrate_interval(model, [f"points={crowd}"], split="all")
