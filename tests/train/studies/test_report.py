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


def _of_three(maes: dict[str, tuple[float, ...]]) -> list[str]:
    arms = tuple(Arm(recipe=name, group="Networks", variant=name, papers=(f"p-{name}",)) for name in maes)
    study = Study(name="test", title="A test", scales={"small": Scale(arms=arms, split="val")}, baseline="a")
    runs = tuple(
        _done(name, "Networks", name, seed, mae) for name, of in maes.items() for seed, mae in enumerate(of, 1)
    )
    return [line.strip() for line in table(STATE.model_copy(update={"runs": runs}), study)]


def test_where_the_order_differs_from_the_papers_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    papers = {"p-a": (_Row("x", 77, 127),), "p-b": (_Row("x", 70, 120),), "p-c": (_Row("x", 66, 108),)}
    monkeypatch.setattr(report, "published_rows", papers.get)
    assert "the order by MAE is the paper's" in _of_three({"a": (9.0,), "b": (8.0,), "c": (7.0,)})
    within = " ".join(_of_three({"a": (9.0, 9.2), "b": (5.0, 8.0), "c": (8.0, 8.2)}))
    assert "differs from the paper's in 1 of 3 pairs, 0 by more than the spread over seeds: b before c" in within
    clear = " ".join(_of_three({"a": (2.0, 2.2), "b": (5.0, 8.0), "c": (9.0, 9.2)}))
    assert "in 3 of 3 pairs, 3 by more than the spread over seeds: a before c, a before b, b before c" in clear


def test_what_errs_least_on_the_held_out_images_is_said() -> None:
    runs = tuple(
        _done(name, "Networks", name, 1, 9.0).model_copy(update={"held_out": {"x": error}})
        for name, error in (("a", 3.0), ("b", 1.0), ("c", 2.0))
    )
    arms = tuple(Arm(recipe=name, group="Networks", variant=name, papers=("q-focal",)) for name in "abc")
    study = Study(name="test", title="A test", scales={"small": Scale(arms=arms, split="val")}, baseline="a")
    lines = [line.strip() for line in table(STATE.model_copy(update={"runs": runs}), study)]
    assert "MAE on the images held out of training: b 1.0, c 2.0, a 3.0" in lines
