"""The packages that headcount's installs ask for, and what is here of them; none is imported."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, requires, version

from headcount.core.errors import MissingExtraError

_ASKED = re.compile(
    r"^(?P<name>[\w.-]+)\s*(\[(?P<extras>[^\]]*)\])?\s*\(?(>=\s*(?P<least>[\w.]+))?\)?[^;]*(;\s*(?P<where>.*))?$"
)
_EXTRA = re.compile(r"""extra\s*==\s*["'](?P<extra>[\w.-]+)["']""")

LIGHT_MODULES = {
    "numpy": "numpy", "scipy": "scipy.ndimage", "opencv-python-headless": "cv2", "pillow": "PIL.Image",
    "openvino": "openvino", "safetensors": "safetensors", "pydantic": "pydantic", "pyyaml": "yaml", "typer": "typer",
    "rich": "rich.console",
}  # fmt: skip
"""Package of the light install → a module that shows whether it works."""
PURPOSES = {
    "plots": "plots of an evaluation",
    "boxes": "average precision of boxes",
    "heif": "photographs in HEIF",
    "synth": "rendered crowds",
    "label": "the labelling page",
    "video": "cameras, zones, databases, MQTT",
    "serve": "counting over HTTP, with a page",
    "batch": "Parquet, and storage elsewhere",
    "ray": "counting on a cluster",
    "train": "training and export, ONNX Runtime, GPU",
    "int8": "models in int8",
}
"""Extra → what people install it for; ``dev`` is for who works on headcount."""


@dataclass(frozen=True, slots=True)
class Package:
    """A package that an install asks for.

    Attributes:
        name: as the registry has it.
        least: the oldest version that will do, or empty.
        version: the one that is here, None where there is none.
    """

    name: str
    least: str
    version: str | None

    @property
    def is_good(self) -> bool:
        """Whether it is here, and new enough."""
        return self.version is not None and _release(self.version) >= _release(self.least)

    @property
    def fault(self) -> str:
        """What is wrong with it, in a word or two; empty where nothing is."""
        if self.version is None:
            return "missing"
        return "" if self.is_good else f"{self.version} is older than {self.least}"


@dataclass(frozen=True, slots=True)
class Extra:
    """An extra, and the packages that it brings beside the light install."""

    name: str
    packages: tuple[Package, ...]

    @property
    def purpose(self) -> str:
        """What it is for."""
        return PURPOSES.get(self.name, "")

    @property
    def missing(self) -> tuple[str, ...]:
        """The packages that are not here, or too old."""
        return tuple(package.name for package in self.packages if not package.is_good)

    @property
    def install(self) -> str:
        """What installs it, in a checkout."""
        return MissingExtraError.hint(self.name)


def light_packages(lines: list[str] | None = None) -> tuple[Package, ...]:
    """What the light install asks for. ``lines``: requirements in their written form, headcount's own where None."""
    asked = {match["name"].lower(): match["least"] or "" for match, extra in _asked(lines) if not extra}
    return tuple(Package(name, asked.get(name, ""), version_of(name)) for name in {**LIGHT_MODULES, **asked})


def extras(lines: list[str] | None = None) -> tuple[Extra, ...]:
    """The extras that people install, in the order of ``PURPOSES``, with all that they bring; ``lines`` as above."""
    asked = _asked(lines)
    return tuple(Extra(name, tuple(_brought_by(name, asked))) for name in PURPOSES if any(e == name for _, e in asked))


def import_fault(name: str, load: Callable[[], object] | None = None) -> str:
    """Why a package of the light install cannot be used, in one line; empty where it can be imported, and now is.

    ``load`` imports it where that takes more than its name.
    """
    try:
        if load is None:
            import_module(LIGHT_MODULES[name])
        else:
            load()
    except Exception as error:  # whatever its files do: a library of the system that is missing, half of it copied
        said = " ".join(str(error).split())
        return f"cannot be imported ({type(error).__name__}: {said[:200]})"
    return ""


def version_of(name: str) -> str | None:
    """The version of a package as its metadata tell it; None where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _brought_by(extra: str, asked: list[tuple[re.Match[str], str]]) -> list[Package]:
    found: list[Package] = []
    for match, of in asked:
        if of != extra:
            continue
        if match["name"].lower() == "headcount":
            for inner in (match["extras"] or "").split(","):
                found += _brought_by(inner.strip(), asked)
        else:
            found.append(Package(match["name"], match["least"] or "", version_of(match["name"])))
    return list(dict.fromkeys(found))


def _asked(lines: list[str] | None) -> list[tuple[re.Match[str], str]]:
    """Each requirement, and the extra that it belongs to or an empty word."""
    if lines is None:
        try:
            lines = requires("headcount") or []
        except PackageNotFoundError:  # it runs from its source, and nobody installed it
            lines = []
    matches = [match for line in lines if (match := _ASKED.match(line.strip())) is not None]
    return [(match, found["extra"] if (found := _EXTRA.search(match["where"] or "")) else "") for match in matches]


def _release(text: str) -> tuple[int, ...]:
    """The numbers that a version begins with.

    >>> _release("2.4.6"), _release("2.0.0rc1"), _release("")
    ((2, 4, 6), (2, 0, 0), ())
    """
    found = re.match(r"\d+(\.\d+)*", text)
    return tuple(int(part) for part in found[0].split(".")) if found else ()
