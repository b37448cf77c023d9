"""Faster R-CNN: matching in pieces, the region, boxes out of the network, what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torchvision.models.detection._utils import Matcher
from torchvision.ops import box_iou

import headcount
from headcount.core.errors import InputError, ModelError
from headcount.core.scene import Scene
from headcount.models.detection.faster_rcnn import AnchorMatcher, FasterRcnn
from headcount.models.method import TargetBatch
from headcount.models.table import build_method
from headcount.train.card import method_card
from headcount.train.export import write_model

SMALL: dict[str, Any] = {
    "backbone": "test_efficientnet", "width": 16, "head_width": 16, "anchor_sizes": [4, 8, 16, 32, 64], "proposals": 40
}  # fmt: skip


def _built(**options: Any) -> FasterRcnn:
    torch.manual_seed(0)
    method = build_method("faster_rcnn", SMALL | options)
    assert isinstance(method, FasterRcnn)
    return method


def _anchors(columns: int, rows: int) -> torch.Tensor:
    """One of 8 and one of 20 pixels in each cell of 8, row by row."""
    y, x = torch.meshgrid(torch.arange(rows) * 8.0, torch.arange(columns) * 8.0, indexing="ij")
    middle = torch.stack([x, y, x, y], dim=-1)[:, :, None]
    return (middle + torch.tensor([[-4.0, -4, 4, 4], [-10, -10, 10, 10]])).reshape(-1, 4)


@pytest.mark.parametrize("heads", [1, 7, 300])
def test_matching_equals_torchvisions(heads: int) -> None:
    draw = torch.Generator().manual_seed(heads)
    anchors = _anchors(40, 30)
    corner = torch.rand(heads, 2, generator=draw) * torch.tensor([300.0, 220.0])
    boxes = torch.cat([corner, corner + 3 + 20 * torch.rand(heads, 2, generator=draw)], dim=1)
    boxes = torch.cat([boxes, boxes[:1], torch.tensor([[16.0, 16, 24, 24]])])  # twins; one between two anchors
    expected = Matcher(0.7, 0.3, allow_low_quality_matches=True)(box_iou(boxes, anchors))
    assert torch.equal(AnchorMatcher(0.7, 0.3)((boxes, anchors)), expected)


def test_a_head_that_no_anchor_meets_matches_none() -> None:
    matches = AnchorMatcher(0.7, 0.3)((torch.tensor([[900.0, 900, 910, 910]]), _anchors(10, 10)))
    assert set(matches.tolist()) == {-1}


def _learned(method: FasterRcnn, scene: Scene) -> dict[str, torch.Tensor]:
    batch = TargetBatch.join([method.targets(scene)])
    images = torch.randn(1, 3, *reversed(scene.size_wh), generator=torch.Generator().manual_seed(1))
    torch.manual_seed(2)
    return method.loss(method.training_forward(images, batch), batch)


def _scene(region: np.ndarray | None = None, boxes: list[list[float]] | None = None) -> Scene:
    known = np.array([[8.0, 8, 20, 24], [60, 30, 75, 50]] if boxes is None else boxes).reshape(-1, 4)
    return Scene(np.zeros((64, 96, 3), np.uint8), boxes_xyxy=known, region=region)


def test_heads_outside_the_region_teach_nothing() -> None:
    method, left = _built().train(), np.zeros((64, 96), np.bool_)
    left[:, :48] = True
    both, one = _learned(method, _scene(left)), _learned(method, _scene(left, [[8, 8, 20, 24]]))
    assert all(torch.equal(both[name], one[name]) for name in both)
    assert not torch.equal(both["total"], _learned(method, _scene())["total"])


def test_an_image_wholly_outside_the_region_has_a_finite_loss() -> None:
    losses = _learned(_built().train(), _scene(np.zeros((64, 96), np.bool_)))
    losses["total"].backward()
    assert all(float(value.detach()) == 0 for value in losses.values())


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    options = SMALL | {"decoder": {"score_threshold": 0.2}}
    method = _built(**options).eval()
    # A network that learned nothing finds heads everywhere: let it be sure of some.
    torch.nn.init.constant_(method.roi_heads.box_predictor.cls_score.bias, 0.0)
    path = tmp_path_factory.mktemp("model") / "rcnn.safetensors"
    write_model(method, method_card("faster_rcnn", options, method, name="rcnn"), path)
    return path


def test_it_counts_on_torch_whole_and_in_tiles(written: Path) -> None:
    counter = headcount.load(written)
    assert counter.runtime.name == "torch"
    pixels = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    whole = counter.count(pixels)
    assert 0 < whole.count <= 40
    assert whole.boxes_xyxy is not None
    assert whole.scores is not None
    assert whole.boxes_kind == "heads"
    assert whole.scores.min() >= 0.2
    tile = counter.card.tile.model_copy(update={"size": 160, "halo": 32})
    tiled = headcount.Counter(counter.card.model_copy(update={"tile": tile}), counter.runtime).count(pixels)
    assert tiled.count > whole.count  # each tile has proposals of its own
    assert any("tiles" in warning for warning in tiled.warnings)


def test_it_has_no_onnx_file(tmp_path: Path) -> None:
    method = _built().eval()
    card = method_card("faster_rcnn", SMALL, method, name="rcnn")
    with pytest.raises(ModelError, match=r"no ONNX file: export it to a \.safetensors file"):
        write_model(method, card, tmp_path / "rcnn.onnx")
    assert list(tmp_path.iterdir()) == []


def test_runtimes_of_onnx_files_say_that_it_has_none(written: Path) -> None:
    with pytest.raises(InputError, match=r"OpenVINO reads \.onnx files"):
        headcount.load(written, runtime="openvino")


def test_the_published_network_is_as_large_as_torchvisions() -> None:
    with torch.device("meta"):
        method = build_method("faster_rcnn", {})
    # 41.76 million with 91 classes, of 1,025 numbers and 4 × 1,025 each.
    number = sum(p.numel() for p in method.parameters())
    assert number == pytest.approx(41.76e6 - 89 * 5 * 1025, rel=0.003)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"anchor_sizes": [32]}, r'"model\.anchor_sizes" is .* each of the 4 strides and one more'),
        ({"strides": [4, 8]}, r'"model\.anchor_sizes" is .* each of the 2 strides and one more'),
        ({"strides": [32, 16, 8, 4]}, r'"model\.strides" is .* from fine to coarse'),
        ({"loss": "focal"}, r'no key "model\.loss"'),
        ({"proposals": 0}, "model.proposals"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        build_method("faster_rcnn", options)
