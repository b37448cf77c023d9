"""Two pictures of an evaluation: predicted against true counts, and a sheet of the images counted worst."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from headcount.core.image import RgbImage
from headcount.core.words import plural
from headcount.draw.figure import new_figure, refuse_pictures, write_picture
from headcount.draw.prediction import dim_outside, draw_boxes, draw_density, draw_points, outline
from headcount.evaluate.run import EvaluationReport, WorstImage

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WIDE = 20  # counts that span more than this factor are drawn on logarithmic axes
_LABELLED = 5
_INK, _BAND, _DOT, _FAR = "#222222", "#4477aa", "#4477aa", "#cc3311"
_CELL_WH = (400, 300)
_GAP = 6


def save_plots(report: EvaluationReport, folder: str | Path, *, overwrite: bool = False) -> list[Path]:
    """Write ``scatter-DATA-SPLIT.png`` and ``worst-DATA-SPLIT.png`` into a folder, which is made if need be.

    Raises:
        MissingExtraError: matplotlib is not installed.
        InputError: a file exists and ``overwrite`` is False, or the folder cannot be written to.
    """
    folder = Path(folder)
    drawings = dict(zip(plot_paths(folder, report.data, report.split), _DRAWN, strict=True))
    refuse_pictures(drawings, folder, overwrite=overwrite)
    for path, draw in drawings.items():
        write_picture(draw(report), path)
    return list(drawings)


def plot_paths(folder: Path, data: str, split: str) -> tuple[Path, Path]:
    """Where ``save_plots`` writes the scatter plot and the sheet."""
    stem = "-".join(part for part in (data, split) if part) or "images"
    return folder / f"scatter-{stem}.png", folder / f"worst-{stem}.png"


def draw_scatter(report: EvaluationReport) -> Figure:
    """Predicted against true counts: the identity, bands of ±10 and ±20 %, the worst images by name.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figure = new_figure(7.0, 7.25)
    axes = figure.add_axes((0.11, 0.08, 0.86, 0.83))
    true = np.array([image.true for image in report.images], dtype=np.float64)
    predicted = np.array([max(image.predicted, 0.0) for image in report.images])
    both = np.concatenate([true, predicted])
    positive = both[both > 0]
    top = max(5.0, 1.12 * float(positive.max(initial=0.0)))
    low = 0.0
    if positive.size and positive.max() > _WIDE * max(positive.min(), 1.0):
        # symlog is linear below 1, so that empty images and counts near 0 stay on the page.
        whole = bool((both < 1).any())
        scale: dict[str, Any] = {"value": "symlog", "linthresh": 1.0} if whole else {"value": "log"}
        axes.set_xscale(**scale)
        axes.set_yscale(**scale)
        low, top = (-0.2 if whole else float(positive.min()) / 1.3), 1.3 * top
        ticks = [float(f"{digit}e{power}") for power in range(7) for digit in (1, 2, 5)]
        ticks = [tick for tick in ([0.0, *ticks] if whole else ticks) if low <= tick <= top]
        axes.set_xticks(ticks)
        axes.set_yticks(ticks)
        axes.minorticks_off()
    line = np.linspace(0, top, 200) if low == 0.0 else np.geomspace(max(low, 0.01), top, 200)
    axes.fill_between(line, 0.8 * line, 1.2 * line, color=_BAND, alpha=0.12, lw=0, label="±20 %")
    axes.fill_between(line, 0.9 * line, 1.1 * line, color=_BAND, alpha=0.18, lw=0, label="±10 %")
    axes.plot(line, line, color=_INK, lw=1, label="exact")
    axes.scatter(true, predicted, s=18, color=_DOT, alpha=0.75, lw=0, zorder=3)
    axes.set(xlim=(low, top), ylim=(low, top), xlabel="true count", ylabel="predicted count", aspect="equal")
    for side in (axes.xaxis, axes.yaxis):
        side.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.grid(color="#dddddd", lw=0.6)
    axes.set_axisbelow(True)
    result = report.counting
    axes.set_title(
        f"{report.model} on {_data(report)}: {plural(result.images, 'image')}\n"
        f"MAE {result.mae:.1f}, RMSE {result.rmse:.1f}, bias {result.bias:+.1f}",
        fontsize=11,
    )
    axes.legend(loc="upper left", frameon=False)
    worst = np.argsort(-np.abs(predicted - true), kind="stable")[:_LABELLED]
    axes.scatter(true[worst], predicted[worst], s=26, color=_FAR, lw=0, zorder=4)
    covering = np.concatenate([np.column_stack([true, predicted]), np.column_stack([line, line])])
    _label(figure, axes, [(true[i], predicted[i], _shorten(report.images[i].short_name, 20)) for i in worst], covering)
    return figure


