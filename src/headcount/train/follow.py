"""What every process of a run does, and all that one beside the first does: learn its rows of each batch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import torch

import headcount
from headcount.core.errors import InputError
from headcount.core.threads import limit_threads
from headcount.models.method import Method
from headcount.models.table import build_method
from headcount.train.batches import Batches
from headcount.train.group import Group
from headcount.train.learning import Learner
from headcount.train.places import Place
from headcount.train.pools import Pool, read_pools
from headcount.train.processes import share_threads
from headcount.train.recipe import Recipe
from headcount.train.resume import different_key
from headcount.train.stopping import signals_wait


def network_of(recipe: Recipe, place: Place) -> Method:
    """The network of a recipe with the weights that its seed gives, and the threads that it computes with."""
    threads = limit_threads(share_threads(recipe, place))
    if threads is not None:
        torch.set_num_threads(threads)
    torch.manual_seed(recipe.seed)
    method = build_method(recipe.method, recipe.model)
    divisor = method.input_spec.size_divisor
    if any(side % divisor for side in recipe.data.crop_hw or ()):
        raise InputError(f"data.crop is {recipe.data.crop}, but this network takes multiples of {divisor}.")
    return method


def batches_of(recipe: Recipe, method: Method, pools: list[Pool], place: Place) -> Batches:
    """This process's rows of the batches; the memory for images is that of all processes of its machine."""
    settings = recipe.data.model_copy(update={"cache_mb": recipe.data.cache_mb // place.local_processes})
    return Batches(
        pools, method, settings, batch=recipe.batch, steps_per_epoch=recipe.steps_per_epoch, seed=recipe.seed,
        rows=place.rows(recipe.batch),
    )  # fmt: skip


_OTHER_DATA = (
    "Not all processes of the run have the same headcount and find the same images in data.sources: give all machines "
    "the same."
)
_OWN = {
    "output", "checkpoint_seconds", "threads", "initialisation", "initialisation_note", "summary", "published",
}  # fmt: skip
_DATA_OWN = {"cache_mb", "workers", "boxes", "negatives"}


def check_same(recipe: Recipe, group: Group, pools: Sequence[Pool]) -> None:
    """Stop where the processes of a run would not learn from the same, or not alike.

    Raises:
        InputError: they have another recipe (named is the first setting that differs), other images, or another
            headcount.
    """
    settings = _of_all(recipe, group.place)
    differs = different_key(settings, group.from_first(settings))
    group.agree(
        InputError(f'"{differs}" is not the same in all processes of the run: give all machines the same recipe.')
        if differs
        else None
    )
    names = [[pool.name, pool.share, [scene.name for scene in pool.scenes]] for pool in pools]
    group.check_same(hashlib.sha256(json.dumps([headcount.__version__, names]).encode()).hexdigest(), _OTHER_DATA)


def _of_all(recipe: Recipe, place: Place) -> dict[str, Any]:
    """The settings that decide on a step: all but where things lie, and what each machine chooses for itself."""
    settings = recipe.model_dump(mode="json", exclude=_OWN)
    data = {key: value for key, value in settings["data"].items() if key not in _DATA_OWN}
    return {**settings, "device": place.accelerator, "data": {**data, "sources": [*data["sources"]]}}


def follow(recipe: Recipe, group: Group) -> int:
    """Learn beside the first process of a run, which alone writes, validates and speaks; the step that was reached.

    Raises:
        HeadcountError: what ended this process or another.
    """
    method = network_of(recipe, group.place)
    pools = read_pools(recipe.data)
    batches = batches_of(recipe, method, pools, group.place)
    check_same(recipe, group, pools)
    learner = Learner(recipe, method, group)
    learner.share()
    with signals_wait() as stop:
        for step, (images, targets) in group.each(batches.run(learner.step, recipe.total_steps)):
            learner.learn(step, images, targets, batches.names)
            if group.any(bool(stop)):
                break
    return learner.step
