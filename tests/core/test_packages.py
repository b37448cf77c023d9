"""What the installs ask for, read of their requirements, and what is here of it."""

from __future__ import annotations

import tomllib
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from headcount.core import packages as module
from headcount.core.packages import LIGHT_MODULES, PURPOSES, Package, extras, import_fault, light_packages

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LINES = [
    "numpy>=1.26", "pillow>=10.3", 'pillow>=11.3; extra == "heif"', 'pillow-heif>=0.20; extra == "heif"',
    'headcount[plots]; extra == "train"', 'torch>=2.6; extra == "train"', 'matplotlib>=3.8; extra == "plots"',
    'psycopg[binary]>=3.1.18; extra == "video"', "atheris>=2.3; sys_platform == 'linux' and extra == 'dev'",
]  # fmt: skip


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What is installed, by its name."""
    versions = {"numpy": "2.4.6", "pillow": "10.4.0", "pillow-heif": "1.0"}

    def version(name: str) -> str:
        if name not in versions:
            raise PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(module, "version", version)
    return versions


def test_every_extra_that_people_install_says_what_it_is_for() -> None:
    assert PURPOSES.keys() == PROJECT["optional-dependencies"].keys() - {"dev"}


def test_every_package_of_the_light_install_has_a_module_to_try() -> None:
    assert list(LIGHT_MODULES) == [line.partition(">")[0] for line in PROJECT["dependencies"]]


def test_an_extra_brings_what_the_extras_in_it_bring(here: dict[str, str]) -> None:
    found = {one.name: one for one in extras(LINES)}
    assert [one.name for one in found["train"].packages] == ["matplotlib", "torch"]
    assert found["train"].missing == ("matplotlib", "torch")
    assert [one.name for one in found["video"].packages] == ["psycopg"]
    assert "dev" not in found


def test_a_package_that_is_too_old_for_an_extra_is_missing_there(here: dict[str, str]) -> None:
    heif = next(one for one in extras(LINES) if one.name == "heif")
    assert heif.missing == ("pillow",)
    here["pillow"] = "11.3"
    assert heif.packages[1] != next(one for one in extras(LINES) if one.name == "heif").packages[0]
    assert not next(one for one in extras(LINES) if one.name == "heif").missing


def test_the_light_install_is_told_with_versions(here: dict[str, str]) -> None:
    found = {one.name: one for one in light_packages(LINES)}
    assert found["numpy"] == Package("numpy", "1.26", "2.4.6")
    assert found["numpy"].is_good
    assert found["openvino"].version is None  # headcount's own list, where nobody installed headcount


@pytest.mark.parametrize(
    ("package", "fault"),
    [
        (Package("a", "1.10", "1.9.9"), "1.9.9 is older than 1.10"),
        (Package("a", "1.10", "1.10"), ""),
        (Package("a", "", "0.1.dev3"), ""),
        (Package("a", "2.0", None), "missing"),
    ],
)
def test_versions_are_compared_as_numbers(package: Package, fault: str) -> None:
    assert package.fault == fault
    assert package.is_good == (not fault)


def test_a_package_that_cannot_be_imported_says_why_in_one_line() -> None:
    def broken() -> object:
        raise OSError("libGL.so.1: cannot open shared object file:\n No such file")

    told = "cannot be imported (OSError: libGL.so.1: cannot open shared object file: No such file)"
    assert import_fault("opencv-python-headless", broken) == told
    assert import_fault("rich") == ""
