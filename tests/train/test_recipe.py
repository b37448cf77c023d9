"""Recipes: typed, overridden by key, and every mistake named."""

from __future__ import annotations

import json
import re
from collections import Counter
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import torch

from headcount.core.card import OutputSpec
from headcount.core.errors import InputError
from headcount.data.sets.catalogue import CATALOGUE
from headcount.decode.instance import InstanceDecoderSettings
from headcount.models.instance.iim.foreign import FOREIGN
from headcount.models.instance.iim.method import IimSettings
from headcount.models.table import build_method
from headcount.train import recipe as recipe_module
from headcount.train.recipe import Recipe, load_recipe, published_rows, read_recipe, recipe_path

pytestmark = pytest.mark.slow

_SHALLOW = {"mean", "std", "enlarge", "instances", "largest_half_px", "grad_to_confidence", "threshold_lr_factor",
            "threshold_decays", "decoder"}  # fmt: skip
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
    # What builds no other network is left out, so that each is built once.
    model = {key: value for key, value in recipe.model.items() if key not in _SHALLOW}
    assert _built(recipe.method, json.dumps(model, sort_keys=True))


@cache
def _built(method: str, model: str) -> tuple[OutputSpec, ...]:
    with torch.device("meta"):  # drawing the weights of a large network takes seconds
        return build_method(method, json.loads(model)).outputs


_IIM = [name.removesuffix(".yaml") for name in SHIPPED if name.startswith("iim-")]
_ROWS = {
    ("Table 2", "nwpu-crowd", "test"): 3,
    ("Table 3", "nwpu-crowd", "val"): 6,
    ("Table 4", "shanghaitech-a", "test"): 4,
    ("Table 4", "shanghaitech-b", "test"): 4,
    ("Table 4", "ucf-qnrf", "test"): 4,
    ("Table 4", "fdst", "test"): 4,
    ("Table 5", "nwpu-crowd", "val"): 1,
}


def test_there_is_a_recipe_for_each_row_of_the_tables_on_iim() -> None:
    recipes = [load_recipe(name) for name in _IIM]
    rows = Counter((p.row[:7], p.data, p.split) for recipe in recipes for p in recipe.published)
    assert {key: rows[key] for key in _ROWS} == _ROWS
    for recipe in recipes:
        assert {p.data for p in recipe.published} <= set(recipe.data.sources)
        assert recipe.data.sources.keys() <= CATALOGUE.keys()
        for p in recipe.published:  # F1 is what precision and recall make it, up to rounding
            assert p.f1 == pytest.approx(2 * p.precision * p.recall / (p.precision + p.recall), abs=0.11), p


def test_iim_recipes_differ_in_nothing_but_what_their_rows_do() -> None:
    recipes = {name: load_recipe(name) for name in _IIM}
    trained = {
        json.dumps(r.model_dump(exclude={"name", "summary", "published"}, mode="json")) for r in recipes.values()
    }
    assert len(trained) == len(recipes)
    for name, recipe in recipes.items():
        settings = IimSettings(**recipe.model)
        about = FOREIGN.data[next(iter(recipe.data.sources))]
        assert settings.mean == pytest.approx(about["mean"], abs=1e-6)
        assert settings.std == pytest.approx(about["std"], abs=1e-6)
        assert settings.enlarge == about["enlarge"]
        assert recipe.data.scale == pytest.approx((0.8 * about["enlarge"], 1.2 * about["enlarge"]))
        assert recipe.data.crop_hw == (512, 1024)
        assert settings.largest_half_px == (15 if "qnrf" in name or "jhu" in name else 25)
        assert recipe.batch == (12 if "nwpu" in name else 6)
        assert settings.predictor == ("vgg16_bn_fpn" if "vgg16" in name else "hrnet_w48")
        assert settings.instances == ("points" if "point" in name else "boxes")
        assert ("vgg16" in name) == (recipe.initialisation == "vgg16_bn_imagenet.safetensors")
        encoder = 1e-6 if "hrnet" in name or "paper" in name else 2e-7
        assert recipe.optimiser.lr * settings.threshold_lr_factor == pytest.approx(encoder)


