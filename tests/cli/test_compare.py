"""`headcount compare`: the table, the figure and the JSON; what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

RunCli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def reports(tmp_path: Path) -> list[str]:
    paths = []
    for model, wrong in (("density", 5.0), ("detector", -1.0)):
        images = [{"name": str(true), "true": true, "predicted": true + wrong} for true in (3, 30, 300)]
        report = {"model": model, "data": "hall", "split": "val", "per_image": images}
        paths.append(str(tmp_path / f"{model}.json"))
        Path(paths[-1]).write_text(json.dumps({"reports": [report]}), encoding="utf-8")
    return paths


def test_table_figure_and_json(reports: list[str], run_cli: RunCli, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is in the plots extra")
    plot, table = tmp_path / "levels.png", tmp_path / "table.json"
    code, out, err = run_cli("compare", *reports, "--plot", str(plot), "-o", str(table), "--levels", "10,100")
    assert code == 0, err
    assert out.startswith("hall, split val: 3 images that all models counted\n")
    assert "0–10  11–100   > 100     all" in out
    assert f"wrote {plot}\nwrote {table}\n" in out
    assert Image.open(plot).size[0] > 1000
    (comparison,) = json.loads(table.read_text())["comparisons"]
    assert [model["model"] for model in comparison["models"]] == ["density", "detector"]
    code, _, err = run_cli("compare", *reports, "--plot", str(plot))
    assert code == 2
    assert "--force" in err


def test_what_is_refused(reports: list[str], run_cli: RunCli, tmp_path: Path) -> None:
    for arguments, words in (
        ((reports[0],), "No two reports"),
        ((*reports, "--levels", "9,3"), "--levels takes ascending"),
        ((*reports, "--plot", str(tmp_path / "a.pdf")), ".png file"),
        (("no.json",), 'no report of an evaluation "no.json"'),
    ):
        code, _, err = run_cli("compare", *arguments)
        assert code == 2
        assert words in err
