"""Pixels as a network reads them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from headcount.core.card import InputSpec
from headcount.models.normalise import normalise, to_tensor


def test_pixels_are_normalised_as_the_card_says() -> None:
    spec = InputSpec(mean=(0.5, 0.25, 0.0), std=(0.5, 0.25, 1.0))
    pixels = np.zeros((2, 4, 3), np.uint8)
    pixels[..., 0], pixels[..., 1], pixels[..., 2] = 255, 255, 51
    batch = to_tensor([pixels, pixels], spec)
    assert batch.shape == (2, 3, 2, 4)
    np.testing.assert_allclose(batch[0, :, 0, 0], [1.0, 3.0, 0.2], rtol=1e-6)


def test_one_channel_is_the_luminance() -> None:
    spec = InputSpec(channels=1, mean=(0.5,), std=(0.5,))
    pixels = torch.tensor([[[[255.0]], [[0.0]], [[0.0]]]])
    assert normalise(pixels, spec).item() == pytest.approx((0.299 - 0.5) / 0.5, abs=1e-6)


def test_a_batch_from_a_table_is_the_batch_computed() -> None:
    spec = InputSpec(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    images = [np.random.default_rng(k).integers(0, 256, (24, 32, 3), dtype=np.uint8) for k in range(3)]
    batch = to_tensor(images, spec)
    assert torch.equal(batch, normalise(torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2), spec))
    assert batch.is_contiguous(memory_format=torch.channels_last)
    gray = InputSpec(channels=1, mean=(0.5,), std=(0.5,))
    assert to_tensor(images, gray).shape == (3, 1, 24, 32)
