"""Where a Python of a given version is on this machine: on the PATH, of pyenv, or of uv."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

_ASKS = 'import sys, venv, ensurepip; print("%d.%d" % sys.version_info[:2], sys.prefix == sys.base_prefix)'


def interpreter(version: str) -> Path | None:
    """The first interpreter of a version (``3.12``) that runs and can make environments; None where there is none."""
    return next((path for path in _candidates(version) if _is_one(path, version)), None)


def _candidates(version: str) -> Iterator[Path]:
    if sys.prefix == sys.base_prefix:
        yield Path(sys.executable)
    else:  # an environment: the interpreter that it was made of
        yield Path(sys.base_prefix) / "bin" / f"python{version}"
    for name in (f"python{version}", "python3", "python"):
        if found := shutil.which(name):
            yield Path(found)
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    yield from sorted(pyenv.glob(f"{version}.*/bin/python"), key=_release, reverse=True)
    if (launcher := shutil.which("py")) and (said := _said([launcher, f"-{version}", "-c", _EXECUTABLE])):
        yield Path(said)
    if (uv := shutil.which("uv")) and (said := _said([uv, "python", "find", "--no-python-downloads", version])):
        yield Path(said)


_EXECUTABLE = "import sys; print(sys.executable)"


def _release(path: Path) -> list[int]:
    return [int(part) if part.isdecimal() else -1 for part in path.parents[1].name.split(".")]


def _is_one(path: Path, version: str) -> bool:
    # A shim of pyenv is a file that runs, and fails where the version is not chosen in this folder.
    return path.is_file() and _said([str(path), "-c", _ASKS]) == f"{version} True"


def _said(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
