"""The model card of a recipe."""

from __future__ import annotations

import json

from headcount.core.card import ModelCard
from headcount.models.method import Method
from headcount.models.reach import tile_of
from headcount.train.recipe import Recipe


def card_of(recipe: Recipe, method: Method) -> ModelCard:
    """The card of a recipe's model, before anything is measured."""
    return ModelCard(
        name=recipe.name,
        summary=recipe.summary,
        task=method.task,
        method=recipe.method,
        architecture=json.loads(json.dumps(recipe.model)),
        input=method.input_spec,
        outputs=method.outputs,
        decoder=method.decoder,
        tile=tile_of(method),
        parameters=sum(parameter.numel() for parameter in method.parameters()),
        initialisation=recipe.initialisation_note,
        recipe=recipe.name,
        seed=recipe.seed,
    )
