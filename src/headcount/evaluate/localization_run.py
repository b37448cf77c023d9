"""Locate while counting: a model that remembers the points of each Scene it counted, for the localization figures."""

from __future__ import annotations

from headcount.core.errors import InputError
from headcount.core.prediction import Prediction
from headcount.core.scene import Scene
from headcount.evaluate.metrics.localization import ImagePoints
from headcount.evaluate.region import inside_region
from headcount.evaluate.run import CountsScenes


class RecordsPoints:
    """Counts as the given model does and keeps each Scene's points beside the predicted ones; no maps, no pixels.

    ``kinds`` are the kinds of points seen (``heads``, ``peaks``, ``none``), ``sizes_wh`` the sizes of the images.
    Handed to ``evaluate_counting`` in the model's place, it costs one run for both reports. With ``need_points`` the
    first prediction that says nowhere where heads are is an error, which ends a run that would be in vain.
    """

    def __init__(self, counter: CountsScenes, *, need_points: bool = False) -> None:
        self._counter = counter
        self._need_points = need_points
        self.images: list[ImagePoints] = []
        self.scenes: list[Scene] = []
        self.sizes_wh: list[tuple[int, int]] = []
        self.kinds: set[str] = set()

    def count(self, source: Scene, /) -> Prediction:
        """As the model's own.

        Raises:
            InputError: points are needed, and the model has none.
        """
        prediction = self._counter.count(source)
        if self._need_points and prediction.points_kind == "none":
            raise InputError("The model counts without saying where heads are, so it gives no prediction file.")
        self.kinds.add(prediction.points_kind)
        scene, seen = inside_region(source, prediction)
        self.images.append(
            ImagePoints.of_scene(
                scene,
                seen.points_xy,
                name=name_of(source, len(self.images)),
                scores=seen.scores,
                predicted_count=float(seen.count),
            )
        )
        self.scenes.append(scene)
        self.sizes_wh.append(prediction.size_wh)
        return prediction

    @property
    def locates_heads(self) -> bool:
        """Whether every prediction was of heads, one by one."""
        return self.kinds == {"heads"}


def name_of(scene: Scene, index: int) -> str:
    """What an image is called in reports: its name, or where it came from, or its number, counted from ``index`` 0."""
    return scene.name or scene.source or f"image {index + 1}"