# "Mask Focal Loss…" (Zhong et al.), Tables VI to VIII: MAE and RMSE of SCUT-HEAD A and B, CroHD and GTA_Head.
_MFL_SETS = {"scut-head-a": "VI", "scut-head-b": "VI", "crohd": "VII", "gta-head": "VIII"}
_MFL_TABLES = {
    "CenterNet": ((1.92, 2.94), (2.23, 4.56), (8.11, 10.12), (39.42, 90.80)),
    "CenterNet*": ((1.26, 1.96), (1.78, 3.63), (6.96, 8.72), (35.83, 83.75)),
    "FCOS": ((2.26, 3.38), (2.33, 5.23), (6.87, 8.50), (40.15, 79.11)),
    "FCOS*": ((2.09, 3.05), (2.29, 5.19), (6.32, 8.00), (38.92, 75.50)),
    "FoveaBox": ((1.92, 2.89), (2.52, 4.80), (7.71, 9.77), (34.69, 64.40)),
    "FoveaBox*": ((1.84, 2.80), (2.23, 4.61), (7.46, 9.40), (32.40, 59.66)),
    "RetinaNet": ((2.35, 3.40), (4.04, 8.45), (7.13, 9.17), (48.60, 106.58)),
    "RetinaNet*": ((1.90, 2.71), (2.13, 3.21), (6.26, 8.24), (44.63, 92.61)),
    "YOLOv5": ((2.84, 4.04), (2.52, 5.20), (5.62, 7.10), (67.17, 177.58)),
    "YOLOv5*": ((2.41, 3.53), (2.27, 4.97), (5.07, 6.40), (64.20, 165.78)),
    "Faster R-CNN": ((2.89, 4.14), (2.96, 4.96), (8.88, 11.12)),
    "CSRNet": ((2.46, 3.41), (3.75, 7.85), (5.25, 6.56), (65.20, 92.47)),
    "CANNet": ((2.13, 2.81), (3.32, 6.26), (6.76, 8.12), (60.10, 80.36)),
}
# Tables III to V, on GTA_Head: γ, β, MAE, RMSE.
_MFL_L_M = ((4, 0.25, 36.99, 88.34), (4, 0.375, 37.66, 86.47), (4, 0.5, 37.25, 85.84), (4, 1, 38.66, 89.73))
_MFL_GAMMA = (
    (1, 0, 45.72, 125.01), (2, 0, 38.43, 92.47), (3, 0, 37.65, 94.70), (4, 0, 36.65, 88.87), (5, 0, 36.15, 85.14),
    (6, 0, 36.67, 84.75),
)  # fmt: skip
_MFL_BOTH = (
    (3, 0.3, 37.57, 89.95), (3, 0.5, 38.92, 93.62), (4, 0.3, 36.79, 87.84), (4, 0.5, 35.83, 83.75),
    (4, 0.75, 36.54, 88.74), (4, 1, 37.61, 88.32), (5, 0.3, 36.82, 86.24), (5, 0.5, 36.77, 87.08),
    (5, 1, 36.26, 85.21),
)  # fmt: skip
_MFL = [name.removesuffix(".yaml") for name in SHIPPED if name.startswith("mfl-") and "-small-" not in name]
_MFL_DENSITY = [f"{network}-{data}" for network in ("csrnet", "cannet") for data in _MFL_SETS]


def test_there_is_a_recipe_for_each_row_of_the_tables_on_mask_focal_loss() -> None:
    expected = {
        (f"Table {table}, {name}", data): figures
        for name, columns in _MFL_TABLES.items()
        for (data, table), figures in zip(_MFL_SETS.items(), columns, strict=False)
    }
    expected["Table III, L_h, γ 2, β 4", "gta-head"] = (39.42, 90.80)
    for table, loss, rows in (("III", "L_m", _MFL_L_M), ("IV", "L_m^P1", _MFL_GAMMA), ("V", "L_m^P1", _MFL_BOTH)):
        for gamma, beta, mae, rmse in rows:
            expected[f"Table {table}, {loss}, γ {gamma}, β {beta:g}", "gta-head"] = (mae, rmse)
    recipes = [read_recipe(name) for name in _MFL + _MFL_DENSITY]
    found = Counter((p.row, p.data, p.mae, p.rmse) for recipe in recipes for p in recipe.published)
    assert found == Counter((row, data, *figures) for (row, data), figures in expected.items())
    for recipe in recipes:
        assert {p.data for p in recipe.published} == set(recipe.data.sources), recipe.name
        assert recipe.data.sources.keys() <= CATALOGUE.keys()


