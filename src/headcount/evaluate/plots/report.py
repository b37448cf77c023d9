"""The pictures of a report: refused before a long run, written after it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from headcount.core.scene import Scene
from headcount.draw.figure import new_figure, refuse_pictures
from headcount.evaluate.metrics.located import LocalizationResult
from headcount.evaluate.plots.counting import plot_paths, save_plots
from headcount.evaluate.plots.localization import localization_plot_paths, save_localization_plots
from headcount.evaluate.run import EvaluationReport


def refuse_report_plots(folder: Path, data: str, split: str, *, overwrite: bool) -> None:
    """Stop before anything is counted where a picture could not be made or written.

    Raises:
        MissingExtraError: matplotlib is not installed.
        InputError: a file exists and ``overwrite`` is False, or the folder cannot be written to.
    """
    new_figure(1, 1)
    paths = [*plot_paths(folder, data, split), *localization_plot_paths(folder, f"{data}-{split}")]
    refuse_pictures(paths, folder, overwrite=overwrite)


def save_report_plots(
    report: EvaluationReport, scenes: Sequence[Scene], folder: Path, *, overwrite: bool = False
) -> list[Path]:
    """Write the pictures of every metric that has some; ``scenes`` are those that were evaluated.

    Raises:
        MissingExtraError: matplotlib is not installed.
        InputError: as ``refuse_report_plots``, or an image can no longer be read.
    """
    paths: list[Path] = []
    located = report.results.get("localization")
    if isinstance(located, LocalizationResult):
        stem = f"{report.data}-{report.split}"
        paths += save_localization_plots(located, scenes, folder, stem, overwrite=overwrite)
    return [*paths, *save_plots(report, folder, overwrite=overwrite)]
