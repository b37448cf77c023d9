"""Runtimes, tiling in bounded memory, and the counting pipeline."""

DEFAULT_MODEL = "headcount-s"
"""Name of the shipped model that is taken where none is named."""

MODEL_VARIABLE = "HEADCOUNT_MODEL"
"""The environment variable that names another one: a shipped name, or a file."""
WEIGHTS = (".onnx", ".safetensors")
"""Suffixes of the files that hold a model which counts."""
OPENVINO = ".xml"
"""The suffix of a model in OpenVINO's own form, for its tools alone."""
