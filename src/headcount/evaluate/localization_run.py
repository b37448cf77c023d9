"""Locate while counting: a model that remembers the points of each Scene it counted, for the localization figures."""

from __future__ import annotations

from headcount.core.prediction import Prediction
from headcount.core.scene import Scene
from headcount.evaluate.localization import ImagePoints
from headcount.evaluate.region import inside_region
from headcount.evaluate.run import CountsScenes


class RecordsPoints:
    """Counts as the given model does and keeps each Scene's points beside the predicted ones; no maps, no pixels.

    ``kinds`` are the kinds of points seen (``heads``, ``peaks``, ``none``). Handed to ``evaluate_counting`` in the
    model's place, it costs one run for both reports.
    """

    def __init__(self, counter: CountsScenes) -> None:
        self._counter = counter
        self.images: list[ImagePoints] = []
        self.scenes: list[Scene] = []
        self.kinds: set[str] = set()

    def count(self, source: Scene, /) -> Prediction:
        """As the model's own."""
        prediction = self._counter.count(source)
        self.kinds.add(prediction.points_kind)
        scene, seen = inside_region(source, prediction)
        self.images.append(
            ImagePoints.of_scene(
                scene,
                seen.points_xy,
                name=source.name or source.source or f"image {len(self.images) + 1}",
                scores=seen.scores,
                predicted_count=float(seen.count),
            )
        )
        self.scenes.append(scene)
        return prediction

    @property
    def locates_heads(self) -> bool:
        """Whether every prediction was of heads, one by one."""
        return self.kinds == {"heads"}
