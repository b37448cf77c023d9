"""Each loss teaches a tiny network the counts of a few painted images, in seconds."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from headcount.core.card import InputSpec
from headcount.core.scene import Scene
from headcount.decode.table import open_decoder
from headcount.models.method import TargetBatch
from headcount.models.normalise import to_tensor
from headcount.models.parts.density import DensityOutput, DensitySettings, total_of

COUNTS = [0, 3, 9, 20]
SIDE = 64
STEPS = 100


def _painted(count: int) -> Scene:
    """Bright dots on a dark ground."""
    rng = np.random.default_rng(count)
    cells = rng.permutation(64)[:count]
    points = np.stack([cells % 8, cells // 8], axis=1) * 8 + rng.uniform(2, 6, (count, 2))
    pixels = rng.integers(0, 60, (SIDE, SIDE, 3), dtype=np.uint8)
    for x, y in points.astype(int):
        pixels[y - 1 : y + 2, x - 1 : x + 2] = 255
    return Scene(pixels, points)


class _Tiny(nn.Module):
    """Three convolutions: features at stride 4."""

    def __init__(self, output: DensityOutput) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 16, 5, stride=2, padding=2), nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU(),
            nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(),
        )  # fmt: skip
        self.last = nn.Conv2d(32, output.channels, 1)
        output.start(self.last)

    def forward(self, images: Tensor) -> Tensor:
        return self.last(self.features(images))


@pytest.mark.parametrize(
    ("loss", "options"),
    [
        ("mse", {"label_scale": 10}),
        ("blocks", {}),
        ("bayesian", {"background_px": 48}),
        ("dm_count", {"sinkhorn_iterations": 20}),
        ("zip", {"block": 16}),
        ("zip", {"block": 8}),
        ("p2r", {}),
    ],
)
def test_each_loss_learns_the_counts_of_a_few_images(loss: str, options: dict) -> None:
    torch.manual_seed(0)
    settings = DensitySettings(density_loss=loss, density_activation="softplus", density_sigma=2, **options)
    output = DensityOutput(settings, stride=4)
    network = _Tiny(output)
    scenes = [_painted(count) for count in COUNTS]
    images = to_tensor([scene.pixels() for scene in scenes], InputSpec())
    targets = TargetBatch.join([output.targets(scene) for scene in scenes])
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-2 if loss == "zip" else 6e-3)
    rates = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    for _ in range(STEPS):
        optimiser.zero_grad()
        total_of(output.loss(output.maps(network(images)), targets)).backward()
        optimiser.step()
        rates.step()
    with torch.inference_mode():
        maps = output.maps(network(images))
    decode = open_decoder(output.decoder.name, output.decoder.settings)
    strides = {told.name: told.stride for told in output.outputs}
    counts = [decode({n: maps[n][i].numpy() for n in strides}, strides, (SIDE, SIDE)).count for i in range(4)]
    np.testing.assert_allclose(counts, COUNTS, atol=1.5)
