"""The feature pyramid and its towers."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from headcount.models.parts.pyramid import DenseHead, FeaturePyramid, Tower

CHANNELS = {4: 6, 8: 8, 16: 10, 32: 12}


def _features(*strides: int, side: int = 128) -> list[Tensor]:
    draw = torch.Generator().manual_seed(0)
    return [torch.randn(2, CHANNELS[stride], side // stride, side // stride, generator=draw) for stride in strides]


@pytest.mark.parametrize(
    ("backbone", "strides"),
    [
        ((4, 8, 16, 32), (4, 8, 16, 32, 64, 128)), ((8, 16, 32), (8, 16, 32, 64, 128)), ((4, 8, 16, 32), (4,)),
        ((8, 16, 32), (8, 16)), ((32,), (64, 128)), ((16, 32), (16, 32, 64)),
    ],
)  # fmt: skip
def test_every_stride_asked_for_has_its_map(backbone: tuple[int, ...], strides: tuple[int, ...]) -> None:
    pyramid = FeaturePyramid([CHANNELS[stride] for stride in backbone], backbone, strides, 8)
    maps = pyramid(_features(*backbone))
    assert [tuple(one.shape) for one in maps] == [(2, 8, 128 // stride, 128 // stride) for stride in strides]
    sum(one.square().sum() for one in maps).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in pyramid.parameters())


def test_coarse_maps_come_down_by_nearest_neighbour() -> None:
    pyramid = FeaturePyramid([12, 12], (16, 32), (16, 32), 12)
    with torch.no_grad():
        for part in pyramid.modules():
            if isinstance(part, nn.Conv2d):
                nn.init.zeros_(part.bias)
                part.weight.zero_()
                middle = part.kernel_size[0] // 2
                part.weight[:, :, middle, middle] = torch.eye(12)
    fine, coarse = torch.randn(1, 12, 4, 4), torch.randn(1, 12, 2, 2)
    found = pyramid([fine, coarse])
    torch.testing.assert_close(found[1], coarse)
    torch.testing.assert_close(found[0], fine + coarse.repeat_interleave(2, 2).repeat_interleave(2, 3))


def test_each_level_is_normalised_by_its_own_statistics() -> None:
    torch.manual_seed(0)
    tower = Tower(8, 1, 2, norm="batch").train()
    levels = [torch.randn(4, 8, 16, 16), 5 + 30 * torch.randn(4, 8, 8, 8)]
    for _ in range(60):
        learned = tower(levels)
    told = tower.eval()(levels)
    for one, two in zip(learned, told, strict=True):
        torch.testing.assert_close(one, two, rtol=0.05, atol=0.05)
    assert not torch.allclose(tower([levels[1], levels[0]])[0], told[1], atol=1.0)
    assert {name for name, _ in tower.named_parameters()} == {
        "convolutions.0.weight", "norms.0.weight", "norms.0.bias"
    }  # fmt: skip


@pytest.mark.parametrize("norm", ["batch", "none", "group"])
def test_only_a_group_norm_sees_the_whole_map(norm: str) -> None:
    tower = Tower(8, 2, 1, norm=norm).eval()  # type: ignore[arg-type]
    feature = torch.randn(1, 8, 16, 16)
    changed = feature.clone()
    changed[..., 0, 0] += 3
    same = torch.isclose(tower([feature])[0], tower([changed])[0], rtol=0, atol=1e-6)
    assert same[..., 3:, 3:].all() == (norm != "group")
    assert not same[..., :3, :3].all()


def test_the_head_begins_with_few_heads_everywhere() -> None:
    torch.manual_seed(0)
    head = DenseHead(8, 2, depth=2, norm="batch", anchors=3, extra=1)
    found = head([torch.randn(2, 8, 8, 8), torch.randn(2, 8, 4, 4)])
    assert [tuple(labels.shape) for labels, _ in found] == [(2, 3, 8, 8), (2, 3, 4, 4)]
    assert [tuple(boxes.shape) for _, boxes in found] == [(2, 13, 8, 8), (2, 13, 4, 4)]
    assert all((torch.sigmoid(labels) - 0.01).abs().max() < 0.01 for labels, _ in found)
