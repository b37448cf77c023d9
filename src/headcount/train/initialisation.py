"""The weights that a run starts from."""

from __future__ import annotations

from pathlib import Path

from headcount.core.card import ModelCard
from headcount.core.errors import InputError, ModelError
from headcount.core.files import is_file
from headcount.infer.models import check_weights, find_model, shipped_models
from headcount.train.recipe import shipped_recipes


def initial_weights(initialisation: str) -> Path:
    """The file of a shipped model's name, or the path itself.

    Raises:
        InputError: there is no such file; where it comes from is said as far as that is known.
        ModelError: it is not the file that the model card beside it was written for.
    """
    if initialisation in shipped_models():
        found = find_model(initialisation)
        check_weights(found.weights[".safetensors"], found.card)
        return found.weights[".safetensors"]
    path = Path(initialisation).expanduser()
    if is_file(path):
        _verify(path)
        return path
    if path.stem in shipped_models():
        do = f"set initialisation={path.stem} for the shipped model of that name"
    elif path.stem in shipped_recipes():
        do = f'train the recipe "{path.stem}" and export it to that name first'
    else:
        do = "import the published weights of the network to that name first"
    raise InputError(
        f'There is no initialisation "{path}": {do}, name another file with initialisation=FILE, or set '
        "initialisation=none to start from random weights."
    )


def _verify(path: Path) -> None:
    try:
        card = ModelCard.read(path.with_suffix(".json"))
    except ModelError:  # none, or a JSON of another kind
        return
    card.verify(path)
