"""Models side by side on the same images, by density level: out of the JSON reports of their evaluations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from headcount.core.errors import InputError
from headcount.core.words import plural
from headcount.data.parse.json import Strict, read_model
from headcount.evaluate.metrics.counting import LevelResult, by_level, default_levels, mean_absolute_error

_WIDTH, _CELL, _LEAST_NAME = 80, 8, 14


class _Image(Strict):
    name: str = Field(description="the image's name")
    true: int = Field(ge=0, description="a whole number of heads")
    predicted: float = Field(description="a number of people", allow_inf_nan=False)


class _Report(Strict):
    model: str = Field(description="the model's name")
    data: str = Field(description="the data set's name")
    split: str = Field(description="the split's name")
    per_image: list[_Image] = Field(description="list of images")


class _File(Strict):
    reports: list[_Report] = Field(description="list of reports")


@dataclass(frozen=True, slots=True)
class Compared:
    """One model's errors on the images that all models of a comparison counted."""

    model: str
    levels: tuple[LevelResult, ...]
    overall: LevelResult

    @property
    def every(self) -> tuple[LevelResult, ...]:
        """The levels, and all images together."""
        return (*self.levels, self.overall)


@dataclass(frozen=True, slots=True)
class LevelComparison:
    """Models on the same images of one data set.

    Attributes:
        data, split: what was counted.
        models: their errors, in the same levels.
        left_out: how many images some models counted and others did not.
        counts: true and predicted counts of the images, by the model's name.
    """

    data: str
    split: str
    models: tuple[Compared, ...]
    left_out: int
    counts: Mapping[str, tuple[tuple[int, ...], tuple[float, ...]]]

    @property
    def level_names(self) -> tuple[str, ...]:
        """``1–10``, …, and ``all``."""
        return (*(level.name for level in self.models[0].levels), "all")

    def lines(self) -> list[str]:
        """As it is printed: at most 80 columns where there are up to seven levels."""
        first = self.models[0]
        room = max(_LEAST_NAME, _WIDTH - 2 - _CELL * len(first.every))
        room = min(room, max(12, *(len(one.model) for one in self.models)) + 1)

        def row(title: str, cells: Sequence[str]) -> str:
            short = title if len(title) < room else f"{title[: room - 2]}…"
            return f"  {short:<{room}}" + "".join(f"{cell:>{_CELL}}" for cell in cells)

        lines = [f"{self.data}, split {self.split}: {plural(first.overall.images, 'image')} that all models counted"]
        if self.left_out:
            lines.append(f"note: {plural(self.left_out, 'image')} left out, which some of the models did not count")
        lines += ["", row("true count", self.level_names), row("images", [f"{one.images:,}" for one in first.every])]
        lines += ["", "  MAE (* the least)"]
        lines += [row(one.model, self._marked([_digits(level.mae) for level in one.every], one)) for one in self.models]
        lines += ["", "  error as a share of the count (MAE / mean count)"]
        return lines + [row(one.model, [_share(level) for level in one.every]) for one in self.models]

    def _marked(self, cells: list[str], one: Compared) -> list[str]:
        least = [min(level.mae for level in levels) for levels in zip(*(m.every for m in self.models), strict=True)]
        return [
            f"{cell}*" if level.mae == best else f"{cell} "
            for cell, level, best in zip(cells, one.every, least, strict=True)
        ]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "data": self.data,
            "split": self.split,
            "images": self.models[0].overall.images,
            "images_left_out": self.left_out,
            "models": [
                {
                    "model": one.model,
                    "levels": [
                        {
                            "name": name, "images": level.images, "mean_count": level.mean_count, "mae": level.mae,
                            "rmse": level.rmse, "bias": level.bias, "share": share_of(level),
                        }
                        for name, level in zip(self.level_names, one.every, strict=True)
                    ],
                }
                for one in self.models
            ],
        }  # fmt: skip


def share_of(level: LevelResult) -> float | None:
    """MAE / mean count; None where nobody is."""
    return level.mae / level.mean_count if level.mean_count else None


def compare_reports(files: Sequence[Path], *, bounds: Sequence[int] | None = None) -> list[LevelComparison]:
    """The reports of each data set and split that at least two of them are of, in the order of the files.

    ``bounds`` are the inclusive upper bounds of the levels of true counts; those of each data set where None. Reports
    of models of one name are told apart by their files' names.

    Raises:
        InputError: a file is no report of an evaluation, no two are of the same data and split, two of the same have
            no image in common, or they say different true counts of one.
    """
    grouped: dict[tuple[str, str], list[tuple[Path, _Report]]] = {}
    for path in files:
        for report in read_model(path, "report of an evaluation", _File).reports:
            grouped.setdefault((report.data, report.split), []).append((path, report))
    compared = [
        _compared(data, split, reports, bounds) for (data, split), reports in grouped.items() if len(reports) > 1
    ]
    if not compared:
        found = ", ".join(f"{data} {split}" for data, split in grouped) or "nothing"
        raise InputError(f"No two reports are of the same data and split, only of {found}: evaluate two models on one.")
    return compared


def _compared(
    data: str, split: str, reports: Sequence[tuple[Path, _Report]], bounds: Sequence[int] | None
) -> LevelComparison:
    by_name = [{image.name: image for image in report.per_image} for _, report in reports]
    names = [name for name in by_name[0] if all(name in images for images in by_name)]
    if not names:
        raise InputError(f"The reports of {data}, split {split}, have no image in common: evaluate both on one copy.")
    for name in names:
        true = {images[name].true for images in by_name}
        if len(true) > 1:
            raise InputError(
                f'"{name}" of {data}, split {split}, has {" heads in one report and ".join(map(str, sorted(true)))} in '
                "another: evaluate both on one copy."
            )
    models, counts = [], {}
    for title, images in zip(_titles(reports), by_name, strict=True):
        true_counts = tuple(images[name].true for name in names)
        predicted = tuple(images[name].predicted for name in names)
        counts[title] = (true_counts, predicted)
        levels = by_level(predicted, true_counts, default_levels(data) if bounds is None else bounds)
        (overall,) = by_level(predicted, true_counts, ())
        assert overall.mae == mean_absolute_error(predicted, true_counts)
        models.append(Compared(title, levels, overall))
    left_out = len(set().union(*by_name)) - len(names)
    return LevelComparison(data, split, tuple(models), left_out, counts)


def _titles(reports: Sequence[tuple[Path, _Report]]) -> list[str]:
    """The models' names; those that are there twice with their file's, and those of one file with a number."""
    number = Counter(report.model for _, report in reports)
    titles = [report.model if number[report.model] == 1 else f"{path.stem}: {report.model}" for path, report in reports]
    again = Counter(titles)
    return [title if again[title] == 1 else f"{title} {place}" for place, title in enumerate(titles, start=1)]


def _digits(mae: float) -> str:
    return f"{mae:.2f}" if mae < 100 else f"{mae:.1f}" if mae < 1000 else f"{mae:,.0f}"


def _share(level: LevelResult) -> str:
    share = share_of(level)
    return "–" if share is None else f"{share:.1%}"
