"""The torch runtime opens the weights of its card's network, and no others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import headcount
from headcount.core.errors import ModelError
from headcount.models.table import build_method
from headcount.train.card import card_of
from headcount.train.export import write_model
from headcount.train.recipe import Recipe

SMALL: dict[str, Any] = {"backbone": "test_efficientnet", "backbone_options": {"strides": [8, 16, 32]}, "width": 16}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    recipe = Recipe(name="tiny", summary="for tests", model=SMALL, initialisation_note="none")
    torch.manual_seed(1)
    method = build_method(recipe.method, recipe.model).eval()
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    write_model(method, card_of(recipe, method), path)
    return path


def _changed(written: Path, folder: Path, **architecture: object) -> Path:
    """The model with other settings in its card, and no sums in it."""
    card = json.loads(written.with_suffix(".json").read_text(encoding="utf-8"))
    card["architecture"].update(architecture)
    card["sha256"] = {}
    del card["card_sha256"]
    (folder / "tiny.json").write_text(json.dumps(card), encoding="utf-8")
    (folder / "tiny.safetensors").write_bytes(written.read_bytes())
    return folder / "tiny.safetensors"


def test_it_counts(written: Path) -> None:
    assert headcount.load(written).count(np.zeros((64, 64, 3), np.uint8)).runtime == "torch cpu f32"


def test_a_card_cannot_ask_for_a_network_of_any_size(written: Path, tmp_path: Path) -> None:
    path = _changed(written, tmp_path, width=200_000)  # hundreds of gigabytes
    resource = pytest.importorskip("resource", reason="this system does not tell how much memory was used")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ModelError, match="its card describes another network"):
        headcount.load(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # kB


@pytest.mark.parametrize("width", [10**9, 10**30, 0, -1])
def test_a_card_of_no_network_is_named(written: Path, tmp_path: Path, width: int) -> None:
    with pytest.raises(ModelError, match=r"[Cc]ard"):
        headcount.load(_changed(written, tmp_path, width=width))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_weights_that_are_no_numbers_are_refused(written: Path, tmp_path: Path, value: float) -> None:
    path = _changed(written, tmp_path)
    tensors = load_file(path)
    key = next(key for key, tensor in tensors.items() if tensor.ndim == 4)
    tensors[key][0, 0, 0, 0] = value
    save_file(tensors, path)
    with pytest.raises(ModelError, match="not finite numbers"):
        headcount.load(path)
