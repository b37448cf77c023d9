"""The contract every method keeps, and how a method is found by name."""

from __future__ import annotations

import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from headcount.core.card import DecoderSpec, InputSpec, OutputSpec, TileSpec
from headcount.core.errors import InputError, ModelError, nearest
from headcount.core.scene import Scene
from headcount.core.settings import checked

TargetMaps = dict[str, NDArray[np.float32]]
_COUNTER = "num_batches_tracked"  # of a batch norm, and of no use


class Method(nn.Module, ABC):
    """A network with what training, exporting and decoding it take.

    ``settings_type`` is the pydantic model of a method's options: the keys under ``model:`` in a recipe.
    """

    settings_type: ClassVar[type[BaseModel]]
    input_spec: InputSpec
    outputs: tuple[OutputSpec, ...]
    decoder: DecoderSpec
    tile: TileSpec | None = None
    """How large images are cut, where the method has its own way; else by how far its network sees."""
    counts: ClassVar[bool] = True
    """Whether its decoder counts people; a method that does not is validated by its loss."""

    @abstractmethod
    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """(b, c, h, w) normalised images → named maps, as the decoder reads them."""

    @abstractmethod
    def targets(self, scene: Scene) -> TargetMaps:
        """The target maps of a Scene, (1, h', w') float32 each: numpy, run where scenes are loaded."""

    @abstractmethod
    def training_forward(self, images: Tensor, targets: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The maps the loss reads; a method that needs the truth while training takes it from ``targets``."""

    @abstractmethod
    def loss(self, maps: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Named scalars; ``total`` is their weighted sum, the one that is minimised."""

    @abstractmethod
    def initialise_backbone(self, file: Path) -> None:
        """Load the backbone's initialisation (a safetensors file)."""

    def initialise(self, file: Path) -> str:
        """Load what a recipe starts from, and say what that was: a whole method, or a backbone alone.

        The file of another method that has the same backbone lends it.

        Raises:
            InputError: there is no such file.
            ModelError: it is no safetensors file, or fits neither.
        """
        keys = _keys(file)
        if not _of_backbone(keys):
            self.initialise_backbone(file)
            return "the backbone"
        if _same_but_counters(keys, set(self.state_dict())):
            load_weights(self, file)
            return "the whole network"
        own = self.state_dict()
        if not _same_but_counters(_of_backbone(keys), _of_backbone(own)):
            raise ModelError(f'"{file}" is of another method, and its backbone is another too: it starts none of this.')
        lent = _read_tensors(file)
        load_tensors(self, {**own, **{key: lent[key] for key in _of_backbone(keys)}}, str(file))
        return "the backbone of another method"

    def parameter_groups(self, lr: float, backbone_lr_factor: float) -> list[dict[str, Any]]:
        """Optimiser groups: what lies under ``backbone`` at its own rate, the rest at ``lr``."""
        trained = [(name, p) for name, p in self.named_parameters() if p.requires_grad]
        groups = [
            {"params": [p for name, p in trained if not name.startswith("backbone.")], "lr": lr},
            {"params": [p for name, p in trained if name.startswith("backbone.")], "lr": lr * backbone_lr_factor},
        ]
        return [group for group in groups if group["params"]]


def method_names() -> dict[str, str]:
    """Method → its module: every file of the family folders (``density/``, …) that is not private."""
    import headcount.models as home

    found = {}
    for family in pkgutil.iter_modules(home.__path__):
        if family.ispkg:
            package = import_module(f"{home.__name__}.{family.name}")
            for module in pkgutil.iter_modules(package.__path__):
                found[module.name] = f"{package.__name__}.{module.name}"
    return found


def method_class(name: str) -> type[Method]:
    """The class behind a method's name: the one Method defined in the file of that name.

    Raises:
        InputError: there is no such method; the nearest name is suggested.
    """
    modules = method_names()
    if name not in modules:
        raise InputError(f'"{name}" is no method.{nearest(name, modules)}')
    module = import_module(modules[name])
    classes = [
        value for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Method) and value.__module__ == module.__name__
    ]  # fmt: skip
    assert len(classes) == 1, f"{module.__name__} must define exactly one Method"
    return classes[0]


def build_method(name: str, options: Mapping[str, Any], *, where: str = "model") -> Method:
    """A method from its options, as a card's ``architecture`` or a recipe's ``model`` holds them.

    ``where`` names the options' origin in the message.

    Raises:
        InputError: an unknown method, or an unknown or unfit option, by its key.
    """
    kind = method_class(name)
    return kind(checked(kind.settings_type, options, where, prefix="model."))


def _keys(file: Path) -> set[str]:
    try:
        with safe_open(file, framework="pt") as tensors:
            return set(tensors.keys())
    except Exception:  # missing or broken: whoever reads it says so
        return set()


def _of_backbone(keys: Iterable[str]) -> set[str]:
    return {key for key in keys if key.startswith("backbone.")}


def _same_but_counters(keys: set[str], own: set[str]) -> bool:
    return {key for key in keys ^ own if not key.endswith(_COUNTER)} == set()


def load_weights(method: Method, weights: Path) -> None:
    """Put a safetensors file's weights (of any float type) into a method.

    Raises:
        ModelError: the file is no safetensors file, or of another network; the first misfit is named.
    """
    load_tensors(method, _read_tensors(weights), str(weights))


def _read_tensors(weights: Path) -> dict[str, Tensor]:
    try:
        return load_file(weights)
    except Exception as error:
        raise ModelError(f'"{weights}" is no safetensors file ({error}): export the model again.') from error


def load_tensors(method: Method, tensors: Mapping[str, Tensor], where: str) -> None:
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
