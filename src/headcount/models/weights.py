"""Weights on disk and in a network: safetensors read, matched by name, put in place; other people's checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from headcount.core.errors import ModelError
from headcount.models.hdf5 import is_hdf5, read_hdf5

_COUNTER = "num_batches_tracked"


def tensor_names(file: Path) -> set[str]:
    """The names of a safetensors file's tensors; none where it is missing or broken, which its reader says."""
    try:
        with safe_open(file, framework="pt") as tensors:
            return set(tensors.keys())
    except Exception:
        return set()


def of_part(keys: Iterable[str], part: str) -> set[str]:
    """Those of a whole method's tensors that are of one of its parts: its ``backbone``, its ``neck``; no counters."""
    return {key for key in keys if key.startswith(f"{part}.") and not is_counter(key)}


def same_but_counters(keys: set[str], own: set[str]) -> bool:
    """Whether two networks have tensors of the same names, the counters of batch norms left out."""
    return {key for key in keys ^ own if not is_counter(key)} == set()


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


def check_shapes(method: nn.Module, weights: Path) -> None:
    """Refuse a safetensors file of another network by its header alone; the method may lie on torch's ``meta`` device.

    Raises:
        ModelError: as ``load_weights``.
    """
    try:
        with safe_open(weights, framework="pt") as file:
            shapes = {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118  (no mapping)
    except Exception as error:
        raise ModelError(f'"{weights}" is no safetensors file ({error}): export the model again.') from error
    _compare(method.state_dict(), shapes, str(weights))


def _compare(own: Mapping[str, Tensor], shapes: Mapping[str, tuple[int, ...]], where: str) -> None:
    for key, value in own.items():
        if key not in shapes and not is_counter(key):
            raise ModelError(f'"{where}" lacks "{key}": its card describes another network.')
        if key in shapes and shapes[key] != tuple(value.shape):
            raise ModelError(f'"{where}" has another shape for "{key}": its card describes another network.')


def load_tensors(method: nn.Module, tensors: Mapping[str, Tensor], where: str) -> None:
    """Put named tensors (of any float type) into a method.

    Raises:
        ModelError: they are of another network; the first misfit is named.
    """
    own = method.state_dict()
    _compare(own, {key: tuple(value.shape) for key, value in tensors.items()}, where)
    method.load_state_dict({k: tensors[k].to(v.dtype) if k in tensors else v for k, v in own.items()})


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignWeights:
    """How the checkpoints of a method's authors become its weights: what a row of ``METHODS`` names as ``foreign``.

    Attributes:
        title: the method as the authors' is called: ``IIM``.
        telling: what a file lacks that is none of theirs, for its message: ``neither "a…" nor "b…"``.
        options_of: the names in a checkpoint → the method's options that build their network; None if it is another.
        options: the method's options that hold for all their networks.
        data: what they trained on → the options that belong to it, which a checkpoint does not say.
        usual: the data set of most of their checkpoints, a key of ``data``; empty where no option depends on it.
        their_name: the name of one of our tensors, and the options → its name in their checkpoint.
        unused: names that nothing in their network reads.
    """

    title: str
    telling: str
    options_of: Callable[[Collection[str]], dict[str, Any] | None]
    options: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Mapping[str, Any]]
    usual: str = ""
    their_name: Callable[[str, Mapping[str, Any]], str]
    unused: frozenset[str] = frozenset()

    def put(self, method: nn.Module, theirs: Mapping[str, Tensor], options: Mapping[str, Any], where: str) -> None:
        """Put the tensors of a checkpoint (of any float type) into the method that ``options`` built.

        Raises:
            ModelError: some of the network's are missing, others are left over, or one has another shape, or numbers
                that are not finite.
        """
        own = method.state_dict()
        names = {key: self.their_name(key, options) for key in own if not is_counter(key)}
        missing = set(names.values()) - theirs.keys()
        extra = {name for name in theirs.keys() - set(names.values()) - self.unused if not is_counter(name)}
        if missing or extra:
            complaints = [f"lacks {some_of(missing)}"] * bool(missing) + [f"has also {some_of(extra)}"] * bool(extra)
            raise ModelError(f'"{where}" does not fit {self.title}: it {" and ".join(complaints)}.')
        for key, name in names.items():
            if theirs[name].shape != own[key].shape:
                raise ModelError(
                    f'"{where}": "{name}" is {tuple(theirs[name].shape)}, but {self.title}\'s is '
                    f"{tuple(own[key].shape)}."
                )
            if not torch.isfinite(theirs[name]).all():
                raise ModelError(f'"{where}": "{name}" has numbers that are not finite: copy the file again.')
        method.load_state_dict(
            {key: theirs[names[key]].float() if key in names else torch.zeros_like(own[key]) for key in own}
        )


def is_counter(key: str) -> bool:
    """Whether a tensor counts the batches that a batch norm has seen, which is of no use."""
    return key.endswith(_COUNTER)


def some_of(keys: Iterable[str], most: int = 4) -> str:
    """The first few of some keys, and how many more there are.

    >>> some_of("cab", most=2)
    '"a", "b" and 1 more'
    """
    ordered = sorted(keys)
    text = ", ".join(f'"{key}"' for key in ordered[:most])
    return text if len(ordered) <= most else f"{text} and {len(ordered) - most} more"


def without_wrappers(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Names without the ``module`` that a network trained on several GPUs has in them, at any depth."""
    return {".".join(part for part in key.split(".") if part != "module"): value for key, value in tensors.items()}


class _LeftOut:
    """What a number of numpy's in a checkpoint becomes: nothing of numpy is made from a stranger's file."""

    def __init__(self, *_: object) -> None: ...

    def __setstate__(self, state: object) -> None: ...


_NUMPY_NUMBERS: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [
    (_LeftOut, f"numpy.{name}")
    for name in ("dtype", "core.multiarray.scalar", "_core.multiarray.scalar", "dtypes.Float64DType")
]
"""Training scripts keep their best error so, beside the weights."""


def read_foreign(file: Path) -> Mapping[str, Tensor]:
    """The tensors of a file as others publish it: a ``.safetensors``, an HDF5 file, or a ``.pth``, of that its state
    dict alone; nothing in it is run.

    Raises:
        ModelError: it is missing, damaged, or holds anything that the restricted unpickler refuses.
    """
    if file.suffix.lower() == ".safetensors":
        return read_tensors(file)
    if is_hdf5(file):
        content: object = read_hdf5(file)
    else:
        try:
            with torch.serialization.safe_globals(_NUMPY_NUMBERS):
                content = torch.load(file, map_location="cpu", weights_only=True)
        except FileNotFoundError as error:
            raise ModelError(f'There is no file "{file}": check the path.') from error
        except Exception as error:
            raise ModelError(
                f'"{file}" is no checkpoint of plain tensors ({type(error).__name__}): anything else could run code '
                "and is refused."
            ) from error
    for wrapper in ("state_dict", "model_state_dict", "model", "net"):
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping) or not all(isinstance(v, Tensor) for v in content.values()) or not content:
        raise ModelError(f'"{file}" holds no state dict: a table of named tensors was expected.')
    return {key.decode("latin-1") if isinstance(key, bytes) else str(key): value for key, value in content.items()}
