"""Validation: the counting error on whole images; of what counts nobody, its own loss on crops that stay the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from headcount.core.card import ModelCard
from headcount.core.random import generator
from headcount.core.scene import Scene
from headcount.data.augment.spatial import crop, random_crop, whole_window
from headcount.decode.table import score_threshold_of
from headcount.evaluate.metrics.counting import CountingResult
from headcount.evaluate.metrics.table import EvaluationSettings
from headcount.evaluate.run import WorstImage, evaluate_scenes
from headcount.evaluate.thresholds import ScoredHeads, choose_threshold, relative_error
from headcount.infer.counter import Counter
from headcount.infer.fusion import choose_fusion, chooses_fusion, measure_parts
from headcount.infer.runtimes.table import Runtime
from headcount.models.method import Method, TargetBatch
from headcount.models.normalise import to_tensor
from headcount.train.batches import blanked
from headcount.train.recipe import DataSettings

LOWEST_SCORE = 0.05
"""Thresholds are chosen above it: every head of that score is decoded while training."""
_STREAM = 7


@dataclass(frozen=True, slots=True)
class CountedValidation:
    """How a model counts the validation sets.

    Attributes:
        results: by the name of the set.
        worst: of each set, the images with the largest errors.
        error: the mean over the sets of their relative error, so that sets of different density weigh alike.
        chosen: the decoder's settings that were chosen for the least ``error``: the score threshold of a detector, how
            far each head of a fused model is believed; empty where there is nothing to choose.
    """

    results: Mapping[str, CountingResult]
    worst: Mapping[str, Sequence[WorstImage]]
    error: float
    chosen: Mapping[str, Any]

    @property
    def threshold(self) -> float | None:
        """The score threshold of a detector; None of another model."""
        return self.chosen.get("score_threshold")


def validate_counts(card: ModelCard, runtime: Runtime, validation: Mapping[str, Sequence[Scene]]) -> CountedValidation:
    """Count the scenes of each set once; what there is to choose of the decoder is, whatever its card says.

    Raises:
        InputError: there is no scene, or an image cannot be read.
        ModelError: the model fails on an image.
    """
    if chooses_fusion(card):
        return _validate_fusion(card, runtime, validation)
    has_threshold = score_threshold_of(card) is not None
    counter = Counter(card.calibrated({"score_threshold": LOWEST_SCORE}) if has_threshold else card, runtime)
    scored = {name: ScoredHeads() for name, scenes in validation.items() if scenes}
    reports = {
        name: evaluate_scenes(
            counter, validation[name], EvaluationSettings(data=name, split="val"), metrics=("counting",),
            also=[seen] if has_threshold else [], keep_worst=0 if has_threshold else 3,
        )
        for name, seen in scored.items()
    }  # fmt: skip
    threshold = choose_threshold([*scored.values()], LOWEST_SCORE).value if has_threshold else None
    results = {
        name: report.counting if threshold is None else scored[name].result_at(threshold)
        for name, report in reports.items()
    }
    errors = [relative_error(results[name].mae, [image.true for image in reports[name].images]) for name in reports]
    worst = {name: report.worst for name, report in reports.items()}
    chosen = {} if threshold is None else {"score_threshold": threshold}
    return CountedValidation(results, worst, sum(errors) / len(errors), chosen)


def _validate_fusion(card: ModelCard, runtime: Runtime, validation: Mapping[str, Sequence[Scene]]) -> CountedValidation:
    """The errors where each half of a set is counted with weights of the heads that were fitted to the other half."""
    measured = {
        name: measure_parts(card, runtime, (name, "val"), scenes, keep_worst=3)
        for name, scenes in validation.items()
        if scenes
    }
    found = choose_fusion(card, runtime, [*measured.values()])
    results = {one.data: one.cross_fitted for one in found.sets}
    errors = [relative_error(results[name].mae, one.heads.true) for name, one in measured.items()]
    worst = {name: one.report.worst for name, one in measured.items()}
    return CountedValidation(results, worst, sum(errors) / len(errors), found.settings)


def chosen_settings(history: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The decoder's settings that the last validation of a run's history chose; empty where none did."""
    for entry in reversed(history):
        if "score_threshold" in entry:
            return {"score_threshold": entry["score_threshold"]}
        if "decoder" in entry:
            return dict(entry["decoder"])
    return {}


def validation_loss(method: Method, scenes: Sequence[Scene], settings: DataSettings, *, batch: int, seed: int) -> float:
    """The mean total loss over one crop of ``settings.crop`` of each scene, not scaled; the method is set to eval.

    Crops depend on ``seed`` and a scene's place among the scenes alone. Batches weigh by their scenes; whole images go
    through the network one by one.

    Raises:
        InputError: an image cannot be read, or lacks what the method learns from.
    """
    method.eval()
    batch = 1 if settings.crop_hw is None else batch
    device = next(method.parameters()).device
    total = 0.0
    for start in range(0, len(scenes), batch):
        crops = [
            _validated(scene, settings, method, generator(seed, stream=_STREAM, index=start + place))
            for place, scene in enumerate(scenes[start : start + batch])
        ]
        targets = TargetBatch.join([method.targets(one) for one in crops]).to(device)
        images = to_tensor([one.pixels() for one in crops], method.input_spec).to(device)
        with torch.inference_mode():
            loss = method.loss(method.training_forward(images, targets), targets)["total"]
        total += float(loss) * len(crops)
    return total / len(scenes)


def _validated(scene: Scene, settings: DataSettings, method: Method, draws: np.random.Generator) -> Scene:
    if settings.blank_outside:
        scene = blanked(scene)
    if settings.crop_hw is not None:
        return random_crop(scene, draws, size=settings.crop_hw, min_visible=settings.min_visible)
    divisor, fill = method.input_spec.size_divisor, method.input_spec.mean_rgb
    window = whole_window(scene.size_wh, draws, divisor=divisor, most_pixels=settings.whole_pixels)
    return crop(scene, window, min_visible=settings.min_visible, fill=fill)