def test_mask_focal_loss_recipes_differ_in_nothing_but_what_their_rows_do() -> None:
    recipes = {name: read_recipe(name) for name in _MFL}
    trained = {
        json.dumps(r.model_dump(exclude={"name", "summary", "published"}, mode="json")) for r in recipes.values()
    }
    assert len(trained) == len(recipes)
    for name, recipe in recipes.items():
        assert recipe.initialisation in (None, "none")
        assert recipe.epochs == (30 if recipe.method == "centernet" else 36)
        if name.endswith("-focal"):
            plain = recipes[name.removesuffix("-focal")]
            assert recipe.model == {**plain.model, "loss": "focal"}
            assert recipe.model_copy(update={"model": None, "name": "", "summary": "", "published": ()}) == (
                plain.model_copy(update={"model": None, "name": "", "summary": "", "published": ()})
            )
        elif "ablation" in name:
            parts = dict(zip(("gamma", "beta"), map(float, re.findall(r"-[gb]([\d.]+)", name)), strict=True))
            assert {key: recipe.model[key] for key in parts} == parts
            assert recipe.model["poly_eps"] == ("-p1-" in name)


def test_the_arms_of_the_small_study_differ_in_nothing_but_detector_and_loss() -> None:
    recipes = [read_recipe(name.removesuffix(".yaml")) for name in SHIPPED if name.startswith("mfl-small-")]
    same = [r.model_dump(exclude={"name", "summary", "method", "model"}) for r in recipes]
    assert all(one == same[0] for one in same)
    assert {r.model["backbone"] for r in recipes} == {"efficientnet_lite0"}


# "Mask-aware networks for crowd counting" (Jiang et al.), Tables I to V, the rows that headcount has networks of.
_MAN_A = {
    "Table I, baseline 1": (77.25, 127.21), "Table I, baseline 2": (74.96, 117.72),
    "Table I, solution 1": (87.45, 128.81), "Table I, solution 2": (69.77, 120.61),
    "Table I, solution 3": (76.66, 115.40), "Table I, solution 4": (71.37, 111.91),
    "Table I, solution 5": (65.74, 107.83), "Table II, Baseline 3": (73.66, 120.26),
    "Table II, solution 5": (65.74, 107.83), "Table II, Our model_csr": (61.82, 100.01),
    "IV-D (2), binary cross-entropy": (66.08, 104.69), "Table III, Our method": (65.7, 107.8),
    "Table III, Our model_csr": (61.8, 100.0), "Table II, CSRNet": (68.2, 115.0),
    "Table III, CSRNet": (68.2, 115.0), "Table III, MCNN": (110.2, 173.2),
}  # fmt: skip
_MAN_B = {
    "Table III, Our method": (11.7, 16.4), "Table III, Our model_csr": (8.6, 13.3), "Table III, CSRNet": (10.6, 16.0),
    "Table III, MCNN": (26.4, 41.3),
}  # fmt: skip
_MAN_UCF = {
    "Table IV, Our method": (283.3, 411.6), "Table IV, Our model_csr": (245.4, 349.3),
    "Table IV, CSRNet": (266.1, 397.5), "Table IV, MCNN": (377.6, 509.1),
}  # fmt: skip
_MAN_EXPO = {
    "Table V, Our method": (3.0, 16.7, 11.6, 12.5, 4.1, 9.58),
    "Table V, Our model_csr": (2.2, 11.5, 11.6, 13.9, 2.5, 8.34),
    "Table V, CSRNet": (2.9, 11.5, 8.6, 16.6, 3.4, 8.6),
    "Table V, MCNN": (3.4, 20.6, 12.9, 13.0, 8.1, 11.6),
}
# "Context-Aware Crowd Counting" (Liu et al.): the rows of CANNet in its own paper.
_CAN = {
    "shanghaitech-a": (62.3, 100.0), "shanghaitech-b": (7.8, 12.2), "ucf-cc-50": (212.2, 243.7),
    "worldexpo10": (2.9, 12.0, 10.0, 7.9, 4.3, 7.4),
}  # fmt: skip
_DENSITY = [name.removesuffix(".yaml") for name in SHIPPED if re.match("(man|csrnet|cannet|mcnn)-(?!small)", name)]


