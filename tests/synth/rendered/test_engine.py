"""The renderer: what it says where it cannot be had."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from headcount.core.errors import InputError, MissingExtraError
from headcount.synth.rendered.engine import Engine


def test_without_moderngl_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "moderngl", None)
    with pytest.raises(MissingExtraError, match="synth"):
        Engine()


def test_without_opengl_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**kind: Any) -> None:
        raise RuntimeError("libEGL.so not loaded")

    monkeypatch.setitem(sys.modules, "moderngl", SimpleNamespace(create_context=refuse))
    with pytest.raises(InputError, match=r"OpenGL 3.3.*libEGL.so not loaded.*libegl1"):
        Engine()
