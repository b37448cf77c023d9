"""A study's table: figures beside the paper's, spread over seeds, and what does not count."""

from __future__ import annotations

import pytest

from headcount.train.studies import report
from headcount.train.studies.report import markdown, table
from headcount.train.studies.state import Constant, Done, Measured, State
from headcount.train.studies.study import Arm, Scale, Study

STUDY = Study(
    name="test",
    title="A test",
    scales={
        "small": Scale(
            arms=(
                Arm(recipe="a-focal", group="CenterNet", variant="focal", papers=("p-focal",)),
                Arm(recipe="a", group="CenterNet", variant="mask_focal", papers=("p",)),
                Arm(recipe="b-focal", group="RetinaNet", variant="focal", papers=("q-focal",)),
            ),
            split="val",
        )
    },
    baseline="focal",
)


class _Row:
    def __init__(self, data: str, mae: float, rmse: float) -> None:
        self.data, self.figures = data, {"MAE": mae, "RMSE": rmse}


PUBLISHED = {"p-focal": (_Row("x", 1.92, 2.94), _Row("y", 9, 9)), "p": (_Row("x", 39.42, 90.8),), "q-focal": ()}


def _done(arm: str, group: str, variant: str, seed: int, mae: float, **more: float) -> Done:
    figures = {"MAE": mae, "RMSE": 2 * mae, "F1": 91.23, **more}
    return Done(
        arm=arm, group=group, variant=variant, seed=seed, steps=5, recipe={}, split="val", at_most=None, threshold=0.25,
        results={"x": Measured(images=160, figures=figures)},
    )  # fmt: skip


STATE = State(
    study="test",
    scale="small",
    constants={"x": Constant(count=31.3, mae=29.6, images=160)},
    runs=(
        _done("b-focal", "RetinaNet", "focal", 1, 15.0),
        _done("a-focal", "CenterNet", "focal", 2, 2.4, AP=45.0),
        _done("a-focal", "CenterNet", "focal", 1, 2.0, AP=44.0),
        _done("a", "CenterNet", "mask_focal", 1, 12.0),
    ),
)


@pytest.fixture(autouse=True)
def _papers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "published_rows", PUBLISHED.get)


def test_each_arm_stands_beside_its_papers_figures() -> None:
    lines = table(STATE, STUDY)
    assert max(map(len, lines)) <= 80
    assert lines[2] == "x, val: 160 images; one count for all, 31.3, errs by 29.6"
    assert lines[3].split() == ["MAE", "RMSE", "F1", "AP", "paper"]
    assert lines[4].split() == ["CenterNet", "focal", "2.20±0.28", "4.40±0.57", "91.2±0.0", "44.5±0.7", "1.92/2.94"]
    assert lines[5].split() == ["mask_focal", "12.00", "24.00", "91.2", "–", "39.42/90.80"]
    assert lines[6].split() == ["RetinaNet", "focal", "15.00", "30.00", "91.2", "–", "–"]


def test_a_baseline_that_does_not_halve_the_constant_counts_error_is_marked() -> None:
    lines = table(STATE, STUDY)
    assert lines[7].strip() == "does not count: focal errs by more than 14.8, half of one count for all"
    assert "RetinaNet does not count" in markdown(STATE, STUDY)
    assert "CenterNet does not count" not in markdown(STATE, STUDY)


def test_runs_that_were_measured_on_other_images_are_left_out() -> None:
    quick = STATE.runs[0].model_copy(update={"at_most": 5})
    assert "RetinaNet" not in "\n".join(table(STATE.model_copy(update={"runs": (quick, *STATE.runs[1:])}), STUDY))
    alone = table(STATE.model_copy(update={"runs": (*STATE.runs[1:], quick)}), STUDY)
    assert "CenterNet" not in "\n".join(alone)
    assert "RetinaNet" in "\n".join(alone)


def test_markdown_says_seeds_and_thresholds() -> None:
    text = markdown(STATE, STUDY)
    assert "| CenterNet | focal | 2 | 2.20±0.28 | 4.40±0.57 | 91.2±0.0 | 44.5±0.7 | 0.25, 0.25 | 1.92/2.94 |" in text


def test_nothing_done_is_said() -> None:
    assert table(State(study="test", scale="small"), STUDY) == ["A test, scale small", "  nothing is done yet"]
