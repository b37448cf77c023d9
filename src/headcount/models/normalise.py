"""Pixels as a network reads them."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from headcount.core.card import InputSpec
from headcount.core.image import RgbImage

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of red, green and blue, as networks that were trained on ImageNet take them."""


def to_tensor(images: list[RgbImage], spec: InputSpec) -> Tensor:
    """(h, w, 3) uint8 images of one size → (b, c, h, w) float32, normalised as the model card says."""
    if spec.channels == 1:
        return normalise(torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2), spec)
    # The same values from a table: faster, and without torch's own threads, which the training needs.
    levels = normalise(torch.arange(256, dtype=torch.uint8).view(256, 1, 1, 1).expand(256, 3, 1, 1), spec)
    table = levels.view(1, 256, 3).numpy()
    batch = np.empty((len(images), *images[0].shape), np.float32)
    for values, image in zip(batch, images, strict=True):
        cv2.LUT(image, table, dst=values)
    return torch.from_numpy(batch).permute(0, 3, 1, 2)


def normalise(pixels: Tensor, spec: InputSpec) -> Tensor:
    """(b, 3, h, w) uint8 → (b, c, h, w) float32: scaled to 0…1, less the mean, over the standard deviation."""
    values = pixels.float()
    if spec.channels == 1:
        weights = values.new_tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
        values = (values * weights).sum(dim=1, keepdim=True)
    mean = values.new_tensor(spec.mean).view(1, -1, 1, 1) * 255
    std = values.new_tensor(spec.std).view(1, -1, 1, 1) * 255
    return (values - mean) / std