def test_there_is_a_recipe_for_each_row_of_the_tables_on_mask_aware_networks() -> None:
    by_data = {"shanghaitech-a": _MAN_A, "shanghaitech-b": _MAN_B, "ucf-cc-50": _MAN_UCF}
    expected = Counter((data, row, *figures) for data, rows in by_data.items() for row, figures in rows.items())
    expected += Counter(("worldexpo10", row, *figures) for row, figures in _MAN_EXPO.items())
    found = Counter()
    for recipe in map(read_recipe, _DENSITY):
        for p in recipe.published:
            figures = (p.mae, p.rmse) if not p.scenes else (*p.scenes.values(), p.mae)
            assert list(p.scenes) in ([], ["S1", "S2", "S3", "S4", "S5"])
            assert p.split == "test"
            if p.row.startswith("Context-Aware"):
                assert (recipe.method, figures) == ("cannet", _CAN[p.data])
            elif recipe.name not in _MFL_DENSITY:
                found[p.data, p.row, *figures] += 1
        data = {name.split("-fold")[0] for name in recipe.data.sources}
        assert {p.data for p in recipe.published} in (data, set()), recipe.name
        assert data <= CATALOGUE.keys()
    assert found == expected
    named = {p.data for name in _DENSITY for p in read_recipe(name).published if p.row.startswith("Context-Aware")}
    assert named == _CAN.keys()


def test_the_mean_of_scenes_is_what_the_paper_prints() -> None:
    scenes = [p for name in _DENSITY for p in read_recipe(name).published if p.scenes]
    assert scenes
    for p in scenes:
        assert p.mae == pytest.approx(sum(p.scenes.values()) / 5, abs=0.03)
        assert p.figures == {"MAE": p.mae, **p.scenes}


@pytest.mark.parametrize("network", ["csrnet", "cannet", "mcnn"])
def test_density_recipes_differ_in_nothing_but_data_and_kernel(network: str) -> None:
    recipes = [read_recipe(name) for name in _DENSITY if name.startswith(network) and not name.endswith("-modern")]
    trained = {json.dumps(r.model_dump(exclude={"name", "summary", "published"}, mode="json")) for r in recipes}
    assert len(trained) == len(recipes) == (4 if network == "mcnn" else 8)
    for recipe in recipes:
        assert recipe.method == network
        assert (recipe.initialisation == "none") == (network == "mcnn")
        assert (recipe.data.crop_hw is None) == (network != "cannet")
        assert recipe.model["initialisation"] == "normal"
        assert recipe.optimiser == recipes[0].optimiser
        assert recipe.data.blank_outside == ("worldexpo10" in recipe.name)
        dense = {"shanghaitech-a", "ucf-cc-50-fold1"} & recipe.data.sources.keys()
        assert (recipe.model["density_sigma"] == "adaptive") == bool(dense), recipe.name


