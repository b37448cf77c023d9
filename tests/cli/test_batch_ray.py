"""`headcount count SOURCES --output OUT/ --ray WHERE`: what is refused before anything is counted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("pyarrow", reason="batches need the batch extra")
pytest.importorskip("ray", reason="Ray needs the ray extra")

RunCli = Callable[..., tuple[int, str, str]]


def test_ray_needs_a_folder_of_results(run_cli: RunCli, tmp_path: Path) -> None:
    code, _, told = run_cli("count", str(tmp_path), "--ray", "local")
    assert code == 2
    assert "--ray is for results in a folder" in told


def test_a_cluster_has_no_shards(run_cli: RunCli, tmp_path: Path) -> None:
    code, _, told = run_cli("count", str(tmp_path), "--output", f"{tmp_path}/out/", "--ray", "local", "--shards", "1/2")
    assert code == 2
    assert "leave it out with --ray" in told
