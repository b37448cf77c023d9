"""Checkpoints: a folder of `state.safetensors` and `state.json`, whole or not there at all. Nothing is pickled."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from headcount.core.errors import ModelError

CheckpointKind = Literal["last", "best"]
TENSORS, STATE = "state.safetensors", "state.json"


@dataclass(frozen=True)
class Checkpoint:
    """Where a run stood: tensors by name (``model.…``, ``ema.…``, ``optimiser.…``) and plain data."""

    step: int
    tensors: dict[str, Tensor]
    state: dict[str, Any]

    def part(self, prefix: str) -> dict[str, Tensor]:
        """The tensors under ``prefix.``, without it."""
        return {k.removeprefix(f"{prefix}."): v for k, v in self.tensors.items() if k.startswith(f"{prefix}.")}


def write_checkpoint(folder: Path, kind: CheckpointKind, checkpoint: Checkpoint) -> Path:
    """Write ``folder/kind-step`` and let go of older ones of its kind.

    Written under a temporary name, flushed to the disk and renamed: a kill at any instant leaves the old checkpoint,
    the new one, or both.
    """
    final = folder / f"{kind}-{checkpoint.step:08d}"
    if final.exists():  # the same step again, at a run's end or after a resume: equal by construction
        return final
    partial = folder / f".{final.name}.partial"
    for left_by_a_kill in folder.glob(f".{kind}-*.partial"):
        shutil.rmtree(left_by_a_kill)
    partial.mkdir(parents=True)
    save_file({name: tensor.contiguous().cpu() for name, tensor in checkpoint.tensors.items()}, partial / TENSORS)
    (partial / STATE).write_text(json.dumps({"step": checkpoint.step, **checkpoint.state}, indent=1), encoding="utf-8")
    for name in (TENSORS, STATE, "."):
        _flush(partial / name)
    partial.replace(final)
    _flush(folder)
    for older in _finished(folder, kind):
        if older != final:
            shutil.rmtree(older)
    return final


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        pass  # some file systems cannot flush a folder
    finally:
        os.close(descriptor)


def _finished(folder: Path, kind: CheckpointKind) -> list[Path]:
    return sorted(path for path in folder.glob(f"{kind}-*") if path.name[len(kind) + 1 :].isdigit())


def find_checkpoint(folder: Path, kind: CheckpointKind = "last") -> Path | None:
    """The newest finished checkpoint of a kind, or None."""
    finished = _finished(folder, kind) if folder.is_dir() else []
    return finished[-1] if finished else None


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint folder.

    Raises:
        ModelError: it is not whole, or its files are not what their names say.
    """
    try:
        state = json.loads((path / STATE).read_text(encoding="utf-8"))
        step = int(state.pop("step"))
        with safe_open(path / TENSORS, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no iterator)
    except Exception as error:
        raise ModelError(f'"{path}" is no checkpoint that can be read ({type(error).__name__}: {error}).') from error
    return Checkpoint(step, tensors, state)


def flatten_optimiser(state: Mapping[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """An optimiser's state dict as tensors (``index.name``) and the plain rest."""
    tensors: dict[str, Tensor] = {}
    numbers: dict[str, Any] = {}
    for index, entries in state["state"].items():
        for name, value in entries.items():
            if isinstance(value, Tensor):
                tensors[f"{index}.{name}"] = value
            else:
                numbers[f"{index}.{name}"] = value
    return tensors, {"numbers": numbers, "param_groups": state["param_groups"]}


def unflatten_optimiser(tensors: Mapping[str, Tensor], rest: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse of ``flatten_optimiser``."""
    state: dict[int, dict[str, Any]] = {}
    for key, value in [*tensors.items(), *rest["numbers"].items()]:
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = value
    return {"state": state, "param_groups": rest["param_groups"]}
