"""Which process of a run this is, and how many there are: from the recipe, or from what torchrun sets."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch

from headcount.core.errors import InputError
from headcount.train.recipe import Recipe

Accelerator = Literal["cpu", "cuda"]
_SET = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""What torchrun sets in every process that it starts."""


@dataclass(frozen=True)
class Place:
    """The place of a process among those of a run.

    Attributes:
        rank: its number among all, from 0; 0 writes, validates and speaks.
        processes: how many there are on all machines.
        local_rank: its number on its machine, which is also that of its GPU.
        local_processes: how many there are on its machine.
        accelerator: what each computes on; None, of one process: as its recipe says.
        started: whether somebody else started all processes (torchrun); else process 0 starts the others.
    """

    rank: int = 0
    processes: int = 1
    local_rank: int = 0
    local_processes: int = 1
    accelerator: Accelerator | None = None
    started: bool = False

    def rows(self, batch: int) -> slice:
        """Which rows of a batch it learns from."""
        own = batch // self.processes
        return slice(self.rank * own, (self.rank + 1) * own)


def place_of(recipe: Recipe, environment: Mapping[str, str] = os.environ) -> Place:
    """The place of this process in a run of a recipe.

    Raises:
        InputError: torchrun's variables are there in part, or say otherwise than the recipe; there are fewer GPUs than
            are asked for; torch cannot let several processes learn together; several machines are asked for without
            torchrun; or the batch cannot be shared out.
    """
    place = _by_torchrun(recipe, environment) if _is_by_torchrun(environment) else _alone_here(recipe)
    if place.processes == 1:
        return place
    if not torch.distributed.is_available():
        raise InputError(
            f"{place.processes} processes are asked for, but this build of torch has no torch.distributed, by which "
            "they would learn together: give devices: 1, or install another build."
        )
    of_them = f"{place.processes} processes (devices: {recipe.devices}, nodes: {recipe.nodes})"
    if recipe.batch % place.processes:
        raise InputError(
            f"A batch of {recipe.batch} cannot be shared out evenly among {of_them}: give a multiple of "
            f"{place.processes} as batch."
        )
    if recipe.pieces > recipe.batch // place.processes:
        raise InputError(
            f"Of a batch of {recipe.batch}, each of {of_them} has {recipe.batch // place.processes}, which cannot be "
            f"cut into pieces: {recipe.pieces}; give fewer pieces, or a larger batch."
        )
    return place


def _is_by_torchrun(environment: Mapping[str, str]) -> bool:
    """Whether any of the variables is there that nobody but a starter of processes sets.

    Some clusters set a few of them in a process that is the only one, too.
    """
    is_only = environment.get("WORLD_SIZE") == "1" and not all(environment.get(name) for name in _SET)
    return not is_only and any(name in environment for name in _SET[:4])


def _alone_here(recipe: Recipe) -> Place:
    if recipe.nodes > 1:
        raise InputError(
            f"nodes is {recipe.nodes}, but nothing tells this process which machine it is on: start it with torchrun "
            "on each machine."
        )
    accelerator = _accelerator(recipe)
    found = max(1, torch.cuda.device_count()) if accelerator == "cuda" else 1
    devices = found if recipe.devices == "auto" else recipe.devices
    if devices == 1:
        return Place()
    _enough(devices, accelerator)
    return Place(processes=devices, local_processes=devices, accelerator=accelerator)


def _by_torchrun(recipe: Recipe, environment: Mapping[str, str]) -> Place:
    missing = [name for name in _SET if not environment.get(name)]
    if missing:
        given = next(name for name in _SET[:4] if name in environment)
        raise InputError(
            f"The environment has {given}, but lacks {missing[0]}: start every process with torchrun, which sets "
            f"{', '.join(_SET)}, or unset them all."
        )
    numbers = {name: _whole(name, environment[name]) for name in _SET if name != "MASTER_ADDR"}
    rank, processes, local_rank, local = (numbers[name] for name in _SET[:4])
    if not (rank < processes and local_rank < local and 0 < local <= processes):
        raise InputError(
            f"The environment contradicts itself: RANK {rank} of WORLD_SIZE {processes}, LOCAL_RANK {local_rank} of "
            f"LOCAL_WORLD_SIZE {local}; start every process with torchrun."
        )
    devices = local if recipe.devices == "auto" else recipe.devices
    if devices != local or devices * recipe.nodes != processes:
        raise InputError(
            f"torchrun started {processes} processes, {local} on this machine, but the recipe has devices: "
            f"{recipe.devices} and nodes: {recipe.nodes}: make both the same."
        )
    if processes == 1:
        return Place()
    accelerator = _accelerator(recipe)
    _enough(local, accelerator)
    return Place(rank, processes, local_rank, local, accelerator, started=True)


def _whole(name: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise InputError(f'The environment has {name}="{text}", but a whole number was expected: torchrun sets it.')
    return int(text)


def _accelerator(recipe: Recipe) -> Accelerator:
    if recipe.device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return recipe.device


def _enough(devices: int, accelerator: Accelerator) -> None:
    there = torch.cuda.device_count()
    if accelerator == "cuda" and devices > there:
        raise InputError(f"{devices} GPUs are asked for, but torch finds {there} here: give devices: {there} at most.")
