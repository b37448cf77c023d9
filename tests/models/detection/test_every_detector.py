"""What every detector must do, whatever its network: one table of cases, one line for each variant."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

import headcount
from headcount.core.card import ModelCard, TileSpec
from headcount.core.errors import InputError, ModelError
from headcount.core.geometry import Boxes, centres
from headcount.core.prediction import Prediction
from headcount.core.scene import Scene
from headcount.infer.counter import Counter
from headcount.infer.tiling import is_tiled, plan
from headcount.models.method import Method, TargetBatch
from headcount.models.normalise import to_tensor
from headcount.models.runtime import TorchRuntime
from headcount.models.table import METHODS, build_method, method_class
from headcount.train.card import method_card
from headcount.train.export import write_model

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[3]


@dataclass(frozen=True)
class Case:
    """A small variant of a method, and how it is trained until four images are known by heart."""

    method: str
    options: dict[str, Any] = field(default_factory=dict)
    steps: int = 120
    rate: float = 5e-3
    side: int = 96
    """Of the images; the heads' sizes go with it."""
    exact: bool = True
    """Whether tiles and the whole image give the same maps."""
    exports: bool = True
    filled_up: bool = False
    """Whether it sees heads at the edge of what an image is filled up with, until it is shown one that has none."""
    losses: tuple[str, ...] = ("focal", "mask_focal")
    """``own``: the method has no option ``loss``."""


# test_resnet pools over no whole image, so that tiles are exact.
CENTERNET = {"backbone": "test_resnet", "width": 16, "head_width": 32}
PLAIN = {"backbone": "test_resnet", "neck": "dla_up_plain", "head_width": 32}
DEFORMABLE = {"backbone": "test_efficientnet", "neck": "dla_up", "head_width": 32}
# A threshold of a loss's own, as it would be calibrated.
DENSE = {
    "backbone": "test_resnet", "width": 16, "tower_depth": 2, "tower_norm": "batch", "strides": [4, 8],
    "decoder": {"score_threshold": 0.5, "nms_iou": 0.3},
}  # fmt: skip
RETINANET = DENSE | {"anchor_sizes": [[12, 16], [22, 30]], "aspect_ratios": [1.2]}
FASTER_RCNN = {
    "backbone": "test_resnet", "width": 16, "head_width": 32, "strides": [4, 8], "anchor_sizes": [12, 20, 30],
    "aspect_ratios": [1.2], "proposals": 30, "nms_iou": 0.3,
}  # fmt: skip
YOLOV5 = {
    "size": "n", "width": 16, "strides": [8, 16], "anchors": [[[12, 16]], [[22, 30]]], "box_weight": 0.2,
    "decoder": {"score_threshold": 0.5, "nms_iou": 0.3},
}  # fmt: skip
CASES = {
    "centernet": Case("centernet", CENTERNET),
    # On a CPU deformable convolutions take ten times as long as plain ones.
    "dla_up": Case(
        "centernet", DEFORMABLE, steps=30, rate=1e-2, side=64, exact=False, exports=False, losses=("mask_focal",)
    ),
    "dla_up_plain": Case("centernet", PLAIN, steps=90, losses=("mask_focal",)),
    "fcos": Case("fcos", DENSE, steps=70, rate=8e-3),
    "retinanet": Case("retinanet", RETINANET, steps=70, rate=8e-3),
    "foveabox": Case("foveabox", DENSE, steps=90, rate=8e-3),
    "faster_rcnn": Case("faster_rcnn", FASTER_RCNN, steps=60, rate=1e-2, exact=False, exports=False, losses=("own",)),
    "yolov5": Case("yolov5", YOLOV5, steps=140, rate=1e-2, filled_up=True),
}
"""A line for each variant of a detector; each is tried with each of its losses."""
BOTH = [pytest.param((name, loss), id=f"{name}-{loss}") for name, case in CASES.items() for loss in case.losses]
# What has to be trained first takes seconds each: all with the loss that is the default, CenterNet with both.
TRAINED = [param for param in BOTH if str(param.id).startswith("centernet") or not str(param.id).endswith("-focal")]
Known = tuple[str, str]