def draw_worst(report: EvaluationReport) -> Figure:
    """The images with the largest absolute errors: the photograph beside what the model sees in it.

    Raises:
        MissingExtraError: matplotlib is not installed.
        InputError: an image can no longer be read.
    """
    columns = 2 if len(report.worst) > 1 else 1
    rows = max(1, -(-len(report.worst) // columns))
    width, head = 6.7, 0.75
    cell = width * _CELL_WH[1] / (2 * _CELL_WH[0] + _GAP) + 0.38
    figure = new_figure(columns * width + 0.3, rows * cell + head)
    height = rows * cell + head
    figure.suptitle(
        f"{report.model} on {_data(report)}: largest errors, {len(report.worst)} of "
        f"{plural(len(report.images), 'image')}",
        fontsize=13,
        y=1 - 0.3 / height,
    )
    for number, worst in enumerate(report.worst):
        row, column = divmod(number, columns)
        left = (0.15 + column * width + 0.06) / (columns * width + 0.3)
        bottom = 1 - (head + (row + 1) * cell - 0.06) / height
        span = (width - 0.12) / (columns * width + 0.3), (cell - 0.38) / height
        axes = figure.add_axes((left, bottom, *span))
        axes.imshow(_pair(worst), interpolation="lanczos")
        axes.set_axis_off()
        image = worst.image
        share = f" ({image.error / image.true:+.0%})" if image.true else ""
        predicted = f"{image.predicted:,.0f}" if abs(image.predicted) >= 10 else f"{image.predicted:.1f}"
        axes.set_title(
            f"{_shorten(image.short_name, 40)}: true {image.true:,}, predicted {predicted}{share}",
            fontsize=11,
            loc="left",
            pad=4,
        )
    return figure


def _pair(worst: WorstImage) -> RgbImage:
    photo, region = worst.scene.pixels(), worst.scene.region
    prediction = worst.prediction
    if region is not None:
        photo = dim_outside(photo, region)
    if prediction.density is not None:
        drawn = draw_density(photo, prediction.density, prediction.density_stride)
    elif prediction.boxes_xyxy is not None and prediction.boxes_kind == "heads":
        drawn = draw_boxes(photo, prediction.boxes_xyxy)
    else:
        drawn = draw_points(photo, prediction.points_xy)
    if region is not None:
        outline(drawn, region)
    gap: NDArray[np.uint8] = np.full((_CELL_WH[1], _GAP, 3), 255, dtype=np.uint8)
    return np.hstack([_fit(photo), gap, _fit(drawn)])


def _fit(image: RgbImage) -> RgbImage:
    """The image as large as fits a cell, on a light ground."""
    width, height = _CELL_WH
    scale = min(width / image.shape[1], height / image.shape[0])
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    cell = np.full((height, width, 3), 238, dtype=np.uint8)
    top, left = (height - size[1]) // 2, (width - size[0]) // 2
    cell[top : top + size[1], left : left + size[0]] = small
    return cell


def _label(
    figure: Figure,
    axes: Any,
    labels: Sequence[tuple[float, float, str]],
    others: NDArray[np.float64],
) -> None:
    """Names beside their dots, each where it covers the fewest of ``others`` (n, 2) and no other name."""
    from matplotlib.text import Text

    renderer: Any = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    places = axes.transData.transform(others)
    inside = axes.get_window_extent(renderer)
    taken: list[Any] = [axes.get_legend().get_window_extent(renderer)]
    for x, y, name in labels:
        best: tuple[float, Any] | None = None
        for distance in (8, 18, 32, 50):
            for across, up in ((1, 0), (-1, 0), (1, -1), (-1, 1), (1, 1), (-1, -1), (0, 1), (0, -1)):
                text = axes.annotate(
                    name,
                    (x, y),
                    xytext=(distance * across, distance * up),
                    textcoords="offset points",
                    ha={1: "left", 0: "center", -1: "right"}[across],
                    va={1: "bottom", 0: "center", -1: "top"}[up],
                    fontsize=9,
                    color=_FAR,
                    arrowprops={"arrowstyle": "-", "color": _FAR, "lw": 0.6, "shrinkA": 0, "shrinkB": 2},
                    zorder=5,
                )
                # Annotation.get_window_extent takes in the arrow, which may cross things: the words may not.
                text.update_positions(renderer)
                box = Text.get_window_extent(text, renderer).padded(2)
                covered = int(box.count_contains(places)) + 0.1 * distance / 8
                covered += 100 * sum(box.overlaps(other) for other in taken)
                covered += 0 if inside.containsx(box.x0) and inside.containsx(box.x1) else 100
                covered += 0 if inside.containsy(box.y0) and inside.containsy(box.y1) else 100
                if best is None or covered < best[0]:
                    if best is not None:
                        best[1].remove()
                    best = (covered, text)
                    box_taken = box
                else:
                    text.remove()
        taken.append(box_taken)


def _data(report: EvaluationReport) -> str:
    return " ".join(part for part in (report.data, report.split) if part) or "images"


def _shorten(name: str, length: int) -> str:
    # The end of a name tells images apart more often than its beginning.
    return name if len(name) <= length else "…" + name[1 - length :]


_DRAWN = (draw_scatter, draw_worst)
