"""Strokes and what they come to: each person's undo and redo, and nobody's later work taken back."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from headcount.core.errors import InputError
from headcount.label.page.document import Document
from headcount.label.page.things import plain_changes, refuse_outside


def head(x: float = 1.0) -> dict[str, Any]:
    return {"t": "head", "x": x, "y": 2.0}


def test_an_empty_document_has_nothing_to_undo() -> None:
    document = Document()
    assert document.apply("undo", "ann") == {}
    assert document.apply("redo", "ann") == {}
    assert document.can("ann") == (0, 0)


def test_undo_and_redo_go_step_by_step() -> None:
    document = Document()
    document.apply("do", "ann", {"a": head()})
    document.apply("do", "ann", {"a": head(5.0), "b": head()})
    assert document.apply("undo", "ann") == {"a": head(), "b": None}
    assert document.apply("undo", "ann") == {"a": None}
    assert document.things == {}
    assert document.apply("redo", "ann") == {"a": head()}
    assert document.can("ann") == (1, 1)
    document.apply("do", "ann", {"c": head()})
    assert document.can("ann") == (2, 0)


def test_each_person_undoes_their_own_strokes() -> None:
    document = Document()
    document.apply("do", "ann", {"a": head()})
    document.apply("do", "ben", {"b": head()})
    assert document.apply("undo", "ann") == {"a": None}
    assert list(document.things) == ["b"]


def test_what_another_changed_since_is_not_undone() -> None:
    document = Document()
    document.apply("do", "ann", {"a": head(), "b": head()})
    document.apply("do", "ben", {"a": head(9.0)})
    assert document.apply("undo", "ann") == {"b": None}
    assert document.things == {"a": head(9.0)}


def test_a_stroke_that_changes_nothing_is_no_step() -> None:
    document = Document()
    document.apply("do", "ann", {"a": head()})
    assert document.apply("do", "ann", {"a": head(), "gone": None}) == {}
    assert document.can("ann") == (1, 0)


def test_things_are_numbered_by_kind() -> None:
    document = Document()
    document.apply("do", "ann", {"a": head(), "s": {"t": "suggestion", "x": 1.0, "y": 1.0}})
    document.apply("do", "ann", {"s": head(3.0)})
    assert document.numbers["head"] == 2
    assert document.numbers["suggestion"] == 0


@pytest.mark.parametrize(
    "thing",
    [
        {"t": "nobody"},
        {"t": "head", "x": 1},
        {"t": "head", "x": float("nan"), "y": 1},
        {"t": "head", "x": 1, "y": 1, "more": 1},
        {"t": "head", "x": 1, "y": 1, "made": "guessed"},
        {"t": "area", "rings": [[[0, 0], [1, 1]]]},
        {"t": "sizes", "k": 0},
    ],
)
def test_what_is_no_thing_is_refused(thing: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        plain_changes({"a": thing})


@pytest.mark.parametrize(
    ("thing", "words"),
    [
        ({"t": "head", "x": 161.0, "y": 2.0}, "outside the image of 160×120"),
        ({"t": "head", "x": 1.0, "y": 2.0, "box": [5.0, 5.0, 5.0, 9.0]}, "x1 < x2"),
        ({"t": "head", "x": 1.0, "y": 2.0, "box": [-1.0, 0.0, 5.0, 9.0]}, "outside"),
        ({"t": "area", "rings": [[[0.0, 0.0], [1.0, 1.0], [0.0, 121.0]]]}, "outside"),
    ],
)
def test_what_lies_outside_the_image_is_refused(thing: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        refuse_outside({"a": thing}, (160, 120))


def test_the_border_is_within() -> None:
    refuse_outside({"a": {"t": "head", "x": 160.0, "y": 0.0}, "b": None}, (160, 120))
