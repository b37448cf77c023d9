"""Interpreters are found where people have them, and only those that run are taken."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

Supply = Callable[[str], ModuleType]
pytestmark = pytest.mark.skipif(os.name != "posix", reason="the interpreters of these tests are shell scripts")


@pytest.fixture
def interpreters(supply: Supply, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Nothing on the PATH, and no pyenv."""
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    return supply("interpreters")


def script(path: Path, says: str, code: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{says}'\nexit {code}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_none_is_there(interpreters: ModuleType) -> None:
    assert interpreters.interpreter("3.99") is None


def test_the_path_comes_first_and_a_shim_that_fails_is_passed_over(interpreters: ModuleType, tmp_path: Path) -> None:
    script(tmp_path / "path" / "python3.99", "not chosen in this folder", 127)
    assert interpreters.interpreter("3.99") is None
    newest = script(tmp_path / "pyenv" / "versions" / "3.99.10" / "bin" / "python", "3.99 True")
    script(tmp_path / "pyenv" / "versions" / "3.99.9" / "bin" / "python", "3.99 True")
    assert interpreters.interpreter("3.99") == newest
    on_path = script(tmp_path / "path" / "python3.99", "3.99 True")
    assert interpreters.interpreter("3.99") == on_path


def test_another_version_under_the_name_and_an_environment_s_are_not_taken(
    interpreters: ModuleType, tmp_path: Path
) -> None:
    script(tmp_path / "path" / "python3", "3.98 True")
    script(tmp_path / "path" / "python3.99", "3.99 False")
    assert interpreters.interpreter("3.99") is None


def test_uv_is_asked(interpreters: ModuleType, tmp_path: Path) -> None:
    python = script(tmp_path / "elsewhere" / "python", "3.99 True")
    script(tmp_path / "path" / "uv", str(python))
    assert interpreters.interpreter("3.99") == python


def test_this_one_is_found(interpreters: ModuleType) -> None:
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert interpreters.interpreter(version) is not None


def test_a_missing_one_fails_unless_that_is_allowed(
    supply: Supply, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = supply("wheel_test")
    monkeypatch.setattr(module, "interpreter", lambda version: None)
    for asked, code in (([], 1), (["--allow-missing"], 0)):
        monkeypatch.setattr(sys, "argv", ["supply.wheel_test", "some.whl", "--pythons", "3.99", *asked])
        assert module.main() == code
        assert "Python 3.99: not here (on the PATH, of pyenv, or of uv)" in capsys.readouterr().out


def test_a_check_that_fails_is_told_and_fails(
    supply: Supply, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = supply("wheel_test")

    def fails(wheel: Path, python: Path) -> list[str]:
        raise module.CheckError("The demo's crowd was counted as 1.0, but 837.8 was expected.")

    monkeypatch.setattr(module, "interpreter", lambda version: Path(sys.executable))
    monkeypatch.setattr(module, "check", fails)
    monkeypatch.setattr(sys, "argv", ["supply.wheel_test", "some.whl"])
    assert module.main() == 1
    assert capsys.readouterr().out.count("FAILED. The demo's crowd was counted as 1.0") == 3


def test_the_expected_number_is_the_doctor_s(supply: Supply) -> None:
    from headcount.infer.health import SCENE_COUNT

    assert supply("wheel_test").EXPECTED == SCENE_COUNT
