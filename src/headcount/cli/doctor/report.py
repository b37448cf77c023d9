"""What the doctor finds out: asked of the rooms that know it, and of none that needs a package that is broken."""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from headcount import __version__
from headcount.core.addresses import without_home, without_secrets
from headcount.core.errors import HeadcountError
from headcount.core.machine import Memory, Processor, memory, processor
from headcount.core.packages import Extra, Package, extras, import_fault, light_packages, version_of
from headcount.core.threads import Threads, threads_found

if TYPE_CHECKING:
    from headcount.infer.health import Chosen, Counted, ModelFound, RuntimeFound

T = TypeVar("T")
_SECOND_OPENCV = ("opencv-python", "opencv-contrib-python", "opencv-contrib-python-headless")


@dataclass(slots=True)
class Report:
    """All that was found; what could not be asked since something is broken is empty or None.

    Attributes:
        faults: what counting needs and is broken, a sentence each.
        notes: what may surprise, and stops nothing.
        numbers: those that the processor computes in, as OpenVINO tells them.
        opengl: whether OpenGL without a screen is here; None where that is not known.
        gpus: those that torch finds; None where it was not asked.
    """

    python: str
    system: str
    packages: tuple[Package, ...]
    extras: tuple[Extra, ...]
    processor: Processor
    memory: Memory
    threads: Threads
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    numbers: tuple[str, ...] = ()
    runtimes: Sequence[RuntimeFound] = ()
    chosen: Chosen | None = None
    model_variable: str = ""
    models_folder: str = ""
    models: Sequence[ModelFound] = ()
    opengl: bool | None = None
    gpus: Sequence[str] | None = None
    counted: Counted | None = None

    def to_dict(self) -> dict[str, Any]:
        """The report as plain data; see the guide for its keys."""
        told = dataclasses.asdict(self)
        told["extras"] = [
            {"name": one.name, "purpose": one.purpose, "missing": list(one.missing), "install": one.install}
            for one in self.extras
        ]
        if self.counted is not None:
            told["counted"]["is_good"] = self.counted.is_good
        return {"headcount": __version__, "works": not self.faults, **_private(told)}


def examined(*, check: bool = False, gpu: bool = False) -> Report:
    """Find out all of it.

    Args:
        check: count a painted crowd too.
        gpu: import torch, and ask it for GPUs.
    """
    report = Report(
        python=f"{platform.python_version()} ({platform.python_implementation()})",
        system=f"{platform.system()} {platform.release()}, {platform.machine()}",
        packages=light_packages(),
        extras=extras(),
        processor=processor(),
        memory=memory(),
        threads=threads_found(),
    )
    _look_at_packages(report)
    if not report.faults:
        _look_at_models(report, check=check)
    if gpu:
        report.gpus = _gpus(report)
    report.faults, report.notes = _private(report.faults), _private(report.notes)
    return report


def _look_at_packages(report: Report) -> None:
    for package in report.packages:
        fault = "" if package.name == "openvino" else import_fault(package.name)
        if not fault and package.version is not None:
            fault = package.fault
        if fault:
            report.faults.append(f"{package.name} {fault}: install headcount again.")
    if not report.faults and (fault := import_fault("openvino", _import_openvino)):
        report.faults.append(f"openvino {fault}: install headcount again.")
    others = [name for name in _SECOND_OPENCV if version_of(name) is not None]
    if others:
        report.notes.append(
            f"{' and '.join(others)} overwrites files of opencv-python-headless: remove both, and install headcount "
            "again."
        )


def _import_openvino() -> object:
    from headcount.infer.runtimes.graph import import_openvino

    return import_openvino()


def _look_at_models(report: Report, *, check: bool) -> None:
    from headcount.infer import health
    from headcount.infer.runtimes.openvino import capabilities
    from headcount.synth.opengl import has_opengl

    report.runtimes = health.runtimes_found()
    report.opengl = has_opengl()
    report.model_variable = _private(health.named_model())
    folder, report.models = health.models_found()
    report.models_folder = _private(str(folder))
    report.faults += [fault for model in report.models for fault in model.faults]
    report.numbers = _tried(report, capabilities) or ()
    report.chosen = _tried(report, health.choose)
    if check:
        report.counted = _tried(report, health.count_known_crowd)
        if report.counted is not None and not report.counted.is_good:
            report.faults.append(
                f"The painted crowd was counted as {report.counted.count:,.1f}, but {report.counted.expected:,.1f} was "
                "expected: install headcount again, and if that does not help report it."
            )


def _gpus(report: Report) -> list[str]:
    """What torch finds; it is imported only here."""
    from headcount.core.table import is_installed

    if not is_installed("torch"):
        report.notes.append("torch is not installed, so that no GPU was looked for.")
        return []
    from headcount.models.devices import gpus

    return _tried(report, gpus) or []


def _tried(report: Report, ask: Callable[[], T]) -> T | None:
    """What is asked for; where it fails, None and a fault. Whatever fails here, the rest of the report is told."""
    try:
        return ask()
    except HeadcountError as error:
        fault = error.message
    except Exception as error:
        fault = f"Something unforeseen went wrong ({type(error).__name__}: {' '.join(str(error).split())[:200]})."
    if fault not in report.faults:
        report.faults.append(fault)
    return None


def _private(told: Any) -> Any:
    """Plain data without home folders, and without what is secret in addresses."""
    if isinstance(told, str):
        return without_home(without_secrets(told))
    if isinstance(told, dict):
        return {key: _private(value) for key, value in told.items()}
    if isinstance(told, (list, tuple)):
        return [_private(value) for value in told]
    return told
