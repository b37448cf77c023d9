"""A study as a table: each variant beside its paper's figures, for a terminal of 80 columns and as Markdown."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf
from statistics import mean, stdev

from headcount.core.words import plural
from headcount.train.recipe import published_rows
from headcount.train.studies.second import arms_shown, runs_of_arm
from headcount.train.studies.state import Done, State
from headcount.train.studies.study import Arm, Study

_WIDTHS = {"MAE": 11, "RMSE": 11, "F1": 10, "AP": 10}
"""Columns of a figure; an error by the number of people is shown without its spread, in fewer."""
_LEVEL, _PAPER = 9, 12
_GROUP, _VARIANT, _COLUMNS = 13, 11, 80


@dataclass(frozen=True, slots=True)
class Line:
    """An arm on a data set: each figure's values, one a seed, and what the paper reports.

    Attributes:
        held_out: the MAE on the images held out of training, one a seed.
    """

    arm: Arm
    values: dict[str, tuple[float, ...]]
    held_out: tuple[float, ...]
    paper: dict[str, float]

    def shown(self, figure: str) -> str:
        """``2.31±0.10``: the mean and, of two seeds or more, the standard deviation; ``–`` where it is not measured."""
        values = self.values.get(figure, ())
        if not values:
            return "–"
        digits = 2 if figure in ("MAE", "RMSE") and mean(values) < 100 else 1
        spread = f"±{stdev(values):.{digits}f}" if len(values) > 1 and figure in _WIDTHS else ""
        return f"{mean(values):.{digits}f}{spread}"

    @property
    def mae(self) -> float:
        """The mean over seeds, infinite where there is none."""
        return mean(self.values["MAE"]) if self.values.get("MAE") else inf

    @property
    def shown_paper(self) -> str:
        """``1.92/2.94``: MAE and RMSE."""
        return "/".join(f"{self.paper[name]:.2f}" for name in ("MAE", "RMSE") if name in self.paper) or "–"


@dataclass(frozen=True, slots=True)
class Block:
    """A data set: its lines by group, and of each group what is to be said of it.

    Attributes:
        doubts: why a group does not count; a second stage counts where the first does.
        notes: where the order differs from the paper's, and what errs least on the held-out images.
    """

    data: str
    title: str
    groups: dict[str, list[Line]]
    doubts: dict[str, str]
    notes: dict[str, list[str]]


def blocks(state: State, study: Study) -> Iterator[Block]:
    """The data sets of a study so far, in the order in which its arms learn from them."""
    scale = study.scale(state.scale)
    arms = list(arms_shown(scale, state.comparable))
    names = dict.fromkeys(data for one in state.comparable for data in one.results)
    for data in names:
        constant = state.constants[data]
        groups: dict[str, list[Line]] = {}
        for arm in arms:
            done = [one for one in runs_of_arm(arm, state.comparable) if data in one.results]
            if done:
                groups.setdefault(arm.group, []).append(_line(arm, done, data, study.figures))
        split = next(one.split for one in state.comparable if data in one.results)
        title = (
            f"{data}, {split}: {plural(constant.images, 'image')}; one count for all, {constant.count:.1f}, errs by "
            f"{constant.mae:.1f}"
        )
        doubts, notes = {}, {}
        for group, lines in groups.items():
            # The arms of a second stage are held to the baseline of the group that they come from.
            origin = next((arm.group for arm in scale.arms if arm.recipe == lines[0].arm.recipe), group)
            if doubt := _doubt(groups.get(origin, lines), study.baseline, constant.mae / 2):
                doubts[group] = doubt
            if found := [*_order(lines), *_held_out(lines)]:
                notes[group] = found
        yield Block(data, title, groups, doubts, notes)


def _line(arm: Arm, done: Sequence[Done], data: str, names: Sequence[str]) -> Line:
    figures = [one.results[data].figures for one in done]
    values = {name: tuple(one[name] for one in figures if name in one) for name in names}
    held_out = tuple(one.held_out[data] for one in done if data in one.held_out)
    papers = () if arm.changes else arm.papers or (arm.recipe,)
    paper = [row for name in papers for row in published_rows(name) if row.data == data]
    return Line(arm, values, held_out, dict(paper[0].figures) if paper else {})


def _doubt(lines: Sequence[Line], baseline: str, at_most: float) -> str:
    """Why a group does not count; empty where it does, or where its baseline is still to come."""
    for line in lines:
        if line.arm.variant == baseline and line.values["MAE"] and line.mae > at_most:
            return f"does not count: {baseline} errs by more than {at_most:.1f}, half of one count for all"
    return ""


_ENOUGH_TO_ORDER = 3
"""Of two, the table itself shows the order."""
_PAIRS_SHOWN = 6


def _order(lines: Sequence[Line]) -> list[str]:
    """Where the order of the MAE differs from the paper's; the pairs that lie farthest apart first."""
    both = [line for line in lines if line.values.get("MAE") and "MAE" in line.paper]
    if len(both) < _ENOUGH_TO_ORDER:
        return []
    pairs = [(a, b) for a in both for b in both if a.paper["MAE"] < b.paper["MAE"]]
    turned = sorted(((a, b) for a, b in pairs if a.mae > b.mae), key=lambda pair: pair[1].mae - pair[0].mae)
    if not turned:
        return ["the order by MAE is the paper's"]
    clear = sum(a.mae - b.mae > _spread(a) + _spread(b) for a, b in turned)
    listed = ", ".join(f"{b.arm.variant} before {a.arm.variant}" for a, b in turned[:_PAIRS_SHOWN])
    listed += f" and {len(turned) - _PAIRS_SHOWN} more" if len(turned) > _PAIRS_SHOWN else ""
    spread = f", {clear} by more than the spread over seeds" if any(_spread(line) for line in both) else ""
    return [f"the order by MAE differs from the paper's in {len(turned)} of {plural(len(pairs), 'pair')}{spread}: "
            f"{listed}"]  # fmt: skip


