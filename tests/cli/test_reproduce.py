"""`headcount reproduce`: what it hands to the study, and what it prints of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from headcount.core.errors import HeadcountError
from headcount.core.notes import Skipped

pytest.importorskip("torch", reason="a study trains networks (train extra)")

from headcount.train.studies import run
from headcount.train.studies.run import StudyOptions
from headcount.train.studies.state import Constant, Done, Measured, State

RunCli = Callable[..., tuple[int, str, str]]

DONE = Done(
    arm="mfl-small-centernet-focal", group="CenterNet", variant="focal", seed=1, steps=600, recipe={}, split="val",
    at_most=None, threshold=0.3,
    results={"scut-head-a": Measured(images=160, figures={"MAE": 2.5, "RMSE": 3.5, "F1": 90.0, "AP": 40.0})},
)  # fmt: skip
STATE = State(
    study="mfl", scale="small", constants={"scut-head-a": Constant(count=31.3, mae=29.6, images=160)}, runs=(DONE,)
)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, StudyOptions]]:
    """What was run: nothing is, and all is done."""
    seen: list[tuple[str, str, StudyOptions]] = []

    def run_study(study, scale, options, *, say):  # type: ignore[no-untyped-def]
        seen.append((study.name, scale, options))
        say("Run 1 of 1")
        return STATE, [Skipped("mfl-small-fcos-seed1", HeadcountError("no"))] if options.steps else []

    monkeypatch.setattr(run, "run_study", run_study)
    return seen


def test_the_table_is_printed_and_what_goes_on_is_told_aside(run_cli: RunCli, asked: list) -> None:
    code, out, err = run_cli("reproduce", "mfl")
    assert code == 0
    assert "Run 1 of 1" in err
    assert "CenterNet    focal" in out
    assert "1.92/2.94" in out
    assert out.splitlines()[-1] == f"wrote {Path('runs/mfl-small')}"
    assert max(map(len, out.splitlines())) <= 80
    assert asked == [("mfl", "small", StudyOptions(output=Path("runs/mfl-small")))]


def test_options_reach_the_study(run_cli: RunCli, asked: list, tmp_path: Path) -> None:
    code, _, err = run_cli(
        "reproduce", "mfl", "--scale", "small", "--data", "scut-head-a=/data/S", "--data", "scut-head-b=/data/S",
        "--only", "centernet", "--only", "fcos", "--seeds", 2, "--steps", 5, "--images", 3, "--split", "val",
        "--initialisation", "w.safetensors", "--threads", 1, "--output", tmp_path, "--resume", "batch=2", "device=cpu",
    )  # fmt: skip
    assert asked[0][2] == StudyOptions(
        output=tmp_path, sources={"scut-head-a": "/data/S", "scut-head-b": "/data/S"}, only=("centernet", "fcos"),
        seeds=2, steps=5, images=3, split="val", initialisation="w.safetensors", threads=1,
        changes=("batch=2", "device=cpu"), resume=True,
    )  # fmt: skip
    assert code == 1
    assert "1 run failed: mfl-small-fcos-seed1" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["mlf"], ['no study "mlf"', 'Did you mean "mfl"']),
        (["mfl", "--split", "train"], ["--split is val or test"]),
        (["mfl", "--data", "scut-head-a"], ["scut-head-a"]),
        (["mfl", "--steps", "0"], ["--steps"]),
    ],
)
def test_what_is_wrong_is_said(run_cli: RunCli, arguments: list[str], words: list[str], asked: list) -> None:
    code, _, err = run_cli("reproduce", *arguments)
    assert code == 2
    for word in words:
        assert word in err
    assert not asked
