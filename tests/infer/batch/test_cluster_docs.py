"""The programs in docs/cluster.md run as they stand there."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pa = pytest.importorskip("pyarrow", reason="batches need the batch extra")
import pyarrow.dataset  # noqa: E402

from headcount.infer.batch.counting import RowCounter  # noqa: E402
from headcount.infer.batch.rows import ROWS  # noqa: E402
from headcount.infer.batch.settings import BatchSettings  # noqa: E402

_DOCS = Path(__file__).parents[3] / "docs" / "cluster.md"


def program(package: str) -> str:
    (found,) = [
        code for code in re.findall(r"```python\n(.+?)```", _DOCS.read_text(encoding="utf-8"), re.S) if package in code
    ]
    return str(found)


def ran(package: str, folder: Path, photos: list[Path]) -> str:
    """Run a program in a folder with some photographs; returns what it prints."""
    (folder / "photos").mkdir()
    for path in [*photos[:4], photos[4]]:
        shutil.copy(path, folder / "photos")
    (folder / "program.py").write_text(program(package), encoding="utf-8")
    environment = {
        **os.environ, "RAY_USAGE_STATS_ENABLED": "0", "DAFT_ANALYTICS_ENABLED": "0", "DO_NOT_TRACK": "1",
        "SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable,
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "program.py"], cwd=folder, env=environment, capture_output=True, text=True, timeout=550
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def same_counts(rows: pa.Table, photos: list[Path]) -> None:
    settings = BatchSettings(model="headcount-n", threads=1)
    named = {"number": list(range(5)), "address": list(map(str, photos[:5]))}
    wanted = RowCounter(settings)(pa.table(named)).to_pylist()
    found = sorted(rows.to_pylist(), key=lambda row: row["number"])
    assert set(rows.schema.names) == set(ROWS.names)
    for key in ("number", "sha256", "width", "height", "count", "fingerprint"):
        assert [row[key] for row in found] == [row[key] for row in wanted], key
    assert [row["error"] is None for row in found] == [True] * 4 + [False]


@pytest.mark.slow
def test_the_program_for_daft(tmp_path: Path, photos: list[Path]) -> None:
    pytest.importorskip("daft")
    ran("import daft", tmp_path, photos)
    same_counts(pyarrow.dataset.dataset(tmp_path / "rows-daft").to_table(), photos)


@pytest.mark.slow
def test_the_program_for_spark(tmp_path: Path, photos: list[Path]) -> None:
    pytest.importorskip("pyspark", reason="Spark is not installed")
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java")
    ran("from pyspark", tmp_path, photos)
    same_counts(pyarrow.dataset.dataset(tmp_path / "rows-spark").to_table(), photos)


@pytest.mark.slow
@pytest.mark.long
def test_the_program_for_ray(tmp_path: Path, photos: list[Path]) -> None:
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray needs the ray extra")
    printed = ran("count_on_ray", tmp_path, photos)
    assert "ChunkDone" in printed
    from headcount.infer.batch.parts import results

    same_counts(results(tmp_path / "counts").to_table(), photos)
