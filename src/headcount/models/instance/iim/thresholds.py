"""Threshold encoders of IIM: from confidence × feature to the threshold that binarises the confidence (III-B)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from headcount.losses.binarization import compressed_sigmoid

STRIDE = 8


class PixelThreshold(nn.Module):
    """PBM's encoder: a threshold for each 8×8 pixels, between 0.2 and 0.7 (Table 1 of the paper).

    3×3 convolutions with PReLU, a 15×15 average (zeros beyond the border counted), 1×1 to one channel, the same
    average again; no biases.
    """

    def __init__(self, channels: int, widths: Sequence[int] = (256, 128, 64)) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inside, outside in pairwise((channels, *widths)):
            layers += [nn.Conv2d(inside, outside, 3, padding=1, bias=False), nn.PReLU()]
        layers += [
            nn.AvgPool2d(15, stride=1, padding=7),
            nn.Conv2d(widths[-1], 1, 1, bias=False),
            nn.AvgPool2d(15, stride=1, padding=7),
        ]
        self.layers = nn.Sequential(*layers)

    def forward(self, confidence: Tensor, feature: Tensor, stride: int) -> Tensor:
        """(b, 1, h/stride, w/stride), (b, c, h/4, w/4) → (b, 1, h/8, w/8); neither gets a gradient from here."""
        logits: Tensor = self.layers(weighted_feature(confidence, feature, stride))
        return compressed_sigmoid(logits)


class ImageThreshold(nn.Module):
    """IBM's encoder: 1×1 convolution and global average, one threshold an image (III-B-1)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layer = nn.Conv2d(channels, 1, 1, bias=False)

    def forward(self, confidence: Tensor, feature: Tensor, stride: int) -> Tensor:
        """As ``PixelThreshold``, the same value in every cell of an image: (b, 1, h/8, w/8)."""
        logits = self.layer(weighted_feature(confidence, feature, stride))
        return compressed_sigmoid(logits.mean(dim=(2, 3), keepdim=True)).expand_as(logits)


def weighted_feature(confidence: Tensor, feature: Tensor, stride: int) -> Tensor:
    """Confidence × feature at stride 8, both resized by nearest neighbour and cut off from the gradient."""
    step = STRIDE // stride
    return confidence.detach()[..., ::step, ::step] * feature.detach()[..., ::2, ::2]
