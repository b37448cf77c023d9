"""The shipped model: what its card says, what the package promises of it, and that nobody is nobody."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from headcount.core.card import TileSpec
from headcount.core.image import RgbImage
from headcount.core.scene import Scene
from headcount.data.sets.registry import read_dataset
from headcount.evaluate.metrics.located import LocalizationResult
from headcount.evaluate.metrics.table import EvaluationSettings
from headcount.evaluate.run import evaluate_scenes
from headcount.infer import INT8
from headcount.infer.counter import Counter, load
from headcount.infer.models import find_model, shipped_models
from headcount.synth import paint_scene

pytestmark = pytest.mark.slow

SHANGHAITECH = Path(__file__).parents[2] / "shared" / "data" / "ShanghaiTech"
needs_shanghaitech = pytest.mark.skipif(not SHANGHAITECH.is_dir(), reason="ShanghaiTech is not at hand")


GOLDEN = {
    "headcount-s": [39.227, 209.762],
    "headcount-crowds-s": [44.020, 207.934],
    "headcount-detect-s": [37, 141],
    "headcount-n": [35.582, 203.103],
}
"""What each counts of two painted scenes, of 40 and 200 people."""


@pytest.fixture(scope="module")
def counter() -> Counter:
    # f32, so that the figures are those of every processor.
    return load(precision="f32")


@pytest.mark.parametrize("name", shipped_models())
def test_files_are_small_and_those_of_the_card(name: str) -> None:
    found = find_model(name)
    assert set(found.weights) - {INT8} == {".onnx", ".safetensors"}
    for path in found.weights.values():
        assert path.stat().st_size <= 8_000_000
        assert path.name in found.card.sha256
        found.card.verify(path)
    assert 0 < found.card.parameters <= 4_000_000
    assert found.card.data
    assert "research" in found.card.terms
    assert "Apache-2.0" in found.card.initialisation or "MIT" in found.card.initialisation
    assert {(result.data, result.split) for result in found.card.results} >= {
        ("shanghaitech-a", "val"),
        ("shanghaitech-b", "val"),
    }


def test_the_smallest_has_less_than_a_million_weights() -> None:
    assert find_model("headcount-n").card.parameters < 1_000_000


def test_the_onnx_file_names_no_place_of_the_machine_that_made_it() -> None:
    content = find_model("headcount-s").weights[".onnx"].read_bytes()
    assert b"site-packages" not in content
    assert b".py" not in content


def test_tiled_equals_whole(counter: Counter) -> None:
    pixels = paint_scene(3, size_wh=(1536, 1344), count=500).pixels()
    card = counter.card
    side = 2 * card.tile.halo + 192
    tiled = Counter(card.model_copy(update={"tile": TileSpec(size=side, halo=card.tile.halo)}), counter.runtime)
    whole, parts = counter.count(pixels), tiled.count(pixels)
    assert whole.density is not None
    assert parts.density is not None
    np.testing.assert_allclose(parts.density, whole.density, atol=1e-4)
    assert parts.count == pytest.approx(whole.count, rel=5e-3)


@pytest.mark.parametrize("name", list(GOLDEN))
def test_fixed_scenes_have_fixed_counts(name: str) -> None:
    scenes = [paint_scene(seed, size_wh=(640, 480), count=people) for seed, people in ((11, 40), (12, 200))]
    for runtime, precision, tolerance in (
        ("openvino", "f32", 2e-3), ("onnxruntime", "f32", 2e-3), ("torch", "f32", 2e-3), ("openvino", "auto", 5e-2),
    ):  # fmt: skip
        counter = load(name, runtime=runtime, precision=precision)
        counts = [counter.count(scene).count for scene in scenes]
        assert counts == pytest.approx(GOLDEN[name], rel=tolerance, abs=1), f"{runtime} {precision}"


def test_an_enlarged_photograph_counts_alike(counter: Counter) -> None:
    pixels = paint_scene(5, count=40).pixels()
    whole = counter.count(pixels).count
    for factor in (0.5, 0.7, 1.5, 2.0, 3.0, 4.0):
        how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
        resized = cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=how).astype(np.uint8)
        assert counter.count(resized).count == pytest.approx(whole, rel=0.1), factor


@pytest.mark.parametrize("name", ["headcount-s", "headcount-n", "headcount-detect-s"])
def test_every_count_has_a_range(name: str) -> None:
    found = load(name, precision="f32").count(paint_scene(1, size_wh=(640, 480), count=60))
    assert found.interval is not None
    assert found.interval[0] <= found.count <= found.interval[1]
    held = [result for result in load(name).card.results if result.metric == "coverage"]
    assert {result.data for result in held} >= {"shanghaitech-a", "shanghaitech-b", "scut-head-a", "scut-head-b"}


def test_noise_is_doubted(counter: Counter) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (480, 640, 3)).astype(np.uint8)
    assert any("more noise" in warning for warning in counter.count(noise).warnings)


def test_painted_crowds_are_counted_near_their_truth(counter: Counter) -> None:
    # Seeds the training never saw: it used 100,000 and up.
    scenes = [paint_scene(seed) for seed in range(6)]
    errors = [abs(counter.count(scene).count - scene.count) / scene.count for scene in scenes]
    assert np.mean(errors) < 0.25


@needs_shanghaitech
def test_a_photograph_with_nobody_in_it_counts_near_zero(counter: Counter) -> None:
    counts = [counter.count(crop).count for crop in _head_free_crops()]
    assert len(counts) >= 20
    assert np.median(counts) < 1
    assert np.mean(counts) < 2
    assert max(counts) < 15


def _head_free_crops(side: int = 256, margin: float = 40.0) -> list[RgbImage]:
    """Squares of validation photographs at least ``margin`` from any head, one from each image that has one."""
    crops = []
    for scene in read_dataset(f"shanghaitech-b={SHANGHAITECH}", "val"):
        width, height = scene.size_wh
        for top in range(height - side, -1, -64):  # from the ground up: pavement and walls, not sky
            lefts = [left for left in range(0, width - side + 1, 64) if _is_free(scene, left, top, side, margin)]
            if lefts:
                crops.append(scene.pixels()[top : top + side, lefts[0] : lefts[0] + side])
                break
    return crops


def _is_free(scene: Scene, left: int, top: int, side: int, margin: float) -> bool:
    low, high = np.array([left, top]) - margin, np.array([left, top]) + side + margin
    return not bool(((scene.points_xy > low) & (scene.points_xy < high)).all(axis=1).any())


@needs_shanghaitech
@pytest.mark.parametrize("data", ["shanghaitech-a", "shanghaitech-b"])
def test_the_card_s_validation_error_is_what_the_model_makes(counter: Counter, data: str) -> None:
    stated = {r.metric: r.value for r in counter.card.results if (r.data, r.split) == (data, "val")}
    scenes = read_dataset(f"{data}={SHANGHAITECH}", "val")
    found = evaluate_scenes(counter, scenes, EvaluationSettings(data=data, split="val"), metrics=["counting"]).counting
    assert found.mae == pytest.approx(stated["MAE"], abs=0.05)
    assert found.rmse == pytest.approx(stated["RMSE"], abs=0.1)


def test_the_recipe_in_the_package_is_the_one_that_made_it(counter: Counter) -> None:
    from headcount.train.recipe import load_recipe

    recipe = load_recipe(counter.card.recipe)
    assert json.loads(json.dumps(recipe.model)) == counter.card.architecture
    assert recipe.seed == counter.card.seed


@pytest.fixture(scope="module")
def detector() -> Counter:
    return load("headcount-detect-s", precision="f32")


def test_the_same_heads_are_found_in_tiles(detector: Counter) -> None:
    pixels = paint_scene(3, size_wh=(1536, 1472), count=300).pixels()
    card = detector.card
    assert card.tile.exact
    side = 2 * card.tile.halo + 96
    tiled = Counter(card.model_copy(update={"tile": TileSpec(size=side, halo=card.tile.halo)}), detector.runtime)
    whole, parts = detector.count(pixels), tiled.count(pixels)
    assert whole.points_kind == "heads"
    assert whole.count == len(whole.points_xy) > 0
    np.testing.assert_allclose(parts.points_xy, whole.points_xy, atol=0.1)
    assert whole.boxes_kind == "heads"
    assert whole.boxes_xyxy is not None
    assert parts.boxes_xyxy is not None
    np.testing.assert_allclose(parts.boxes_xyxy, whole.boxes_xyxy, atol=0.1)


def test_nobody_is_found_where_nobody_is(detector: Counter) -> None:
    for value in (0, 128, 255):
        assert detector.count(np.full((300, 417, 3), value, np.uint8)).count == 0


@pytest.mark.parametrize(("data", "least"), [("scut-head-a", 0.8), ("scut-head-b", 0.75), ("shanghaitech-b", 0.6)])
def test_the_default_finds_heads_in_photographs(counter: Counter, data: str, least: float) -> None:
    """A few validation images; the whole splits are measured by ``headcount evaluate``."""
    folder = SHANGHAITECH.parent / "SCUT-HEAD" if data.startswith("scut") else SHANGHAITECH
    if not folder.is_dir():
        pytest.skip(f"{data} is not at hand")
    scenes = read_dataset(f"{data}={folder}", "val")[::16]
    found = evaluate_scenes(counter, scenes, metrics=["localization"], keep_worst=0).results["localization"]
    assert isinstance(found, LocalizationResult)
    key = "8px" if data.startswith("shanghaitech") else "sigma_l"
    assert next(result for result in found.radii if result.radius.key == key).total.f1 >= least


@pytest.mark.parametrize(("data", "least", "at_most"), [("scut-head-a", 0.9, 3.0), ("scut-head-b", 0.85, 3.5)])
def test_the_detector_boxes_heads_in_photographs(detector: Counter, data: str, least: float, at_most: float) -> None:
    """A few validation images; the whole lists are measured by ``headcount evaluate``."""
    folder = SHANGHAITECH.parent / "SCUT-HEAD"
    if not folder.is_dir():
        pytest.skip(f"{data} is not at hand")
    scenes = read_dataset(f"{data}={folder}", "val")[::16]
    found = evaluate_scenes(detector, scenes, metrics=["counting", "localization"], keep_worst=0)
    heads = found.results["localization"]
    assert isinstance(heads, LocalizationResult)
    assert next(result for result in heads.radii if result.radius.key == "sigma_l").total.f1 >= least
    assert found.counting.mae <= at_most
