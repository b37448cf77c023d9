"""Cross-validation on painted scenes laid out as UCF_CC_50: five folds, their mean, and a cut in the midst of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from statistics import mean
from typing import Any

import pytest
import yaml
from PIL import Image
from scipy.io import savemat

from headcount.core.errors import InputError
from headcount.synth import paint_scene
from headcount.train.studies.folds import SCALE, cross_validation, fold_table
from headcount.train.studies.run import RUNS, StudyOptions, run_study
from headcount.train.studies.state import State
from headcount.train.studies.study import Study

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("threads_kept")]
RunCli = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with fifty painted crowds and a recipe that learns from them."""
    folder = tmp_path_factory.mktemp("ucf")
    data = folder / "UCF_CC_50"
    data.mkdir()
    for number in range(1, 51):
        painted = paint_scene(number, size_wh=(64, 64), count=1 + number % 7)
        Image.fromarray(painted.pixels()).save(data / f"{number}.jpg")
        savemat(data / f"{number}_ann.mat", {"annPoints": painted.points_xy + 0.5})
    recipe: dict[str, Any] = {
        "name": "tiny", "method": "mask_aware", "model": {"backbone": "test_efficientnet", "width": 8},
        "published": [{"row": "Table IV, tiny", "data": "ucf-cc-50", "split": "test", "mae": 283.3, "rmse": 411.6}],
        "data": {"sources": {"ucf-cc-50-fold1": str(data)}, "crop": 64, "workers": 1, "validation_images": 2},
        "optimiser": {"lr": 0.01, "warmup_steps": 1}, "batch": 2, "steps_per_epoch": 2, "epochs": 1,
        "threads": 1, "device": "cpu", "checkpoint_seconds": 0, "log_steps": 1,
    }  # fmt: skip
    (folder / "tiny.yaml").write_text(yaml.safe_dump(recipe))
    return folder


def _study(place: Path, *changes: str, data: str | None = None) -> Study:
    return cross_validation(str(place / "tiny.yaml"), changes, data)


@pytest.fixture(scope="module")
def whole(place: Path) -> tuple[Path, State]:
    state, failed = run_study(
        _study(place), SCALE, StudyOptions(output=place / "whole"), say=lambda _: None
    )  # fmt: skip
    assert not failed
    return place / "whole", state


def test_each_fold_is_measured_on_ten_images_that_it_knows_nothing_of(whole: tuple[Path, State]) -> None:
    folder, state = whole
    assert [one.variant for one in state.runs] == [f"fold {number}" for number in range(1, 6)]
    for number, one in enumerate(state.runs, 1):
        ((name, result),) = one.results.items()
        assert (name, result.images, one.split) == (f"ucf-cc-50-fold{number}", 10, "test")
        record = json.loads((folder / RUNS / one.name / "images.json").read_text())
        known = {image for role in ("train", "val") for images in record[role].values() for image in images}
        assert len(known) == 34  # 32 to learn from, and two of eight for validation
        tested = {str(image) for image in range(10 * number - 9, 10 * number + 1)}
        assert not tested & {Path(image).stem for image in known}


def test_the_mean_is_that_of_the_folds(place: Path, whole: tuple[Path, State]) -> None:
    folder, state = whole
    lines = fold_table(state, _study(place))
    figures = {
        name: mean(result.figures[name] for one in state.runs for result in one.results.values())
        for name in ("MAE", "RMSE")
    }
    assert lines[0] == "tiny, 5 folds of ucf-cc-50"
    assert lines[-2:] == [
        f"  mean of 5 folds: MAE {figures['MAE']:.1f}, RMSE {figures['RMSE']:.1f}",
        "  Table IV, tiny: MAE 283.3, RMSE 411.6",
    ]
    assert len(lines) == 9
    assert max(map(len, lines)) <= 80
    assert lines[-2].strip() in (folder / "study.md").read_text()
    part = state.model_copy(update={"runs": state.runs[:2]})
    assert fold_table(part, _study(place))[-2].startswith("  mean of 2 of 5 folds: ")
    assert fold_table(State(study="x", scale="folds"), _study(place)) == ["tiny, 5 folds of ucf-cc-50"]


