"""A working folder with a shipped model, for the commands that name none."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from headcount.infer import models

RunCli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def place(tmp_path: Path, tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, where the tiny model is shipped as headcount-s."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    shutil.copy(tiny_model_dir / "tiny.onnx", shelf / "headcount-s.onnx")
    shutil.copy(tiny_model_dir / "tiny.json", shelf / "headcount-s.json")
    monkeypatch.setattr(models, "_shipped_folder", lambda: shelf)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"
