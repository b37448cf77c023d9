"""A study of two stages on painted scenes: the second varies what the first found best, wherever it was cut off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from PIL import Image

from headcount.core.errors import HeadcountError, InputError
from headcount.core.scene import Scene
from headcount.train import pools
from headcount.train.recipe import Recipe
from headcount.train.studies import run as study_run
from headcount.train.studies.report import markdown, table
from headcount.train.studies.run import StudyOptions, run_study
from headcount.train.studies.second import best_arm
from headcount.train.studies.state import State
from headcount.train.studies.study import Arm, Scale, SecondStage, Study, Variation

PaintBoxes = Callable[[Path, tuple[int, int]], Path]
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("threads_kept")]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, painted_boxes: PaintBoxes) -> Path:
    """A folder with a few painted crowds, and recipes that learn from them."""
    folder = tmp_path_factory.mktemp("stages")
    boxes = painted_boxes(folder, (96, 64))
    base = {
        "name": "solution5", "method": "mask_aware",
        "model": {
            "variant": "solution5", "backbone": "test_efficientnet", "width": 8, "density_activation": "softplus",
            "density_loss": "blocks", "backbone_options": {"strides": [8]},
        },
        "data": {"sources": {"boxes": str(boxes)}, "crop": 64, "held_out": 3, "workers": 1},
        "optimiser": {"lr": 0.01, "warmup_steps": 1}, "batch": 2, "steps_per_epoch": 2, "epochs": 1,
        "threads": 1, "device": "cpu", "checkpoint_seconds": 1e9, "log_steps": 1,
    }  # fmt: skip
    (folder / "solution5.yaml").write_text(yaml.safe_dump(base))
    (folder / "solution2.yaml").write_text("name: solution2\nbase: solution5\nmodel: {variant: solution2}\n")
    (folder / "baseline1.yaml").write_text("name: baseline1\nbase: solution5\nmodel: {variant: baseline1}\n")
    return folder


@pytest.fixture(scope="module")
def study(place: Path) -> Study:
    arms = tuple(
        Arm(recipe=str(place / f"{name}.yaml"), group="Masks", variant=name, is_extra=name == "solution2")
        for name in ("baseline1", "solution2", "solution5")
    )
    then = SecondStage(
        group="losses", among=("baseline1", "solution2", "solution5"), seeds=1,
        variations={
            "blocks": Variation(), "mse": Variation(changes=("model.density_loss=mse",)),
            "mask focal": Variation(changes=("model.mask_gamma=2",), needs=("solution2",)),
        },
    )  # fmt: skip
    scales = {"small": Scale(arms=arms, split="val", then=then)}
    figures = ("MAE", "RMSE", "1–10", "11–50", "51–100")
    return Study(name="test", title="A test", scales=scales, baseline="baseline1", figures=figures)


def _silent(text: str) -> None:
    pass


@pytest.fixture(scope="module")
def whole(study: Study, tmp_path_factory: pytest.TempPathFactory) -> tuple[State, Path, list[str]]:
    folder, told = tmp_path_factory.mktemp("whole"), list[str]()
    state, failed = run_study(study, "small", StudyOptions(output=folder), say=told.append)
    assert failed == []
    return state, folder, told


def test_the_second_stage_varies_what_errs_least_on_the_held_out_images(
    study: Study, whole: tuple[State, Path, list[str]]
) -> None:
    state, folder, told = whole
    first = {one.arm: one.held_out["boxes"] for one in state.runs if one.arm in ("baseline1", "solution5")}
    best = min(first, key=lambda name: first[name])
    assert [one.name for one in state.runs] == ["baseline1-seed1", "solution5-seed1", f"{best}-mse-seed1"]
    changed = state.runs[-1].recipe["model"]
    assert changed == {**state.runs[0].recipe["model"], "variant": best, "density_loss": "mse"}
    assert any(text.startswith(f"Losses: on {best}, which errs least") for text in told)
    assert any("mask focal is left out" in text for text in told)
    assert f"Run 1 of 2, {best}-seed1: done before." in told
    lines = table(state, study)
    assert max(map(len, lines)) <= 80
    shown = [line.split() for line in lines]
    assert [row[0] for row in shown if row and row[0] in ("baseline1", "solution5", "blocks", "mse")] == [
        "baseline1", "solution5", "blocks", "mse",
    ]  # fmt: skip
    assert f"  Losses on {best}" in lines
    assert state.runs[0].results["boxes"].figures.keys() == {"MAE", "RMSE", "1–10"}
    assert (folder / "study.md").read_text("utf-8") == markdown(state, study)
    pictures = sorted(path.name for path in (folder / "pictures").iterdir())
    assert len(pictures) == 4
    assert {name.partition("-boxes")[0].split("-on-")[0].split("-")[0] for name in pictures} == {"losses", "masks"}


def test_cut_off_in_the_second_stage_it_goes_on(
    study: Study, whole: tuple[State, Path, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = StudyOptions(output=tmp_path)
    read: list[str] = []

    def read_source(name: str, path: str, split: str, say: Callable[[str], None]) -> list[Scene]:
        read.append(name)
        return pools.read_source(name, path, split, say)

    monkeypatch.setattr(study_run, "read_source", read_source)
    cut = False

    def interrupt(text: str) -> None:
        nonlocal cut
        if "mse-seed1: measured" in text and not cut:
            cut = True
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_study(study, "small", options, say=interrupt)
    assert read == ["boxes"]  # once for both stages, and so is told what of it is left out
    state, _ = run_study(study, "small", replace(options, resume=True), say=interrupt)
    assert cut
    assert read == ["boxes"] * 2
    assert [one.results for one in state.runs] == [one.results for one in whole[0].runs]
    assert table(state, study) == table(whole[0], study)
    assert (tmp_path / "study.md").read_text("utf-8") == (whole[1] / "study.md").read_text("utf-8")
    with pytest.raises(InputError, match='another "batch"'):
        run_study(study, "small", replace(options, changes=["batch=1"]), say=_silent)


def test_a_part_is_run_by_its_name(study: Study, tmp_path: Path) -> None:
    options = StudyOptions(output=tmp_path, steps=1, images=1)
    with pytest.raises(InputError, match=r'best of the first stage, of which "baseline1-seed1" is not done'):
        run_study(study, "small", replace(options, only=["losses"]), say=_silent)
    state, _ = run_study(study, "small", replace(options, only=["baseline1"]), say=_silent)
    assert [one.name for one in state.runs] == ["baseline1-seed1"]
    state, _ = run_study(study, "small", replace(options, only=["masks"]), say=_silent)
    assert [one.name for one in state.runs] == ["baseline1-seed1", "solution5-seed1"]
    state, _ = run_study(study, "small", replace(options, only=["mse"]), say=_silent)
    assert len(state.runs) == 3
    with pytest.raises(InputError, match=r'of which "baseline1-seed2" is not done'):
        run_study(study, "small", replace(options, only=["losses"], seeds=2), say=_silent)
    told: list[str] = []
    before = _pictures(tmp_path, "masks")
    state, _ = run_study(study, "small", replace(options, only=["solution2"]), say=told.append)  # extra: by name alone
    assert state.runs[-1].name == "solution2-seed1"
    assert [text for text in told if text.startswith("wrote")] == [f"wrote {path}" for path in before]
    after = _pictures(tmp_path, "masks")  # with the two that were done before
    assert [height for _, height in after.values()] > [height for _, height in before.values()]
    run_study(study, "small", replace(options, only=["masks"]), say=told.append)
    assert sum(text.startswith("wrote") for text in told) == len(after)
    assert _pictures(tmp_path, "masks") == after
    with pytest.raises(InputError, match=r'no "solution7"\. Did you mean "solution'):
        run_study(study, "small", replace(options, only=["solution7"]), say=_silent)


def _pictures(folder: Path, group: str) -> dict[Path, tuple[int, int]]:
    """The size of each picture of a group."""
    return {path: Image.open(path).size for path in sorted((folder / "pictures").glob(f"{group}-*.png"))}


def test_what_the_second_stage_varies_is_no_setting_of_all_runs(study: Study, tmp_path: Path) -> None:
    for key in ("model.density_loss", "model.mask_gamma", "seed"):
        with pytest.raises(InputError, match=f'sets "{key}" of each run itself'):
            run_study(study, "small", StudyOptions(output=tmp_path / "none", changes=[f"{key}=1"]), say=_silent)
    assert not (tmp_path / "none").exists()


def test_an_arm_that_fails_is_not_chosen(study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(recipe: Recipe, *, resume: bool, say: object) -> Path:
        if recipe.model["variant"] == "solution5":
            raise HeadcountError("The loss is no longer finite.")
        return train(recipe, resume=resume, say=_silent)

    train = study_run.train
    monkeypatch.setattr(study_run, "train", fail)
    state, failed = run_study(study, "small", StudyOptions(output=tmp_path, steps=1, images=1), say=_silent)
    assert [one.name for one in failed] == ["solution5-seed1"]
    assert [one.name for one in state.runs] == ["baseline1-seed1", "baseline1-mse-seed1"]
    chosen = best_arm(study.scale("small"), state, state.runs)
    assert chosen is not None
    assert chosen.variant == "baseline1"
