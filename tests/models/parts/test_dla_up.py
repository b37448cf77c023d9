"""DLA's up-sampling path: deep aggregation, bilinear at the start, deformable convolutions that bend."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from headcount.models.parts.dla_up import DeformableConv2d, DlaUp

CHANNELS = [4, 6, 8, 10]


def _maps(rows: int = 16, columns: int = 24) -> list[torch.Tensor]:
    draw = torch.Generator().manual_seed(1)
    return [torch.randn(2, c, rows >> k, columns >> k, generator=draw) for k, c in enumerate(CHANNELS)]


@pytest.mark.parametrize("deformable", [False, True])
def test_four_strides_become_the_finest(deformable: bool) -> None:
    neck = DlaUp(CHANNELS, deformable=deformable)
    assert neck(_maps()).shape == (2, CHANNELS[0], 16, 24)
    # As in "Deep Layer Aggregation", Fig. 5: six sums on the way up, and two of what came out on each level.
    assert sum(isinstance(part, nn.ConvTranspose2d) for part in neck.modules()) == 3 + 2 + 1 + 2
    assert sum(isinstance(part, DeformableConv2d) for part in neck.modules()) == (2 * 8 if deformable else 0)


@pytest.mark.parametrize("level", range(4))
def test_every_level_has_its_say(level: int) -> None:
    neck, maps = DlaUp(CHANNELS, deformable=True).eval(), _maps()
    before = neck(maps)
    maps[level] = maps[level] + 1
    assert not torch.equal(neck(maps), before)


@pytest.mark.parametrize("factor", [2, 4])
def test_enlarging_begins_bilinear(factor: int) -> None:
    enlarge = [part for part in DlaUp(CHANNELS, deformable=False).modules() if isinstance(part, nn.ConvTranspose2d)]
    layer = next(one for one in enlarge if one.stride == (factor, factor))
    values = torch.randn(1, layer.in_channels, 6, 6, generator=torch.Generator().manual_seed(2))
    inner = slice(factor, -factor)  # at the border a transposed convolution fades out
    expected = F.interpolate(values, scale_factor=factor, mode="bilinear", align_corners=False)
    torch.testing.assert_close(layer(values)[..., inner, inner], expected[..., inner, inner])


def test_a_deformable_convolution_begins_as_half_a_plain_one() -> None:
    layer = DeformableConv2d(3, 5)
    values = torch.randn(1, 3, 7, 9, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(layer(values), F.conv2d(values, layer.weight, padding=1) / 2)


def test_its_offsets_move_where_it_looks() -> None:
    layer = DeformableConv2d(1, 1)
    nn.init.zeros_(layer.weight)
    with torch.no_grad():
        layer.weight[0, 0, 1, 1] = 1
        layer.where.bias[2 * 4 + 1] = 2.0  # the middle one of nine places: two cells to the right
    values = torch.arange(9.0).reshape(1, 1, 1, 9)
    torch.testing.assert_close(layer(values)[0, 0, 0, :7], torch.arange(2.0, 9.0) / 2)


def test_its_offsets_learn() -> None:
    layer = DeformableConv2d(2, 2)
    layer(torch.randn(1, 2, 6, 6)).square().sum().backward()
    gradient = layer.where.weight.grad
    assert gradient is not None
    assert (gradient.abs().sum(dim=(1, 2, 3)) > 0).all()


def test_under_autocast_it_computes_in_float32() -> None:
    layer = DeformableConv2d(2, 3)
    values = torch.randn(1, 2, 6, 6)
    with torch.autocast("cpu", torch.bfloat16):
        found = layer(values.bfloat16())
    torch.testing.assert_close(found, layer(values.bfloat16().float()))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 3e38])
def test_values_that_are_not_finite_end_no_process_and_nan_is_carried_on(value: float) -> None:
    layer = DeformableConv2d(2, 3)
    nn.init.normal_(layer.where.weight)
    values = torch.zeros(1, 2, 6, 6)
    values[0, 0, 2, 2] = value
    values.requires_grad_()
    found = layer(values)
    found.sum().backward()
    assert found[0, :, 2, 2].isnan().all() or not math.isnan(value)
