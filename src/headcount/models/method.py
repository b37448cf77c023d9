"""The contract every method keeps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel
from torch import Tensor, nn

from headcount.core.card import DecoderSpec, InputSpec, OutputSpec, ScaleSpec, Task, TileSpec
from headcount.core.errors import ModelError
from headcount.core.scene import Scene
from headcount.models.weights import (
    load_tensors,
    load_weights,
    of_part,
    read_tensors,
    same_but_counters,
    tensor_names,
)


@dataclass(frozen=True, slots=True)
class Targets:
    """What one scene teaches a method, in numpy.

    Attributes:
        maps: (c, h', w') float32 by name, of the same shape for all crops: batches stack them.
        ragged: (n, …) float32 by name, n whatever the scene has (its boxes, none of them perhaps): never stacked.
    """

    maps: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    ragged: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)


class TargetBatch(NamedTuple):
    """The targets of a batch: ``maps`` (b, c, h', w') by name, and ``ragged``, one (n, …) tensor an image, by name."""

    maps: Mapping[str, Tensor]
    ragged: Mapping[str, Sequence[Tensor]]

    @classmethod
    def join(cls, scenes: Sequence[Targets]) -> TargetBatch:
        """The targets of some scenes as one batch.

        >>> boxes = [np.zeros((heads, 4), np.float32) for heads in (2, 0)]
        >>> batch = TargetBatch.join([Targets({"mask": np.zeros((1, 3, 3), np.float32)}, {"boxes": b}) for b in boxes])
        >>> tuple(batch.maps["mask"].shape), [tuple(one.shape) for one in batch.ragged["boxes"]]
        ((2, 1, 3, 3), [(2, 4), (0, 4)])
        """
        first = scenes[0]
        return cls(
            {name: torch.from_numpy(np.stack([scene.maps[name] for scene in scenes])) for name in first.maps},
            {name: [torch.from_numpy(scene.ragged[name]) for scene in scenes] for name in first.ragged},
        )

    @property
    def images(self) -> int:
        """How many images they are of."""
        return len(next(iter([*self.maps.values(), *self.ragged.values()])))

    def rows(self, rows: slice) -> TargetBatch:
        """The targets of some of the images."""
        return TargetBatch(
            {name: values[rows] for name, values in self.maps.items()},
            {name: images[rows] for name, images in self.ragged.items()},
        )

    def to(self, device: torch.device) -> TargetBatch:
        """The same targets on a device."""
        return TargetBatch(
            {name: values.to(device) for name, values in self.maps.items()},
            {name: [one.to(device) for one in images] for name, images in self.ragged.items()},
        )


class Method(nn.Module, ABC):
    """A network with what training, exporting and decoding it take.

    ``settings_type`` is the pydantic model of a method's options: the keys under ``model:`` in a recipe.
    """

    settings_type: ClassVar[type[BaseModel]]
    task: Task
    """What a model of it does; one that tells sizes counts nobody, and is validated by its loss."""
    input_spec: InputSpec
    outputs: tuple[OutputSpec, ...]
    """Its maps; or boxes alone, of a method that finds them itself."""
    decoder: DecoderSpec | None
    """None where the task is ``size``."""
    tile: TileSpec | None = None
    """How large images are cut, where the method has its own way; else by how far its network sees."""
    torch_only: str = ""
    """Why it has no ONNX file and runs on torch alone, as the beginning of a sentence; empty where it exports."""

    @property
    def scale(self) -> ScaleSpec | None:
        """How the size is chosen at which its models count an image; None: the size it has, as protocols want it."""
        return None

    @abstractmethod
    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """(b, c, h, w) normalised images → named maps, as the decoder reads them."""

    @abstractmethod
    def targets(self, scene: Scene) -> Targets:
        """What a Scene teaches: numpy, run where scenes are loaded."""

    @abstractmethod
    def training_forward(self, images: Tensor, targets: TargetBatch) -> dict[str, Tensor]:
        """The maps the loss reads; a method that needs the truth while training takes it from ``targets``."""

    @abstractmethod
    def loss(self, maps: Mapping[str, Tensor], targets: TargetBatch) -> dict[str, Tensor]:
        """Named scalars; ``total`` is their weighted sum, the one that is minimised."""

    @abstractmethod
    def initialise_backbone(self, file: Path) -> None:
        """Load the backbone's initialisation (a safetensors file)."""

    def initialise(self, file: Path) -> str:
        """Load what a recipe starts from, and say what that was: a whole method, or a backbone alone.

        The file of another method that has the same backbone lends it, and the neck where that is the same, too; with
        the neck, what reads it and is the same by name and shape: the heat, size and offset of CenterNet.

        Raises:
            InputError: there is no such file.
            ModelError: it is no safetensors file, or fits neither.
        """
        keys = tensor_names(file)
        if not of_part(keys, "backbone"):
            self.initialise_backbone(file)
            return "the backbone"
        own = self.state_dict()
        if same_but_counters(keys, set(own)):
            load_weights(self, file)
            return "the whole network"
        lent = read_tensors(file)
        if not same_but_counters(of_part(lent, "backbone"), of_part(own, "backbone")):
            raise ModelError(f'"{file}" is of another method, and its backbone is another too: it starts none of this.')
        parts = ["backbone"]
        if _same_part("neck", own, lent):
            parts += [part for part, _ in self.named_children() if part != "backbone" and _same_part(part, own, lent)]
        taken = {key: lent[key] for part in parts for key in of_part(lent, part)}
        load_tensors(self, {**own, **taken}, str(file))
        *most, last = [f"the {part}" for part in parts]
        return f"{' and '.join([', '.join(most), last] if most else [last])} of another method"

    def parameter_groups(self, lr: float, backbone_lr_factor: float) -> list[dict[str, Any]]:
        """Optimiser groups: what lies under ``backbone`` at its own rate, the rest at ``lr``."""
        trained = [(name, p) for name, p in self.named_parameters() if p.requires_grad]
        groups = [
            {"params": [p for name, p in trained if not name.startswith("backbone.")], "lr": lr},
            {"params": [p for name, p in trained if name.startswith("backbone.")], "lr": lr * backbone_lr_factor},
        ]
        return [group for group in groups if group["params"]]


def _same_part(part: str, own: Mapping[str, Tensor], lent: Mapping[str, Tensor]) -> bool:
    """Whether two networks have a part that is the same by names and shapes."""
    keys = of_part(own, part)
    return bool(keys) and keys == of_part(lent, part) and all(lent[key].shape == own[key].shape for key in keys)
