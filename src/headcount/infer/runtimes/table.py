"""What runs a network: the contract, and a table of runtimes that are loaded only when asked for."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from headcount.core.card import ModelCard
from headcount.core.errors import InputError, MissingExtraError, nearest

Precision = Literal["auto", "f32", "bf16"]
DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = ("auto", "f32", "bf16")


class Runtime(Protocol):
    """A network, loaded: pixels in, named maps out."""

    @property
    def name(self) -> str:
        """The runtime's name in ``RUNTIMES``."""

    @property
    def device(self) -> str:
        """Where it computes, such as ``cpu``."""

    @property
    def precision(self) -> str:
        """The numbers it computes in, such as ``f32`` or ``bf16``."""

    def run(self, pixels: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """(n, h, w, 3) uint8 RGB, h and w multiples of the card's divisor → maps (n, c, h / stride, w / stride)."""


class OpenRuntime(Protocol):
    """What a provider offers: weights and their card become a Runtime."""

    def __call__(self, weights: Path, card: ModelCard, *, device: str, precision: str) -> Runtime: ...


@dataclass(frozen=True, slots=True)
class RuntimeSpec:
    """One row of the table.

    Attributes:
        title: as it is written for people.
        provider: ``module:function`` of an ``OpenRuntime``; imported when the runtime is first opened, so that
            one on a higher floor, or in an extra, costs nothing until then.
        weights: suffix of the files it reads.
        devices: where it can compute.
        package: what must be installed for it.
        extra: the extra that brings the package, or None for the light install.
    """

    title: str
    provider: str
    weights: Literal[".onnx", ".safetensors"]
    devices: tuple[str, ...]
    package: str
    extra: str | None = None


RUNTIMES: dict[str, RuntimeSpec] = {
    "openvino": RuntimeSpec(
        "OpenVINO", "headcount.infer.runtimes.openvino:open_openvino", ".onnx", ("cpu",), "openvino"
    ),
    "onnxruntime": RuntimeSpec(
        "ONNX Runtime", "headcount.infer.runtimes.onnx:open_onnxruntime", ".onnx", ("cpu",), "onnxruntime", "train"
    ),
    "torch": RuntimeSpec(
        "The torch runtime", "headcount.models.runtime:open_torch", ".safetensors", ("cpu", "cuda"),
        "torch", "train",
    ),
}  # fmt: skip


def is_installed(package: str) -> bool:
    """Whether a package can be imported, without importing it."""
    try:
        return importlib.util.find_spec(package) is not None
    except (ImportError, ValueError):
        return False


def choose_runtime(
    runtime: str, device: str, available: Mapping[str, Path], *, first: str | None = None
) -> tuple[str, Path]:
    """The runtime's name and the weights it shall read.

    ``available`` holds a model's weights by suffix; ``first`` is the suffix the user named, if any. ``auto`` is
    OpenVINO wherever there is an ONNX file, and torch for ``cuda`` or where there is only safetensors.

    Raises:
        InputError: the runtime or device is unknown, or they do not go together, or the weights are not there.
        MissingExtraError: it is not in this install.
    """
    if device not in DEVICES:
        raise InputError(f'There is no device "{device}".{nearest(device, DEVICES)}')
    if runtime == "auto":
        wants_torch = device == "cuda" or first == ".safetensors" or ".onnx" not in available
        runtime = "torch" if wants_torch else "openvino"
    elif runtime not in RUNTIMES:
        raise InputError(f'There is no runtime "{runtime}".{nearest(runtime, [*RUNTIMES, "auto"])}')
    spec = RUNTIMES[runtime]
    if device != "auto" and device not in spec.devices:
        raise InputError(f"{spec.title} computes on {' or '.join(spec.devices)}, not on {device}: use --runtime torch.")
    if not is_installed(spec.package) and spec.extra is not None:
        raise MissingExtraError('Device "cuda"' if device == "cuda" else spec.title, spec.extra)
    if spec.weights not in available:
        there = ", ".join(f'"{path}"' for path in available.values())
        raise InputError(f"{spec.title} reads {spec.weights} files, but the model has only {there}.")
    return runtime, available[spec.weights]


def open_runtime(
    name: str, weights: Path, card: ModelCard, *, device: str = "auto", precision: str = "auto"
) -> Runtime:
    """Load a model into the runtime of a name, importing its provider.

    Raises:
        InputError: the precision is unknown, or not one this runtime has.
        ModelError: the weights cannot be used.
    """
    if precision not in PRECISIONS:
        raise InputError(f'There is no precision "{precision}".{nearest(precision, PRECISIONS)}')
    module, function = RUNTIMES[name].provider.split(":")
    provider = cast(Callable[..., Runtime], getattr(importlib.import_module(module), function))
    return provider(weights, card, device=device, precision=precision)
