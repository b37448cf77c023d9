"""What runs a network: the contract, and the table of runtimes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from headcount.core.errors import InputError, nearest
from headcount.core.table import Row, Table
from headcount.core.threads import limit_threads
from headcount.infer import INT8

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from headcount.core.card import ModelCard

PRECISIONS = ("auto", "f32", "bf16", "int8")
PRECISION_WORDS = {"fp32": "f32", "float32": "f32", "bfloat16": "bf16"}
"""Other words for them, which are taken and never printed."""


def one_word(precision: Any) -> Any:
    """The word for a precision that is printed; what is none stays as it is.

    >>> one_word("fp32"), one_word("f32"), one_word("half")
    ('f32', 'f32', 'half')
    """
    return PRECISION_WORDS.get(precision, precision) if isinstance(precision, str) else precision


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
        """(n, h, w, 3) uint8 RGB, h and w multiples of the card's divisor → maps (n, c, h / stride, w / stride).

        What is of the kind ``boxes`` is (n, 5, k). Several threads may call it at once.
        """


def words_of(runtime: Runtime) -> str:
    """What computes, where and in which numbers, as predictions and files of results say it: ``openvino cpu bf16``."""
    return f"{runtime.name} {runtime.device} {runtime.precision}"


class OpenRuntime(Protocol):
    """What a row's target is: it makes a Runtime of weights and their card.

    ``threads`` is how many may compute, None where the runtime may choose.
    """

    def __call__(
        self, weights: Path, card: ModelCard, *, device: str, precision: str, threads: int | None
    ) -> Runtime: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeRow(Row):
    """A runtime: ``target`` is its ``OpenRuntime``, which may lie on a higher floor or in an extra.

    Attributes:
        weights: suffix of the files it reads.
        devices: where it can compute.
    """

    weights: Literal[".onnx", ".safetensors"]
    devices: tuple[str, ...] = ("cpu",)


RUNTIMES = Table(
    "runtimes",
    "runtime",
    [
        RuntimeRow(
            name="openvino", title="OpenVINO", target="headcount.infer.runtimes.openvino:open_openvino", weights=".onnx"
        ),
        RuntimeRow(
            name="onnxruntime", title="ONNX Runtime", target="headcount.infer.runtimes.onnx:open_onnxruntime",
            weights=".onnx", package="onnxruntime", extra="train",
        ),
        RuntimeRow(
            name="torch", title="The torch runtime", target="headcount.models.runtime:open_torch",
            weights=".safetensors", devices=("cpu", "cuda"), package="torch", extra="train",
        ),
    ],
    RuntimeRow,
)  # fmt: skip
"""What can run a model, by name."""


def runtime_names() -> list[str]:
    """What may be asked for: ``auto``, then the names in the table."""
    return ["auto", *RUNTIMES]


def device_names() -> list[str]:
    """What may be asked for: ``auto``, then every device that a runtime computes on."""
    return list(dict.fromkeys(["auto", *(device for row in RUNTIMES.rows() for device in row.devices)]))


def choose_runtime(runtime: str, device: str, available: Mapping[str, Path], *, first: str | None = None) -> str:
    """The runtime's name.

    ``available`` holds a model's weights by suffix; ``first`` is the suffix the user named, if any. ``auto`` is
    OpenVINO wherever there is an ONNX file, and torch for ``cuda`` or where there is only safetensors.

    Raises:
        InputError: the runtime or device is unknown, or they do not go together, or the weights are not there.
        MissingExtraError: it is not in this install.
    """
    if device not in device_names():
        raise InputError(f'There is no device "{device}".{nearest(device, device_names())}')
    if runtime == "auto":
        needs_torch = device == "cuda" or first == ".safetensors" or not {".onnx", INT8} & available.keys()
        runtime = "torch" if needs_torch else "openvino"
    elif runtime not in RUNTIMES:
        raise InputError(f'There is no runtime "{runtime}".{nearest(runtime, runtime_names())}')
    row = RUNTIMES[runtime]
    if device not in ("auto", *row.devices):
        able = " or ".join(f'"{other.name}"' for other in RUNTIMES.rows() if device in other.devices)
        raise InputError(
            f"{row.title} computes on {' or '.join(row.devices)}, not on {device}: choose the runtime {able}.",
            remedy="runtime",
        )
    row.require('Device "cuda"' if device == "cuda" else "")
    if row.weights not in available and not (row.name == "openvino" and INT8 in available):
        files = ", ".join(f'"{path}"' for path in available.values())
        raise InputError(f"{row.title} reads {row.weights} files, but the model has only {files}.")
    return runtime


def choose_form(
    runtime: str, precision: str, available: Mapping[str, Path], card: ModelCard, *, first: str | None = None
) -> tuple[str, str]:
    """The suffix of the weights that a runtime shall read, and the precision, for what was asked for.

    int8 is its own file, which OpenVINO alone reads, and what ``auto`` takes where it is there: it was written since it
    counts as well. Where ``first``, the suffix the user named, is another file, ``auto`` leaves it.

    Raises:
        InputError: the precision is unknown, or int8 was asked for and the model or the runtime has none.
    """
    precision = one_word(precision)
    if precision not in PRECISIONS:
        raise InputError(f'There is no precision "{precision}".{nearest(precision, PRECISIONS)}')
    if precision == "auto":
        takes_it = runtime == "openvino" and INT8 in available and first in (None, INT8)
        precision = "int8" if takes_it and card.precision == "auto" else card.precision
    if precision != "int8":
        if first == INT8:
            raise InputError(f'The file of "{card.name}" is in int8, but {precision} was asked for: name its .onnx.')
        return RUNTIMES[runtime].weights, precision
    if runtime != "openvino":
        raise InputError(f"int8 is computed by OpenVINO, not by {runtime}: leave out one of the two.")
    if INT8 not in available:
        raise InputError(f'The model "{card.name}" has no {INT8} file: choose f32 or bf16.')
    return INT8, precision


def open_runtime(
    name: str,
    weights: Path,
    card: ModelCard,
    *,
    device: str = "auto",
    precision: str = "auto",
    threads: int | None = None,
) -> Runtime:
    """Load weights into the runtime of a name, both as ``choose_form`` has them; ``threads`` as in ``load``.

    Raises:
        InputError: the precision is not one this runtime has; or ``threads`` is below 1.
        ModelError: the weights cannot be used.
    """
    provider: OpenRuntime = RUNTIMES.load(name)
    return provider(weights, card, device=device, precision=precision, threads=limit_threads(threads))
