"""What was reached beside what a paper reports of the same experiment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from headcount.evaluate.metrics.counting import CountingResult
from headcount.evaluate.metrics.located import SIGMA_L, LocalizationResult
from headcount.evaluate.metrics.scenes import ScenesResult

_COLUMNS = {"F1": ("F1", 7, 1), "precision": ("P", 7, 1), "recall": ("R", 7, 1)}
_COLUMNS |= {"MAE": ("MAE", 9, 1), "RMSE": ("RMSE", 9, 1), "NAE": ("NAE", 8, 3)}
_COLUMNS |= {f"S{number}": (f"S{number}", 7, 1) for number in range(1, 6)}
_ROOM = 28


class PublishedRow(Protocol):
    """A row of a paper's table; ``figures`` by name: F1, precision and recall in percent, MAE, RMSE, NAE."""

    @property
    def row(self) -> str: ...
    @property
    def data(self) -> str: ...
    @property
    def split(self) -> str: ...
    @property
    def figures(self) -> Mapping[str, float]: ...


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was reached on a data set beside the rows of a recipe that are of it.

    Attributes:
        recipe: its name.
        reached: the figures of this evaluation by name; those that were not measured are not there.
        rows: those of the same data and split.
        others: data and split of the recipe's other rows, each once.
    """

    recipe: str
    reached: Mapping[str, float]
    rows: tuple[PublishedRow, ...]
    others: tuple[tuple[str, str], ...]

    def lines(self) -> list[str]:
        """As it is printed: at most 80 columns."""
        if not self.rows:
            known = ", ".join(f"{data} {split}" for data, split in self.others)
            return [f"published of {self.recipe}: nothing of this data and split, only of {known}"]
        shown = [name for name in _COLUMNS if any(name in row.figures for row in self.rows)]
        heads = "".join(f"{_COLUMNS[name][0]:>{_COLUMNS[name][1]}}" for name in shown)
        lines = [f"published of {self.recipe} (F1, P, R in % at σ_l):", f"  {'':<{_ROOM}}{heads}"]
        lines.append(_line("reached here", self.reached, shown))
        for row in self.rows:
            if len(row.row) <= _ROOM:
                lines.append(_line(row.row, row.figures, shown))
            else:
                lines += [f"  {row.row}", _line("", row.figures, shown)]
        return lines

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        rows = [{"row": row.row, "data": row.data, "split": row.split, **row.figures} for row in self.rows]
        return {"recipe": self.recipe, "reached": dict(self.reached), "published": rows}


def compare(recipe: str, rows: Sequence[PublishedRow], results: Mapping[str, Any], data: str, split: str) -> Comparison:
    """``results`` are those of an ``EvaluationReport`` by the names of their metrics; no split takes rows of any."""
    mine = [row for row in rows if row.data == data and split in ("", row.split)]
    others = dict.fromkeys((row.data, row.split) for row in rows if row not in mine)
    return Comparison(recipe, reached(results), tuple(mine), tuple(others))


def reached(results: Mapping[str, Any]) -> dict[str, float]:
    """Figures as papers print them: F1, precision and recall at σ_l in percent, where heads have boxes; MAE and RMSE as
    the means of scenes, where a set is reported so, and the MAE of each that papers number: ``S1`` ….
    """
    figures: dict[str, float] = {}
    located, counting = results.get("localization"), results.get("counting")
    if isinstance(located, LocalizationResult):
        for at in located.radii:
            if at.radius == SIGMA_L:
                figures |= {"F1": 100 * at.total.f1}
                figures |= {"precision": 100 * at.total.precision, "recall": 100 * at.total.recall}
    if isinstance(counting, CountingResult):
        figures |= {"MAE": counting.mae, "RMSE": counting.rmse}
        if counting.nae is not None:
            figures["NAE"] = counting.nae
    if isinstance(scenes := results.get("scenes"), ScenesResult):
        figures |= {"MAE": scenes.mae, "RMSE": scenes.rmse}
        figures |= {f"S{one.number}": one.mae for one in scenes.scenes if one.number is not None}
    return figures


def _line(title: str, figures: Mapping[str, float], shown: Sequence[str]) -> str:
    cells = ""
    for name in shown:
        _, width, digits = _COLUMNS[name]
        value = figures.get(name)
        cells += f"{'–' if value is None else f'{value:.{digits}f}':>{width}}"
    return f"  {title:<{_ROOM}}{cells}"
