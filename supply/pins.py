"""The versions that a file of constraints names."""

from __future__ import annotations

from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def pins_of(path: Path) -> dict[str, str]:
    """Name in its canonical form → version, of a file whose lines are ``name==version``.

    Raises:
        ValueError: a line is none.
    """
    pins = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        asked = Requirement(line)
        (pin,) = asked.specifier
        if pin.operator != "==":
            raise ValueError(f'"{line}" in {path.name} is no name==version.')
        pins[canonicalize_name(asked.name)] = pin.version
    return pins
