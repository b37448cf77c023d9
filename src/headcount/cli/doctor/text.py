"""The doctor's report as text for a terminal of 80 columns."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from headcount import __version__
from headcount.cli.console import output_console
from headcount.core.words import plural

if TYPE_CHECKING:
    from rich.console import Console

    from headcount.cli.doctor.report import Report

_LABEL = 13
_KEPT = "\N{NO-BREAK SPACE}"
"""A space at which no line ends; it is printed as any other."""
Line = tuple[str, str]
"""A label, or an empty word, and what stands beside it."""


def show(report: Report) -> None:
    """Print the report."""
    console = output_console()
    console.print(f"headcount {__version__}", style="bold")
    _section(console, "", _installed(report))
    _section(console, "This machine", _machine(report))
    if report.chosen or report.runtimes:
        _section(console, "What counts", _counting(report))
    if report.models:
        _section(console, "Models", _models(report))
        _section(console, "", _shipped(report))
    _section(console, "Extras", _extras(report))
    for title, texts in (("Notes", report.notes), ("Broken", report.faults)):
        if texts:
            _section(console, title, [("", text) for text in texts])
    console.print()
    console.print(_verdict(report), style="bold", soft_wrap=True)


def _verdict(report: Report) -> str:
    if report.faults:
        return f"Counting does not work as it should: {plural(len(report.faults), 'fault')} (above)."
    if report.counted is not None:
        return "Counting works: the painted crowd has the expected number."
    return 'Counting should work; "headcount doctor --check" counts a crowd of known number.'


def _section(console: Console, title: str, lines: list[Line]) -> None:
    if title:
        console.print()
        console.print(title, style="bold")
    longest = max(len(label) for label, _ in lines)
    indent = " " * (2 + max(_LABEL, longest + 2) * bool(longest))
    for label, text in lines:
        wrapped = textwrap.wrap(
            text, console.width, initial_indent=f"  {label}".ljust(len(indent)), subsequent_indent=indent,
            break_on_hyphens=False, break_long_words=False,
        )  # fmt: skip
        console.print("\n".join(wrapped).replace(_KEPT, " "), soft_wrap=True)


def _installed(report: Report) -> list[Line]:
    versions = ", ".join(f"{one.name}{_KEPT}{one.version or 'missing'}" for one in report.packages)
    return [("Python", report.python), ("system", report.system), ("packages", versions)]


def _machine(report: Report) -> list[Line]:
    features = report.processor.features
    told = "features not told by the system" if features is None else ", ".join(features) or "none that matter"
    lines = [("processor", f"{report.processor.name}: {told}")]
    if report.numbers:
        lines.append(("", f"OpenVINO computes in {', '.join(report.numbers)} on it"))
    lines.append(("threads", _threads(report)))
    lines.append(("memory", _memory(report)))
    if report.gpus is not None:
        lines.append(("GPUs", "; ".join(report.gpus) or "none that torch finds"))
    return lines


def _threads(report: Report) -> str:
    found = report.threads
    here = plural(found.processors, "processor")
    if found.limit is None:
        return f"{here}; nothing limits it, and each library chooses"
    why = {
        "OMP_NUM_THREADS": f"OMP_NUM_THREADS is {found.variable}",
        "pinning": f"this process is pinned to {found.pinned} of them",
        "container": f"its container may use {found.share or 0:g} of them",
    }
    return f"{found.limit} of {here}: {why[found.by]}"


def _memory(report: Report) -> str:
    found = report.memory
    parts = [f"{_size(found.total)} in all" if found.total else "not told by the system"]
    if found.free is not None:
        parts.append(f"{_size(found.free)} free")
    if found.limit is not None:
        used = "" if found.used is None else f", {_size(found.used)} of that is taken"
        parts.append(f"the container may take {_size(found.limit)}{used}")
    return "; ".join(parts)


def _counting(report: Report) -> list[Line]:
    lines = []
    if (chosen := report.chosen) is not None:
        lines.append(("by default", f"{chosen.model} on {chosen.runtime} {chosen.device} {chosen.precision}"))
        lines.append(("", f"{chosen.runtime}: {chosen.runtime_why}"))
        lines.append(("", f"{chosen.precision}: {chosen.precision_why}"))
    there = [f"{one.name} {one.version or ''}".rstrip() for one in report.runtimes if one.is_installed]
    lines.append(("runtimes", ", ".join(there) or "none"))
    for one in report.runtimes:
        if not one.is_installed:
            of = f' (extra "{one.extra}")' if one.extra else ""
            lines.append(("", f"{one.name} is not installed{of}"))
    if (counted := report.counted) is not None:
        off = 100 * (counted.count / counted.expected - 1)
        good = "as it should be" if counted.is_good else f"but {100 * counted.tolerance:g} % is the most"
        told = f"a painted crowd of {counted.people:,} is counted as {counted.count:,.1f}"
        lines.append(("check", f"{told}, {off:+.1f} % from {counted.expected:,.1f}, {good} ({counted.seconds:.1f} s)"))
    return lines


def _models(report: Report) -> list[Line]:
    lines = [("folder", report.models_folder)]
    default = next((model.name for model in report.models if model.is_default), report.model_variable)
    set_by = "HEADCOUNT_MODEL names it" if report.model_variable else "HEADCOUNT_MODEL is not set"
    lines.append(("default", f"{default}; {set_by}"))
    return lines


def _shipped(report: Report) -> list[Line]:
    lines = []
    for model in report.models:
        files = ", ".join(f"{one.name.removeprefix(model.name)} {one.size / 1e6:.1f} MB" for one in model.files)
        lines.append((model.name, f"{files or 'no files'}; {'damaged' if model.faults else 'hashes good'}"))
    return lines


def _extras(report: Report) -> list[Line]:
    if not report.extras:
        return [("", "headcount runs from its source without being installed: its extras are not known.")]
    there = [one.name for one in report.extras if not one.missing]
    lines = [("there", ", ".join(there) or "none")]
    missing = [one for one in report.extras if one.missing]
    if missing:
        lines.append(("missing", "in a checkout, install:"))
    lines += [(f"  {one.name}", f"{one.purpose}: {one.install.replace(' ', _KEPT)}") for one in missing]
    if any(one.name == "synth" and not one.missing for one in report.extras) and report.opengl is False:
        lines.append(
            ("OpenGL", "missing, for rendering crowds: install Mesa's EGL (on Debian: libegl1 libgl1-mesa-dri)")
        )
    return lines


def _size(number: int | None) -> str:
    return "unknown" if number is None else f"{number / 1e9:.1f} GB"
