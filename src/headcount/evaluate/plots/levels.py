"""The figure of a comparison: each model's error by density level, in people and as a share of the count."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from headcount.core.errors import InputError
from headcount.draw.figure import new_figure
from headcount.evaluate.compare import LevelComparison, share_of
from headcount.evaluate.metrics.counting import mae_interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLOURS = ("#4477aa", "#cc3311", "#228833", "#aa3377", "#ccbb44", "#66ccee", "#222222")
_MARKS = "osD^vPX"


def draw_levels(comparisons: Sequence[LevelComparison]) -> Figure:
    """A row of two panels for each data set: MAE with its 95 % interval over images, and MAE / mean count.

    Under each level stands the number of its images.

    Raises:
        MissingExtraError: matplotlib is not installed.
        InputError: there is nothing to draw.
    """
    if not comparisons:
        raise InputError("There is no comparison to draw.")
    figure = new_figure(11.0, 4.6 * len(comparisons), layout="constrained")
    panels: Any = figure.subplots(len(comparisons), 2, squeeze=False)
    for (people, share), comparison in zip(panels, comparisons, strict=True):
        _draw_errors(people, comparison)
        _draw_shares(share, comparison)
        first = comparison.models[0]
        ticks = [f"{level.name}\n{level.images:,}" for level in first.levels]
        for axes in (people, share):
            axes.set_xticks(range(len(ticks)), ticks)
            axes.set_xlabel("true count, and number of images")
            axes.grid(axis="y", color="#dddddd", lw=0.6)
            axes.set_axisbelow(True)
            axes.margins(x=0.08)
        images = f"{first.overall.images:,} images"
        people.set_title(f"{comparison.data} {comparison.split}, {images}: error in people", fontsize=11)
        share.set_title("error as a share of the count", fontsize=11)
        people.legend(frameon=False)
    return figure


def _draw_errors(axes: Any, comparison: LevelComparison) -> None:
    maes = [level.mae for one in comparison.models for level in one.levels]
    number = len(comparison.models)
    for place, one in enumerate(comparison.models):
        true, predicted = map(np.array, comparison.counts[one.model])
        x = np.arange(len(one.levels)) + 0.12 * (place - (number - 1) / 2)
        mae = np.array([level.mae for level in one.levels])
        bounds = []
        for level in one.levels:
            inside = (true >= level.low) & (true <= (np.inf if level.high is None else level.high))
            bounds.append(mae_interval(predicted[inside], true[inside]))
        reach = np.abs(np.array(bounds).T - mae)
        label = f"{one.model}: MAE {one.overall.mae:.2f}"
        axes.errorbar(x, mae, yerr=reach, label=label, capsize=3, elinewidth=1, **_style(place))
    if min(maes) > 0 and max(maes) > 20 * min(maes):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    else:
        axes.set_ylim(bottom=0)
    axes.set_ylabel("MAE, with its 95 % interval over images")


def _draw_shares(axes: Any, comparison: LevelComparison) -> None:
    for place, one in enumerate(comparison.models):
        shares = [share_of(level) for level in one.levels]
        axes.plot(range(len(shares)), [np.nan if share is None else share for share in shares], **_style(place))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.set_ylim(bottom=0)
    axes.set_ylabel("MAE / mean count")


def _style(place: int) -> dict[str, Any]:
    return {"color": _COLOURS[place % len(_COLOURS)], "marker": _MARKS[place % len(_MARKS)], "lw": 1.6, "ms": 6}
