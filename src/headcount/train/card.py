"""The model card of a network, before anything is measured."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import torch

from headcount.core.card import ModelCard
from headcount.models.method import Method
from headcount.models.reach import tile_of
from headcount.models.table import build_method
from headcount.train.recipe import Recipe


def card_of(recipe: Recipe, method: Method) -> ModelCard:
    """The card of a recipe's model."""
    return method_card(
        recipe.method,
        recipe.model,
        method,
        name=recipe.name,
        summary=recipe.summary,
        initialisation=recipe.initialisation_note,
        recipe=recipe.name,
        seed=recipe.seed,
        blank_outside=recipe.data.blank_outside,
    )


def method_card(method_name: str, options: Mapping[str, Any], method: Method, **fields: Any) -> ModelCard:
    """The card of a method that ``options`` built; ``fields`` are what it does not say itself, its name above all."""
    return ModelCard(
        task=method.task,
        method=method_name,
        architecture=json.loads(json.dumps(options)),
        input=method.input_spec,
        outputs=method.outputs,
        decoder=method.decoder,
        tile=tile_of(method),
        scale=method.scale,
        parameters=_parameters(method),
        **fields,
    )


def parameters_of(recipe: Recipe) -> int:
    """How many numbers a recipe's model learns.

    Raises:
        InputError: the recipe's method is not known, or an option of it.
    """
    with torch.device("meta"):  # drawing the weights of a large network takes seconds
        return _parameters(build_method(recipe.method, recipe.model))


def _parameters(method: Method) -> int:
    return sum(parameter.numel() for parameter in method.parameters())
