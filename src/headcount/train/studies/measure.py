"""A finished run as a model: its score threshold, and what it reaches on the images that are reported on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from headcount.core.card import ModelCard
from headcount.core.errors import ModelError
from headcount.core.scene import Scene
from headcount.core.settings import checked
from headcount.evaluate.metrics.table import METRICS, EvaluationSettings
from headcount.evaluate.published import reached
from headcount.evaluate.run import evaluate_scenes
from headcount.infer.counter import Counter
from headcount.models.method import Method
from headcount.models.runtime import TorchRuntime
from headcount.models.table import build_method
from headcount.train.card import card_of
from headcount.train.checkpoint import find_checkpoint, read_checkpoint
from headcount.train.recipe import Recipe
from headcount.train.studies.state import Measured

_THRESHOLD = "score_threshold"
_LOWEST = 0.05
"""Weaker scores are no heads: a threshold is sought from here up."""
_METRICS = ("counting", "localization", "boxes")
_SHOWN = ("MAE", "RMSE", "F1", "AP")


class Trained:
    """The averaged weights at the end of a run, on the CPU or the GPU that the run would take."""

    def __init__(self, folder: Path) -> None:
        """Open a run's last checkpoint.

        Raises:
            ModelError: there is none, or it is damaged.
        """
        found = find_checkpoint(folder)
        if found is None:
            raise ModelError(f'"{folder}" holds no checkpoint: train the run again.')
        saved = read_checkpoint(found)
        self.recipe = checked(Recipe, saved.state.get("recipe", {}), f"the recipe in {found}")
        self.method: Method = build_method(self.recipe.method, self.recipe.model).eval()
        self.method.load_state_dict(saved.part("ema"))
        self.card = card_of(self.recipe, self.method)
        self.runtime = TorchRuntime(self.method, self.method.input_spec, device=_device(self.recipe))

    @property
    def has_threshold(self) -> bool:
        """Whether its decoder takes what scores above a threshold for heads."""
        return self.card.decoder is not None and _THRESHOLD in self.card.decoder.settings

    def counter(self, threshold: float | None = None) -> Counter:
        """What counts with it, by a threshold of its scores."""
        card = self.card if threshold is None else _with_threshold(self.card, threshold)
        return Counter(card, self.runtime)


def _with_threshold(card: ModelCard, threshold: float) -> ModelCard:
    assert card.decoder is not None
    settings = {**card.decoder.settings, _THRESHOLD: threshold}
    return card.model_copy(update={"decoder": card.decoder.model_copy(update={"settings": settings})})


def _device(recipe: Recipe) -> str:
    import torch

    return "cuda" if recipe.device != "cpu" and torch.cuda.is_available() else "cpu"


def choose_threshold(trained: Trained, scenes: Mapping[str, Sequence[Scene]]) -> float | None:
    """The score threshold with the least error of the counts on some images; None for a model without one."""
    if not trained.has_threshold or not any(scenes.values()):
        return None
    counter = trained.counter(_LOWEST)
    scores: list[NDArray[np.float64]] = []
    counts: list[int] = []
    for scene in (one for of_set in scenes.values() for one in of_set):
        found = counter.count(scene)
        assert found.scores is not None
        scores.append(found.scores)
        counts.append(scene.count)
    grid = np.arange(_LOWEST, 0.951, 0.01)
    errors = [np.mean([abs((s >= t).sum() - c) for s, c in zip(scores, counts, strict=True)]) for t in grid]
    return round(float(grid[int(np.argmin(errors))]), 4)


def measure(counter: Counter, scenes: Sequence[Scene], data: str, split: str) -> Measured:
    """What a model reaches on the images of one data set."""
    metrics = [name for name in _METRICS if name in METRICS and METRICS[name].is_installed]
    settings = EvaluationSettings(data=data, split=split)
    report = evaluate_scenes(counter, scenes, settings, metrics=metrics, keep_worst=0)
    figures = reached(report.results)
    return Measured(images=len(scenes), figures={name: figures[name] for name in _SHOWN if name in figures})
