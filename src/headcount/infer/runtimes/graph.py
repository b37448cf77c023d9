"""An ONNX file, read and judged before any runtime opens it: it may be a stranger's.

OpenVINO reads a file and works out the shape of every value in it without computing one, in milliseconds. What would
not end or not fit is found there: loops, values of gigabytes that a hundred bytes ask for, weights that are no numbers.
How long the network takes for an image is not judged.
"""

from __future__ import annotations

import math
import mmap
import re
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from headcount.core.card import not_finite
from headcount.core.errors import ModelError
from headcount.data.parse.values import cut

_CONTROL_FLOW = frozenset({"Loop", "If", "TensorIterator"})
_OPERATIONS_MAX = 8_000
"""Constants are not counted. OpenVINO compiles 4,000 in 5 s, 8,000 in 13 s and 19,000 in minutes."""
_OTHER_FILE = re.compile(rb"\x0a(?:\x08|\x88\x80*\x00)location")
"""The key under which ONNX names another file for a tensor, as protobuf writes it, in short or in long."""
_SIDE_PX = 256
"""A little image's side, for which the values are judged."""
_VALUE_MAX = 256 << 20
"""Bytes of one value at that image. 64 channels of every pixel, as VGG has, are 17 MB."""
_ALL_MAX = 16 << 30
"""Bytes of all values together: none of the shipped recipes' networks comes to a tenth of it."""


def read_graph(weights: Path, *, size_divisor: int) -> Any:
    """The network of an ONNX file as OpenVINO's model, not compiled yet.

    Raises:
        ModelError: the file is damaged or no ONNX; it is not one of headcount's; it names other files, holds loops,
            values that are not finite numbers, or ones of a size that no counting network has.
    """
    _check_one_file(weights)
    # Left to itself OpenVINO tries its readers of six other formats on a damaged file.
    reader = _readers().load_by_framework("onnx")
    try:
        model = reader.convert(reader.load(str(weights)))
    except Exception as error:  # its own exception classes share no base but this one
        raise ModelError(
            f'"{weights}" is damaged or no ONNX model ({last_line(error)}): copy it again, or export it anew.'
        ) from error
    _check_input(model, weights)
    operations = [(operation, operation.get_type_name()) for operation in model.get_ordered_ops()]
    number = sum(kind != "Constant" for _, kind in operations)
    if number > _OPERATIONS_MAX:
        raise ModelError(f'"{weights}" has {number:,} operations, over the limit of {_OPERATIONS_MAX:,}.')
    for operation, kind in operations:
        if kind in _CONTROL_FLOW:
            raise ModelError(
                f'"{weights}" holds an operation "{kind}", which may never end: a counting network has none.'
            )
        if kind == "Constant" and not _is_finite(operation):
            raise not_finite(weights)
    _check_sizes(model, weights, size_divisor)
    return model


@cache
def _readers() -> Any:
    """What makes OpenVINO's readers; it must live as long as they do."""
    import_openvino()
    from openvino.frontend import FrontEndManager

    return FrontEndManager()


def last_line(error: Exception) -> str:
    """What a library's error of many lines says, at most 200 letters."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return cut(lines[-1], 200) if lines else type(error).__name__


def import_openvino() -> ModuleType:
    """OpenVINO without its conversion tool, whose import reports to the vendor over the network.

    OpenVINO does without the tool where it cannot be imported; half the time of the import goes with it.
    """
    tool = "openvino.tools.ovc"
    if "openvino" in sys.modules or tool in sys.modules:
        import openvino

        return openvino  # type: ignore[no-any-return]
    sys.modules[tool] = None  # type: ignore[assignment]  # makes `import openvino.tools.ovc` an ImportError
    try:
        import openvino
    finally:
        del sys.modules[tool]
    return openvino  # type: ignore[no-any-return]


def _check_one_file(weights: Path) -> None:
    try:
        with weights.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            elsewhere = _OTHER_FILE.search(content) is not None
    except (OSError, ValueError) as error:  # ValueError: it is empty
        raise ModelError(f'"{weights}" cannot be read ({error}): check the file.') from error
    if elsewhere:
        raise ModelError(
            f'"{weights}" names other files for its weights, which are not read: export it anew, as one file.'
        )


def _check_input(model: Any, weights: Path) -> None:
    inputs = model.inputs
    shape = inputs[0].get_partial_shape() if len(inputs) == 1 else None
    element = inputs[0].get_element_type().get_type_name() if inputs else "nothing"
    if shape is None or len(shape) != 4 or element != "u8":
        raise ModelError(
            f'"{weights}" is an ONNX model, but not one of headcount\'s: its one input must be uint8 (1, h, w, 3). '
            "Export it anew.",
            remedy="export",
        )


def _is_finite(constant: Any) -> bool:
    if not constant.get_element_type().is_real():
        return True
    values = constant.get_data()
    values = values if values.dtype.kind == "f" else constant.get_data(dtype=np.float32)
    return bool(np.isfinite(values).all())


def _check_sizes(model: Any, weights: Path, divisor: int) -> None:
    """Refuse values that are too large at a little image, or whose size the image does not decide."""
    side = -(-_SIDE_PX // divisor) * divisor
    little = model.clone()
    try:
        little.reshape([1, side, side, 3])
    except RuntimeError as error:
        raise ModelError(
            f'"{weights}" takes no image of {side}×{side} pixels, though its card says it does: export it anew.'
        ) from error
    scale = max(1.0, (side / _SIDE_PX) ** 2)
    total = 0
    for operation in little.get_ordered_ops():
        if operation.get_type_name() == "Constant":
            continue  # as large as it is in the file
        for output in operation.outputs():
            shape = output.get_partial_shape()
            if shape.is_dynamic:
                raise ModelError(
                    f'"{weights}" has values whose size depends on what the image shows: a counting network has none.'
                )
            size = math.prod(output.get_shape()) * output.get_element_type().size
            total += size
            if size > _VALUE_MAX * scale or total > _ALL_MAX * scale:
                raise ModelError(
                    f'"{weights}" asks for {max(size, total) / (1 << 30):,.1f} GB for an image of {side}×{side} '
                    "pixels, as no counting network does: do not use it unless you know who made it."
                )
