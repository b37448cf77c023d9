"""Validation of what counts nobody: the method's own loss on crops that are the same every time."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from headcount.core.random import generator
from headcount.core.scene import Scene
from headcount.data.augment.spatial import random_crop
from headcount.models.method import Method, TargetBatch
from headcount.models.normalise import to_tensor
from headcount.train.recipe import DataSettings

_STREAM = 7


def validation_loss(method: Method, scenes: Sequence[Scene], settings: DataSettings, *, batch: int, seed: int) -> float:
    """The mean total loss over one crop of ``settings.crop`` of each scene, not scaled; the method is set to eval.

    Crops depend on ``seed`` and a scene's place among the scenes alone. Batches weigh by their scenes.

    Raises:
        InputError: an image cannot be read, or lacks what the method learns from.
    """
    method.eval()
    device = next(method.parameters()).device
    total = 0.0
    for start in range(0, len(scenes), batch):
        crops = [
            random_crop(
                scene, generator(seed, stream=_STREAM, index=start + place), size=settings.crop,
                min_visible=settings.min_visible,
            )
            for place, scene in enumerate(scenes[start : start + batch])
        ]  # fmt: skip
        targets = TargetBatch.join([method.targets(one) for one in crops]).to(device)
        images = to_tensor([one.pixels() for one in crops], method.input_spec).to(device)
        with torch.inference_mode():
            loss = method.loss(method.training_forward(images, targets), targets)["total"]
        total += float(loss) * len(crops)
    return total / len(scenes)
