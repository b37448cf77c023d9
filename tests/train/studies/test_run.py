"""A whole study with tiny settings on painted scenes: cut off anywhere and run again, it tells the same table."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from headcount.core.errors import HeadcountError, InputError
from headcount.train.recipe import Recipe
from headcount.train.studies import run as study_run
from headcount.train.studies.report import table
from headcount.train.studies.run import StudyOptions, run_study
from headcount.train.studies.state import STATE
from headcount.train.studies.study import Arm, Scale, Study

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("threads_kept")]
RunCli = Callable[..., tuple[int, str, str]]
PaintBoxes = Callable[[Path, tuple[int, int]], Path]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, painted_boxes: PaintBoxes) -> Path:
    """A folder with a few painted crowds with boxes, and two recipes that learn from them."""
    folder = tmp_path_factory.mktemp("study")
    boxes = painted_boxes(folder, (128, 96))
    base = {
        "name": "tiny", "method": "centernet",
        "model": {"backbone": "test_efficientnet", "width": 8, "head_width": 8},
        "published": [{"row": "Table 1", "data": "boxes", "split": "val", "mae": 1.5, "rmse": 2.5}],
        "data": {"sources": {"boxes": str(boxes)}, "crop": 64, "held_out": 3, "workers": 1},
        "optimiser": {"lr": 0.01, "warmup_steps": 1}, "batch": 2, "steps_per_epoch": 3, "epochs": 2,
        "validate_every": 2, "threads": 1, "device": "cpu", "checkpoint_seconds": 1e9, "log_steps": 1,
    }  # fmt: skip
    (folder / "tiny.yaml").write_text(yaml.safe_dump(base))
    (folder / "tiny-focal.yaml").write_text("name: tiny-focal\nbase: tiny\nmodel: {loss: focal}\n")
    return folder


@pytest.fixture(scope="module")
def study(place: Path) -> Study:
    arms = tuple(
        Arm(recipe=str(place / f"{name}.yaml"), group="Tiny", variant=variant, seeds=seeds)
        for name, variant, seeds in (("tiny-focal", "focal", 2), ("tiny", "mask_focal", 1))
    )
    return Study(name="test", title="A test", scales={"small": Scale(arms=arms, split="val")}, baseline="focal")


def _silent(text: str) -> None:
    pass


def _tree(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_study_cut_off_anywhere_tells_the_same_table(study: Study, tmp_path: Path) -> None:
    whole, failed = run_study(study, "small", StudyOptions(output=tmp_path / "whole"), say=_silent)
    assert failed == []
    lines = table(whole, study)

    options = StudyOptions(output=tmp_path / "cut")
    stops = iter(["step 2/6", "validation", "tiny-seed1 on boxes", "step 4/6"])
    cut, waiting = 0, next(stops)

    def interrupt(text: str) -> None:
        nonlocal cut, waiting
        if waiting in text:
            cut, waiting = cut + 1, next(stops, "nothing more")
            if cut == 1:
                os.kill(os.getpid(), signal.SIGINT)  # the step at hand is finished, and kept
            else:
                raise KeyboardInterrupt  # as a kill: in validation, before a run is written down, between two steps

    for _ in range(6):
        try:
            state, _ = run_study(study, "small", options, say=interrupt)
            break
        except KeyboardInterrupt:
            assert (tmp_path / "cut" / "runs").is_dir()
    assert cut == 4
    assert table(state, study) == lines
    assert [one.results for one in state.runs] == [one.results for one in whole.runs]
    assert [one.threshold for one in state.runs] == [one.threshold for one in whole.runs]
    assert _tree(tmp_path / "cut" / "pictures") == _tree(tmp_path / "whole" / "pictures")
    assert len(_tree(tmp_path / "whole" / "pictures")) == 2  # of both validation images
    assert (tmp_path / "cut" / "study.md").read_text("utf-8") == (tmp_path / "whole" / "study.md").read_text("utf-8")


def test_what_is_done_is_not_done_again(study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = StudyOptions(output=tmp_path, steps=1, images=1, seeds=1)
    first, _ = run_study(study, "small", options, say=_silent)
    assert [(one.name, one.steps) for one in first.runs] == [("tiny-focal-seed1", 1), ("tiny-seed1", 1)]
    assert {one.results["boxes"].images for one in first.runs} == {1}
    monkeypatch.setattr(study_run, "train", None)
    told: list[str] = []
    assert run_study(study, "small", replace(options, resume=True), say=told.append) == (first, [])
    assert [text for text in told if text.startswith("Run")] == [
        "Run 1 of 2, tiny-focal-seed1: done before.", "Run 2 of 2, tiny-seed1: done before.",
    ]  # fmt: skip
    with pytest.raises(InputError, match=r'"tiny-focal-seed1" .* another "steps_per_epoch"'):
        run_study(study, "small", replace(options, steps=2), say=_silent)
    with pytest.raises(InputError, match='another "batch"'):
        run_study(study, "small", replace(options, changes=["batch=1"]), say=_silent)
    (tmp_path / STATE).unlink()  # both have a checkpoint, and are not written down: as if cut off
    with pytest.raises(InputError, match=r'"tiny-focal-seed1" .* begun with another "batch"'):
        run_study(study, "small", replace(options, changes=["batch=1"]), say=_silent)


def test_a_run_that_fails_keeps_no_other_from_being_run(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(recipe: Recipe, *, resume: bool, say: Callable[[str], None]) -> Path:
        if recipe.model.get("loss") == "focal" or resume:
            raise HeadcountError("The loss is no longer finite.")
        return train(recipe, resume=resume, say=say)

    train = study_run.train
    monkeypatch.setattr(study_run, "train", fail)
    options = StudyOptions(output=tmp_path, steps=1, images=1, seeds=1)
    state, failed = run_study(study, "small", options, say=_silent)
    assert [one.name for one in failed] == ["tiny-focal-seed1"]
    assert [one.name for one in state.runs] == ["tiny-seed1"]
    with pytest.raises(HeadcountError, match="no longer finite"):  # nothing else is there to run
        run_study(
            replace(study, scales={"small": replace(study.scale("small"), arms=study.scale("small").arms[:1])}),
            "small", options, say=_silent,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"changes": ["initialisation=gone.safetensors"]}, ['no initialisation "gone.safetensors"']),
        ({"only": ["tinny"]}, ['no "tinny"', 'Did you mean "tiny"']),
        ({"sources": {"boxs": "x"}}, ['"boxs"', "nothing of this study learns", 'Did you mean "boxes"']),
        ({"changes": ["seed=4"]}, ['"seed" of each run itself']),
        ({"changes": ["output=elsewhere"]}, ['"output" of each run itself']),
        ({"resume": True}, ["no study", "to resume"]),
        ({"changes": ["bach=1"]}, ['no key "bach"']),
        ({"sources": {"boxes": "gone.csv"}}, ["gone.csv"]),
    ],
)
def test_what_is_not_there_is_named_before_anything_is_done(
    study: Study, tmp_path: Path, options: dict, words: list[str]
) -> None:
    with pytest.raises(InputError) as caught:
        run_study(study, "small", StudyOptions(output=tmp_path / "out", **options), say=_silent)
    for word in words:
        assert word in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_damaged_or_other_study_is_refused(study: Study, tmp_path: Path) -> None:
    (tmp_path / STATE).write_text("{")
    with pytest.raises(InputError, match="is damaged"):
        run_study(study, "small", StudyOptions(output=tmp_path), say=_silent)
    (tmp_path / STATE).write_text(json.dumps({"study": "other", "scale": "small"}))
    with pytest.raises(InputError, match='holds the study "other"'):
        run_study(study, "small", StudyOptions(output=tmp_path), say=_silent)
    with pytest.raises(InputError, match='no scale "smal"'):
        run_study(study, "smal", StudyOptions(output=tmp_path), say=_silent)
