"""`headcount models`, and the model that is the default."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

RunCli = Callable[..., tuple[int, str, str]]


def test_models_lists_what_is_shipped(place: Path, run_cli: RunCli) -> None:
    code, out, _ = run_cli("models")
    assert code == 0
    assert out.startswith("headcount-s (the default)\n")
    assert max(map(len, out.splitlines())) <= 80


def test_the_shipped_model_is_the_default(place: Path, run_cli: RunCli, odd_images: dict) -> None:
    assert run_cli("count", odd_images["rgb.png"][0])[0] == 0
    code, _, err = run_cli("count", odd_images["rgb.png"][0], "--model", "headcont-s")
    assert code == 2
    assert 'Did you mean "headcount-s"' in err