def test_mask_aware_recipes_train_as_the_paper_does() -> None:
    recipes = {name: read_recipe(name) for name in _DENSITY if name.startswith("man-") and name != "man-modern"}
    trained = {
        json.dumps(r.model_dump(exclude={"name", "summary", "published"}, mode="json")) for r in recipes.values()
    }
    assert len(trained) == len(recipes)
    for name, recipe in recipes.items():
        optimiser, data, is_vgg = recipe.optimiser, recipe.data, name.endswith("-csr")
        assert (optimiser.lr, optimiser.step_epochs, optimiser.step_factor, recipe.ema) == (1e-5, 20, 0.1, None)
        assert (data.scale, data.colour, data.gray, recipe.model["initialisation"]) == ((1, 1), 0, 0, "normal")
        assert data.blank_outside == ("worldexpo10" in name)
        if is_vgg:  # SGD where images are of several sizes, else Adam
            mixed = "-a-" in name or "ucf" in name
            assert (data.crop_hw, data.mirror, recipe.model["backbone"]) == (None, False, "vgg16")
            assert (optimiser.name, recipe.batch) == (("sgd", 1) if mixed else ("adam", 4))
            assert optimiser.then_sgd_after_epoch is None
        else:
            assert (data.crop_hw, data.mirror, recipe.model["backbone"]) == ((160, 192), True, "light")
            assert (optimiser.name, optimiser.then_sgd_after_epoch, optimiser.momentum) == ("adam", 10, 0.9)
        crops = recipe.batch * recipe.steps_per_epoch
        images = {"shanghaitech-a": 240, "shanghaitech-b": 320, "ucf-cc-50-fold1": 32}.get(*data.sources)
        if images:
            assert crops / images == (1 if is_vgg else 60 if "ucf" in name else 200)


def test_a_recipe_holds_what_differs_from_its_base(tmp_path: Path) -> None:
    (tmp_path / "root.yaml").write_text(
        "name: root\nsummary: of root\npublished: [{row: Table 1, data: x, split: test, f1: 50}]\n"
        "batch: 3\nmodel: {width: 16, blocks: [1, 2]}\ndata: {sources: {a: b}, crop: 64}\n"
        "optimiser: {lr: 1, momentum: 0.5}\n"
    )
    (tmp_path / "middle.yaml").write_text("name: middle\nbase: root\ndata: {sources: {c: d}}\noptimiser: {lr: 2}\n")
    recipe = load_recipe(_recipe(tmp_path, "name: mine\nbase: middle.yaml\nmodel: {blocks: [4]}\n"), ["batch=5"])
    assert recipe.model == {"width": 16, "blocks": [4]}
    assert (recipe.data.sources, recipe.data.crop) == ({"c": "d"}, 64)
    assert (recipe.optimiser.lr, recipe.optimiser.momentum, recipe.batch) == (2, 0.5, 5)
    assert (recipe.summary, recipe.published) == ("", ())
    assert load_recipe(str(tmp_path / "root.yaml")).published[0].f1 == 50


