"""Counting errors scene by scene, and their mean: what is reported of sets of few cameras (WorldExpo'10).

Each camera weighs the same, however many of its frames are annotated. Whose scenes these are is said by the catalogue.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from headcount.core.prediction import Prediction
from headcount.core.scene import Scene
from headcount.core.words import plural
from headcount.data.sets.catalogue import find_entry
from headcount.evaluate.metrics.counting import GroupErrors, errors_of_group
from headcount.evaluate.metrics.table import EvaluationSettings, Figure, NotMeasured

_LINES = 10  # of more scenes the mean and the extremes are printed


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneErrors(GroupErrors):
    """The errors of one scene; ``number`` is the one that papers give it, from 1, or None."""

    name: str
    number: int | None

    @property
    def label(self) -> str:
        """Its name, behind ``S1`` … where papers number it."""
        return self.name if self.number is None else f"S{self.number} {self.name}"


@dataclass(frozen=True, slots=True)
class ScenesResult:
    """The errors by scene.

    Attributes:
        scenes: in the order of the papers, else of their names.
        missing: the scenes of the papers that have no image here.
        left_out: how many images belong to no scene.
    """

    scenes: tuple[SceneErrors, ...]
    missing: tuple[str, ...] = ()
    left_out: int = 0

    @property
    def mae(self) -> float:
        """The mean of the scenes' MAE."""
        return sum(scene.mae for scene in self.scenes) / len(self.scenes)

    @property
    def rmse(self) -> float:
        """The mean of the scenes' RMSE."""
        return sum(scene.rmse for scene in self.scenes) / len(self.scenes)

    @property
    def protocol(self) -> str:
        """What was done, in words: figures of different protocols are not comparable."""
        missing = f"; no images of {', '.join(self.missing)}" if self.missing else ""
        return f"mean over {plural(len(self.scenes), 'scene')}, each of the same weight{missing}"

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        rows = [
            {
                "scene": one.name, "label": one.label, "images": one.images, "mean_count": one.mean_count,
                "mae": one.mae, "rmse": one.rmse, "bias": one.bias,
            }
            for one in self.scenes
        ]  # fmt: skip
        return {
            "protocol": self.protocol, "mean_mae": self.mae, "mean_rmse": self.rmse, "scenes": rows,
            "missing": list(self.missing), "images_of_no_scene": self.left_out,
        }  # fmt: skip

    def lines(self) -> list[str]:
        """A line a scene, then the mean; of many scenes the best, the worst and the mean."""
        shown: Sequence[SceneErrors] = self.scenes
        if len(shown) > _LINES:
            shown = [min(self.scenes, key=lambda one: one.mae), max(self.scenes, key=lambda one: one.mae)]
        lines = [f"  {'scene':<12}{'images':>8}{'mean count':>12}{'MAE':>10}{'RMSE':>10}{'bias':>10}"]
        lines += [
            f"  {one.label:<12}{one.images:>8,}{one.mean_count:>12,.1f}{one.mae:>10.2f}{one.rmse:>10.2f}"
            f"{one.bias:>+10.2f}"
            for one in shown
        ]
        lines.append(f"  {f'mean of {len(self.scenes)}':<32}{self.mae:>10.2f}{self.rmse:>10.2f}")
        if len(shown) < len(self.scenes):
            lines.append(f"  the best and the worst of {len(self.scenes)} scenes are shown")
        if self.missing:
            lines.append(f"  no images of {', '.join(self.missing)}: papers report the mean with them")
        if self.left_out:
            lines.append(f"  {plural(self.left_out, 'image')} of no scene left out")
        return lines

    def figures(self) -> list[Figure]:
        """The mean of the scenes' MAE."""
        return [Figure("MAE, mean of scenes", self.mae, self.protocol)]


class Scenes:
    """Accumulates the counts of each scene, by the attribute of images that names it."""

    def __init__(self, settings: EvaluationSettings) -> None:
        entry = find_entry(settings.data)
        self._key = (entry.scene_key if entry is not None else "") or "scene"
        self._numbered: Sequence[str] = () if entry is None or settings.split != "test" else entry.scenes
        self._counts: dict[str, tuple[list[float], list[int]]] = {}
        self._left_out = 0

    @staticmethod
    def fits(settings: EvaluationSettings) -> bool:
        """Of sets that papers report scene by scene."""
        entry = find_entry(settings.data)
        return entry is not None and entry.scene_key != ""

    def add(self, scene: Scene, prediction: Prediction, seconds: float) -> None:
        """Take in one image."""
        name = scene.attributes.get(self._key, "")
        if not name:
            self._left_out += 1
            return
        predicted, true = self._counts.setdefault(name, ([], []))
        predicted.append(float(prediction.count))
        true.append(scene.count)

    def result(self) -> ScenesResult | NotMeasured:
        """The errors so far."""
        if not self._counts:
            return NotMeasured(f'no image has the attribute "{self._key}": no errors by scene')
        numbers: Mapping[str, int] = {name: at for at, name in enumerate(self._numbered, start=1)}
        known = [name for name in self._numbered if name in self._counts]
        names = [*known, *sorted(name for name in self._counts if name not in numbers)]
        found = [
            SceneErrors(name=name, number=numbers.get(name), **errors_of_group(*self._counts[name])) for name in names
        ]
        missing = tuple(name for name in self._numbered if name not in self._counts)
        return ScenesResult(tuple(found), missing, self._left_out)
