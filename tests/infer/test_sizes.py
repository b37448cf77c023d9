"""Sizes of heads from a model's file: a network of one layer, whose log area is a fiftieth of the mean colour."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import headcount
from headcount.core.card import InputSpec, ModelCard, OutputSpec, TileSpec, sha256_of
from headcount.core.errors import InputError, ModelError
from headcount.core.geometry import sides
from headcount.core.scene import Scene
from headcount.data.formats.head_list import read_boxes
from headcount.infer.sizes import SizeEstimator, load_sizes
from headcount.synth import paint_scene

Run = Callable[..., tuple[int, str, str]]
DARK, BRIGHT = 100, 200
SIDES = {DARK: np.exp(1.0), BRIGHT: np.exp(2.0)}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    onnx = pytest.importorskip("onnx", reason="the test model is built with onnx (train extra)")
    helper, types = onnx.helper, onnx.TensorProto
    nodes = [
        helper.make_node("Cast", ["pixels"], ["float"], to=types.FLOAT),
        helper.make_node("Transpose", ["float"], ["nchw"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["nchw", "weight"], ["log_area"], kernel_shape=[8, 8], strides=[8, 8]),
    ]
    weight = onnx.numpy_helper.from_array(np.full((1, 3, 8, 8), 1 / 192 / 50, np.float32), "weight")
    graph = helper.make_graph(
        nodes, "sizes",
        [helper.make_tensor_value_info("pixels", types.UINT8, [1, "h", "w", 3])],
        [helper.make_tensor_value_info("log_area", types.FLOAT, [1, 1, "rows", "columns"])],
        [weight],
    )  # fmt: skip
    path = tmp_path_factory.mktemp("sizes") / "sizes.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    card = ModelCard(
        name="sizes", method="none", input=InputSpec(size_divisor=8), outputs=(OutputSpec(name="log_area", stride=8),),
        task="size", tile=TileSpec(size=64, halo=8, overlap="average"),
        sha256={path.name: sha256_of(path)},
    )  # fmt: skip
    path.with_suffix(".json").write_text(card.to_json(), encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module")
def estimator(model: str) -> SizeEstimator:
    return load_sizes(model, precision="f32")


def _half_and_half(width: int = 304, height: int = 200) -> np.ndarray:
    pixels = np.full((height, width, 3), DARK, np.uint8)
    pixels[:, width // 2 :] = BRIGHT
    return pixels


def test_nobody_is_measured_and_nothing_opened(estimator: SizeEstimator) -> None:
    scene = Scene(Path("no such file.jpg"))
    assert estimator.sides(scene).shape == (0,)
    boxed = estimator.box(scene)
    assert boxed.boxes_xyxy is not None
    assert boxed.boxes_xyxy.shape == (0, 4)
    assert boxed.box_provenance == ()


def test_sizes_are_those_of_the_places_tiled_as_whole(estimator: SizeEstimator, model: str) -> None:
    scene = Scene(_half_and_half(), np.array([[20.5, 30], [290, 199.5], [130, 10], [304, 200]]))
    sides = estimator.sides(scene)
    np.testing.assert_allclose(sides, [SIDES[k] for k in (DARK, BRIGHT, DARK, BRIGHT)], rtol=1e-4)
    whole = SizeEstimator(estimator.card.model_copy(update={"tile": TileSpec()}), estimator.runtime)
    np.testing.assert_allclose(whole.sides(scene), sides, rtol=1e-5)


def test_boxes_are_squares_about_the_points_within_the_image(estimator: SizeEstimator) -> None:
    points = np.array([[250.0, 100.0], [304.0, 200.0]])
    boxed = estimator.box(Scene(_half_and_half(), points))
    side = SIDES[BRIGHT]
    assert boxed.boxes_xyxy is not None
    expected = [
        [250 - side / 2, 100 - side / 2, 250 + side / 2, 100 + side / 2],
        [304 - side / 2, 200 - side / 2, 304, 200],
    ]
    np.testing.assert_allclose(boxed.boxes_xyxy, expected, rtol=1e-4)
    assert boxed.box_provenance == ("pseudo", "pseudo")
    assert boxed.points_xy.tolist() == points.tolist()


def test_sides_are_limited_by_the_image(estimator: SizeEstimator) -> None:
    assert estimator.sides(Scene(np.full((3, 40, 3), 255, np.uint8), np.array([[5.0, 1.0]]))).tolist() == [3]
    assert estimator.sides(Scene(np.zeros((30, 40, 3), np.uint8), np.array([[5.0, 1.0]]))).tolist() == [2]


def test_a_point_outside_its_image_is_named(estimator: SizeEstimator) -> None:
    scene = Scene(_half_and_half(), np.array([[5.0, 5.0], [305.0, 5.0]]), name="hall")
    with pytest.raises(InputError, match=r'"hall": the point \(305, 5\) of head 2 lies outside its image \(304×200'):
        estimator.sides(scene)


def test_boxes_that_are_there_are_kept(estimator: SizeEstimator) -> None:
    scene = Scene(_half_and_half(), np.array([[5.0, 5.0]]), np.array([[1.0, 1, 9, 9]]), name="hall")
    with pytest.raises(InputError, match='"hall" has head boxes already'):
        estimator.box(scene)


def test_another_kind_of_model_is_refused(tiny_model: str) -> None:
    with pytest.raises(ModelError, match=r'"tiny" does not tell how large heads are: .*headcount-s.* head-scale'):
        load_sizes(tiny_model)


def test_widths_and_heights_tell_sizes_as_log_areas_do(estimator: SizeEstimator) -> None:
    """A detector's map: heads of 6×24 pixels on the left, of 20×20 on the right, and none below 1 px²."""

    class Sized:
        name, device, precision = "sized", "cpu", "f32"

        def run(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
            rows, columns = pixels.shape[1] // 8, pixels.shape[2] // 8
            sizes = np.full((1, 2, rows, columns), 20, np.float32)
            sizes[0, 0, :, : columns // 2], sizes[0, 1, :, : columns // 2] = 6, 24
            sizes[0, :, :1, :1] = -3
            return {"size": sizes}

    card = estimator.card.model_copy(
        update={"outputs": (OutputSpec(name="size", stride=8, channels=2),), "task": "detect", "tile": TileSpec()}
    )
    scene = Scene(np.zeros((64, 128, 3), np.uint8), np.array([[28.0, 36.0], [100.0, 20.0], [2.0, 2.0]]))
    np.testing.assert_allclose(SizeEstimator(card, Sized()).sides(scene), [12, 20, 2], rtol=1e-6)


def test_the_shipped_default_knows_how_large_heads_are() -> None:
    scene = paint_scene(3, size_wh=(480, 360), count=25)
    assert scene.boxes_xyxy is not None
    painted = np.sqrt(sides(scene.boxes_xyxy).prod(axis=1))
    estimated = load_sizes("headcount-s", precision="f32").sides(replace(scene, boxes_xyxy=None, box_provenance=()))
    assert np.median(np.abs(np.log(estimated / painted))) < np.log(1.3)


def test_it_is_refused_for_counting(model: str) -> None:
    with pytest.raises(ModelError, match="counts nobody"):
        headcount.load(model)


def test_a_card_without_the_map_is_refused(estimator: SizeEstimator) -> None:
    card = estimator.card.model_copy(update={"outputs": (OutputSpec(name="size", stride=8),)})
    with pytest.raises(ModelError, match='no map "log_area"'):
        SizeEstimator(card, estimator.runtime)


def test_values_that_are_not_finite_are_refused(estimator: SizeEstimator) -> None:
    class Broken:
        name, device, precision = "broken", "cpu", "f32"

        def run(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
            rows, columns = pixels.shape[1] // 8, pixels.shape[2] // 8
            return {"log_area": np.full((1, 1, rows, columns), np.nan, np.float32)}

    with pytest.raises(ModelError, match='"log_area" holds values that are not finite'):
        SizeEstimator(estimator.card, Broken()).sides(Scene(_half_and_half(), np.array([[5.0, 5.0]])))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    Image.fromarray(_half_and_half()).save(tmp_path / "a.png")
    Image.fromarray(_half_and_half(64, 64)).save(tmp_path / "b.png")
    (tmp_path / "points.csv").write_text("image,x,y\na.png,20.25,20\na.png,250,40\na.png,0,0\nb.png,,\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("points", "out"), [("points.csv", "out.csv"), ("points=points.csv", "out.json")])
def test_the_command_writes_boxes_that_read_back(folder: Path, run_cli: Run, model: str, points: str, out: str) -> None:
    code, said, err = run_cli("label", "pseudo", model, points, out, "--precision", "f32")
    assert (code, err) == (0, "")
    assert said == f"wrote {out}: 3 heads on 2 images, sides 1 to 7 px, half of them below 3\n"
    first, empty = read_boxes(folder / out)
    assert first.box_provenance == ("pseudo",) * 3
    assert first.points_xy.tolist() == [[20.25, 20], [250, 40], [0, 0]]
    expected = load_sizes(model, precision="f32").box(replace(first, boxes_xyxy=None, box_provenance=()))
    assert first.boxes_xyxy is not None
    assert expected.boxes_xyxy is not None
    assert first.boxes_xyxy.tolist() == expected.boxes_xyxy.tolist()
    assert empty.count == 0


def test_the_command_overwrites_nothing_unasked_and_no_input_ever(folder: Path, run_cli: Run, model: str) -> None:
    (folder / "out.csv").write_text("mine")
    code, _, err = run_cli("label", "pseudo", model, "points.csv", "out.csv")
    assert (code, (folder / "out.csv").read_text()) == (2, "mine")
    assert "--force" in err
    before = (folder / "points.csv").read_text()
    assert run_cli("label", "pseudo", model, "points.csv", "points.csv", "--force")[0] == 2
    assert run_cli("label", "pseudo", model, "points=points.csv", f".{os.sep}points.csv", "--force")[0] == 2
    assert (folder / "points.csv").read_text() == before
    assert run_cli("label", "pseudo", model, "points.csv", "out.csv", "--force")[0] == 0
    assert len(read_boxes(folder / "out.csv")) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("points.csv", "out.txt"), "written as .csv or .json"),
        (("nothing.csv", "out.csv"), '"nothing.csv"'),
        (("shanghaitech-x=.", "out.csv"), '"shanghaitech-x" is no data set'),
        (("points.csv", "no/out.csv"), "no folder"),
        (("points.csv", "out.csv", "--split", "tset"), '"tset" is no split'),
    ],
)
def test_the_command_says_what_is_wrong(
    folder: Path, run_cli: Run, model: str, arguments: tuple[str, ...], message: str
) -> None:
    code, out, err = run_cli("label", "pseudo", model, *arguments)
    assert (code, out) == (2, "")
    assert message in " ".join(err.split())
    assert not (folder / "out.csv").exists()


def test_the_command_refuses_a_model_that_counts(folder: Path, run_cli: Run, tiny_model: str) -> None:
    code, _, err = run_cli("label", "pseudo", tiny_model, "points.csv", "out.json")
    assert code == 2
    assert "head-scale" in err
    assert not (folder / "out.json").exists()


def test_the_card_says_what_it_is(model: str) -> None:
    assert json.loads(Path(model).with_suffix(".json").read_text())["task"] == "size"
