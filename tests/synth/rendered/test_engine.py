"""The renderer's process: what it says where it cannot be had, and that another begins where one has ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from headcount.core.errors import InputError, MissingExtraError
from headcount.synth.rendered import engine as engine_module
from headcount.synth.rendered import render_scene
from headcount.synth.rendered.engine import Engine, engine
from headcount.synth.rendered.pipe import receive, send
from headcount.synth.rendered.renderer import Renderer


def test_without_moderngl_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "is_installed", lambda package: False)
    with pytest.raises(MissingExtraError, match="synth"):
        Engine()


def test_without_opengl_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**kind: Any) -> None:
        raise RuntimeError("libEGL.so not loaded")

    monkeypatch.setitem(sys.modules, "moderngl", SimpleNamespace(create_context=refuse))
    with pytest.raises(InputError, match=r"OpenGL 3.3.*libEGL.so not loaded.*libegl1"):
        Renderer()


def test_what_the_process_cannot_do_is_said_here(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = """
import sys
sys.path[:0] = sys.argv[1:]
sys.modules["moderngl"] = type(sys)("moderngl")
sys.modules["moderngl"].create_context = lambda **kind: 1 / 0
from headcount.synth.rendered.renderer import serve
serve()
"""
    monkeypatch.setattr(engine_module, "_WORKER", refused)
    with pytest.raises(InputError, match=r"OpenGL 3.3.*division by zero"):
        Engine()
    monkeypatch.setattr(engine_module, "_WORKER", "raise SystemExit(3)")
    with pytest.raises(InputError, match=r"has ended \(exit code 3\)"):
        Engine()


@pytest.mark.usefixtures("gl")
def test_another_begins_where_one_was_killed() -> None:
    one = render_scene(5, size_wh=(160, 120), count=10)
    first = engine()
    os.kill(first._process.pid, signal.SIGKILL)
    first._process.wait()
    other = render_scene(5, size_wh=(160, 120), count=10)
    assert engine() is not first
    assert one.scene.pixels().tobytes() == other.scene.pixels().tobytes()


@pytest.mark.usefixtures("gl")
def test_no_driver_is_loaded_into_the_process_that_asks() -> None:
    """Mesa's LLVM and Triton's in one process end it."""
    script = """
from headcount.synth.rendered import render_scene
render_scene(1, size_wh=(160, 120), count=3)
print([line for line in open("/proc/self/maps") if "LLVM" in line or "_dri" in line or "libEGL" in line])
"""
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert found.returncode == 0, found.stderr
    assert found.stdout.strip() == "[]"


def test_words_and_arrays_go_through_a_pipe() -> None:
    stream = BytesIO()
    arrays = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "none": np.zeros((0, 24), np.float32)}
    send(stream, {"x": [1, 2.5, "ä"]}, arrays)
    stream.seek(0)
    words, found = receive(stream)
    assert words == {"x": [1, 2.5, "ä"]}
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype
    cut = BytesIO(stream.getvalue()[:-3])
    with pytest.raises(EOFError):
        receive(cut)
    with pytest.raises(EOFError):
        receive(BytesIO())
