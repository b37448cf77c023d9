"""The page on plug-ins names every table, its row type and its file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from headcount.cli.main import VERBS
from headcount.core.prediction import Prediction
from headcount.core.scene import Scene
from headcount.core.table import Row, Table
from headcount.core.writers import WRITERS
from headcount.data.formats.table import FORMATS
from headcount.data.manifests.table import MANIFESTS
from headcount.data.sets.catalogue import SETS
from headcount.decode.table import DECODERS
from headcount.evaluate.metrics.table import METRICS, EvaluationSettings, MetricResult
from headcount.infer.runtimes.table import RUNTIMES
from headcount.models.table import METHODS
from headcount.train.studies.table import STUDIES
from headcount.video.outputs.table import OUTPUTS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "plug-ins.md").read_text(encoding="utf-8")
TABLES: list[Table[Row]] = [
    METHODS, DECODERS, RUNTIMES, FORMATS, MANIFESTS, SETS, WRITERS, METRICS,  # type: ignore[list-item]
    STUDIES, VERBS, OUTPUTS,  # type: ignore[list-item]
]  # fmt: skip


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.kind)
def test_every_table_has_a_line(table: Table[Row]) -> None:
    kind = type(next(iter(table.values()))).__name__
    line = next(line for line in PAGE.splitlines() if line.startswith(f"| `headcount.{table.kind}` | `{kind}` |"))
    home = re.findall(r"`([\w/]+\.py)`", line)[-1]
    assert (ROOT / "src" / "headcount" / home).is_file()


def test_no_table_is_missing() -> None:
    assert set(re.findall(r"^\| `headcount\.(\w+)`", PAGE, re.M)) == {table.kind for table in TABLES}


def test_the_metric_of_the_page_is_measured() -> None:
    code = next(block for block in re.findall(r"```python\n(.*?)```", PAGE, re.S) if "class Nearest10" in block)
    names: dict[str, Any] = {"NamedTuple": NamedTuple}
    exec(code, names)
    metric = names["Nearest10"](EvaluationSettings())
    pixels = np.zeros((8, 8, 3), np.uint8)
    for count in (3.0, 30.0):
        metric.add(Scene(pixels, [[1.0, 1.0]]), Prediction(count, (8, 8)), 0.1)
    result: MetricResult = metric.result()
    assert result.lines() == ["  50% of the images within 10 people"]
    assert result.to_dict() == {"share": 0.5}
    assert result.figures() == []
