"""Recipes: typed, overridden by key, and every mistake named."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest

from headcount.core.errors import InputError
from headcount.models.method import build_method
from headcount.train.settings import Recipe, load_recipe, recipe_path

SHIPPED = sorted(p.name for p in (resources.files("headcount") / "recipes").iterdir() if p.name.endswith(".yaml"))


def _recipe(tmp_path: Path, text: str = "name: mine\n") -> str:
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    return str(tmp_path / "mine.yaml")


def test_the_shortest_recipe_has_only_a_name(tmp_path: Path) -> None:
    recipe = load_recipe(_recipe(tmp_path))
    assert recipe == Recipe(name="mine")
    assert recipe.folder == Path("runs/mine")
    assert recipe.total_steps == recipe.epochs * recipe.steps_per_epoch


@pytest.mark.parametrize("file", SHIPPED)
def test_every_shipped_recipe_loads_and_builds(file: str) -> None:
    recipe = load_recipe(file.removesuffix(".yaml"))
    assert recipe.name == file.removesuffix(".yaml")
    assert recipe == load_recipe(file)
    method = build_method(recipe.method, recipe.model)
    assert method.outputs


@pytest.mark.parametrize(
    ("override", "read"),
    [
        ("batch=3", lambda r: r.batch == 3),
        ("optimiser.lr=1e-3", lambda r: r.optimiser.lr == 1e-3),
        ("optimiser.then_sgd_after_epoch=null", lambda r: r.optimiser.then_sgd_after_epoch is None),
        ("data.mirror=false", lambda r: r.data.mirror is False),
        ("data.scale=[0.5, 2]", lambda r: r.data.scale == (0.5, 2.0)),
        ("data.sources.points=/a b/c=d.csv", lambda r: r.data.sources == {"points": "/a b/c=d.csv"}),
        ("data.shares={painted: 0.5}", lambda r: r.data.shares == {"painted": 0.5}),
        ("model.blocks=[1,2]", lambda r: r.model["blocks"] == [1, 2]),
        ("model.backbone_options.strides=[8]", lambda r: r.model["backbone_options"] == {"strides": [8]}),
        ("output=out/{name}/{x}", lambda r: r.folder == Path("out/mine/{x}")),
        ("summary=", lambda r: r.summary == ""),
    ],
)
def test_overrides_reach_every_depth(tmp_path: Path, override: str, read: object) -> None:
    assert read(load_recipe(_recipe(tmp_path), [override]))  # type: ignore[operator]


def test_an_override_replaces_what_the_file_says_and_the_last_one_holds(tmp_path: Path) -> None:
    path = _recipe(tmp_path, "name: mine\nbatch: 2\noptimiser: {lr: 1.0, momentum: 0.5}\n")
    recipe = load_recipe(path, ["batch=3", "batch=4", "optimiser.lr=2"])
    assert (recipe.batch, recipe.optimiser.lr, recipe.optimiser.momentum) == (4, 2.0, 0.5)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("bach=3", ['no key "bach"', 'Did you mean "batch"']),
        ("optimiser.lrr=3", ['no key "optimiser.lrr"', 'Did you mean "lr"']),
        ("optimizer.lr=3", ['no key "optimizer"', 'Did you mean "optimiser"']),
        ("data.crops=3", ['no key "data.crops"', 'Did you mean "crop"']),
        ("model.widht=3", ['no key "model.widht"', 'Did you mean "width"']),
        ("model.variant=solution6", ["\"model.variant\" is 'solution6'"]),
        ("batch=many", ["\"batch\" is 'many'", "integer"]),
        ("batch=0", ["\"batch\" is '0'", "greater than or equal to 1"]),
        ("optimiser.lr=-1", ['"optimiser.lr"', "greater than 0"]),
        ("optimiser.schedule=cosin", ["\"optimiser.schedule\" is 'cosin'", "cosine"]),
        ("data.scale=[0.5]", ['"data.scale']),
        ("data.scale=[0, 1]", ['"data.scale"', "above 0"]),
        ("data.scale=[2, 1]", ['"data.scale"', "smallest, largest"]),
        ("data.mirror=perhaps", ['"data.mirror"', "boolean"]),
        ("method=mask_awar", ['"mask_awar" is no method', '"mask_aware"']),
        ("batch", ["key=value"]),
        ("=3", ["key=value"]),
        ("name.first=3", ['"name" has no keys below it']),
        ("data.scale=[1,", ["data.scale=[1,", "is none"]),
        ("seed=-1", ['"seed"']),
    ],
)
def test_a_wrong_key_or_value_is_named(tmp_path: Path, override: str, words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        load_recipe(_recipe(tmp_path), [override])
    for word in words:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["NoneType"]),
        ("- a\n- b\n", ["list"]),
        ("name: [\n", ["no YAML"]),
        ("batch: 3\n", ['"name" is missing']),
        ("name: x\ndata:\n  croop: 3\n", ['"data.croop"', '"crop"']),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, text: str, words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        load_recipe(_recipe(tmp_path, text))
    for word in ["mine.yaml", *words]:
        assert word in str(caught.value)


def test_an_unknown_recipe_names_the_nearest() -> None:
    with pytest.raises(InputError, match=r'no recipe "headcont-s".*"headcount-s"'):
        recipe_path("headcont-s")


@pytest.mark.parametrize(
    ("override", "key", "words"),
    [
        ("model.backbone_options.frozen_stages=two", "model.backbone_options.frozen_stages", "valid integer"),
        ("model.backbone_options.strids=[8]", "model.backbone_options.strids", '"strides"'),
        ("model.backbone_options.strides=[]", "model.backbone_options.strides", "at least 1"),
        ("model.density_sigma=adaptve", "model.density_sigma", "'adaptive'"),
        ("model.density_sigma=0", "model.density_sigma", "greater than 0"),
        ("model.kernel_size=4", "model.kernel_size", "odd"),
        ("model.mean=[0.5]", "model.mean", "each channel"),
        ("model.blocks=[0]", "model.blocks.0", "greater than or equal to 1"),
        ("optimiser.lr=inf", "optimiser.lr", "finite"),
        ("optimiser.then_sgd_after_epoch=-3", "optimiser.then_sgd_after_epoch", "greater than"),
        ("data.shares.painted=-1", "data.shares.painted", "greater than"),
        ("seed=99999999999999999999999", "seed", "less than"),
        ("output=", "output", "at least 1"),
    ],
)
def test_a_wrong_value_names_its_key(override: str, key: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        load_recipe("headcount-s", [override])
    assert f'"{key}"' in str(caught.value)
    assert words in str(caught.value)
