"""CenterNet: what its targets say, and what its loss does with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from headcount.core.errors import InputError
from headcount.core.geometry import centres
from headcount.core.scene import Scene
from headcount.decode.table import open_decoder
from headcount.losses.focal import heatmap_focal_loss, mask_focal_loss
from headcount.models.method import Method, TargetBatch
from headcount.models.table import build_method
from headcount.train.card import method_card
from headcount.train.export import write_model

pytestmark = pytest.mark.slow

BOXES = [[3, 5, 20, 25], [40, 8, 47, 17], [60, 40, 61, 41], [80, 50, 96, 64], [0, 30, 9, 41.5]]


def _built(**options: Any) -> Method:
    torch.manual_seed(0)
    return build_method("centernet", {"backbone": "test_efficientnet", "width": 16, "head_width": 16, **options})


def _scene(boxes: Any, region: Any = None) -> Scene:
    boxes_xyxy = np.array(boxes, np.float64).reshape(-1, 4)
    return Scene(np.zeros((64, 96, 3), np.uint8), centres(boxes_xyxy), boxes_xyxy, region=region)


def _perfect(method: Method, scene: Scene) -> dict[str, torch.Tensor]:
    """Raw maps of a network that has learned a scene's targets: the heat's logits, size and offset in cells."""
    targets = method.targets(scene)
    heat = torch.from_numpy(targets.maps["heat"])[None].clamp(1e-6, 1 - 1e-6)
    size, offset = torch.zeros(1, 2, *heat.shape[2:]), torch.zeros(1, 2, *heat.shape[2:])
    for column, row, *values in torch.from_numpy(targets.ragged["heads"]):
        size[0, :, int(row), int(column)] = torch.stack(values[:2])
        offset[0, :, int(row), int(column)] = torch.stack(values[2:])
    return {"heat": torch.logit(heat), "size": size, "offset": offset}


def test_maps_as_its_targets_say_are_decoded_to_the_boxes() -> None:
    method, scene = _built(), _scene(BOXES)
    raw = _perfect(method, scene)
    method._maps = lambda images: raw  # type: ignore[attr-defined, method-assign]
    maps = {name: values[0].numpy() for name, values in method(torch.zeros(1, 3, 64, 96)).items()}
    assert method.decoder is not None
    decode = open_decoder(method.decoder.name, method.decoder.settings | {"score_threshold": 0.95})
    found = decode(maps, dict.fromkeys(maps, 4), scene.size_wh)
    order, expected = np.lexsort(found.boxes_xyxy.T), np.array(BOXES, np.float64)
    np.testing.assert_allclose(found.boxes_xyxy[order], expected[np.lexsort(expected.T)], atol=1e-4)


def test_sizes_and_offsets_are_learned_at_the_cells_of_middles_alone() -> None:
    method, scene = _built(), _scene(BOXES)
    targets = TargetBatch.join([method.targets(scene)])
    raw = {name: values.requires_grad_() for name, values in _perfect(method, scene).items()}
    losses = method.loss({**raw, "size": raw["size"] + 1, "offset": raw["offset"] - 2}, targets)
    # L1 of two values a head, over the number of heads.
    torch.testing.assert_close(losses["size"], torch.tensor(2.0))
    torch.testing.assert_close(losses["offset"], torch.tensor(4.0))
    torch.testing.assert_close(losses["total"], losses["heat"] + 0.1 * losses["size"] + losses["offset"])
    losses["total"].backward()
    for name in ("size", "offset"):
        assert raw[name].grad is not None
        assert int((raw[name].grad != 0).any(dim=1).sum()) == len(BOXES)


@pytest.mark.parametrize("loss", ["focal", "mask_focal"])
def test_the_heats_loss_is_that_of_its_paper(loss: str) -> None:
    method, scene = _built(loss=loss), _scene(BOXES)
    targets = TargetBatch.join([method.targets(scene)])
    raw = {name: torch.randn_like(values) for name, values in _perfect(method, scene).items()}
    heat, mask = targets.maps["heat"], targets.maps["mask"]
    number = len(BOXES)
    expected = {
        "focal": heatmap_focal_loss(raw["heat"], heat, gamma=2, beta=4, alpha=1, poly_eps=0, num_objects=number),
        "mask_focal": mask_focal_loss(
            raw["heat"], heat, mask, gamma=4, beta=0.5, alpha=1, poly_eps=1, num_objects=number
        ),
    }
    torch.testing.assert_close(method.loss(raw, targets)["heat"], expected[loss])


def test_the_focal_loss_has_all_of_a_heads_gaussian_and_the_mask_focal_loss_what_lies_in_its_box() -> None:
    scene = _scene([[40, 24, 56, 40]])
    heat = {loss: _built(loss=loss).targets(scene).maps["heat"][0] for loss in ("focal", "mask_focal")}
    inside = np.zeros((16, 24), np.bool_)
    inside[6:10, 10:14] = True
    np.testing.assert_allclose(heat["mask_focal"], np.where(inside, heat["focal"], 0), rtol=1e-6)
    # The middle lies on a corner of four cells and is that of (8, 12); σ = (2 · 4 + 1) / 6 cells.
    np.testing.assert_allclose(heat["focal"][8, 8:17], np.exp(-(np.arange(-4.0, 5.0) ** 2) / (2 * 1.5**2)), rtol=1e-6)


def test_the_loss_of_a_batch_is_over_all_of_its_heads() -> None:
    method = _built()
    scenes = [_scene(BOXES), _scene([]), _scene(BOXES[:1])]
    raws = [_perfect(method, scene) for scene in scenes]
    raw = {name: torch.cat([one[name] for one in raws]) + 0.5 for name in raws[0]}
    losses = method.loss(raw, TargetBatch.join([method.targets(scene) for scene in scenes]))
    torch.testing.assert_close(losses["offset"], torch.tensor(2 * 0.5))


def test_outside_the_region_nothing_is_learned() -> None:
    method, region = _built(), np.zeros((64, 96), np.bool_)
    region[:, :48] = True
    targets = TargetBatch.join([method.targets(_scene(BOXES, region))])
    raw = {name: torch.randn(1, n, 16, 24).requires_grad_() for name, n in (("heat", 1), ("size", 2), ("offset", 2))}
    method.loss(raw, targets)["total"].backward()
    for values in raw.values():
        assert values.grad is not None
        assert values.grad[..., 12:].abs().max() == 0
        assert values.grad[..., :12].abs().max() > 0


def test_heat_begins_at_a_tenth() -> None:
    heat = _built().eval()(torch.randn(1, 3, 64, 96))["heat"]
    np.testing.assert_allclose(heat.detach(), 0.1, atol=0.02)


@pytest.mark.parametrize("option", [{"neck": "dla"}, {"loss": "mfl"}, {"backbone": "dla_34"}, {"gamma": 0}])
def test_an_option_of_no_kind_is_refused(option: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(option.values())) if "gamma" not in option else "gamma"):
        _built(**option)


def test_more_heads_than_are_allowed_are_told_of(
    tmp_path: Path, run_cli: Callable[..., tuple[int, str, str]], odd_images: dict[str, Any]
) -> None:
    options = {"backbone": "test_efficientnet", "width": 16, "head_width": 16}
    decoder = {"score_threshold": 0.01, "max_heads": 1}
    method = _built(decoder=decoder).eval()
    file = tmp_path / "small.safetensors"
    write_model(method, method_card("centernet", options, method, name="small"), file)
    code, out, err = run_cli("count", odd_images["rgb.png"][0], "--model", file)
    assert code == 0
    assert "rgb.png: 1" in out.replace("\n", "")
    assert "the strongest are counted" in err.replace("\n", " ")
