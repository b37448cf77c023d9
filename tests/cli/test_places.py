"""Two runs on one file: the second is told who the first is, by every command that writes one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from headcount.core.locks import held

RunCli = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("count a.png -o {}", "out.csv"),
        ("evaluate m --data points=a.csv -o {}", "out.json"),
        ("evaluate m --data points=a.csv --predictions {}", "out.txt"),
        ("evaluate a.txt --ground-truth b.txt -o {}", "out.json"),
        ("datasets check points=a.csv -o {}", "out.json"),
        ("datasets check points=a.csv --page {}", "out.html"),
        ("datasets convert points=a.csv {} --to boxes", "out.csv"),
        ("import backbone vgg16_bn a.pth -o {}", "out.safetensors"),
    ],
)
def test_a_file_that_another_run_writes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_cli: RunCli, command: str, name: str, force: bool
) -> None:
    if command.startswith("import"):
        pytest.importorskip("torch", reason="importing weights needs torch")
    monkeypatch.chdir(tmp_path)
    Path("a.png").write_bytes(b"")
    with held(Path(name)):
        code, out, err = run_cli(*command.format(name).split(), *(["--force"] if force else []))
    assert (code, out) == (2, "")
    assert f'"{name}" is being written by another run (process ' in err
    assert not Path(name).exists()
