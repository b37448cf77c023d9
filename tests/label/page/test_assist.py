"""A model's suggestions: what is labelled already, or does not count, is not suggested."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headcount.core.errors import ModelError
from headcount.core.prediction import Prediction
from headcount.label.page.assist import Assistant, Job, suggestions
from headcount.label.page.boxes import boxed
from headcount.label.page.session import Labelling
from headcount.label.page.store import Stroke

SIZE = (160, 120)
NONE = boxed({}, SIZE)


def seen(*points: tuple[float, float], half: float | None = 5.0) -> Prediction:
    xy = np.array(points, float).reshape(-1, 2)
    boxes = None if half is None else np.concatenate([xy - half, xy + half], axis=1)
    return Prediction(float(len(xy)), SIZE, xy, "heads", boxes_xyxy=boxes, scores=np.full(len(xy), 0.7), model="told")


def test_nothing_seen_is_nothing_suggested() -> None:
    assert suggestions(seen(), NONE, None, set(), mark="s") == {}


def test_boxes_and_scores_come_along() -> None:
    assert suggestions(seen((3, 50)), NONE, None, set(), mark="s") == {
        "s.0": {"t": "suggestion", "x": 3.0, "y": 50.0, "box": [0.0, 45.0, 8.0, 55.0], "score": 0.7}
    }
    assert "box" not in suggestions(seen((3, 50), half=None), NONE, None, set(), mark="s")["s.0"]  # type: ignore[operator]


def test_a_labelled_head_is_not_suggested_again() -> None:
    heads = boxed({"a": {"t": "head", "x": 52.0, "y": 50.0}}, SIZE)
    found = suggestions(seen((50, 50), (58, 50), (90, 50)), heads, None, {(90.0, 50.0)}, mark="s")
    assert list(found) == ["s.1"]  # one head is one suggestion's alone


def test_outside_the_region_nothing_is_suggested() -> None:
    region = np.zeros((120, 160), np.bool_)
    region[:, :80] = True
    assert list(suggestions(seen((50, 50), (90, 50)), NONE, region, set(), mark="s")) == ["s.0"]


class Model:
    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def count(self, path: Path) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def run(labelling: Labelling, answer: Any) -> Job:
    labelling.assistant._counter = Model(answer)  # type: ignore[assignment]
    labelling.suggest(1, "annannann", "Ann")
    labelling.assistant.wait()
    job = labelling.assistant.job(1)
    assert job is not None
    return job


def test_suggestions_are_a_stroke_of_who_asked(labelling: Labelling) -> None:
    assert run(labelling, seen((50, 50), (90, 50))) == Job("done", "told suggests 2 heads.")
    assert labelling.store.row(1).suggestions == 2
    assert labelling.store.row(1).heads == 0
    labelling.strokes(1, "annannann", "Ann", [Stroke("undo0000", "undo")])
    assert labelling.store.row(1).suggestions == 0
    assert run(labelling, seen()).text == "told sees no further head."


def test_a_model_that_fails_says_why_and_the_next_one_works(labelling: Labelling) -> None:
    assert run(labelling, ModelError("Its weights are broken.")) == Job("failed", "Its weights are broken.")
    assert "ValueError: odd" in run(labelling, ValueError("odd")).text
    assert run(labelling, Prediction(3.0, SIZE)).text.startswith("This model does not tell where heads are")
    assert run(labelling, seen((50, 50))).state == "done"


def test_an_image_that_was_given_up_gets_no_suggestions(open_labelling: Callable[..., Labelling], clock: Any) -> None:
    labelling = open_labelling()
    begin, go_on = threading.Event(), threading.Event()

    class Slow:
        def count(self, path: Path) -> Prediction:
            begin.set()
            go_on.wait(10)
            return seen((50, 50))

    labelling.assistant._counter = Slow()  # type: ignore[assignment]
    labelling.suggest(1, "annannann", "Ann")
    begin.wait(10)
    clock.now += 61
    labelling.claim(1, "benbenben", "Ben")
    go_on.set()
    labelling.assistant.wait()
    assert labelling.store.row(1).suggestions == 0
    job = labelling.assistant.job(1)
    assert job is not None
    assert "given up" in job.text


@pytest.mark.slow
def test_the_default_model_suggests_painted_heads(tmp_path: Path) -> None:
    from .browser import write_crowd

    scene = write_crowd(tmp_path / "in")
    given: list[Prediction] = []

    def give(image: int, found: Prediction) -> str:
        given.append(found)
        return "done"

    assistant = Assistant(None, lambda image: tmp_path / "in" / "crowd.jpg", give, max_pixels=10**7)
    assistant.ask(1)
    assistant.close()
    made = suggestions(given[0], NONE, None, set(), mark="s")
    assert abs(len(made) - scene.count) <= 8
    assert all(thing is not None and "box" in thing for thing in made.values())
