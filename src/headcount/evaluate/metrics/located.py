"""What located heads are measured by, and what was found: points of an image, radii, tallies, results."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from headcount.core.errors import InputError
from headcount.core.geometry import as_points, sigmas_of_boxes
from headcount.core.kinds import Matcher
from headcount.core.prediction import Prediction
from headcount.core.scene import Scene
from headcount.core.words import plural
from headcount.evaluate.metrics.counting import CountingResult
from headcount.evaluate.metrics.matching import Indices
from headcount.evaluate.metrics.table import Figure


@dataclass(frozen=True, slots=True, eq=False)
class ImagePoints:
    """The points of one image, predicted and true, in the same coordinates.

    Attributes:
        name: the image's identifier.
        predicted_xy, true_xy: (m, 2) and (n, 2) float64.
        sigma_s_px, sigma_l_px: (n,) matching radii from the heads' boxes, None where there are no boxes.
        levels: (n,) box-area level of each head, 0 to 5, or None.
        scores: (m,) score of each prediction, or None.
        predicted_count: the count by the model; the number of points where None.
    """

    name: str
    predicted_xy: NDArray[np.float64]
    true_xy: NDArray[np.float64]
    sigma_s_px: NDArray[np.float64] | None = None
    sigma_l_px: NDArray[np.float64] | None = None
    levels: NDArray[np.int64] | None = None
    scores: NDArray[np.float64] | None = None
    predicted_count: float | None = None

    @property
    def count(self) -> float:
        """What the model counts here."""
        return len(self.predicted_xy) if self.predicted_count is None else self.predicted_count

    @property
    def negative(self) -> bool:
        """Whether nobody is in the image."""
        return len(self.true_xy) == 0

    @classmethod
    def of_scene(
        cls, scene: Scene, predicted_xy: ArrayLike, *, scores: NDArray[np.float64] | None = None,
        predicted_count: float | None = None,
    ) -> ImagePoints:  # fmt: skip
        """With radii from the boxes of a Scene, where it has one for each point."""
        boxes = scene.boxes_xyxy
        small, large = (None, None) if boxes is None or len(boxes) != scene.count else sigmas_of_boxes(boxes)
        return cls(
            scene.name, as_points(predicted_xy), scene.points_xy, small, large, scores=scores,
            predicted_count=predicted_count,
        )  # fmt: skip

    @classmethod
    def of_prediction(cls, scene: Scene, prediction: Prediction) -> ImagePoints:
        """As ``of_scene``, with what a Prediction holds."""
        count = float(prediction.count)
        return cls.of_scene(scene, prediction.points_xy, scores=prediction.scores, predicted_count=count)


@dataclass(frozen=True, slots=True)
class Radius:
    """How near is near enough: a ``key`` for JSON, a ``title`` for people, ``px`` where it is the same for all."""

    key: str
    title: str
    px: float | None = None

    @classmethod
    def fixed(cls, px: float) -> Radius:
        """The same number of pixels for every head."""
        return cls(f"{px:g}px", f"{px:g} px", float(px))

    def of(self, image: ImagePoints) -> NDArray[np.float64] | None:
        """(n,) pixels, or None where the image has no boxes to take it from."""
        if self.px is not None:
            return np.full(len(image.true_xy), self.px)
        sigma = image.sigma_s_px if self.key == "sigma_s" else image.sigma_l_px
        return np.zeros(0) if sigma is None and image.negative else sigma

    @property
    def name(self) -> str:
        """As a model card calls it: ``σ_l``, ``8px``."""
        return self.title if self.px is None else self.key


SIGMA_S, SIGMA_L = Radius("sigma_s", "σ_s"), Radius("sigma_l", "σ_l")
FIXED_4, FIXED_8 = Radius.fixed(4), Radius.fixed(8)


@dataclass(frozen=True, slots=True)
class Tally:
    """True positives, false positives and misses of one image or of many.

    >>> tally = Tally(6, 2, 4)
    >>> tally.precision, tally.recall, round(tally.f1, 4)
    (0.75, 0.6, 0.6667)
    """

    true_positives: int
    false_positives: int
    false_negatives: int

    @property
    def precision(self) -> float:
        return _ratio(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> float:
        return _ratio(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def f1(self) -> float:
        twice = 2 * self.true_positives
        return _ratio(twice, twice + self.false_positives + self.false_negatives)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "true_positives": self.true_positives,
            "false_positives": self.false_positives,
            "false_negatives": self.false_negatives,
            "precision": self.precision,
            "recall": self.recall,
            "f1": self.f1,
        }


@dataclass(frozen=True, slots=True)
class LevelRecall:
    """Recall of the heads of one box-area level; None where there are none."""

    level: int
    heads: int
    found: int

    @property
    def recall(self) -> float | None:
        return self.found / self.heads if self.heads else None

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {"level": self.level, "heads": self.heads, "found": self.found, "recall": self.recall}


@dataclass(frozen=True, slots=True, eq=False)
class RadiusResult:
    """The figures at one radius.

    Attributes:
        radius: how near was near enough.
        total: summed over the images.
        negative_false_positives: those on images without heads, part of ``total``.
        levels: recall by level A0…A5, empty where the truth has no levels.
        per_image: one tally for each image, in their order.
        pairs: what was matched in each image, (k, 2) rows of (prediction, head).
    """

    radius: Radius
    total: Tally
    negative_false_positives: int
    levels: tuple[LevelRecall, ...]
    per_image: tuple[Tally, ...]
    pairs: tuple[Indices, ...] = field(repr=False)

    @property
    def mean_level_recall(self) -> float | None:
        """The mean recall of the levels that have heads; None where none has."""
        recalls = [level.recall for level in self.levels if level.recall is not None]
        return sum(recalls) / len(recalls) if recalls else None

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        data: dict[str, Any] = {"radius": self.radius.key, **self.total.to_dict()}
        data["false_positives_on_negatives"] = self.negative_false_positives
        if self.levels:
            data["recall_by_level"] = [level.to_dict() for level in self.levels]
            data["mean_recall_by_level"] = self.mean_level_recall
            data["levels_with_heads"] = sum(level.heads > 0 for level in self.levels)
        return data


@dataclass(frozen=True, slots=True)
class MeanResult:
    """UCF-QNRF's protocol: P, R and F1 of the data set at each distance threshold, then the mean of each over them.

    ``f1`` is the mean of the F1 values, not the F1 of the mean precision and recall.
    """

    thresholds_px: tuple[float, ...]
    tallies: tuple[Tally, ...]

    @property
    def precision(self) -> float:
        return sum(tally.precision for tally in self.tallies) / len(self.tallies)

    @property
    def recall(self) -> float:
        return sum(tally.recall for tally in self.tallies) / len(self.tallies)

    @property
    def f1(self) -> float:
        return sum(tally.f1 for tally in self.tallies) / len(self.tallies)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "thresholds_px": list(self.thresholds_px),
            "precision": self.precision,
            "recall": self.recall,
            "f1": self.f1,
            "true_positives": [tally.true_positives for tally in self.tallies],
        }


@dataclass(frozen=True, slots=True, eq=False)
class LocalizationResult:
    """How heads are located, and how they are counted beside it.

    ``negatives`` is the number of images without heads; ``mean`` is None where it was not asked for; ``kinds`` says
    what the predicted points are; ``weaker`` are the images with the heads found below the model's own score threshold,
    too, empty where it has none.
    """

    images: tuple[ImagePoints, ...] = field(repr=False)
    matcher: Matcher
    radii: tuple[RadiusResult, ...]
    counting: CountingResult
    mean: MeanResult | None = None
    kinds: tuple[str, ...] = ("heads",)
    weaker: tuple[ImagePoints, ...] = field(default=(), repr=False)

    @property
    def negatives(self) -> int:
        return sum(image.negative for image in self.images)

    @property
    def heads(self) -> int:
        return sum(len(image.true_xy) for image in self.images)

    @property
    def predicted(self) -> int:
        return sum(len(image.predicted_xy) for image in self.images)

    @property
    def protocol(self) -> str:
        """What was done, in words: figures of different protocols are not comparable."""
        radii = ", ".join(result.radius.title for result in self.radii)
        return (
            f"maximum matching within {radii} (distance ≤ radius), matcher {self.matcher}; "
            "TP, FP, FN summed over images, then P, R, F1"
        )

    @property
    def main(self) -> RadiusResult:
        """The figures that pictures show: at σ_l where there are boxes, else at the last radius (8 px)."""
        return next((result for result in self.radii if result.radius == SIGMA_L), self.radii[-1])

    def at(self, key: str) -> RadiusResult:
        """The figures of one radius by its key: ``sigma_l``, ``sigma_s``, ``8px``…

        Raises:
            InputError: it was not evaluated.
        """
        for result in self.radii:
            if result.radius.key == key:
                return result
        known = ", ".join(result.radius.key for result in self.radii)
        raise InputError(f'There are no figures at "{key}": {known} were evaluated.')

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON, with one row per image."""
        return {
            "points": list(self.kinds),
            "protocol": self.protocol,
            "matcher": self.matcher,
            "images": len(self.images),
            "images_without_heads": self.negatives,
            "heads": self.heads,
            "predicted_points": self.predicted,
            "localization": [result.to_dict() for result in self.radii],
            "mean_over_thresholds": None if self.mean is None else self.mean.to_dict(),
            "per_image": [
                {
                    "name": image.name,
                    "heads": len(image.true_xy),
                    "predicted": image.count,
                    **{
                        result.radius.key: [
                            result.per_image[index].true_positives,
                            result.per_image[index].false_positives,
                            result.per_image[index].false_negatives,
                        ]
                        for result in self.radii
                    },
                }
                for index, image in enumerate(self.images)
            ],
            "per_image_fields": "true positives, false positives, false negatives",
        }

    def lines(self) -> list[str]:
        """A table of the radii, and one of the recall by level where there are levels."""
        lines = [] if self.kinds == ("heads",) else ["note: the points are peaks of a density map, not heads"]
        lines += [
            f"localization: {plural(len(self.images), 'image')} ({self.negatives:,} without heads), "
            f"{plural(self.heads, 'head')}, {plural(self.predicted, 'prediction')}",
            f"protocol: maximum matching, distance ≤ radius; matcher {self.matcher};",
            "  TP, FP, FN summed over images, then P, R, F1 (radii are not comparable)",
            "",
            f"  {'radius':<12}{'P':>8}{'R':>8}{'F1':>8}{'TP':>12}{'FP':>12}{'FN':>12}",
        ]
        for at in self.radii:
            total = at.total
            lines.append(
                f"  {at.radius.title:<12}{total.precision:>8.4f}{total.recall:>8.4f}{total.f1:>8.4f}"
                f"{total.true_positives:>12,}{total.false_positives:>12,}{total.false_negatives:>12,}"
            )
        if self.mean is not None:
            title = f"{self.mean.thresholds_px[0]:g}–{self.mean.thresholds_px[-1]:g} px"
            lines.append(
                f"  {title:<12}{self.mean.precision:>8.4f}{self.mean.recall:>8.4f}{self.mean.f1:>8.4f}"
                "   mean of each over the distances"
            )
        with_levels = [at for at in self.radii if at.levels and at.radius.px is None]
        if with_levels:
            names = "".join(f"{f'A{level.level}':>8}" for level in with_levels[0].levels)
            lines += ["", f"  {'recall':<12}{names}{'mean':>8}"]
            for at in with_levels:
                recalls = [*(level.recall for level in at.levels), at.mean_level_recall]
                lines.append(f"  {at.radius.title:<12}" + "".join(f"{_figure(recall):>8}" for recall in recalls))
            levels = with_levels[0].levels
            lines.append(f"  {'heads':<12}" + "".join(f"{level.heads:>8,}" for level in levels))
            with_heads = sum(level.heads > 0 for level in levels)
            if with_heads < len(levels):
                lines.append(f"  the mean is that of {with_heads} of {len(levels)} levels: the others have no heads")
        if self.negatives and self.radii:
            lines += ["", f"  {self.radii[0].negative_false_positives:,} of the false positives where nobody is"]
        return lines

    def figures(self) -> list[Figure]:
        """F1 at each radius, of located heads; peaks of a density map are none."""
        if self.kinds != ("heads",):
            return []
        return [Figure(f"F1 at {at.radius.name}", at.total.f1, self.protocol) for at in self.radii]


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
