"""ONNX Runtime on the CPU: a second opinion on OpenVINO's numbers, in the train extra."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headcount.core.card import ModelCard
from headcount.core.errors import InputError, MissingExtraError, ModelError
from headcount.infer.runtimes.graph import last_line, read_graph


def open_onnxruntime(
    weights: Path, card: ModelCard, *, device: str = "auto", precision: str = "auto", threads: int | None = None
) -> OnnxRuntime:
    """Load an ONNX file that ``headcount export`` wrote. See ``OpenRuntime``."""
    return OnnxRuntime(weights, precision=precision, threads=threads, size_divisor=card.input.size_divisor)


class OnnxRuntime:
    """One ONNX graph on the CPU in f32, the only precision it has there."""

    name = "onnxruntime"
    device = "cpu"
    precision = "f32"

    def __init__(
        self, weights: Path, *, precision: str = "auto", threads: int | None = None, size_divisor: int = 32
    ) -> None:
        if precision == "bf16":
            raise InputError("ONNX Runtime computes in f32 on a CPU: leave bf16 to OpenVINO or torch.")
        read_graph(weights, size_divisor=size_divisor)  # judges it
        try:
            self._session = open_session(weights, threads=threads)
        except ImportError as error:
            raise MissingExtraError("ONNX Runtime", "train") from error
        except Exception as error:  # its own exception classes share no base but this one
            raise ModelError(f'"{weights}" cannot be used ({last_line(error)}): export it anew.') from error
        self._weights, self._input = weights, self._session.get_inputs()[0].name
        self.outputs = [output.name for output in self._session.get_outputs()]

    def run(self, pixels: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """(n, h, w, 3) uint8 RGB → maps by name. See ``Runtime.run``."""
        try:
            results = self._session.run(self.outputs, {self._input: pixels})
        except Exception as error:
            height, width = pixels.shape[1:3]
            raise ModelError(f'"{self._weights}" failed on {width}×{height} pixels: {last_line(error)}') from error
        return {name: np.asarray(values, dtype=np.float32) for name, values in zip(self.outputs, results, strict=True)}


def open_session(weights: Path, *, threads: int | None = None) -> Any:
    """An ONNX file in ONNX Runtime on the CPU, with its settings as every use of it has them.

    Raises:
        ImportError: ONNX Runtime is not installed.
        Exception: one of ONNX Runtime's own, where the file is damaged.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.enable_cpu_mem_arena = False  # the arena only grows, and every image has another size
    if threads is not None:
        options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])
