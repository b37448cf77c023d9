"""Pictures of located heads: the matches that the table counts, and precision and recall by score threshold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from headcount.core.image import RgbImage
from headcount.core.notes import Skipped
from headcount.core.random import generator
from headcount.core.scene import Scene
from headcount.draw.figure import new_figure, refuse_pictures, write_picture
from headcount.draw.matches import FOUND, MADE_UP, MISSED, caption_bar, draw_matches
from headcount.draw.prediction import dim_outside
from headcount.evaluate.metrics.localization import by_score_threshold
from headcount.evaluate.metrics.located import ImagePoints, LocalizationResult, Radius

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WORST, RANDOM = 6, 6
"""How many pictures are made of the images with the most errors, and of others."""
_LONG_SIDE_PX = 1400  # smaller images are enlarged, so that circles of a few pixels can be told apart
_RANDOM_STREAM = 7002


def draw_image(scene: Scene, result: LocalizationResult, index: int, *, long_side_px: int = _LONG_SIDE_PX) -> RgbImage:
    """The image of ``result.images[index]`` with the pairs of ``result.main`` and a caption.

    Its longer side is at least ``long_side_px``.

    Raises:
        InputError: the image cannot be read.
    """
    pixels = scene.pixels() if scene.region is None else dim_outside(scene.pixels(), scene.region)
    image, at = result.images[index], result.main
    reach, tally = at.radius.of(image), at.per_image[index]
    assert reach is not None  # it was evaluated
    scale = max(1.0, long_side_px / max(pixels.shape[:2]))
    picture = draw_matches(pixels, image.predicted_xy, image.true_xy, reach, at.pairs[index], scale=scale)
    words = [
        (f"{tally.true_positives:,} found", FOUND),
        (f"{tally.false_negatives:,} missed", MISSED),
        (f"{tally.false_positives:,} made up", MADE_UP),
        (f"within {at.radius.title.replace('σ', 'sigma')}", (255, 255, 255)),
    ]
    return np.vstack([caption_bar(words, picture.shape[1]), picture])


def save_localization_plots(
    result: LocalizationResult,
    scenes: Sequence[Scene | None],
    folder: str | Path,
    stem: str,
    *,
    worst: int = WORST,
    random: int = RANDOM,
    seed: int = 0,
    overwrite: bool = False,
) -> tuple[list[Path], list[Skipped]]:
    """Write ``heads-STEM-worst-01.png``…, ``heads-STEM-random-01.png``… and, with scores, ``threshold-STEM.png``.

    ``scenes`` are those of ``result.images``, None where there is no picture to draw on. The worst have the most
    misses and false positives at ``result.main``; the random ones are drawn by ``seed`` from the rest.

    Returns the files, and the images that were chosen and cannot be read.

    Raises:
        MissingExtraError: matplotlib is not installed and there are scores to plot.
        InputError: a file exists and ``overwrite`` is False, or the folder cannot be written to.
    """
    folder = Path(folder)
    radius = result.main.radius
    drawable = [index for index, scene in enumerate(scenes) if scene is not None]
    chosen = chosen_images(result, worst, random, seed, among=drawable)
    scored = all(image.scores is not None for image in result.images) and result.predicted > 0
    *paths, curve = localization_plot_paths(folder, stem, worst=len(chosen[0]), random=len(chosen[1]))
    refuse_pictures([*paths, *([curve] if scored else [])], folder, overwrite=overwrite)
    written: list[Path] = []
    skipped: list[Skipped] = []
    figure = draw_thresholds(result.images, radius, weaker=result.weaker) if scored else None
    for path, index in zip(paths, [*chosen[0], *chosen[1]], strict=True):
        scene = scenes[index]
        assert scene is not None
        try:
            picture = draw_image(scene, result, index)
        except Exception as error:
            skipped.append(Skipped(result.images[index].name, error))
            continue
        write_picture(picture, path)
        written.append(path)
    if figure is not None:
        write_picture(figure, curve)
        written.append(curve)
    return written, skipped


def localization_plot_paths(folder: Path, stem: str, *, worst: int = WORST, random: int = RANDOM) -> list[Path]:
    """Where ``save_localization_plots`` writes: the worst images, the random ones, and last the curve."""
    numbers = [("worst", rank) for rank in range(1, worst + 1)] + [("random", rank) for rank in range(1, random + 1)]
    pictures = [folder / f"heads-{stem}-{kind}-{rank:02d}.png" for kind, rank in numbers]
    return [*pictures, folder / f"threshold-{stem}.png"]


def chosen_images(
    result: LocalizationResult, worst: int, random: int, seed: int = 0, *, among: Sequence[int] | None = None
) -> tuple[list[int], list[int]]:
    """The images to look at, by index: those with the most errors, worst first, and some others at random.

    ``among`` are the ascending indices to choose from, all where None.
    """
    errors = [tally.false_positives + tally.false_negatives for tally in result.main.per_image]
    order = sorted(range(len(errors)) if among is None else among, key=lambda index: (-errors[index], index))
    rest = sorted(order[worst:])
    draw = generator(seed, stream=_RANDOM_STREAM).permutation(len(rest))[:random]
    return order[:worst], sorted(rest[int(index)] for index in draw)


def draw_thresholds(
    images: Sequence[ImagePoints], radius: Radius, *, weaker: Sequence[ImagePoints] = (), steps: int = 40
) -> Figure:
    """Precision, recall and F1 of the predictions whose score is at least each threshold, from the least score up.

    With ``weaker``, the same images with what the model finds below its own threshold, too, the curve goes on there,
    and a line stands at the least score of ``images``.

    Raises:
        MissingExtraError: matplotlib is not installed.
        InputError: an image has no scores, or no boxes that the radius needs.
    """
    own = np.concatenate([image.scores for image in images if image.scores is not None] or [np.zeros(1)])
    images = weaker or images
    scores = np.concatenate([image.scores for image in images if image.scores is not None] or [np.zeros(1)])
    # A model with a threshold of its own finds nothing below it: there is no curve to be drawn there.
    thresholds = np.linspace(float(scores.min(initial=1.0)), float(scores.max(initial=1.0)), steps)
    tallies = by_score_threshold(images, radius, thresholds.tolist())
    figure = new_figure(7.0, 5.0, layout="constrained")
    axes = figure.add_subplot()
    # Without predictions there is no precision to draw.
    some = [tally.true_positives + tally.false_positives > 0 for tally in tallies]
    precision = [tally.precision if any_left else np.nan for tally, any_left in zip(tallies, some, strict=True)]
    f1 = [tally.f1 for tally in tallies]
    axes.plot(thresholds, precision, color="#4477aa", label="precision")
    axes.plot(thresholds, [tally.recall for tally in tallies], color="#cc3311", label="recall")
    axes.plot(thresholds, f1, color="#222222", lw=2, label="F1")
    if weaker and len(own):
        axes.axvline(float(own.min()), color="#888888", lw=1, ls="--", label="the model's own threshold")
    best = int(np.argmax(f1))
    axes.plot(thresholds[best], f1[best], "o", color="#222222")
    axes.annotate(
        f"F1 {f1[best]:.3f} at {thresholds[best]:.2f}", (float(thresholds[best]), f1[best]),
        xytext=(0, 8), textcoords="offset points", ha="center",
    )  # fmt: skip
    axes.set(xlabel="score threshold", ylabel="share", ylim=(0, 1.05))
    heads = sum(len(image.true_xy) for image in images)
    axes.set_title(f"{len(images):,} images, {heads:,} heads, within {radius.title} of a head", fontsize=11)
    axes.grid(color="#dddddd", lw=0.6)
    axes.legend(loc="best")
    return figure
