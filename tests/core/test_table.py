"""One table of plug-ins: own rows, rows of other packages, and what is said of a name that is not there."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from headcount.core.errors import InputError, MissingExtraError, ModelError, PluginWarning
from headcount.core.table import Row, Table, is_installed, load_object

Install = Callable[[str, str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts a package with one module ``colours_of_others`` and entry points on the path, as pip would."""

    def put(module: str, entry_points: str) -> None:
        (tmp_path / "colours_of_others.py").write_text(module, encoding="utf-8")
        info = tmp_path / "colours_of_others-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: colours-of-others\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[headcount.colours]\n{entry_points}\n")
        monkeypatch.syspath_prepend(str(tmp_path))

    yield put
    sys.modules.pop("colours_of_others", None)


def colours() -> Table[Row]:
    rows = [Row(name="red", target="math:pi"), Row(name="blue", target="math:tau")]
    return Table("colours", "colour", rows, Row, error=ModelError)


def test_a_row_is_loaded_when_it_is_asked_for() -> None:
    assert colours().load("red") == math.pi
    assert list(colours()) == ["red", "blue"]
    lost = Table("colours", "colour", [Row(name="lost", target="no_such_module:x")], Row)
    assert lost.find("lost").name == "lost"
    with pytest.raises(InputError, match=r'"lost" cannot be loaded from "no_such_module:x" \(ModuleNotFoundError'):
        lost.load("lost")


@pytest.mark.parametrize(("name", "hint"), [("rde", 'Did you mean "red"'), ("", "Known: blue, red")])
def test_a_miss_names_the_nearest(name: str, hint: str) -> None:
    with pytest.raises(ModelError, match=f'There is no colour "{name}".*{hint}'):
        colours().find(name)
    assert colours().get(name) is None
    assert name not in colours()


def test_what_files_name_may_be_of_a_package_that_is_missing() -> None:
    table = Table("colours", "colour", [Row(name="red", target="math:pi")], Row, in_files=True)
    with pytest.raises(InputError, match=r"Known: red\. If another package brings it, install that package\."):
        table.find("zzz")


def test_a_missing_package_names_its_extra() -> None:
    row = Row(name="red", target="math:pi", title="Red", package="no_such_package", extra="train")
    assert not row.is_installed
    with pytest.raises(MissingExtraError, match=r'Red needs the "train" extra'):
        row.load()
    assert is_installed("math")
    assert not is_installed("no_such_package.inside")


def test_a_missing_package_that_no_extra_brings_is_named() -> None:
    row = Row(name="red", target="math:pi", title="Red", package="no_such_package")
    with pytest.raises(InputError, match='Red needs the package "no_such_package", which is not installed'):
        row.load()


def test_another_object_of_a_row_needs_the_same_package() -> None:
    assert Row(name="red", target="math:pi").load("math:tau") == math.tau
    with pytest.raises(MissingExtraError):
        Row(name="red", target="math:pi", package="no_such_package", extra="train").load("math:tau")


def test_a_broken_row_of_another_package_is_left_out_of_the_rows(install: Install) -> None:
    install("1 / 0", "green = colours_of_others:GREEN")
    with pytest.warns(PluginWarning, match=r'"green" of the package "colours-of-others" cannot be loaded'):
        rows = colours().rows()
    assert [row.name for row in rows] == ["red", "blue"]


def test_other_packages_add_rows_that_are_not_imported_before_use(install: Install) -> None:
    install(
        "from headcount.core.table import Row\nGREEN = Row(name='green', target='math:e')\n",
        "green = colours_of_others:GREEN\nred = colours_of_others:NOTHING",
    )
    table = colours()
    assert list(table) == ["red", "blue", "green"]
    assert len(table) == 3
    assert "green" in table
    assert table.load("red") == math.pi  # never replaced, and the other one's module not imported
    assert "colours_of_others" not in sys.modules
    assert table.load("green") == math.e


@pytest.mark.parametrize(
    ("module", "complaint"),
    [
        ("1 / 0", r"cannot be loaded \(ZeroDivisionError"),
        ("GREEN = 3", "must be a Row of that name"),
        (
            "from headcount.core.table import Row\nGREEN = Row(name='blue', target='math:e')",
            "must be a Row of that name",
        ),
    ],
)
def test_a_broken_row_of_another_package_names_the_package(install: Install, module: str, complaint: str) -> None:
    install(module, "green = colours_of_others:GREEN")
    with pytest.raises(ModelError, match=f'"green" of the package "colours-of-others" {complaint}'):
        colours().find("green")


def test_objects_are_named_by_module_and_name() -> None:
    assert load_object("math:pi") == math.pi
    with pytest.raises(AttributeError):
        load_object("math:no_such_thing")


def test_a_table_of_the_wrong_name_is_an_error_of_its_own_kind() -> None:
    with pytest.raises(InputError):
        Table("colours", "colour", [Row(name="red", target="math:pi")], Row).find("blau")


def test_a_row_whose_object_breaks_is_named() -> None:
    row = Row(name="near_10", target="my_package:Nearest10")
    with (
        pytest.raises(
            InputError, match=r'"near_10", which is my_package:Nearest10, failed on "a\.jpg" \(KeyError: 3\)'
        ),
        row.blamed('"a.jpg"'),
    ):
        {}[3]
    for own in (InputError("no"), OSError(28, "full"), MemoryError(), KeyboardInterrupt()):
        with pytest.raises(type(own)), row.blamed("it"):
            raise own