def test_several_seeds_are_told_with_their_spread(place: Path, whole: tuple[Path, State]) -> None:
    state = whole[1]
    worse = []
    for one in state.runs:
        ((name, result),) = one.results.items()
        figures = {figure: value + 2 for figure, value in result.figures.items()}
        worse.append(
            one.model_copy(update={"seed": 2, "results": {name: result.model_copy(update={"figures": figures})}})
        )
    both = state.model_copy(update={"runs": (*state.runs, *worse)})
    first, line = fold_table(state, _study(place)), fold_table(both, _study(place))[-2]
    mae = mean(result.figures["MAE"] for one in state.runs for result in one.results.values())
    assert line.startswith(f"  mean of 5 folds: MAE {mae + 1:.1f}, ")
    assert line.endswith("(± MAE 1.4, RMSE 1.4 over 2 seeds)")
    assert len(line) <= 80
    assert len(fold_table(both, _study(place))) == len(first)
    # A seed that is not done with all folds has no mean of its own.
    part = state.model_copy(update={"runs": (*state.runs, worse[0])})
    assert "±" not in fold_table(part, _study(place))[-2]


def test_seeds_are_trained_one_after_the_other(place: Path, run_cli: RunCli, tmp_path: Path) -> None:
    code, out, _ = run_cli(
        "cross-validate", place / "tiny.yaml", "--seeds", "2", "--steps", "1", "--output", tmp_path / "two"
    )  # fmt: skip
    assert code == 0
    assert "over 2 seeds" in out
    assert len(State.model_validate_json((tmp_path / "two" / "study.json").read_text()).runs) == 10


def test_cut_off_in_a_fold_it_goes_on_there(
    place: Path, whole: tuple[Path, State], run_cli: RunCli, tmp_path: Path
) -> None:  # fmt: skip
    said: list[str] = []

    def cut(text: str) -> None:
        said.append(text)
        if text.startswith("step 2/") and sum(line.startswith("Run") for line in said) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_study(_study(place), SCALE, StudyOptions(output=tmp_path / "cut"), say=cut)
    assert said[-3].startswith("tiny: 32 ucf-cc-50-fold3 scenes; step 0 of 2")
    code, out, err = run_cli("cross-validate", place / "tiny.yaml", "--output", tmp_path / "cut")
    assert code == 0
    assert err.count("done before") == 2
    assert "step 1 of 2" in err
    state = State.model_validate_json((tmp_path / "cut" / "study.json").read_text())
    assert [one.results for one in state.runs] == [one.results for one in whole[1].runs]
    assert out.splitlines()[:-1] == fold_table(state, _study(place))


def test_where_the_data_lies_may_be_said_in_three_ways(place: Path) -> None:
    there = place / "UCF_CC_50"
    for study in (
        _study(place), _study(place, data=f"ucf-cc-50={there}"), _study(place, data=f"ucf-cc-50-fold1={there}"),
        _study(place, f"data.sources.ucf-cc-50-fold1={there}"),
    ):  # fmt: skip
        arms = study.scale(SCALE).arms
        assert [json.loads(arm.changes[0].partition("=")[2]) for arm in arms] == [
            {f"ucf-cc-50-fold{number}": str(there)} for number in range(1, 6)
        ]


@pytest.mark.parametrize(
    ("changes", "data", "words"),
    [
        (["data.sources={points: a.csv}"], None, r"learns from points, but .* read by folds: ucf-cc-50-fold1\."),
        (["data.sources={}"], None, "learns from no data set, but"),
        (["data.sources={ucf-cc-50-fold1: a, ucf-cc-50-fold2: a}"], None, "learns from ucf-cc-50-fold1, ucf-cc-50-"),
        ([], "shanghaitech-a=x", r'"shanghaitech-a=x" is not the data .* write ucf-cc-50=PATH\.'),
        ([], "ucf-cc-50", r"write ucf-cc-50=PATH\.$"),
    ],
)
def test_what_has_no_folds_is_told(place: Path, changes: list[str], data: str | None, words: str) -> None:
    with pytest.raises(InputError, match=words):
        _study(place, *changes, data=data)


def test_the_recipes_of_ucf_cc_50_are_all_for_it() -> None:
    for name in ("man-ucf-cc-50-solution5", "man-ucf-cc-50-csr", "csrnet-ucf-cc-50", "cannet-ucf-cc-50"):
        study = cross_validation(name)
        assert [arm.name for arm in study.scale(SCALE).arms] == [f"{name}-fold-{number}" for number in range(1, 6)]
