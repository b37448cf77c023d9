"""Runtimes, tiling in bounded memory, and the counting pipeline."""

DEFAULT_MODEL = "headcount-s"
"""Name of the shipped model that is taken where none is named."""

MODEL_VARIABLE = "HEADCOUNT_MODEL"
"""The environment variable that names another one: a shipped name, or a file."""
WEIGHTS = (".onnx", ".safetensors")
"""Suffixes of the files that hold a model which counts."""
INT8 = ".int8.onnx"
"""The end of the name of a model's other graph, in whole numbers of 8 bits, beside the ``.onnx``."""
OPENVINO = ".xml"
"""The suffix of a model in OpenVINO's own form, for its tools alone."""
