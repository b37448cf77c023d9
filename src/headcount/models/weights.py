"""Weights on disk and in a network: safetensors read, matched by name, put in place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from headcount.core.errors import ModelError

_COUNTER = "num_batches_tracked"  # of a batch norm, and of no use


def tensor_names(file: Path) -> set[str]:
    """The names of a safetensors file's tensors; none where it is missing or broken, which its reader says."""
    try:
        with safe_open(file, framework="pt") as tensors:
            return set(tensors.keys())
    except Exception:
        return set()


def of_backbone(keys: Iterable[str]) -> set[str]:
    """Those of a whole method's tensors that are its backbone's."""
    return {key for key in keys if key.startswith("backbone.")}


def same_but_counters(keys: set[str], own: set[str]) -> bool:
    """Whether two networks have tensors of the same names, the counters of batch norms left out."""
    return {key for key in keys ^ own if not key.endswith(_COUNTER)} == set()


def load_weights(method: nn.Module, weights: Path) -> None:
    """Put a safetensors file's weights (of any float type) into a method.

    Raises:
        ModelError: the file is no safetensors file, or of another network; the first misfit is named.
    """
    load_tensors(method, read_tensors(weights), str(weights))


def read_tensors(weights: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file.

    Raises:
        ModelError: it is missing or none.
    """
    try:
        return load_file(weights)
    except Exception as error:
        raise ModelError(f'"{weights}" is no safetensors file ({error}): export the model again.') from error


def load_tensors(method: nn.Module, tensors: Mapping[str, Tensor], where: str) -> None:
    """Put named tensors (of any float type) into a method.

    Raises:
        ModelError: they are of another network; the first misfit is named.
    """
    own = method.state_dict()
    for key, value in own.items():
        if key not in tensors and not key.endswith(_COUNTER):
            raise ModelError(f'"{where}" lacks "{key}": its card describes another network.')
        if key in tensors and tensors[key].shape != value.shape:
            raise ModelError(f'"{where}" has another shape for "{key}": its card describes another network.')
    method.load_state_dict({k: tensors[k].to(v.dtype) if k in tensors else v for k, v in own.items()})
