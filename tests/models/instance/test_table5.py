"""Table 5: three kinds of target, and nothing else that differs."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from headcount.models.instance.predictor import PredictorSettings
from headcount.models.table import build_method
from headcount.train.recipe import Recipe, load_recipe

TRIPLES = [
    ("table5-density", "table5-cross", "iim-nwpu-vgg16-box"),
    ("table5-small-density", "table5-small-cross", "table5-small-instances"),
]


def _shared(recipe: Recipe) -> dict[str, Any]:
    predictor = {key: value for key, value in recipe.model.items() if key in PredictorSettings.model_fields}
    return {**recipe.model_dump(exclude={"name", "summary", "published", "method", "model"}), "predictor": predictor}


@pytest.mark.parametrize("names", TRIPLES, ids=["published", "small"])
def test_the_recipes_differ_in_their_targets_alone(names: tuple[str, str, str]) -> None:
    density, cross, instances = (load_recipe(name) for name in names)
    assert [r.method for r in (density, cross, instances)] == ["gaussian_prior", "raz_loc", "iim"]
    assert _shared(density) == _shared(cross) == _shared(instances)


def test_the_published_rows_are_there() -> None:
    rows = [load_recipe(name).published[-1] for name in TRIPLES[0]]
    assert [row.f1 for row in rows] == [57.5, 64.2, 77.0]
    assert all((row.data, row.split) == ("nwpu-crowd", "val") for row in rows)


def test_one_network_makes_all_three_maps() -> None:
    options = {"predictor": "test_efficientnet", "width": 16, "map_stride": 2}
    logits = []
    for name in ("gaussian_prior", "raz_loc", "iim"):
        torch.manual_seed(3)
        method = build_method(name, options).eval()
        with torch.inference_mode():
            logits.append(method.feature_and_logits(torch.ones(1, 3, 64, 64))[1])
    assert torch.equal(logits[0], logits[1])
    assert torch.equal(logits[0], logits[2])
