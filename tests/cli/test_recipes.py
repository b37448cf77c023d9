"""`headcount recipes`: the list, and all of one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from headcount.core import table
from headcount.train.recipe import read_recipe, shipped_recipes

RunCli = Callable[..., tuple[int, str, str]]


def test_every_recipe_is_listed_with_its_rows(run_cli: RunCli) -> None:
    code, out, err = run_cli("recipes")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert max(map(len, lines)) <= 80
    named = [line.split()[0] for line in lines[1:] if line.startswith("  ") and line[2] not in ' "']
    assert [name for name in named if name in shipped_recipes()] == shipped_recipes()
    at = next(i for i, line in enumerate(lines) if line.startswith("  iim-nwpu-hrnet-box "))
    assert lines[at].split(maxsplit=2)[1:] == ["155,400", "Table 3, row 6"]
    assert lines[at + 1].strip() == "Table 2, IIM, HRNet, Box"


def _settings(out: str) -> dict:
    return yaml.safe_load(out.partition("settings:\n")[2])


def test_one_is_told_with_its_merged_settings_and_figures(run_cli: RunCli) -> None:
    code, out, err = run_cli("recipes", "iim-fdst-vgg16-box", "seed=7")
    assert (code, err) == (0, "")
    told = " ".join(out.split())
    assert "published: Table 4, IIM, VGG-16, Box (fdst test): F1 93.1 %, precision 92.7 %, recall 93.5 %" in told
    assert "cost: 1,000 epochs of 1,350 steps, 1,350,000 steps of 6 crops of 1024×512 pixels" in told
    settings = _settings(out)
    assert settings["data"]["crop"] == [512, 1024]  # of its base
    assert settings["model"]["predictor"] == "vgg16_bn_fpn"
    assert settings["seed"] == 7


def test_one_of_whole_images_and_of_scenes_is_told(run_cli: RunCli) -> None:
    code, out, _ = run_cli("recipes", "man-worldexpo10-csr")
    assert code == 0
    told = " ".join(out.split())
    assert "MAE 8.34, S1 2.2, S2 11.5, S3 11.6, S4 13.9, S5 2.5" in told
    assert "40,560 steps of 4 whole images;" in told
    assert (_settings(out)["data"]["crop"], _settings(out)["data"]["blank_outside"]) == ("whole", True)


def test_what_it_tells_is_a_recipe(run_cli: RunCli, tmp_path: Path) -> None:
    _, out, _ = run_cli("recipes", "table5-small-cross")
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"name": "mine", **_settings(out)}))
    mine, theirs = read_recipe(str(tmp_path / "mine.yaml")), read_recipe("table5-small-cross")
    assert mine.model_copy(update={"name": "x", "model": {}}) == theirs.model_copy(
        update={"name": "x", "model": {}, "summary": "", "published": ()}
    )
    assert mine.model.items() >= theirs.model.items()


def test_a_light_install_tells_all_but_what_takes_torch(run_cli: RunCli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "is_installed", lambda package: False)
    code, out, _ = run_cli("recipes", "headcount-s")
    assert code == 0
    assert "parameters" not in out
    assert _settings(out)["model"] == read_recipe("headcount-s").model


def test_an_unknown_one_names_the_nearest(run_cli: RunCli) -> None:
    code, _, err = run_cli("recipes", "headcont-s")
    assert code == 2
    assert 'Did you mean "headcount-s"' in err


def test_what_is_wrong_with_a_recipe_is_told_before_training_is_loaded(tmp_path: Path) -> None:
    """Which takes seconds: in a process of its own, as others have loaded it here."""
    pytest.importorskip("torch", reason="training is in the train extra")
    code = (
        "import sys; sys.argv[1:] = ['train', 'headcount-s', 'epohcs=3']\n"
        "from headcount.cli.main import main\n"
        "try:\n    main()\nfinally:\n    print(sorted({'lightning', 'tensorboard'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stdout) == (2, "[]\n")
    assert 'Did you mean "epochs"' in done.stderr
