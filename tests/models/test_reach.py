"""A tile's halo covers all that a cell sees: pixels beyond it change nothing, pixels within may."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from headcount.models.method import Method
from headcount.models.reach import receptive_reach, tile_of
from headcount.models.table import build_method
from headcount.train.recipe import load_recipe

pytestmark = pytest.mark.slow

SMALL = {"backbone": "test_resnet", "backbone_options": {"strides": [8, 16]}, "width": 16}


def _shipped() -> dict[str, Any]:
    return load_recipe("headcount-s-crowds").model


def _built(options: dict[str, Any]) -> Method:
    torch.manual_seed(0)
    return build_method("mask_aware", options).eval()


def measured_reach(method: Method, side: int, cell: tuple[int, int]) -> int:
    """The farthest pixel, from the cell's edge, that has a gradient at all."""
    images = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(1), requires_grad=True)
    density = method(images)["density"][0, 0]
    (gradient,) = torch.autograd.grad(density[cell], images)
    touched = gradient[0].abs().sum(dim=0) > 0
    stride = method.outputs[0].stride
    reaches = []
    for axis, index in enumerate(cell):
        along = touched.any(dim=1 - axis).nonzero().flatten()
        reaches += [index * stride - int(along[0]), int(along[-1]) + 1 - (index + 1) * stride]
    return max(reaches)


@pytest.mark.slow
def test_the_shipped_networks_halo_covers_what_a_cell_sees() -> None:
    method = _built(_shipped())
    tile = tile_of(method)
    assert tile.exact
    # A core's first cell is the first of its block of the coarsest stride, where a tile's grid lies.
    reach = measured_reach(method, 1280, (80, 80))
    assert tile.halo - method.input_spec.size_divisor <= reach <= tile.halo


@pytest.mark.parametrize(
    "options", [{"variant": f"solution{n}"} for n in range(1, 6)] + [{"variant": f"baseline{n}"} for n in range(1, 4)]
)
def test_a_tile_with_its_halo_equals_the_whole_image(options: dict[str, Any]) -> None:
    method = _built({**SMALL, **options, "density_activation": "softplus"})
    reach = receptive_reach(method, limit=512)
    assert reach is not None
    core = 32
    side = 2 * reach + core + 64
    images = torch.randn(1, 3, 32, side, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        whole = method(images)
        part = method(images[..., : 2 * reach + core])
    for output in method.outputs:
        first, last = reach // output.stride, (reach + core) // output.stride
        one, two = whole[output.name][..., first:last], part[output.name][..., first:last]
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-5)


def test_no_deeper_variant_sees_less() -> None:
    """A hard mask hides nothing: solution 4 reaches as far as solution 5."""
    reach = {
        variant: receptive_reach(_built({**SMALL, "variant": variant}), limit=512)
        for variant in ("baseline1", "solution4", "solution5")
    }
    assert reach["solution4"] == reach["solution5"]
    assert (reach["baseline1"] or 0) <= (reach["solution5"] or 0)


def test_a_network_that_pools_over_the_whole_image_says_so() -> None:
    method = _built({"backbone": "mobilenetv3_small_050", "width": 16, "variant": "baseline1"})
    assert receptive_reach(method, limit=256) is None
    assert not tile_of(method).exact
