"""The supply commands lie beside the tests, in no package that is installed."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def supply(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Imports the module of a name."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2]))
    return lambda name: importlib.import_module(f"supply.{name}")