def _options(known: Known) -> dict[str, Any]:
    """A method that has one loss alone has no such option."""
    name, loss = known
    return CASES[name].options | ({"loss": loss} if loss != "own" else {})


def _built(known: Known, seed: int = 0) -> Method:
    name = known[0]
    torch.manual_seed(seed)
    return build_method(CASES[name].method, _options(known))


def _painted(width: int, height: int, boxes: NDArray[np.float64], seed: int) -> Scene:
    """Bright discs on dark noise, one in each of (n, 4) boxes."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(20, 90, (height, width, 3), dtype=np.uint8)
    y, x = np.mgrid[:height, :width] + 0.5
    for left, top, right, bottom in boxes:
        away = ((x - (left + right) / 2) * 2 / (right - left)) ** 2 + (
            (y - (top + bottom) / 2) * 2 / (bottom - top)
        ) ** 2
        pixels[away <= 1] = np.clip(255 - 160 * away[away <= 1, None], 0, 255)
    return Scene(pixels, centres(boxes), boxes)


def _four_images(name: str) -> list[Scene]:
    """With 4, 1, 0 and 6 heads; in 96×96 pixels they are of 12 to 30.

    Where the case says so, below and right of the third one lies what an image is filled up with to multiples of a
    divisor: none of the others has that edge.
    """
    side, factor = CASES[name].side, CASES[name].side / 96
    found = []
    for seed, middles in enumerate(
        ([(20, 22, 24), (70, 20, 18), (24, 72, 14), (68, 66, 30)], [(50, 44, 20)], [],
         [(15, 15, 16), (50, 15, 12), (80, 18, 20), (18, 60, 22), (54, 52, 14), (74, 80, 18)])
    ):  # fmt: skip
        boxes = [(x - wide / 2, y - 0.6 * wide, x + wide / 2, y + 0.6 * wide) for x, y, wide in middles]
        found.append(_painted(side, side, factor * np.array(boxes, np.float64).reshape(-1, 4), seed))
    if not CASES[name].filled_up:
        return found
    empty = found[2].pixels().copy()
    mean = method_class(CASES[name].method).settings_type.model_validate(CASES[name].options).mean  # type: ignore[attr-defined]
    empty[side - 15 :] = empty[:, side - 13 :] = np.rint(255 * np.array(mean))
    found[2] = Scene(empty, np.zeros((0, 2)), np.zeros((0, 4)))
    return found


@cache
def _trained(known: Known) -> Method:
    """A method that has learned the four images by heart."""
    case, scenes = CASES[known[0]], _four_images(known[0])
    method = _built(known).train()
    images = to_tensor([scene.pixels() for scene in scenes], method.input_spec)
    targets = TargetBatch.join([method.targets(scene) for scene in scenes])
    optimiser = torch.optim.Adam(method.parameters(), lr=case.rate)
    for step in range(case.steps):
        for group in optimiser.param_groups:
            group["lr"] = case.rate * min(1, (step + 1) / 10) * (1 + math.cos(math.pi * step / case.steps)) / 2
        loss = method.loss(method.training_forward(images, targets), targets)["total"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return method.eval()


@cache
def _card(known: Known) -> ModelCard:
    return method_card(CASES[known[0]].method, _options(known), _trained(known), name="small")


def _counter(known: Known, tile: TileSpec | None = None) -> Counter:
    card = _card(known)
    if tile is not None:
        card = card.model_copy(update={"tile": tile})
    return Counter(card, TorchRuntime(_trained(known), card.input))


def _assert_close(found: Prediction, expected: Boxes, *, atol: float) -> None:
    """As many boxes, and each within ``atol`` pixels of one of its own."""
    assert found.boxes_xyxy is not None
    assert (found.boxes_kind, len(found.boxes_xyxy)) == ("heads", len(expected))
    away = np.abs(found.boxes_xyxy[:, None] - expected).max(axis=2, initial=0)
    assert away[linear_sum_assignment(away)].max(initial=0) < atol


def test_every_detector_is_tested_here() -> None:
    detectors = {name for name in METHODS if method_class(name).task == "detect"}
    assert detectors == {case.method for case in CASES.values()}


@pytest.mark.parametrize("known", TRAINED)
def test_four_images_are_learned_by_heart(known: Known) -> None:
    counter = _counter(known)
    for scene in _four_images(known[0]):
        prediction = counter.count(scene)
        assert prediction.count == scene.count
        assert scene.boxes_xyxy is not None
        _assert_close(prediction, scene.boxes_xyxy, atol=5)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.exports])
def test_every_runtime_gives_the_same_boxes(name: str, tmp_path: Path) -> None:
    known, file = (name, CASES[name].losses[-1]), tmp_path / "small.onnx"
    write_model(_trained(known), _card(known), file)
    # Another size than the network was exported at, and no multiple of its divisor.
    side = CASES[name].side
    image = _painted(side + 43, side + 17, np.zeros((0, 4)), 3).pixels().copy()  # the ground is what it has learned
    image[:side, :side] = _four_images(name)[3].pixels()
    opened = {
        runtime: headcount.load(path, runtime=runtime, precision="f32", device="cpu")
        for runtime, path in (("onnxruntime", file), ("openvino", file), ("torch", file.with_suffix(".safetensors")))
    }
    found = {runtime: counter.count(image) for runtime, counter in opened.items()}
    assert found["torch"].count == 6
    for prediction in found.values():
        _assert_close(prediction, found["torch"].boxes_xyxy, atol=0.1)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if not case.exports])
def test_what_has_no_onnx_form_says_so_and_counts_from_its_weights(name: str, tmp_path: Path) -> None:
    known, file = (name, CASES[name].losses[-1]), tmp_path / "small.onnx"
    with pytest.raises(ModelError, match=r"no ONNX file.*\.safetensors"):
        write_model(_trained(known), _card(known), file)
    assert list(tmp_path.iterdir()) == []
    write_model(_trained(known), _card(known), file.with_suffix(".safetensors"))
    assert headcount.load(file.with_suffix(".safetensors")).count(_four_images(name)[3]).count == 6


@pytest.mark.parametrize("known", TRAINED)
def test_tiles_and_the_whole_image_give_the_same_boxes(known: Known) -> None:
    tile = _card(known).tile
    assert tile.exact == CASES[known[0]].exact
    halo = tile.halo if tile.exact else 64
    small = tile.model_copy(update={"size": 2 * halo + 96, "halo": halo})
    # As high as a tile, and wide enough for some; a head lies on each seam, and beside it.
    divisor = _card(known).input.size_divisor
    width, height = 2 * halo + 96 * 4, 2 * halo + 96
    size = -(-width // divisor) * divisor, -(-height // divisor) * divisor
    seams = [span.core_start for span in plan(size, small, divisor)[0][1:]]
    assert len(seams) > 1
    middles = [(x + 40 * k, y) for x in seams for k, y in ((0, height / 2), (1, 30))]
    boxes = np.array([(x - 8, y - 10, x + 8, y + 10) for x, y in middles])
    scene = _painted(width, height, boxes, 7)
    assert is_tiled(scene.size_wh, _card(known).model_copy(update={"tile": small}))
    tiled, whole = _counter(known, small).count(scene), _counter(known).count(scene)
    if tile.exact:
        _assert_close(tiled, whole.boxes_xyxy, atol=0.1)
    # A head on a seam is found once.
    on_seam = [int((np.abs(tiled.points_xy - middle).max(axis=1) < 8).sum()) for middle in middles[::2]]
    assert max(on_seam) <= 1
    assert not tile.exact or min(on_seam) == 1


def _scene(boxes: Any, width: int = 96, height: int = 64) -> Scene:
    pixels = np.random.default_rng(3).integers(0, 256, (height, width, 3), dtype=np.uint8)
    boxes_xyxy = np.array(boxes, np.float64).reshape(-1, 4)
    return Scene(pixels, centres(boxes_xyxy), boxes_xyxy)


def _three_thousand() -> list[list[float]]:
    corners = np.random.default_rng(4).uniform(0, (94, 62), (3000, 2))
    return np.concatenate([corners, corners + 2], axis=1).tolist()  # type: ignore[no-any-return]


CROWDS: dict[str, Callable[[], Any]] = {
    "nobody": lambda: [],
    "one": lambda: [[30, 20, 44, 38]],
    "one of 1×1 px": lambda: [[30, 20, 31, 21]],
    "at the border": lambda: [[0, 0, 12, 14], [84, 50, 96, 64], [95, 63, 96, 64]],
    "larger than the image": lambda: [[0, 0, 96, 64]],
    "equal": lambda: [[30, 20, 44, 38], [30, 20, 44, 38]],
    "overlapping": lambda: [[30, 20, 44, 38], [33, 22, 47, 40], [32, 21, 46, 39]],
    "3,000": _three_thousand,
}


@pytest.mark.parametrize("crowd", CROWDS)
@pytest.mark.parametrize("known", BOTH)
def test_any_crowd_can_be_learned(known: Known, crowd: str) -> None:
    method = _built(known).train()
    scenes = [_scene(CROWDS[crowd]()), _scene([])]
    images = to_tensor([scene.pixels() for scene in scenes], method.input_spec)
    targets = TargetBatch.join([method.targets(scene) for scene in scenes])
    losses = method.loss(method.training_forward(images, targets), targets)
    losses["total"].backward()
    assert all(loss.isfinite() for loss in losses.values())
    gradients = [p.grad for p in method.parameters() if p.grad is not None]
    assert all(one.isfinite().all() for one in gradients)
    assert any(one.abs().sum() > 0 for one in gradients)


@pytest.mark.parametrize("known", [known for known in BOTH if known.values[0][1] != "own"])
def test_whatever_a_network_says_its_loss_and_gradient_are_finite(known: Known) -> None:
    method, scenes = _built(known).train(), [_scene([[30, 20, 44, 38], [52, 7, 53, 8], [90, 50, 96, 64]]), _scene([])]
    images = to_tensor([scene.pixels() for scene in scenes], method.input_spec)
    targets = TargetBatch.join([method.targets(scene) for scene in scenes])
    maps = method.training_forward(images, targets)
    for size in (-100, -30, -8, 8, 30, 100):
        for spread in (torch.ones_like, torch.randn_like):
            said = {name: (size * spread(values)).detach().requires_grad_() for name, values in maps.items()}
            losses = method.loss(said, targets)
            losses["total"].backward()
            assert all(loss.isfinite() for loss in losses.values())
            assert all(values.grad is None or values.grad.isfinite().all() for values in said.values())


@pytest.mark.parametrize("known", BOTH)
def test_a_head_without_a_box_teaches_no_detector(known: Known) -> None:
    scene = Scene(np.zeros((64, 96, 3), np.uint8), np.array([[20.0, 30.0]]), name="points only")
    with pytest.raises(InputError, match="points only"):
        _built(known).targets(scene)


@pytest.mark.parametrize("known", BOTH)
def test_autocast_learns_in_bfloat16(known: Known) -> None:
    method, scene = _built(known).train(), _four_images(known[0])[0]
    images = to_tensor([scene.pixels()] * 2, method.input_spec)
    targets = TargetBatch.join([method.targets(scene)] * 2)
    with torch.autocast("cpu", torch.bfloat16):
        total = method.loss(method.training_forward(images, targets), targets)["total"]
    total.backward()
    assert total.dtype == torch.float32
    silent = [
        key for key, p in method.named_parameters()
        if p.requires_grad and (p.grad is None or not p.grad.isfinite().all())
    ]  # fmt: skip
    assert total.isfinite()
    assert silent == []


@cache
def _added_mb() -> dict[str, float]:
    """What assigning 3,000 heads adds to each case, measured in one other process."""
    given = [word for case in CASES.values() for word in (case.method, json.dumps(case.options))]
    told = subprocess.run(
        [sys.executable, "-m", "benchmarks.assignment", *given],
        cwd=REPOSITORY, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return {name: json.loads(line)["added_mb"] for name, line in zip(CASES, told.splitlines(), strict=True)}


@pytest.mark.parametrize("name", CASES)
def test_assigning_3000_heads_takes_little_memory(name: str) -> None:
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("this system does not tell how much memory was used")
    assert _added_mb()[name] < 500
