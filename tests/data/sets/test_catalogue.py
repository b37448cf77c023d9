"""The table of published sets: every fact once, and rows that can be read."""

from __future__ import annotations

import pytest

from headcount.core.table import load_object
from headcount.data.sets.catalogue import CATALOGUE, SETS, CatalogueEntry, Release, find_entry


@pytest.mark.parametrize("name", SETS)
def test_every_row_has_a_reader_and_what_is_published(name: str) -> None:
    row = SETS[name]
    assert callable(load_object(row.target))
    assert name == row.entry.name or name.startswith(f"{row.entry.name}-")
    assert row.title == row.entry.title != ""
    assert row.default_split == "val"
    for text in (row.entry.terms, row.entry.ask_at, row.entry.annotated, row.entry.paper, row.splits.says):
        assert text
    assert row.entry.total[0]


def test_the_folds_and_splits_of_a_set_are_one_entry() -> None:
    assert list(CATALOGUE) == list(dict.fromkeys(row.entry.name for row in SETS.values()))
    assert len(CATALOGUE) == 18 == len(SETS) - 4 - 2
    for name, known in (("ucf-cc-50-fold5", "ucf-cc-50"), ("gcc-camera", "gcc"), ("mall", "mall")):
        assert find_entry(name) is CATALOGUE[known]
    assert find_entry("points") is find_entry("shanghaitech") is find_entry("") is None


def test_the_total_is_the_first_releases_where_it_is_not_stated() -> None:
    releases = (Release("one", {"train": (1, 2), "train+test": (3, None)}), Release("two", {"all": (5, 6)}))
    assert CatalogueEntry("x", "X", releases, "", "").total == (3, None)
    assert CatalogueEntry("x", "X", releases, "", "", total=(4, 9)).total == (4, 9)
    assert CatalogueEntry("x", "X", (), "", "").total == (None, None)
