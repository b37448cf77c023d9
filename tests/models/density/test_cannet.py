"""CANNet against a slow second writing of its paper, and its pooling, which must export."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from headcount.models.density.cannet import Context, pool_to, weighted_mean
from headcount.models.reach import tile_of
from headcount.models.table import build_method


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 7), (6, 6), (13, 31)])
@pytest.mark.parametrize("cells", [1, 2, 3, 6])
def test_pooling_is_torchs_own(size: tuple[int, int], cells: int) -> None:
    features = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(pool_to(features, cells), F.adaptive_avg_pool2d(features, cells))


def _context_by_the_paper(context: Context, features: Tensor) -> Tensor:
    """Eq. 1 to 5 for one image, a place at a time."""
    _, height, width = features.shape
    contexts = []
    for cells, scale in zip((1, 2, 3, 6), context.scales, strict=True):
        pooled = torch.empty(len(features), cells, cells)
        for i in range(cells):
            for j in range(cells):
                rows = slice(i * height // cells, math.ceil((i + 1) * height / cells))
                columns = slice(j * width // cells, math.ceil((j + 1) * width / cells))
                pooled[:, i, j] = features[:, rows, columns].mean(dim=(1, 2))
        small = torch.einsum("oc,cij->oij", scale.weight[:, :, 0, 0], pooled)
        large = torch.empty_like(features)
        for y in range(height):
            for x in range(width):
                v = min(max((y + 0.5) * cells / height - 0.5, 0.0), cells - 1.0)
                u = min(max((x + 0.5) * cells / width - 0.5, 0.0), cells - 1.0)
                top, left = int(v), int(u)
                below, right = min(top + 1, cells - 1), min(left + 1, cells - 1)
                upper = small[:, top, left] * (1 - u + left) + small[:, top, right] * (u - left)
                lower = small[:, below, left] * (1 - u + left) + small[:, below, right] * (u - left)
                large[:, y, x] = upper * (1 - v + top) + lower * (v - top)
        contexts.append(large)
    weight, bias = context.weight.weight[:, :, 0, 0], context.weight.bias
    weights = [torch.sigmoid(torch.einsum("oc,chw->ohw", weight, features - s) + bias[:, None, None]) for s in contexts]
    weighted = sum(w * s for w, s in zip(weights, contexts, strict=True)) / sum(weights)
    convolution = context.bottleneck[0]
    mixed = torch.einsum("oc,chw->ohw", convolution.weight[:, :, 0, 0], torch.cat([weighted, features]))
    return torch.relu(mixed + convolution.bias[:, None, None])


@pytest.mark.parametrize("size", [(1, 2), (3, 4), (7, 11)])
def test_the_context_is_the_papers(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    context = Context(5).eval()
    features = torch.randn(1, 5, *size)
    with torch.no_grad():
        torch.testing.assert_close(context(features)[0], _context_by_the_paper(context, features[0]))


def test_a_mean_whose_weights_are_all_as_good_as_nothing_is_finite() -> None:
    values = [torch.full((1, 1, 1, 1), 2.0), torch.full((1, 1, 1, 1), 4.0)]
    for scores, expected in (((-500.0, -500.0), 3.0), ((-500.0, -900.0), 2.0), ((90.0, 90.0), 3.0)):
        found = weighted_mean(values, [torch.full((1, 1, 1, 1), score) for score in scores])
        assert found.item() == pytest.approx(expected)


def test_the_whole_image_matters_to_each_place_and_the_card_says_so() -> None:
    torch.manual_seed(0)
    method = build_method("cannet", {"width": 2, "density_activation": "softplus", "tile_px": 640}).eval()
    images = torch.zeros(1, 3, 16, 512)
    other = images.clone()
    other[..., :8] = 3.0
    with torch.inference_mode():
        far = (method(images)["density"] - method(other)["density"])[..., -1].abs().max()
    assert far > 0
    tile = tile_of(method)
    assert (tile.size, tile.exact) == (640, False)


def test_it_has_the_papers_size() -> None:
    with torch.device("meta"):
        method = build_method("cannet", {})
    # CSRNet's; four 1×1 without bias, one with, and 1024 → 512.
    expected = 16_263_489 + 4 * 512**2 + (512**2 + 512) + (1024 * 512 + 512)
    assert sum(p.numel() for p in method.parameters()) == expected
