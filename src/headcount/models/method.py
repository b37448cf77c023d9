"""The contract every method keeps, and how a method is found by name."""

from __future__ import annotations

import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from headcount.core.card import DecoderSpec, InputSpec, OutputSpec
from headcount.core.errors import InputError, ModelError, nearest
from headcount.core.scene import Scene
from headcount.core.settings import checked

TargetMaps = dict[str, NDArray[np.float32]]


class Method(nn.Module, ABC):
    """A network with what training, exporting and decoding it take.

    ``settings_type`` is the pydantic model of a method's options: the keys under ``model:`` in a recipe.
    """

    settings_type: ClassVar[type[BaseModel]]
    input_spec: InputSpec
    outputs: tuple[OutputSpec, ...]
    decoder: DecoderSpec

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

    def initialise(self, file: Path) -> None:
        """Load what a recipe starts from: the weights of the whole method, or of its backbone alone.

        Raises:
            InputError: there is no such file.
            ModelError: it is no safetensors file, or fits neither.
        """
        if _holds_a_method(file):
            load_weights(self, file)
        else:
            self.initialise_backbone(file)

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


def _holds_a_method(file: Path) -> bool:
    try:
        with safe_open(file, framework="pt") as tensors:
            return any(key.startswith("backbone.") for key in tensors.keys())  # noqa: SIM118 (no iterator)
    except Exception:  # missing or broken: whoever reads it says so
        return False


def load_weights(method: Method, weights: Path) -> None:
    """Put a safetensors file's weights (of any float type) into a method.

    Raises:
        ModelError: the file is no safetensors file, or of another network; the first misfit is named.
    """
    try:
        tensors = load_file(weights)
    except Exception as error:
        raise ModelError(f'"{weights}" is no safetensors file ({error}): export the model again.') from error
    load_tensors(method, tensors, str(weights))


def load_tensors(method: Method, tensors: Mapping[str, Tensor], where: str) -> None:
    """Put named tensors (of any float type) into a method.

    Raises:
        ModelError: they are of another network; the first misfit is named.
    """
    own = method.state_dict()
    for key, value in own.items():
        if key not in tensors and not key.endswith("num_batches_tracked"):
            raise ModelError(f'"{where}" lacks "{key}": its card describes another network.')
        if key in tensors and tensors[key].shape != value.shape:
            raise ModelError(f'"{where}" has another shape for "{key}": its card describes another network.')
    method.load_state_dict({k: tensors[k].to(v.dtype) if k in tensors else v for k, v in own.items()})
