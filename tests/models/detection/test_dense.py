"""FCOS, RetinaNet and FoveaBox: what their losses ask for is what their boxes say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from headcount.core.errors import InputError
from headcount.core.scene import Scene
from headcount.decode.table import open_decoder
from headcount.models.detection.dense import DenseDetector, heat_of_cells
from headcount.models.detection.fcos import centreness
from headcount.models.method import TargetBatch
from headcount.models.table import build_method

SMALL = {"backbone": "test_efficientnet", "width": 8, "tower_depth": 1, "strides": [4, 8, 16]}
OPTIONS: dict[str, dict[str, Any]] = {
    "fcos": SMALL,
    "retinanet": SMALL | {"anchor_sizes": [[8, 12], [20, 28], [40, 60]], "aspect_ratios": [1, 1.5]},
    "foveabox": SMALL,
}
BOXES = [[10, 8, 24, 25], [40, 12, 49.5, 22], [60, 30, 93, 64], [30, 40, 34, 45], [0, 50, 9, 60.0]]
STRIDES = {f"{name}_{stride}": stride for name in ("scores", "boxes") for stride in (4, 8, 16)}


def _built(name: str, **options: object) -> DenseDetector:
    torch.manual_seed(0)
    method = build_method(name, OPTIONS[name] | options)
    assert isinstance(method, DenseDetector)
    return method


def _scene(boxes: list[list[float]]) -> Scene:
    found = np.array(boxes, np.float64).reshape(-1, 4)
    return Scene(np.zeros((64, 96, 3), np.uint8), (found[:, :2] + found[:, 2:]) / 2, found)


def _targets(method: DenseDetector, *crowds: list[list[float]]) -> TargetBatch:
    return TargetBatch.join([method.targets(_scene(boxes)) for boxes in crowds])


def _maps(method: DenseDetector, images: int) -> dict[str, Tensor]:
    with torch.no_grad():
        maps = method.training_forward(torch.zeros(images, 3, 64, 96), TargetBatch({}, {}))
    return {name: values.clone().requires_grad_() for name, values in maps.items()}


@pytest.mark.parametrize("loss", ["focal", "mask_focal"])
@pytest.mark.parametrize("name", OPTIONS)
def test_maps_that_the_loss_has_made_are_decoded_into_the_boxes(name: str, loss: str) -> None:
    method = _built(name, loss=loss)
    targets, maps = _targets(method, BOXES, []), _maps(method, 2)
    optimiser = torch.optim.Adam(maps.values(), lr=0.2)
    for step in range(120):
        for group in optimiser.param_groups:
            group["lr"] = 0.2 * (1 - step / 120)
        total = method.loss(maps, targets)["total"]
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
    told = {key: values.detach().numpy() for key, values in method.told(maps).items()}
    assert method.decoder is not None
    decode = open_decoder(method.decoder.name, method.decoder.settings)
    found, nobody = (
        decode({key: values[image] for key, values in told.items()}, STRIDES, (96, 64)) for image in (0, 1)
    )
    assert nobody.count == 0
    assert found.boxes_xyxy is not None
    order = np.lexsort(found.boxes_xyxy.T)
    np.testing.assert_allclose(found.boxes_xyxy[order], np.array(BOXES)[np.lexsort(np.array(BOXES).T)], atol=1)


@pytest.mark.parametrize("name", OPTIONS)
def test_n_is_each_detectors_own(name: str) -> None:
    method = _built(name)
    alone, with_nobody = _maps(method, 1), _maps(method, 4)
    one = method.loss(alone, _targets(method, BOXES))["label"]
    four = method.loss(with_nobody, _targets(method, BOXES, [], [], []))["label"]
    empty = method.loss(alone, _targets(method, []))["label"]
    # The positives of one image: by how the sum of three images of nobody, or of one, is divided.
    positives = sum((owner >= 0).sum() for owner in method._owners(
        [alone[f"labels_{stride}"].shape for stride in method.strides], _targets(method, BOXES)
    ))  # fmt: skip
    more = {"foveabox": (1, 4, 1)}.get(name, (0, 0, 1))
    torch.testing.assert_close(
        four * (positives + more[1]), one * (positives + more[0]) + 3 * empty * more[2], rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("name", OPTIONS)
def test_what_lies_outside_the_region_teaches_nothing(name: str) -> None:
    method = _built(name)
    region = np.zeros((64, 96), np.bool_)
    region[:, :32] = True
    scene = _scene(BOXES)
    inside = Scene(scene.image, scene.points_xy, scene.boxes_xyxy, region=region)
    maps = _maps(method, 1)
    method.loss(maps, TargetBatch.join([method.targets(inside)]))["total"].backward()
    for key, values in maps.items():
        assert values.grad is not None
        column = 32 // int(key.split("_")[1])
        assert values.grad[..., column:].abs().max() == 0
        assert "raw" in key or values.grad[..., :column].abs().max() > 0


@pytest.mark.parametrize("name", OPTIONS)
def test_soft_labels_let_beta_act(name: str) -> None:
    def label(beta: float, soft: bool) -> Tensor:
        method = _built(name, soft_targets=soft, beta=beta)
        return method.loss(_maps(method, 1), _targets(method, BOXES))["label"]

    assert torch.equal(label(0.5, False), label(4, False))
    assert not torch.isclose(label(0.5, True), label(4, True))


def test_the_heat_of_a_cell_is_that_of_eq_10() -> None:
    box = torch.tensor([[0.0, 0, 12, 20]]).expand(3, 4)
    place = torch.tensor([[6.0, 10.0], [10.0, 10.0], [6.0, 18.0]])
    sigma = (2 * 3 + 1) / 6  # of 3 cells of 4 pixels
    expected = [1.0, np.exp(-1 / (2 * sigma**2)), np.exp(-4 / (2 * sigma**2))]
    np.testing.assert_allclose(heat_of_cells(box, place, 4), expected, rtol=1e-6)


def test_centreness_is_that_of_eq_3_but_for_heads_of_less_than_two_cells() -> None:
    box = torch.tensor([[0.0, 0, 10, 20]]).expand(3, 4)
    place = torch.tensor([[5.0, 10], [2, 10], [0, 10]])
    np.testing.assert_allclose(centreness(place, box, 4), [1, 0.5, 0], rtol=1e-6)
    small = torch.tensor([[30.0, 20, 36, 28]]).expand(4, 4)
    place = torch.tensor([[34.0, 22], [30, 22], [30, 30], [38, 22]])  # the cell of its middle, those beside it
    np.testing.assert_allclose(centreness(place, small, 4), [1, 0, 0, 0], atol=1e-6)
    tiny = torch.tensor([[32.0, 20, 33, 21]])
    np.testing.assert_allclose(centreness(torch.tensor([[34.0, 22]]), tiny, 4), [1])


def test_fcos_levels_are_as_published() -> None:
    method = build_method("fcos", {"backbone": "test_efficientnet", "width": 8})
    assert method.range_px == [(0, 64), (64, 128), (128, 256), (256, 512), (512, float("inf"))]
    fovea = build_method("foveabox", {"backbone": "test_efficientnet", "width": 8})
    assert fovea.range_px == [(0, 64), (32, 128), (64, 256), (128, 512), (256, float("inf"))]


def test_retinanets_anchors_are_torchvisions() -> None:
    from torchvision.models.detection.anchor_utils import AnchorGenerator

    method = build_method("retinanet", {"backbone": "test_efficientnet", "width": 8, "strides": [8, 16]})
    sizes = tuple(tuple(size * 2 ** (octave / 3) for octave in range(3)) for size in (32, 64))
    theirs = AnchorGenerator(sizes, ((0.5, 1.0, 2.0),) * 2).cell_anchors
    for shapes, anchors in zip(method.shapes, theirs, strict=True):
        wide, high = (anchors[:, 2:] - anchors[:, :2]).T.tolist()
        # Theirs are rounded to pixels, and all ratios of a size do not lie together.
        np.testing.assert_allclose(sorted(shapes), sorted(zip(wide, high, strict=True)), atol=1.01)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("fcos", {"strides": [4, 16]}, r'"model\.strides" is .*twice the one before'),
        ("fcos", {"strides": []}, r"model\.strides"),
        ("retinanet", {"anchor_sizes": [[8], [16]]}, r'"model\.anchor_sizes" is .*3 lists of sizes'),
        ("retinanet", {"anchor_sizes": [[8], [16], [3, 4]]}, r"all as long"),
        ("retinanet", {"unmatched_iou": 0.6}, r'"model\.unmatched_iou" is 0\.6, but a number of at most matched_iou'),
        ("foveabox", {"eta": 1.2}, r"model\.eta"),
        ("foveabox", {"loss": "focal", "soft_targets": True}, r"model\.soft_targets"),
    ],
)
def test_settings_that_do_not_fit_are_told(name: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        _built(name, **options)
