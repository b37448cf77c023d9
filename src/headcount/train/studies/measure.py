"""A finished run as a model, and what it reaches on the images that are reported on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from headcount.core.errors import ModelError
from headcount.core.scene import Scene
from headcount.core.settings import checked
from headcount.evaluate.metrics.boxes import BoxesResult
from headcount.evaluate.metrics.counting import LevelResult
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
from headcount.train.validation import chosen_settings

_METRICS = ("counting", "localization", "boxes")


class Trained:
    """The averaged weights at the end of a run, on the device that the run would take.

    Attributes:
        threshold: the least score of a head, as the run's last validation chose it; None of a model without one, and
            where nothing was validated on.
        held_out: by data set, the MAE of that validation where it was on images held out of training.
        card: the model's, with what that validation chose.
        counter: what counts with it.
    """

    def __init__(self, folder: Path) -> None:
        """Open a run's last checkpoint.

        Raises:
            ModelError: there is none, or it is damaged.
        """
        found = find_checkpoint(folder)
        if found is None:
            raise ModelError(f'"{folder}" holds no checkpoint: train the run again.')
        saved = read_checkpoint(found)
        recipe = checked(Recipe, saved.state.get("recipe", {}), f"the recipe in {found}")
        self.method: Method = build_method(recipe.method, recipe.model).eval()
        self.method.load_state_dict(saved.part("ema"))
        history = saved.state["history"]
        chosen = chosen_settings(history)
        self.threshold = chosen.get("score_threshold")
        validated = history[-1] if recipe.data.held_out is not None and history else {}
        self.held_out: dict[str, float] = dict(validated.get("mae", {}))
        self.card = card_of(recipe, self.method).calibrated(chosen)
        device = "cuda" if recipe.device != "cpu" and torch.cuda.is_available() else "cpu"
        self.runtime = TorchRuntime(self.method, self.method.input_spec, device=device)
        self.counter = Counter(self.card, self.runtime)


def measure(counter: Counter, scenes: Sequence[Scene], data: str, split: str, *, figures: Sequence[str]) -> Measured:
    """What a model reaches on the images of one data set: of ``figures`` those that there are, and AP50 beside AP."""
    metrics = [name for name in _METRICS if name in METRICS and METRICS[name].is_installed]
    settings = EvaluationSettings(data=data, split=split)
    report = evaluate_scenes(counter, scenes, settings, metrics=metrics, keep_worst=0)
    found = reached(report.results)
    boxes = report.results.get("boxes")
    if isinstance(boxes, BoxesResult) and boxes.mean_ap is not None and boxes.ap50 is not None:
        found |= {"AP": 100 * boxes.mean_ap, "AP50": 100 * boxes.ap50}
    found |= {_level(level): level.mae for level in report.counting.levels}
    kept = [*figures, *(["AP50"] if "AP" in figures else [])]
    return Measured(images=len(scenes), figures={name: found[name] for name in kept if name in found})


def _level(level: LevelResult) -> str:
    """A level as a figure is called: ``≤300``, ``301–700``, ``>700``."""
    if level.high is None:
        return f">{level.low - 1}"
    return f"{level.low}–{level.high}" if level.low else f"≤{level.high}"
