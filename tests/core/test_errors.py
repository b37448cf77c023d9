"""Errors are whole in any process; hints at the nearest name soon, and short, whatever a stranger's file holds."""

from __future__ import annotations

import pickle
import time

import pytest

from headcount.core.errors import HeadcountError, InputError, MissingExtraError, MissingFileError, nearest


def test_a_million_names_are_no_work_and_no_book() -> None:
    start = time.process_time()
    assert nearest("images", [f"k{number}" for number in range(300_000)]) == ""
    assert nearest("images", ["image" + "s" * 10_000_000]) == ""
    assert time.process_time() - start < 2


def test_among_many_those_are_compared_that_begin_alike() -> None:
    names = [*(f"x{number}" for number in range(5000)), "IMG_0007.jpg"]
    assert nearest("IMG_0007.png", names) == ' Did you mean "IMG_0007.jpg"?'
    assert nearest("imagse", ["images", "labels"]) == ' Did you mean "images"?'
    assert nearest("zzz", ["b", "a"]) == " Known: a, b."
    assert nearest("zzz", []) == ""


@pytest.mark.parametrize(
    "error",
    [InputError("x.", remedy="overwrite"), MissingExtraError("Training", "train"), MissingFileError("There is none.")],
)
def test_an_error_comes_back_whole_from_a_worker(error: HeadcountError) -> None:
    back = pickle.loads(pickle.dumps(error))
    assert (type(back), str(back), back.remedy) == (type(error), str(error), error.remedy)
