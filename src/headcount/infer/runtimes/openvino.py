"""OpenVINO on the CPU: the runtime of the light install."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headcount.core.card import ModelCard
from headcount.core.errors import ModelError
from headcount.infer.runtimes.graph import import_openvino, last_line, read_graph

_STATIC_FROM_PIXELS = 2_500_000
"""Inputs this large get a network compiled for their size. With EfficientNet-Lite0 in f32 at 2048×2048 on 2 cores
a dynamic graph took 1,170 MB and 3 s the first time, a fixed one 600 MB and 0.6 s; at 1024×768 a new size cost the
dynamic graph nothing and a fixed one 120 ms for compiling. Tiles are large and all of one size."""

_CACHED_KERNELS = "500"
"""Each size of image leaves compiled kernels behind. After 400 images of differing sizes OpenVINO's own limit (5,000)
had taken 755 MB, this one 330 MB, at the same speed."""


def open_openvino(
    weights: Path, card: ModelCard, *, device: str = "auto", precision: str = "auto", threads: int | None = None
) -> OpenVinoRuntime:
    """Load an ONNX file that ``headcount export`` wrote. See ``OpenRuntime``."""
    return OpenVinoRuntime(weights, precision=precision, threads=threads, size_divisor=card.input.size_divisor)


_one_core = Lock()


def _core() -> Any:
    """The Core of this process: one, which never ends; a forked child has its own.

    Where a processor has AMX, each Core gives the thread that makes it a stack for signals of its own, and puts back
    the one before when it ends. Two that do not end in the opposite order, or one that ends on another thread, leave
    the thread with a stack that is gone: the next signal then kills the process, and no fault handler can say a word.
    """
    with _one_core:
        return _made_core(os.getpid())


@cache
def _made_core(_process: int) -> Any:
    core = import_openvino().Core()
    with suppress(RuntimeError):  # a version that does not know it any more needs it no more
        core.set_property("CPU", {"CPU_RUNTIME_CACHE_CAPACITY": _CACHED_KERNELS})
    return core


def capabilities() -> tuple[str, ...]:
    """The numbers that OpenVINO computes in on this processor: ``f32``, ``bf16``, ``f16``, ``int8``."""
    able = _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    names = {"FP32": "f32", "BF16": "bf16", "FP16": "f16", "INT8": "int8"}
    return tuple(word for key, word in names.items() if key in able)


class OpenVinoRuntime:
    """One ONNX graph on the CPU; any image size, memory bounded by the largest.

    ``precision`` ``auto`` leaves the choice to OpenVINO, which takes bf16 where the processor computes in it; so does
    ``int8`` for what the graph has in no 8 bits.
    """

    name = "openvino"
    device = "cpu"

    def __init__(
        self, weights: Path, *, precision: str = "auto", threads: int | None = None, size_divisor: int = 32
    ) -> None:
        self._weights = weights
        self._core = _core()
        self._settings = {"PERFORMANCE_HINT": "LATENCY"}
        if precision not in ("auto", "int8"):  # what int8 leaves over is OpenVINO's choice
            self._settings["INFERENCE_PRECISION_HINT"] = precision
        if threads is not None:
            self._settings["INFERENCE_NUM_THREADS"] = str(threads)
            # It would pin its threads to the first cores, and those of every process beside this one too.
            self._settings["ENABLE_CPU_PINNING"] = "NO"
        self._model = read_graph(weights, size_divisor=size_divisor)
        try:
            self._dynamic = self._core.compile_model(self._model, "CPU", self._settings)
        except RuntimeError as error:
            raise ModelError(f'"{weights}" cannot be used ({last_line(error)}): export it anew.') from error
        self._turn = Lock()  # a compiled model computes one thing at a time
        self._fixed: tuple[tuple[int, ...], Any] | None = None
        self.outputs = [_name_of(output, weights) for output in self._model.outputs]
        chosen = self._dynamic.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        known = {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}
        self.precision = "int8" if precision == "int8" else known.get(chosen, str(chosen))

    def run(self, pixels: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """(n, h, w, 3) uint8 RGB → maps by name. See ``Runtime.run``."""
        try:
            with self._turn:
                results = self._compiled_for(pixels.shape)({0: pixels}, share_inputs=True)
        except RuntimeError as error:
            height, width = pixels.shape[1:3]
            raise ModelError(f'"{self._weights}" failed on {width}×{height} pixels: {last_line(error)}') from error
        return {name: np.asarray(results[index], dtype=np.float32) for index, name in enumerate(self.outputs)}

    def _compiled_for(self, shape: tuple[int, ...]) -> Any:
        if shape[0] * shape[1] * shape[2] < _STATIC_FROM_PIXELS:
            return self._dynamic
        if self._fixed is None or self._fixed[0] != shape:
            self._fixed = None  # its memory goes before the next one takes its own
            fixed = self._model.clone()
            fixed.reshape(list(shape))
            self._fixed = (shape, self._core.compile_model(fixed, "CPU", self._settings))
        return self._fixed[1]


def _name_of(output: Any, weights: Path) -> str:
    try:
        return str(output.get_any_name())
    except RuntimeError as error:
        raise ModelError(f'"{weights}" has an output without a name: export it anew.', remedy="export") from error