def _spread(line: Line) -> float:
    values = line.values["MAE"]
    return stdev(values) if len(values) > 1 else 0.0


def _held_out(lines: Sequence[Line]) -> list[str]:
    """Which arms err least on the images that were held out of training, and so may choose."""
    known = sorted((line for line in lines if line.held_out), key=lambda line: mean(line.held_out))
    if len(known) < _ENOUGH_TO_ORDER:
        return []
    listed = ", ".join(f"{line.arm.variant} {mean(line.held_out):.1f}" for line in known)
    return [f"MAE on the images held out of training: {listed}"]


def table(state: State, study: Study) -> list[str]:
    """As it is printed: at most 80 columns."""
    lines = [f"{study.title}, scale {state.scale}"]
    if not state.runs:
        return [*lines, "  nothing is done yet"]
    figures = study.figures
    widths = {name: _WIDTHS.get(name, _LEVEL) for name in figures}
    beside = 2 + _GROUP + _VARIANT + sum(widths.values()) + _PAPER <= _COLUMNS
    if not beside:  # a group stands above its variants, and there is room
        widths = {name: width + (name in _WIDTHS) for name, width in widths.items()}
    names = [arm.variant for arm in study.scale(state.scale).arms]
    variant = _VARIANT if beside else max(_VARIANT, 1 + max(map(len, names)))
    lead, paper = (_GROUP + variant, _PAPER) if beside else (variant, _PAPER + 1)
    heads = "".join(f"{name:>{width}}" for name, width in widths.items())
    for block in blocks(state, study):
        lines += ["", block.title, f"  {'':<{lead}}{heads}{'paper':>{paper}}"]
        for group, of_group in block.groups.items():
            first = group
            lines += [] if beside else [f"  {group}"]
            for line in of_group:
                cells = "".join(f"{line.shown(name):>{width}}" for name, width in widths.items())
                start = f"{first:<{_GROUP}}" if beside else ""
                lines.append(f"  {start}{line.arm.variant:<{variant}}{cells}{line.shown_paper:>{paper}}")
                first = ""
            for note in [block.doubts.get(group, ""), *block.notes.get(group, ())]:
                lines += textwrap.wrap(note, _COLUMNS, initial_indent="    ", subsequent_indent="      ")
    return [*lines, *study.summary(state), "", *textwrap.wrap(_legend(study), _COLUMNS)]


def _legend(study: Study) -> str:
    """What the columns are, in words."""
    levels = [name for name in study.figures if name not in _WIDTHS]
    parts = ["F1 at σ_l and AP in %"] if "AP" in study.figures else []
    parts += [f"{levels[0]} to {levels[-1]}: MAE of images with so many people"] if levels else []
    return "; ".join([*parts, "± is the standard deviation over seeds", "paper: MAE/RMSE."])


_TITLES = {"F1": "F1 (σ_l, %)", "AP": "AP (%)"}


def markdown(state: State, study: Study) -> str:
    """The same table as Markdown, with the number of runs and their thresholds.

    Where a second stage follows, with the error on the held-out images too, by which it chooses.
    """
    text = [f"# {study.title}, scale {state.scale}", ""]
    figures = study.figures
    chooses = study.scale(state.scale).then is not None
    heads = " | ".join(_TITLES.get(name, name) for name in figures)
    for block in blocks(state, study):
        text += [f"## {block.title}", ""]
        text += [f"| | | runs | {heads} |{' held out, MAE |' * chooses} threshold | paper, MAE/RMSE |"]
        text += ["|---" * (5 + chooses + len(figures)) + "|"]
        for group, lines in block.groups.items():
            for line in lines:
                done = [one for one in runs_of_arm(line.arm, state.comparable) if block.data in one.results]
                chosen = ", ".join("–" if one.threshold is None else f"{one.threshold:.2f}" for one in done)
                cells = " | ".join(line.shown(name) for name in figures)
                held_out = f" {mean(line.held_out):.2f} |" if line.held_out else " – |"
                text.append(
                    f"| {group} | {line.arm.variant} | {len(done)} | {cells} |{held_out * chooses} {chosen} | "
                    f"{line.shown_paper} |"
                )
        text.append("")
        for group in block.groups:
            doubt = [f"{group} {block.doubts[group]}."] if group in block.doubts else []
            for note in [*doubt, *(f"{group}: {note}." for note in block.notes.get(group, ()))]:
                text += [note, ""]
    for said in study.summary(state):
        text += [said, ""]
    return "\n".join([*text, _legend(study)]) + "\n"
