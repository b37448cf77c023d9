"""The torch runtime of `infer/`: a method and its weights, on the CPU or a GPU."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from headcount.core.card import InputSpec, ModelCard, not_finite
from headcount.core.errors import InputError, ModelError
from headcount.core.threads import refuse_fork
from headcount.models.method import Method
from headcount.models.normalise import normalise
from headcount.models.table import build_method
from headcount.models.weights import check_shapes, load_weights

_processes: list[int] = []
"""The first process in which torch computed; one that is forked from it would wait for torch's threads for ever."""


class TorchRuntime:
    """A method in evaluation mode: (n, h, w, 3) uint8 → named maps. See ``infer.runtimes.Runtime``."""

    name = "torch"

    def __init__(self, method: Method, spec: InputSpec, *, device: str = "cpu", precision: str = "f32") -> None:
        self.device, self.precision, self._spec = device, precision, spec
        self._method = method.eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def run(self, pixels: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """(n, h, w, 3) uint8 RGB → maps (n, c, h / stride, w / stride) float32."""
        with torch.inference_mode(), torch.autocast(self.device, torch.bfloat16, enabled=self.precision == "bf16"):
            batch = torch.tensor(pixels).to(self.device).permute(0, 3, 1, 2)
            maps = self._method(normalise(batch, self._spec))
        return {name: value.float().cpu().numpy() for name, value in maps.items()}


def open_torch(
    weights: Path, card: ModelCard, *, device: str, precision: str, threads: int | None = None
) -> TorchRuntime:
    """The provider that `infer/` asks for by name. ``threads`` are those of the whole process: torch knows no others.

    Raises:
        InputError: CUDA is asked for and there is none.
        ModelError: the weights are not those of the card's method.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError('Device "cuda" was asked for, but torch finds no GPU here: choose "cpu".', remedy="device")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    _processes.append(os.getpid())
    refuse_fork(_processes[0])
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        # First without memory: a card can ask for a network of any size.
        with torch.device("meta"):
            check_shapes(build_method(card.method, card.architecture, where=f"the card of {card.name}"), weights)
        method = build_method(card.method, card.architecture, where=f"the card of {card.name}")
    except InputError as error:
        raise ModelError(f'The card of "{card.name}" describes no network: {error.message}') from error
    except (RuntimeError, ValueError, TypeError, OverflowError, MemoryError) as error:  # torch's: sizes that are none
        raise ModelError(f'The card of "{card.name}" describes no network that torch can make: {error}.') from error
    if method.input_spec != card.input:
        raise ModelError(f'The card of "{card.name}" has another input than its network: export the model again.')
    load_weights(method, weights)
    if not all(torch.isfinite(value).all() for value in method.state_dict().values() if value.is_floating_point()):
        raise not_finite(weights)
    return TorchRuntime(method, card.input, device=device, precision="bf16" if precision == "bf16" else "f32")
