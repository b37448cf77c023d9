"""Pictures of located heads: what was found, missed and made up, and precision and recall by score threshold.

Colours as in the field: true positives green, misses red, false positives magenta; the circles are the matching radii,
and a line joins a found head's middle to its prediction.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from headcount.core.errors import InputError, MissingExtraError
from headcount.core.files import replacing, writing
from headcount.core.image import RgbImage
from headcount.core.random import generator
from headcount.core.scene import Scene
from headcount.evaluate.metrics.localization import (
    ImagePoints,
    LocalizationResult,
    Radius,
    by_score_threshold,
    matched_pairs,
)
from headcount.evaluate.metrics.matching import Indices

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WORST, RANDOM = 6, 6
"""How many pictures are made of the images with the most errors, and of others."""
FOUND, MISSED, MADE_UP = (40, 225, 90), (255, 40, 40), (255, 60, 255)
_RIM = (20, 20, 20)
_SHIFT = 4  # OpenCV draws at 1/16 of a pixel
_LONG_SIDE_PX = 1400  # smaller images are enlarged, so that circles of a few pixels can be told apart
_RANDOM_STREAM = 7002


def draw_matches(
    image: RgbImage,
    predicted_xy: NDArray[np.float64],
    true_xy: NDArray[np.float64],
    radius_px: NDArray[np.float64],
    pairs: Indices,
    *,
    scale: float = 1.0,
) -> RgbImage:
    """The image, ``scale`` times as large, with a circle of its radius on each head and a dot on each prediction.

    Points (m, 2) and (n, 2) have the first pixel's centre at (0.5, 0.5); ``pairs`` are (k, 2) of (prediction, head).
    """
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    shrinks = scale < 1
    resized = cv2.resize(image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    # Photographs are darkened a little, so that the colours carry.
    picture: RgbImage = (resized * np.float32(0.72)).astype(np.uint8)
    thick = 2 if max(size) >= 1000 else 1
    dot = 3.0 if max(size) >= 1000 else 2.0
    found = np.zeros(len(true_xy), dtype=np.bool_)
    found[pairs[:, 1]] = True
    made_up = np.ones(len(predicted_xy), dtype=np.bool_)
    made_up[pairs[:, 0]] = False
    for head, radius, is_found in zip(true_xy * scale, radius_px * scale, found, strict=True):
        # A radius of 0 still shows where the head is.
        _circle(picture, head, max(radius, 1.0), FOUND if is_found else MISSED, thick)
    for prediction, head in pairs:
        start, end = _fixed(predicted_xy[prediction] * scale), _fixed(true_xy[head] * scale)
        cv2.line(picture, start, end, FOUND, 1, cv2.LINE_AA, _SHIFT)
    for head in true_xy[~found] * scale:
        _dot(picture, head, dot, MISSED)
    for point, wrong in zip(predicted_xy * scale, made_up, strict=True):
        _dot(picture, point, dot + wrong, MADE_UP if wrong else FOUND)
    return picture


def draw_image(scene: Scene, image: ImagePoints, radius: Radius, *, long_side_px: int = _LONG_SIDE_PX) -> RgbImage:
    """One image with its matches and a caption, its longer side at least ``long_side_px``.

    Raises:
        InputError: the image cannot be read, or has no boxes that the radius needs.
    """
    pixels = scene.pixels()
    (pairs,) = matched_pairs([image], radius)
    reach = radius.of(image)
    assert reach is not None  # matched_pairs has refused it
    scale = max(1.0, long_side_px / max(pixels.shape[:2]))
    picture = draw_matches(pixels, image.predicted_xy, image.true_xy, reach, pairs, scale=scale)
    found = len(pairs)
    words = [
        (f"{found:,} found", FOUND),
        (f"{len(image.true_xy) - found:,} missed", MISSED),
        (f"{len(image.predicted_xy) - found:,} made up", MADE_UP),
        (f"within {radius.title.replace('σ', 'sigma')}", (255, 255, 255)),
    ]
    return np.vstack([_caption(words, picture.shape[1]), picture])


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
) -> list[Path]:
    """Write ``heads-STEM-worst-01.png``…, ``heads-STEM-random-01.png``… and, with scores, ``threshold-STEM.png``.

    ``scenes`` are those of ``result.images``, None where there is no picture to draw on. The worst have the most
    misses and false positives at ``result.main``; the random ones are drawn by ``seed`` from the rest.

    Raises:
        MissingExtraError: matplotlib is not installed and there are scores to plot.
        InputError: a file exists and ``overwrite`` is False, an image cannot be read, or the folder not be written to.
    """
    folder = Path(folder)
    radius = result.main.radius
    there = [index for index, scene in enumerate(scenes) if scene is not None]
    chosen = chosen_images(result, worst, random, seed, among=there)
    scored = all(image.scores is not None for image in result.images) and result.predicted > 0
    *paths, curve = localization_plot_paths(folder, stem, worst=len(chosen[0]), random=len(chosen[1]))
    written = [*paths, *([curve] if scored else [])]
    refuse_pictures(written, folder, overwrite=overwrite)
    figure = draw_thresholds(result.images, radius) if scored else None
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for path, index in zip(paths, [*chosen[0], *chosen[1]], strict=True):
            scene = scenes[index]
            assert scene is not None
            _save(draw_image(scene, result.images[index], radius), path)
        if figure is not None:
            with replacing(curve) as partial:
                figure.savefig(partial, dpi=120)
    return written


def localization_plot_paths(folder: Path, stem: str, *, worst: int = WORST, random: int = RANDOM) -> list[Path]:
    """Where ``save_localization_plots`` writes: the worst images, the random ones, and last the curve."""
    numbers = [("worst", rank) for rank in range(1, worst + 1)] + [("random", rank) for rank in range(1, random + 1)]
    pictures = [folder / f"heads-{stem}-{kind}-{rank:02d}.png" for kind, rank in numbers]
    return [*pictures, folder / f"threshold-{stem}.png"]


def refuse_pictures(paths: Iterable[Path], folder: Path, *, overwrite: bool) -> None:
    """Stop where pictures could not be written; asked before a long run, so that it is not in vain.

    Raises:
        InputError: a file exists and ``overwrite`` is False, or the folder is a file, is closed to writing or cannot
            be made.
    """
    with writing(folder):
        if folder.exists() and not folder.is_dir():
            raise InputError(f'"{folder}" is a file: name a folder for the plots.')
        existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
        if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
            raise InputError(f'"{existing}" is closed to writing, so no plots can be put there: choose another folder.')
        for path in paths:
            if path.exists() and not overwrite:
                raise InputError(f'"{path}" exists already: choose another folder, or pass --force (overwrite=True).')


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


def draw_thresholds(images: Sequence[ImagePoints], radius: Radius, *, steps: int = 40) -> Figure:
    """Precision, recall and F1 of the predictions whose score is at least each threshold.

    Raises:
        MissingExtraError: matplotlib is not installed.
        InputError: an image has no scores, or no boxes that the radius needs.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("Evaluation plots", "plots") from error
    scores = np.concatenate([image.scores for image in images if image.scores is not None] or [np.zeros(1)])
    low, high = float(scores.min(initial=0.0)), float(scores.max(initial=1.0))
    thresholds = np.linspace(min(low, 0.0), high, steps)
    tallies = by_score_threshold(images, radius, thresholds.tolist())
    figure = Figure(figsize=(7.0, 5.0), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    # Without predictions there is no precision to draw.
    some = [tally.true_positives + tally.false_positives > 0 for tally in tallies]
    precision = [tally.precision if any_left else np.nan for tally, any_left in zip(tallies, some, strict=True)]
    f1 = [tally.f1 for tally in tallies]
    axes.plot(thresholds, precision, color="#4477aa", label="precision")
    axes.plot(thresholds, [tally.recall for tally in tallies], color="#cc3311", label="recall")
    axes.plot(thresholds, f1, color="#222222", lw=2, label="F1")
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
    axes.legend(frameon=False, loc="lower left")
    return figure


def _circle(
    picture: RgbImage, centre_xy: NDArray[np.float64], radius: float, colour: tuple[int, ...], thick: int
) -> None:
    whole = round(radius * (1 << _SHIFT))
    cv2.circle(picture, _fixed(centre_xy), whole, _RIM, thick + 2, cv2.LINE_AA, _SHIFT)
    cv2.circle(picture, _fixed(centre_xy), whole, colour, thick, cv2.LINE_AA, _SHIFT)


def _dot(picture: RgbImage, centre_xy: NDArray[np.float64], radius: float, colour: tuple[int, ...]) -> None:
    for size, paint in ((radius + 1, _RIM), (radius, colour)):
        cv2.circle(picture, _fixed(centre_xy), round(size * (1 << _SHIFT)), paint, -1, cv2.LINE_AA, _SHIFT)


def _fixed(xy: NDArray[np.float64]) -> tuple[int, int]:
    # OpenCV puts a pixel's centre at integers, headcount at halves.
    x, y = np.round((xy - 0.5) * (1 << _SHIFT)).astype(int)
    return int(x), int(y)


def _caption(words: Sequence[tuple[str, tuple[int, ...]]], width: int) -> RgbImage:
    height, scale, gap = 40, 0.8, 24
    sizes = [cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 2)[0][0] for text, _ in words]
    scale *= min(1.0, (width - 10) / (sum(sizes) + gap * len(words)))
    bar = np.full((height, width, 3), 20, dtype=np.uint8)
    left = 10
    for text, colour in words:
        cv2.putText(bar, text, (left, 28), cv2.FONT_HERSHEY_SIMPLEX, scale, colour, 2, cv2.LINE_AA)
        left += int(cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 2)[0][0] + gap * scale / 0.8)
    return bar


def _save(picture: RgbImage, path: Path) -> None:
    from PIL import Image

    with replacing(path) as partial:
        Image.fromarray(picture).save(partial)
