"""Whether counting works here: the runtimes, what is taken of them, the shipped models, and a crowd of known number."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from headcount.core.card import ModelCard
from headcount.core.errors import HeadcountError
from headcount.core.packages import version_of
from headcount.infer import DEFAULT_MODEL, INT8, MODEL_VARIABLE
from headcount.infer.models import (
    ModelFiles,
    check_weights,
    default_model,
    find_model,
    model_or_default,
    models_folder,
    shipped_models,
)
from headcount.infer.runtimes.table import RUNTIMES, Runtime

SCENE_SEED = 7
"""The scene that the demo paints; ``SCENE_COUNT`` is what the default model counts in it in f32."""
SCENE_COUNT = 863.583
TOLERANCE = {"f32": 0.005, "bf16": 0.03}
"""Precision → by which share a count of it may differ from that; others may by the largest."""


@dataclass(frozen=True, slots=True)
class RuntimeFound:
    """A runtime of the table.

    Attributes:
        version: of its package, None where that is not told.
        extra: what brings it; empty where the light install does.
    """

    name: str
    is_installed: bool
    version: str | None
    extra: str


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is taken to count with where a user names nothing.

    Attributes:
        model: its name.
        runtime_why, precision_why: why these, each a sentence without its full stop.
        load_ms: how long it took to open.
    """

    model: str
    runtime: str
    device: str
    precision: str
    runtime_why: str
    precision_why: str
    load_ms: float


@dataclass(frozen=True, slots=True)
class FileFound:
    """A file of weights; ``fault`` is what is wrong with it, empty where it is what its card says."""

    name: str
    size: int
    fault: str


@dataclass(frozen=True, slots=True)
class ModelFound:
    """A shipped model; ``fault`` is what is wrong with its card."""

    name: str
    is_default: bool
    files: tuple[FileFound, ...]
    fault: str = ""

    @property
    def faults(self) -> list[str]:
        """All that is wrong with it."""
        return [*([self.fault] if self.fault else []), *(one.fault for one in self.files if one.fault)]


@dataclass(frozen=True, slots=True)
class Counted:
    """A painted crowd, counted.

    Attributes:
        people: how many are in it.
        count: how many were counted, and ``expected`` in f32.
        tolerance: by which share the two may differ.
    """

    people: int
    count: float
    expected: float
    tolerance: float
    seconds: float

    @property
    def is_good(self) -> bool:
        """Whether it is the known number."""
        return abs(self.count - self.expected) <= self.tolerance * self.expected


def runtimes_found() -> list[RuntimeFound]:
    """Every runtime of the table, and the version of each that is installed; none is imported."""
    return [
        RuntimeFound(row.name, row.is_installed, version_of(row.package or row.name), row.extra)
        for row in RUNTIMES.rows()
    ]


def models_found() -> tuple[Path, list[ModelFound]]:
    """Where the shipped models lie, and whether each file is the one that its card was written for."""
    folder = models_folder()
    names = sorted({*shipped_models(), *(path.stem for path in folder.glob("*.json")), DEFAULT_MODEL})
    return folder, [_model_found(folder, name) for name in names]


def choose() -> Chosen:
    """Open what is taken where nothing is named, and say why that.

    Raises:
        HeadcountError: it cannot be opened; as ``load``.
    """
    from headcount.infer.counter import open_model

    found = model_or_default(None)
    started = perf_counter()
    runtime = open_model(found, device="auto", runtime="auto", precision="auto")
    took = 1e3 * (perf_counter() - started)
    why = _runtime_why(found, runtime), _precision_why(found, runtime)
    return Chosen(found.card.name, runtime.name, runtime.device, runtime.precision, *why, took)


def count_known_crowd() -> Counted:
    """Count the demo's crowd by the shipped default model, whatever the user's own is.

    Raises:
        HeadcountError: it cannot be counted; as ``load``.
    """
    from headcount.infer.counter import load
    from headcount.synth import paint_scene

    started = perf_counter()
    counter = load(DEFAULT_MODEL)
    scene = paint_scene(SCENE_SEED)
    count = counter.count(scene).count
    tolerance = TOLERANCE.get(counter.runtime.precision, max(TOLERANCE.values()))
    return Counted(scene.count, count, SCENE_COUNT, tolerance, perf_counter() - started)


def named_model() -> str:
    """What ``HEADCOUNT_MODEL`` says; empty where it is not set."""
    return os.environ.get(MODEL_VARIABLE, "").strip()


def _model_found(folder: Path, name: str) -> ModelFound:
    is_default = name == default_model()
    try:
        card = ModelCard.read(folder / f"{name}.json")
    except HeadcountError as error:
        return ModelFound(name, is_default, (), error.message)
    present = find_model(name).weights.values() if name in shipped_models() else ()
    names = sorted({*card.sha256, *(path.name for path in present)})
    return ModelFound(name, is_default, tuple(_file_found(folder / one, card) for one in names))


def _file_found(path: Path, card: ModelCard) -> FileFound:
    if not path.is_file():
        return FileFound(path.name, 0, f'"{path}" is missing, but its card names it: install headcount again.')
    try:
        check_weights(path, card)
        fault = "" if path.name in card.sha256 else f'"{path}" is not named in its card: export the model anew.'
    except HeadcountError as error:
        fault = error.message
    return FileFound(path.name, path.stat().st_size, fault)


def _runtime_why(found: ModelFiles, runtime: Runtime) -> str:
    if found.named is not None:
        return f"reads the {found.named} file that {MODEL_VARIABLE} names"
    if runtime.name == "torch":
        return "the model has only a .safetensors file, which torch alone reads"
    return "the model has an .onnx file, and this is the quickest that reads one on a CPU"


def _precision_why(found: ModelFiles, runtime: Runtime) -> str:
    if found.card.precision != "auto":
        return f"the model's card asks for {found.card.precision}"
    if runtime.precision == "int8":
        return f"the model has a file in int8 ({INT8}), which was written since it counts as well"
    if runtime.name != "openvino":
        return f"{runtime.name} computes in it where nothing else is asked for"
    able = "computes" if runtime.precision == "bf16" else "does not compute"
    return f"OpenVINO's choice: this processor {able} in bf16"
