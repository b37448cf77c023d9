"""`headcount calibrate`: what is printed, what is written, and how it ends."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from headcount.core.card import ModelCard
from headcount.core.locks import held
from headcount.infer import models

RunCli = Callable[..., tuple[int, str, str]]


def _threshold(model: Path) -> object:
    decoder = ModelCard.read(model.with_suffix(".json")).decoder
    return None if decoder is None else decoder.settings.get("score_threshold")


def test_the_table(spots_model: Path, spots: Path, run_cli: RunCli) -> None:
    code, out, err = run_cli("calibrate", str(spots_model), "--data", f"boxes={spots}", "--split", "all")
    assert code == 0, err
    lines = out.splitlines()
    assert lines[0].startswith("spots: score threshold 0.3 → 0.45")
    assert [line.split() for line in lines[-2:-1]] == [["boxes-boxes", "all", "3", "7.00", "0.00", "+0.00"]]
    assert lines[-1] == f"wrote {spots_model.with_suffix('.json')}"
    assert _threshold(spots_model) == pytest.approx(0.45, abs=0.002)
    assert all(len(line) <= 80 for line in lines[:-1])


def test_what_could_not_be_read_is_named_and_the_rest_chooses(spots_model: Path, spots: Path, run_cli: RunCli) -> None:
    (spots.parent / "0.png").write_bytes(b"no image")
    code, out, err = run_cli("calibrate", str(spots_model), "--data", f"boxes={spots}", "--split", "all")
    assert code == 1
    assert "Skipped: " in err
    assert "boxes-boxes all" in out
    assert _threshold(spots_model) == pytest.approx(0.45, abs=0.002)


def test_the_range_of_counts(spots_model: Path, spots: Path, run_cli: RunCli, tmp_path: Path) -> None:
    rows = spots.read_text(encoding="utf-8").splitlines()
    for number in range(3, 30):  # pictures of one bright head, under new names
        shutil.copy(spots.parent / "1.png", spots.parent / f"{number}.png")
        rows += [row.replace("1.png", f"{number}.png") for row in rows if row.startswith("1.png")]
    spots.write_text("\n".join(rows) + "\n", encoding="utf-8")
    data = ("--data", f"boxes={spots}", "--split", "all")
    copy = tmp_path / "copy.onnx"
    code, out, err = run_cli("calibrate", str(spots_model), "--interval", *data, "-o", str(copy))
    assert code == 0, err
    lines = out.splitlines()
    assert lines[0] == "spots: the range of its counts, learned from 30 images"
    assert " % of 30 images (" in lines[4]
    assert lines[-1] == f"wrote {copy.with_suffix('.json')}"
    assert ModelCard.read(spots_model.with_suffix(".json")).interval is None
    code, out, _ = run_cli("count", str(spots.parent / "3.png"), "--model", str(copy))
    assert code == 0
    assert ", 90 %: " in out
    code, out, _ = run_cli("calibrate", str(copy), *data)
    assert code == 0
    assert "learn it anew with --interval" in out
    assert ModelCard.read(copy.with_suffix(".json")).interval is None


def test_errors_name_flags(
    spots_model: Path, spots: Path, run_cli: RunCli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    arguments = ("--data", f"boxes={spots}", "--split")
    code, _, err = run_cli("calibrate", str(spots_model), *arguments, "test")
    assert code == 2
    assert 'The test split chooses nothing: take another one, such as "val" (--split).' in err
    (tmp_path / "a.onnx").touch()
    code, _, err = run_cli("calibrate", str(spots_model), *arguments, "all", "-o", str(tmp_path / "a.onnx"))
    assert code == 2
    assert "exists already: choose another name, or overwrite it with --force." in err
    monkeypatch.setattr(models, "_shipped_folder", lambda: spots_model.parent)
    code, _, err = run_cli("calibrate", "spots", *arguments, "all")
    assert code == 2
    assert "name a file for a copy of the model (--output)." in err
    with held(spots_model.with_suffix(".json")):
        code, _, err = run_cli("calibrate", "spots", *arguments, "all", "--force")
    assert code == 2
    assert "another run" in err
    assert _threshold(spots_model) is None
    assert run_cli("calibrate", "spots", *arguments, "all", "--force")[0] == 0
    assert _threshold(spots_model) == pytest.approx(0.45, abs=0.002)
