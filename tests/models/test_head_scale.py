"""The head-scale network: its front, its attention, what it refuses, and that it learns sizes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from headcount.core.errors import InputError, ModelError
from headcount.core.scene import Scene
from headcount.decode.scale import sample_sizes
from headcount.models.method import TargetBatch
from headcount.models.parts.attention import ChannelAttention, SpatialAttention
from headcount.models.scale.head_scale import HeadScale
from headcount.models.table import build_method
from headcount.train.card import card_of
from headcount.train.recipe import Recipe, load_recipe

pytestmark = pytest.mark.slow

LAYER3: dict[str, Any] = {"backbone": "test_resnet", "front": "layer3", "back_end": [16]}
PYRAMID: dict[str, Any] = {"backbone": "test_efficientnet", "front": "pyramid", "width": 16, "back_end": [16]}


def _built(options: dict[str, Any]) -> HeadScale:
    torch.manual_seed(0)
    method = build_method("head_scale", options)
    assert isinstance(method, HeadScale)
    return method


@pytest.mark.parametrize("backbone", ["test_resnet", "resnet18"])
def test_the_third_layer_keeps_the_resolution_of_the_second(backbone: str) -> None:
    method = _built({**LAYER3, "backbone": backbone}).eval()
    assert method.input_spec.size_divisor == 8
    with torch.inference_mode():
        assert method(torch.randn(1, 3, 64, 96))["log_area"].shape == (1, 1, 8, 12)


def test_the_published_network_is_a_resnet_50_without_its_last_layer() -> None:
    recipe = load_recipe("head-scale")
    method = _built(recipe.model)
    assert method.backbone.channels == [1024]
    dilations = [part.dilation[0] for part in method.back_end if isinstance(part, nn.Conv2d)]
    assert dilations == [2] * 6
    assert not [key for key in method.state_dict() if "layer4" in key]
    assert 19.4e6 < sum(p.numel() for p in method.parameters()) < 19.7e6


def test_published_weights_of_a_whole_resnet_fit(tmp_path: Path) -> None:
    import timm

    whole = timm.create_model("resnet18", pretrained=False).state_dict()
    save_file({key: value for key, value in whole.items() if "num_b" not in key}, tmp_path / "r.safetensors")
    method = _built({**LAYER3, "backbone": "resnet18"})
    method.initialise(tmp_path / "r.safetensors")
    kept = method.backbone.network.state_dict()["layer3.1.conv2.weight"]
    assert torch.equal(kept, whole["layer3.1.conv2.weight"])
    with pytest.raises(ModelError, match="does not fit the backbone"):
        _built({**LAYER3, "backbone": "resnet34"}).initialise(tmp_path / "r.safetensors")


def test_a_network_without_a_third_layer_is_refused() -> None:
    with pytest.raises(InputError, match=r'takes a ResNet, but "test_efficientnet".*front: pyramid'):
        _built({**LAYER3, "backbone": "test_efficientnet"})
    with pytest.raises(InputError, match="frozen_stages"):
        _built({**LAYER3, "frozen_stages": 1})


def test_it_starts_from_the_typical_side() -> None:
    method = _built({**PYRAMID, "typical_side_px": 30.0}).eval()
    with torch.inference_mode():
        log_area = method(torch.zeros(1, 3, 64, 64))["log_area"][0, 0].numpy()
    assert sample_sizes(log_area, 8, np.array([[32.0, 32.0]])) == pytest.approx(30, rel=0.1)


def test_scenes_without_boxes_are_refused() -> None:
    with pytest.raises(InputError, match='learns from head boxes, which "hall" has not'):
        _built(PYRAMID).targets(Scene(np.zeros((64, 64, 3), np.uint8), np.zeros((1, 2)), name="hall"))


@pytest.mark.parametrize("name", ["head-scale", "head-scale-s"])
def test_its_tiles_bound_the_memory_of_attention(name: str) -> None:
    recipe = load_recipe(name)
    tile = card_of(recipe, _built(recipe.model)).tile
    assert 4 * (tile.size // 8) ** 4 < 400e6
    assert not tile.exact
    assert tile.overlap == "average"


def test_spatial_attention_sees_every_place() -> None:
    torch.manual_seed(1)
    layer = SpatialAttention(16).eval()
    features = torch.randn(1, 16, 6, 7)
    changed = features.clone()
    changed[..., 0, 0] += 1
    with torch.inference_mode():
        difference = (layer(changed) - layer(features)).abs().sum(dim=1)[0]
    assert (difference > 0).all()


@pytest.mark.parametrize("layer", [SpatialAttention(16), ChannelAttention()], ids=["spatial", "channel"])
def test_attention_without_its_factor_changes_nothing(layer: nn.Module) -> None:
    nn.init.zeros_(layer.factor)  # type: ignore[arg-type]
    features = torch.randn(2, 16, 5, 4)
    assert torch.equal(layer.eval()(features), features)


def test_channel_attention_is_as_sharp_in_a_large_image_as_in_a_small_one() -> None:
    features = torch.randn(1, 4, 6, 5)
    twice = features.repeat(1, 1, 2, 2)
    layer = ChannelAttention()
    torch.testing.assert_close(layer(twice)[..., :6, :5], layer(features), rtol=1e-4, atol=1e-5)


def _painted_squares(seed: int) -> Scene:
    """Bright squares on black, of two sizes."""
    rng = np.random.default_rng(seed)
    pixels = np.zeros((128, 128, 3), np.uint8)
    boxes = []
    for x in (24, 64, 104):
        for y in (24, 64, 104):
            half = int(rng.choice([5, 16]))
            pixels[y - half : y + half, x - half : x + half] = 255
            boxes.append([x - half, y - half, x + half, y + half])
    return Scene(pixels, boxes_xyxy=np.array(boxes, np.float64), points_xy=np.array(boxes, np.float64)[:, :2])


@pytest.mark.slow
def test_it_learns_to_tell_large_from_small() -> None:
    method = _built({**PYRAMID, "deviation": "l1"}).train()
    optimiser = torch.optim.Adam(method.parameters(), lr=1e-2)
    losses = []
    for step in range(40):
        scenes = [_painted_squares(4 * step + k) for k in range(4)]
        images = torch.from_numpy(np.stack([scene.image for scene in scenes])).permute(0, 3, 1, 2) / 127.5 - 1
        targets = TargetBatch.join([method.targets(scene) for scene in scenes])
        loss = method.loss(method.training_forward(images, targets), targets)["total"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:5])


def test_recipes_name_what_they_learn_from() -> None:
    for name in ("head-scale", "head-scale-s"):
        recipe: Recipe = load_recipe(name)
        assert set(recipe.data.sources) == {"scut-head-a", "scut-head-b"}
