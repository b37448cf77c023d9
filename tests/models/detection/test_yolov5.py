"""YOLOv5: what cells learn which heads, boxes there and back, the loss, the sizes of the published networks."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from headcount.core.errors import InputError
from headcount.core.scene import Scene
from headcount.models.detection.yolov5 import Yolov5, match
from headcount.models.method import TargetBatch
from headcount.models.table import build_method

STRIDES = (8, 16)
ANCHORS = (((10.0, 13.0), (16.0, 30.0)), ((30.0, 61.0), (62.0, 45.0), (59.0, 119.0)))
SIZES = [(12, 20), (6, 10)]


def _plain(boxes: list[list[list[float]]], ratio: float = 4.0) -> set[tuple[Any, ...]]:
    """The same matches, head by head: (level, image, anchor, row, column, head)."""
    found = set()
    for image, heads in enumerate(boxes):
        for head, (left, top, right, bottom) in enumerate(heads):
            width, height, x, y = right - left, bottom - top, (left + right) / 2, (top + bottom) / 2
            factors = {
                (level, index): max(width / w, w / width, height / h, h / height)
                for level, anchors in enumerate(ANCHORS)
                for index, (w, h) in enumerate(anchors)
            }
            fitting = [key for key, factor in factors.items() if factor < ratio]
            for level, anchor in fitting or [min(factors, key=lambda key: factors[key])]:
                rows, columns = SIZES[level]
                column, row = math.floor(x / STRIDES[level]), math.floor(y / STRIDES[level])
                column, row = min(max(column, 0), columns - 1), min(max(row, 0), rows - 1)
                cells = [(row, column)]
                across, down = x / STRIDES[level] - column, y / STRIDES[level] - row
                cells += [(row, column - 1)] * (across < 0.5) + [(row, column + 1)] * (across > 0.5)
                cells += [(row - 1, column)] * (down < 0.5) + [(row + 1, column)] * (down > 0.5)
                found |= {
                    (level, image, anchor, one, other, head)
                    for one, other in cells
                    if 0 <= one < rows and 0 <= other < columns
                }
    return found


def _matched(boxes: list[list[list[float]]]) -> set[tuple[Any, ...]]:
    tensors = [torch.tensor(heads, dtype=torch.float32).reshape(-1, 4) for heads in boxes]
    found = set()
    for level, cells in enumerate(match(tensors, SIZES, STRIDES, ANCHORS, ratio=4.0)):
        for image, anchor, row, column, box in zip(*(values.tolist() for values in cells), strict=True):
            found.add((level, image, anchor, row, column, boxes[image].index(box)))
    return found


def test_matching_equals_a_plain_writing() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        boxes = []
        for _ in range(3):
            middle, side = rng.uniform(0, [160, 96], (7, 2)), np.exp(rng.uniform(0, 5.5, (7, 2)))
            whole = np.concatenate([middle - side / 2, middle + side / 2], axis=1)
            boxes.append(whole.astype(np.float32).tolist())
        assert _matched(boxes) == _plain(boxes)


@pytest.mark.parametrize(
    ("box", "cells"),
    [
        ([20, 20, 32, 36], {(3, 3), (3, 2)}),  # its middle (26, 28) is left in its cell, and in the middle of its row
        ([0, 0, 8, 8], {(0, 0)}),  # right in the middle of a cell
        ([0, 0, 4, 4], {(0, 0)}),  # its neighbours lie outside
        ([149, 85, 171, 107], {(11, 19)}),  # its middle is the image's very corner
    ],
)
def test_cells_of_a_head(box: list[float], cells: set[tuple[int, int]]) -> None:
    found = match([torch.tensor([box], dtype=torch.float32)], SIZES, STRIDES, ANCHORS, ratio=4.0)[0]
    assert set(zip(found.row.tolist(), found.column.tolist(), strict=True)) == cells


def test_a_head_that_no_anchor_fits_is_learned_by_the_nearest() -> None:
    fine, coarse = match([torch.tensor([[50.0, 50, 51, 51]])], SIZES, STRIDES, ANCHORS, ratio=4.0)
    assert set(fine.anchor.tolist()) == {0}
    assert len(coarse.anchor) == 0


def test_without_heads_nothing_matches() -> None:
    assert all(len(level.image) == 0 for level in match([torch.zeros(0, 4)], SIZES, STRIDES, ANCHORS, ratio=4.0))


def _small(**options: Any) -> Yolov5:
    torch.manual_seed(0)
    method = build_method("yolov5", {"size": "n", "width": 16, **options})
    assert isinstance(method, Yolov5)
    return method


def _batch(method: Yolov5, boxes: list[list[float]], size: tuple[int, int] = (64, 64)) -> TargetBatch:
    scene = Scene(np.zeros((size[1], size[0], 3), np.uint8), boxes_xyxy=np.array(boxes, np.float64).reshape(-1, 4))
    return TargetBatch.join([method.targets(scene)])


def _raw(box: list[float], column: int, row: int, anchor: tuple[float, float], stride: int) -> list[float]:
    """The published formulas backwards: what a cell must say so that its box is ``box``."""

    def logit(share: float) -> float:
        return math.log(share / (1 - share))

    x, y = (box[0] + box[2]) / 2 / stride, (box[1] + box[3]) / 2 / stride
    width, height = box[2] - box[0], box[3] - box[1]
    return [
        logit((x - column + 0.5) / 2), logit((y - row + 0.5) / 2),
        logit(math.sqrt(width / anchor[0]) / 2), logit(math.sqrt(height / anchor[1]) / 2),
    ]  # fmt: skip


def test_boxes_go_there_and_back(monkeypatch: pytest.MonkeyPatch) -> None:
    method = _small(strides=(8,), anchors=(((10, 13), (16, 30)),)).eval()
    box, column, row = [19.0, 30.5, 33.0, 49.5], 3, 5
    raw = {"objectness_8": torch.full((1, 2, 8, 8), -9.0), "regression_8": torch.zeros(1, 8, 8, 8)}
    raw["objectness_8"][0, 1, row, column] = 9.0
    raw["regression_8"][0, 4:, row, column] = torch.tensor(_raw(box, column, row, (16, 30), 8))
    monkeypatch.setattr(method, "_maps", lambda images: raw)
    maps = method(torch.zeros(1, 3, 64, 64))
    left, top, right, bottom = maps["boxes_8"][0, 4:, row, column].tolist()
    middle_x, middle_y = (column + 0.5) * 8, (row + 0.5) * 8
    assert [middle_x - left, middle_y - top, middle_x + right, middle_y + bottom] == pytest.approx(box, abs=1e-3)
    batch = _batch(method, [box])
    assert float(method.loss(raw, batch)["box"]) > 0.01  # of the cells that say something else
    for cells in match([torch.tensor([box])], [(8, 8)], (8,), (((10, 13), (16, 30)),), ratio=4.0):
        for anchor, one, other in zip(cells.anchor.tolist(), cells.row.tolist(), cells.column.tolist(), strict=True):
            said = _raw(box, other, one, ((10, 13), (16, 30))[anchor], 8)
            raw["regression_8"][0, 4 * anchor : 4 * anchor + 4, one, other] = torch.tensor(said)
    assert float(method.loss(raw, batch)["box"]) == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("loss", ["focal", "mask_focal", "bce"])
@pytest.mark.parametrize(
    "boxes",
    [[], [[10, 10, 11, 11]], [[0, 0, 20, 24], [44, 40, 64, 64]], [[20, 20, 40, 44], [20, 20, 40, 44]]],
    ids=["none", "one pixel", "border", "twins"],
)
def test_the_loss_is_finite_and_teaches(loss: str, boxes: list[list[float]]) -> None:
    method = _small(loss=loss)
    batch = _batch(method, boxes)
    losses = method.loss(method.training_forward(torch.randn(1, 3, 64, 64), batch), batch)
    losses["total"].backward()
    assert all(bool(value.isfinite()) for value in losses.values())
    assert float(losses["box"].detach()) == 0 if not boxes else float(losses["box"].detach()) > 0
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in method.parameters())


def test_mask_focal_counts_how_well_a_box_fits_and_focal_does_not() -> None:
    box = [20.0, 20.0, 36.0, 50.0]
    values: dict[str, list[float]] = {}
    for loss in ("focal", "mask_focal", "bce"):
        method = _small(loss=loss, strides=(8,), anchors=(((16, 30),),), alpha=None)
        batch = _batch(method, [box])
        for shift in (0.0, 1.0):
            raw: dict[str, Tensor] = {
                "objectness_8": torch.full((1, 1, 8, 8), 4.0), "regression_8": torch.full((1, 4, 8, 8), shift)
            }  # fmt: skip
            values.setdefault(loss, []).append(float(method.loss(raw, batch)["objectness"]))
    assert values["focal"][0] == values["focal"][1]
    assert values["mask_focal"][0] != values["mask_focal"][1]
    assert values["bce"][0] != values["bce"][1]


def test_cells_outside_the_region_teach_nothing() -> None:
    method = _small(strides=(8,))
    region = np.zeros((64, 64), np.bool_)
    region[:, :32] = True
    boxes = np.array([[4.0, 4, 20, 24], [40, 40, 60, 60]])
    scene = Scene(np.zeros((64, 64, 3), np.uint8), boxes_xyxy=boxes, region=region)
    batch = TargetBatch.join([method.targets(scene)])
    assert batch.ragged["boxes"][0].tolist() == [[4, 4, 20, 24]]
    maps = {key: value.detach().requires_grad_() for key, value in method._maps(torch.randn(1, 3, 64, 64)).items()}
    method.loss(maps, batch)["total"].backward()
    for value in maps.values():
        assert value.grad is not None
        assert float(value.grad[..., 4:].abs().max()) == 0 < float(value.grad[..., :4].abs().max())


@pytest.mark.parametrize(("size", "millions"), [("n", 1.76), ("s", 7.02), ("x", 86.2)])
def test_networks_are_as_large_as_the_published_ones(size: str, millions: float) -> None:
    with torch.device("meta"):
        method = build_method("yolov5", {"size": size})
    assert sum(p.numel() for p in method.parameters()) / 1e6 == pytest.approx(millions, rel=0.01)


def test_any_timm_network_may_stand_below() -> None:
    method = _small(backbone="test_efficientnet", strides=(4, 8, 16, 32)).eval()
    with torch.inference_mode():
        maps = method(torch.zeros(1, 3, 64, 96))
    assert maps["scores_4"].shape == (1, 3, 16, 24)
    assert maps["boxes_32"].shape == (1, 12, 2, 3)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"strides": [8, 32]}, r'"model\.strides" is \[8, 32\], but .* each twice the one before'),
        ({"balance": [1.0]}, r'"model\.balance" is .* each of the 3 strides'),
        ({"anchors": [[[10, 13]]]}, r'"model\.anchors" is .* each of the 3 strides'),
        ({"anchors": [[[0, 13]]], "strides": [8]}, "above 0"),
        ({"size": "xx"}, "model.size"),
        ({"strides": []}, "at least 1 value"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        build_method("yolov5", options)
