"""`headcount datasets list`: a table of 80 columns, and all there is to know of one set."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner, Result

from headcount.cli.main import app
from headcount.core.errors import InputError
from headcount.data.sets.catalogue import CATALOGUE, find_entry
from headcount.data.sets.registry import DATA_SETS


def run(arguments: list[str]) -> Result:
    return CliRunner().invoke(app, ["datasets", *arguments])


@pytest.fixture(autouse=True)
def columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def test_the_list_is_a_table_of_80_columns() -> None:
    result = run(["list"])
    assert result.exit_code == 0
    for entry in CATALOGUE.values():
        images, heads = (f"{number:,}" if number is not None else "-" for number in entry.total)
        line = next(line for line in result.output.splitlines() if line[2:].startswith(f"{entry.name} "))
        assert line[2:].split()[1:3] == [images, heads]
        assert entry.annotated in line
    assert max(map(len, result.output.splitlines())) <= 80


@pytest.mark.parametrize("name", [*CATALOGUE, *DATA_SETS])
def test_one_set_is_told_with_counts_and_terms(name: str) -> None:
    result = run(["list", name])
    assert result.exit_code == 0
    entry = find_entry(name)
    for release in entry.releases if entry is not None else ():
        for images, heads in release.counts.values():
            assert f"{images:,} images" in result.output
            assert heads is None or f"{heads:,} heads" in result.output
    assert entry is None or "terms:" in result.output
    assert max(map(len, result.output.splitlines())) <= 80


def test_an_unknown_set_is_told_the_nearest() -> None:
    error = run(["list", "ucf-qnfr"]).exception
    assert isinstance(error, InputError)
    assert '"ucf-qnrf"' in str(error)
