"""The pictures of a report: refused before a long run, written after it."""

from __future__ import annotations

from pathlib import Path

from headcount.core.notes import Skipped
from headcount.draw.figure import new_figure, refuse_pictures
from headcount.evaluate.metrics.located import LocalizationResult
from headcount.evaluate.plots.counting import plot_paths, save_plots
from headcount.evaluate.plots.heat import HeatOf, heat_plot_paths, save_heat_plots
from headcount.evaluate.plots.localization import localization_plot_paths, save_localization_plots
from headcount.evaluate.run import EvaluationReport


def refuse_report_plots(folder: Path, data: str, split: str, *, heat: bool = False, overwrite: bool) -> None:
    """Stop before anything is counted where a picture could not be made or written; ``heat``: those of heat, too.

    Raises:
        MissingExtraError: matplotlib is not installed.
        InputError: a file exists and ``overwrite`` is False, or the folder cannot be written to.
    """
    new_figure(1, 1)
    stem = f"{data}-{split}"
    paths = [*plot_paths(folder, data, split), *localization_plot_paths(folder, stem)]
    if heat:
        paths += heat_plot_paths(folder, stem)
    refuse_pictures(paths, folder, overwrite=overwrite)


def save_report_plots(
    report: EvaluationReport, folder: Path, *, heat_of: HeatOf | None = None, overwrite: bool = False
) -> tuple[list[Path], list[Skipped]]:
    """Write the pictures of every metric that has some: their paths, and the images that can no longer be read.

    ``heat_of`` is given for a model that sees heat: its heat maps are drawn, too.

    Raises:
        MissingExtraError: matplotlib is not installed.
        InputError: as ``refuse_report_plots``.
    """
    paths: list[Path] = []
    skipped: list[Skipped] = []
    stem = f"{report.data}-{report.split}"
    located = report.results.get("localization")
    if isinstance(located, LocalizationResult):
        paths, skipped = save_localization_plots(located, report.scenes, folder, stem, overwrite=overwrite)
    if heat_of is not None:
        more, undrawn = save_heat_plots(report.worst, heat_of, folder, stem, overwrite=overwrite)
        paths, skipped = [*paths, *more], [*skipped, *undrawn]
    return [*paths, *save_plots(report, folder, overwrite=overwrite)], skipped
