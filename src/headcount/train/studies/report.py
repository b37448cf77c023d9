"""A study as a table: each variant beside its paper's figures, for a terminal of 80 columns and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import mean, stdev

from headcount.core.words import plural
from headcount.train.recipe import published_rows
from headcount.train.studies.state import Done, State
from headcount.train.studies.study import Arm, Study

_FIGURES = {"MAE": 2, "RMSE": 2, "F1": 1, "AP": 1}
"""What is shown, and with how many digits."""
_WIDTHS = {"MAE": 11, "RMSE": 11, "F1": 10, "AP": 10}
_GROUP, _VARIANT = 13, 11


@dataclass(frozen=True, slots=True)
class Line:
    """An arm on a data set: each figure's values, one a seed, and what the paper reports."""

    arm: Arm
    values: dict[str, tuple[float, ...]]
    paper: dict[str, float]

    def shown(self, figure: str) -> str:
        """``2.31±0.10``: the mean and, of two seeds or more, the standard deviation; ``–`` where it is not measured."""
        values, digits = self.values.get(figure, ()), _FIGURES[figure]
        if not values:
            return "–"
        spread = f"±{stdev(values):.{digits}f}" if len(values) > 1 else ""
        return f"{mean(values):.{digits}f}{spread}"

    @property
    def shown_paper(self) -> str:
        """``1.92/2.94``: MAE and RMSE."""
        return "/".join(f"{self.paper[name]:.2f}" for name in ("MAE", "RMSE") if name in self.paper) or "–"


@dataclass(frozen=True, slots=True)
class Block:
    """A data set: its lines by group, and of each group that does not count, why."""

    data: str
    title: str
    groups: dict[str, list[Line]]
    doubts: dict[str, str]


def blocks(state: State, study: Study) -> Iterator[Block]:
    """The data sets of a study so far, in the order in which its arms learn from them."""
    arms = [arm for arm in study.scale(state.scale).arms if any(one.arm == arm.name for one in state.comparable)]
    names = dict.fromkeys(data for one in state.comparable for data in one.results)
    for data in names:
        constant = state.constants[data]
        groups: dict[str, list[Line]] = {}
        for arm in arms:
            done = [one for one in state.comparable if one.arm == arm.name and data in one.results]
            if done:
                groups.setdefault(arm.group, []).append(_line(arm, sorted(done, key=lambda one: one.seed), data))
        split = next(one.split for one in state.comparable if data in one.results)
        title = (
            f"{data}, {split}: {plural(constant.images, 'image')}; one count for all, {constant.count:.1f}, errs by "
            f"{constant.mae:.1f}"
        )
        doubts = {}
        for group, lines in groups.items():
            if doubt := _doubt(lines, study.baseline, constant.mae / 2):
                doubts[group] = doubt
        yield Block(data, title, groups, doubts)


def _line(arm: Arm, done: Sequence[Done], data: str) -> Line:
    figures = [one.results[data].figures for one in done]
    values = {name: tuple(one[name] for one in figures if name in one) for name in _FIGURES}
    paper = [row for name in arm.papers or (arm.recipe,) for row in published_rows(name) if row.data == data]
    return Line(arm, values, dict(paper[0].figures) if paper else {})


def _doubt(lines: Sequence[Line], baseline: str, at_most: float) -> str:
    """Why a group does not count; empty where it does, or where its baseline is still to come."""
    for line in lines:
        if line.arm.variant == baseline and line.values["MAE"] and mean(line.values["MAE"]) > at_most:
            return f"does not count: {baseline} errs by more than {at_most:.1f}, half of one count for all"
    return ""


def table(state: State, study: Study) -> list[str]:
    """As it is printed: at most 80 columns."""
    lines = [f"{study.title}, scale {state.scale}"]
    if not state.runs:
        return [*lines, "  nothing is done yet"]
    heads = "".join(f"{name:>{_WIDTHS[name]}}" for name in _FIGURES)
    for block in blocks(state, study):
        lines += ["", block.title, f"  {'':<{_GROUP + _VARIANT}}{heads}{'paper':>12}"]
        for group, of_group in block.groups.items():
            lead = group
            for line in of_group:
                cells = "".join(f"{line.shown(name):>{_WIDTHS[name]}}" for name in _FIGURES)
                lines.append(f"  {lead:<{_GROUP}}{line.arm.variant:<{_VARIANT}}{cells}{line.shown_paper:>12}")
                lead = ""
            if group in block.doubts:
                lines.append(f"    {block.doubts[group]}")
    return [*lines, "", *_LEGEND]


_LEGEND = ("F1 at σ_l and AP in %; ± is the standard deviation over seeds; paper: MAE/RMSE.",)


def markdown(state: State, study: Study) -> str:
    """The same table as Markdown, with the number of runs and their thresholds."""
    text = [f"# {study.title}, scale {state.scale}", ""]
    for block in blocks(state, study):
        text += [f"## {block.title}", ""]
        text += ["| | | runs | MAE | RMSE | F1 (σ_l, %) | AP (%) | threshold | paper, MAE/RMSE |"]
        text += ["|---|---|---|---|---|---|---|---|---|"]
        for group, lines in block.groups.items():
            for line in lines:
                done = [one for one in state.comparable if one.arm == line.arm.name and block.data in one.results]
                chosen = ", ".join("–" if one.threshold is None else f"{one.threshold:.2f}" for one in done)
                cells = " | ".join(line.shown(name) for name in _FIGURES)
                text.append(f"| {group} | {line.arm.variant} | {len(done)} | {cells} | {chosen} | {line.shown_paper} |")
        text += ["", *(f"{group} {doubt}." for group, doubt in block.doubts.items())]
        text += [""] if block.doubts else []
    return "\n".join([*text, *_LEGEND]) + "\n"
