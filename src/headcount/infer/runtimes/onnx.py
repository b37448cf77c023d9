"""ONNX Runtime on the CPU: a second opinion on OpenVINO's numbers, in the train extra."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headcount.core.card import ModelCard
from headcount.core.errors import InputError, MissingExtraError, ModelError


def open_onnxruntime(
    weights: Path, card: ModelCard, *, device: str = "auto", precision: str = "auto", threads: int | None = None
) -> OnnxRuntime:
    """Load an ONNX file that ``headcount export`` wrote. See ``OpenRuntime``."""
    return OnnxRuntime(weights, precision=precision, threads=threads)


class OnnxRuntime:
    """One ONNX graph on the CPU in f32, the only precision it has there."""

    name = "onnxruntime"
    device = "cpu"
    precision = "f32"

    def __init__(self, weights: Path, *, precision: str = "auto", threads: int | None = None) -> None:
        if precision == "bf16":
            raise InputError("ONNX Runtime computes in f32 on a CPU: leave bf16 to OpenVINO or torch.")
        try:
            self._session = open_session(weights, threads=threads)
        except ImportError as error:
            raise MissingExtraError("ONNX Runtime", "train") from error
        except Exception as error:  # its own exception classes share no base but this one
            raise ModelError(f'"{weights}" is damaged or no ONNX model: copy it again, or export it anew.') from error
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or inputs[0].type != "tensor(uint8)" or len(inputs[0].shape) != 4:
            raise ModelError(
                f'"{weights}" is an ONNX model, but not one of headcount\'s: its one input must be uint8 (1, h, w, 3). '
                "Export it anew.",
                remedy="export",
            )
        self._weights, self._input = weights, inputs[0].name
        self.outputs = [output.name for output in self._session.get_outputs()]

    def run(self, pixels: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """(n, h, w, 3) uint8 RGB → maps by name. See ``Runtime.run``."""
        try:
            results = self._session.run(self.outputs, {self._input: pixels})
        except Exception as error:
            height, width = pixels.shape[1:3]
            raise ModelError(f'"{self._weights}" failed on {width}×{height} pixels: {error}') from error
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