def test_a_users_recipe_may_start_from_a_shipped_one(tmp_path: Path) -> None:
    recipe = load_recipe(_recipe(tmp_path, "name: mine\nbase: headcount-s\nbatch: 2\n"))
    assert recipe == load_recipe("headcount-s").model_copy(update={"name": "mine", "batch": 2, "summary": ""})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: mine\nbase: mine\n", ['mine.yaml" starts from itself (mine → mine)']),
        ("name: mine\nbase: other\n", ['starts from itself (mine → other → mine): take out one "base"']),
        ("name: mine\nbase: headcont-s\n", ['mine.yaml" starts from "headcont-s"', 'Did you mean "headcount-s"']),
        ("name: mine\nbase: [a, b]\n", ['"base" must name one recipe']),
        ("name: mine\nbase:\n", ['"base" must name one recipe']),
        ("base: headcount-s\n", ['"name" is missing']),
        ("name: mine\nbase: headcount-s\nmodel: {widht: 3}\n", ['no key "model.widht"']),
    ],
)
def test_a_wrong_base_is_named(tmp_path: Path, text: str, words: list[str]) -> None:
    (tmp_path / "other.yaml").write_text("name: other\nbase: mine.yaml\n")
    with pytest.raises(InputError) as caught:
        load_recipe(_recipe(tmp_path, text))
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("override", "read"),
    [
        ("batch=3", lambda r: r.batch == 3),
        ("optimiser.lr=1e-3", lambda r: r.optimiser.lr == 1e-3),
        ("optimiser.then_sgd_after_epoch=null", lambda r: r.optimiser.then_sgd_after_epoch is None),
        ("data.mirror=false", lambda r: r.data.mirror is False),
        ("data.crop=96", lambda r: r.data.crop_hw == (96, 96)),
        ("data.crop=whole", lambda r: (r.data.crop, r.data.crop_hw) == ("whole", None)),
        ("data.crop=[512, 1024]", lambda r: r.data.crop_hw == (512, 1024)),
        ("data.jpeg_quality=[20, 30]", lambda r: r.data.jpeg_quality == (20, 30)),
        ("data.min_context=200", lambda r: r.data.min_context == 200),
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


def test_numbers_among_the_options_of_a_model_are_numbers(tmp_path: Path) -> None:
    """They go into the card of what is trained, which tells them again."""
    overrides = ["model.width=24", "model.density.scale=1e-3", "model.neck=2x"]
    model = load_recipe(_recipe(tmp_path), overrides[:1]).model
    assert model["width"] == 24
    assert type(model["width"]) is int
    values: dict[str, Any] = {}
    for override in overrides:
        recipe_module._override(values, override)
    assert values == {"model": {"width": 24, "density": {"scale": 0.001}, "neck": "2x"}}


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
        ("batch=many", ["\"batch\" is 'many'", "a whole number"]),
        ("batch=0", ["\"batch\" is '0'", "of at least 1"]),
        ("optimiser.lr=-1", ['"optimiser.lr"', "above 0"]),
        ("optimiser.schedule=cosin", ["\"optimiser.schedule\" is 'cosin'", "cosine"]),
        ("data.scale=[0.5]", ['"data.scale']),
        ("data.scale=[0, 1]", ['"data.scale"', "above 0"]),
        ("data.scale=[2, 1]", ['"data.scale"', "smallest, largest"]),
        ("data.mirror=perhaps", ['"data.mirror"', "true or false"]),
        ("data.crop=16", ["\"data.crop\" is '16'", "at least 32 pixels"]),
        ("data.crop=[512]", ['"data.crop']),
        ("data.crop=wide", ["\"data.crop\" is 'wide'", "a whole number"]),
        ("data.crop=[512, 8]", ['"data.crop" is [512, 8]', "[height, width]", "at least 32 pixels"]),
        ("data.min_context=1000", ['"data.min_context"', "a crop of 320 pixels never shows so many"]),
        ("data.blur=2", ['"data.blur"', "of at most 1"]),
        ("data.noise_std=[3, 1]", ['"data.noise_std"', "smallest, largest"]),
        ("data.jpeg_quality=[0, 50]", ['"data.jpeg_quality']),
        ("data.workers=0", ['"data.workers"', "of at least 1"]),
        ("method=mask_awar", ['no method "mask_awar"', '"mask_aware"']),
        ("batch", ["key=value"]),
        ("=3", ["key=value"]),
        ("data.scale=[1]", ['"data.scale" is [1]', "one value more"]),
        ("data.scale=[1, 2, 3]", ["a list of at most 2 values"]),
        ("data=5", ['"data" is', "a table of keys and values"]),
        ("name=a/b", ['letters, digits, ".", "_" and "-" alone']),
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
        ("", ["is no recipe", '"batch: 8"']),
        ("- a\n- b\n", ["is no recipe"]),
        ("name: [\n", ["line 2", "no valid YAML"]),
        ("name: " + "[" * 1000, ["nested too deeply"]),
        ("name: 2001-13-45\n", ["is no recipe"]),
        ("name: x\nmethod: [" + "a, " * 1000 + "]\n", ['"method" is [', "...]"]),
        ("batch: 3\n", ['"name" is missing']),
        ("name: x\nbatch: 3\nbatch: 4\n", ["line 3: 'batch' stands there twice"]),
        ("name: x\ndata: {crop: 64, workers: 1, crop: 96}\n", ["line 2: 'crop'"]),
        ("name: x\ndata:\n  croop: 3\n", ['"data.croop"', '"crop"']),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, text: str, words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        load_recipe(_recipe(tmp_path, text))
    for word in ["mine.yaml", *words]:
        assert word in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_recipe_is_read_as_editors_write_it(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "mine.yaml").write_text("name: mine\r\nsummary: Köpfe\r\n", encoding=encoding)
    assert load_recipe(str(tmp_path / "mine.yaml")).summary == "Köpfe"


def test_an_unknown_recipe_names_the_nearest() -> None:
    with pytest.raises(InputError, match=r'no recipe "headcont-s".*"headcount-s"'):
        recipe_path("headcont-s")


@pytest.mark.parametrize(
    ("override", "key", "words"),
    [
        ("model.backbone_options.frozen_stages=two", "model.backbone_options.frozen_stages", "a whole number"),
        ("model.backbone_options.strids=[8]", "model.backbone_options.strids", '"strides"'),
        ("model.backbone_options.strides=[]", "model.backbone_options.strides", "at least 1 value"),
        ("model.density_sigma=adaptve", "model.density_sigma", "'adaptive'"),
        ("model.density_sigma=0", "model.density_sigma", "above 0"),
        ("model.kernel_size=4", "model.kernel_size", "odd"),
        ("model.mean=[0.5]", "model.mean", "each channel"),
        ("model.blocks=[0]", "model.blocks.0", "of at least 1"),
        ("optimiser.lr=inf", "optimiser.lr", "finite"),
        ("optimiser.then_sgd_after_epoch=-3", "optimiser.then_sgd_after_epoch", "of at least 0"),
        ("data.shares.painted=-1", "data.shares.painted", "of at least 0"),
        ("data.head_px=[9,3]", "data.head_px", "smallest, largest"),
        ("data.validation_images=0", "data.validation_images", "of at least 1"),
        ("seed=99999999999999999999999", "seed", "below"),
        ("output=", "output", "at least 1 letter"),
    ],
)
def test_a_wrong_value_names_its_key(override: str, key: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        load_recipe("headcount-s-crowds", [override])
    assert f'"{key}"' in str(caught.value)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("overrides", "origin"),
    [
        (["batch=0"], "batch=0"),
        (["optimiser={lr: -1}"], "optimiser={lr: -1}"),
        (["batch=0", "batch=-1"], "batch=-1"),
        (["model.width=wide"], "model.width=wide"),
        (["seed=4"], "mine.yaml"),
    ],
)
def test_a_mistake_is_told_of_where_it_was_written(tmp_path: Path, overrides: list[str], origin: str) -> None:
    text = "name: mine\nprecision: fp99\n" if origin == "mine.yaml" else "name: mine\n"
    with pytest.raises(InputError) as caught:
        load_recipe(_recipe(tmp_path, text), overrides)
    place = _recipe(tmp_path, text) if origin == "mine.yaml" else origin
    assert str(caught.value).startswith(f'"{place}": ')


def test_published_rows_are_told(tmp_path: Path) -> None:
    rows = published_rows("iim-nwpu-hrnet-box")
    assert [(row.data, row.split) for row in rows] == [("nwpu-crowd", "val"), ("nwpu-crowd", "test")]
    assert rows[0].figures == {
        "F1": 80.2, "precision": 84.1, "recall": 76.6, "MAE": 55.6, "RMSE": 330.9, "NAE": 0.197,
    }  # fmt: skip
    assert list(published_rows("iim-fdst-vgg16-box")[0].figures) == ["F1", "precision", "recall"]
    assert published_rows(_recipe(tmp_path)) == ()


def test_a_setting_of_the_decoder_is_the_methods_own(tmp_path: Path) -> None:
    text = "name: mine\nmethod: iim\nmodel: {threshold: fixed, decoder: {threshold: 0.8}}\n"
    recipe = load_recipe(_recipe(tmp_path, text), ["model.decoder.min_area_px=5"])
    assert IimSettings(**recipe.model).decoder.model_dump() == {
        **InstanceDecoderSettings().model_dump(), "threshold": 0.8, "min_area_px": 5.0,
    }  # fmt: skip
    with pytest.raises(InputError, match=r'no key "model\.decoder\.treshold".*"threshold"'):
        load_recipe(_recipe(tmp_path, text), ["model.decoder.treshold=0.5"])
    with pytest.raises(InputError, match=r'"model\.decoder\.threshold" is .*below 1'):
        load_recipe(_recipe(tmp_path, text), ["model.decoder.threshold=1"])
