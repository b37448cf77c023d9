"""CSRNet: Table 3's configuration B."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from headcount.models.reach import tile_of
from headcount.models.table import build_method


def test_it_has_the_published_networks_size() -> None:
    with torch.device("meta"):
        method = build_method("csrnet", {})
    assert sum(p.numel() for p in method.parameters()) == 16_263_489


def test_it_computes_what_the_table_says() -> None:
    torch.manual_seed(0)
    method = build_method("csrnet", {"width": 2, "density_activation": "linear"}).eval()
    weights = list(method.state_dict().values())
    images = torch.randn(1, 3, 24, 40)
    expected = images
    for layer in ("2", "2", "M", "4", "4", "M", "8", "8", "8", "M", "16", "16", "16", *"dddddd"):
        if layer == "M":
            expected = F.max_pool2d(expected, 2)
            continue
        weight, bias = weights.pop(0), weights.pop(0)
        reach = 2 if layer == "d" else 1
        expected = F.conv2d(expected, weight, bias, padding=reach, dilation=reach).relu()
    expected = F.conv2d(expected, *weights)
    with torch.inference_mode():
        torch.testing.assert_close(method(images)["density"], expected)


def test_its_tiles_have_all_that_it_sees_around_them() -> None:
    tile = tile_of(build_method("csrnet", {"width": 1}))
    assert tile.exact
    assert tile.halo == 144


@pytest.mark.parametrize("initialisation", ["he", "normal"])
def test_the_printed_initialisation_is_a_preset(initialisation: str) -> None:
    torch.manual_seed(0)
    method = build_method("csrnet", {"width": 16, "initialisation": initialisation})
    for part in (method.backbone, method.back_end):
        convolutions = [value for key, value in part.state_dict().items() if key.endswith("weight")]
        for weight in convolutions:
            std = 0.01 if initialisation == "normal" else (2 / weight[0].numel()) ** 0.5
            assert weight.std().item() == pytest.approx(std, rel=0.15)
