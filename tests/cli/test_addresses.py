"""No command shows what is secret in an address, whatever it makes of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

RunCli = Callable[..., tuple[int, str, str]]
ADDRESS = "rtsp://admin:s3cret@camera/live?token=s3cret"


@pytest.mark.parametrize(
    "arguments",
    [
        ("count", ADDRESS),
        ("count", ADDRESS, "other.jpg"),
        ("count", "list.txt"),
        ("count", "list.txt", "--model", ADDRESS),
        ("count", "other.jpg", "--every", ADDRESS),
        ("count", "other.jpg", "--output", ADDRESS),
        ("demo", ADDRESS),
        ("models", ADDRESS),
        ("evaluate", ADDRESS, "--data", "points=a.csv"),
        ("evaluate", "headcount-s", "--data", f"points={ADDRESS}"),
        ("evaluate", "headcount-s", "--data", ADDRESS),
        ("datasets", "check", f"points={ADDRESS}"),
        ("train", ADDRESS),
        ("train", "headcount-s", f"threads={ADDRESS}"),
        (ADDRESS,),
    ],
)
def test_secrets_reach_no_stream(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_cli: RunCli
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("list.txt").write_text(f"{ADDRESS}\nother.jpg\n", encoding="utf-8")
    code, out, err = run_cli(*arguments)
    assert code == 2
    assert "s3cret" not in out + err
    assert "Error: " in err


def test_a_camera_is_told_what_to_do(run_cli: RunCli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = run_cli("count", "0")
    assert code == 2
    assert err.startswith('Error: "0" is a camera, and only files are counted: record it first')
