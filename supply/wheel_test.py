"""The wheel in an empty environment of each Python that headcount is for.

``python -m supply.wheel_test [WHEEL] [--pythons 3.11 3.12 3.13] [--allow-missing]``. It is installed with the versions
of ``constraints/base.txt``, and there it must count the demo's crowd as here, hold its types, and have no torch.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from time import monotonic

from supply.interpreters import interpreter
from supply.wheel import ROOT, BuildError, build

PYTHONS = ("3.11", "3.12", "3.13")
_LONGEST_S = 1200

_TYPES = """
from headcount import Counter, HeadcountError, Prediction, load

counter: Counter = load("headcount-n")
found: Prediction = counter.count("photo.jpg")
number: float = found.count
wrong: str = found.count  # type: ignore[assignment]
"""
"""Checked by mypy, which says so where an "ignore" is not needed: without the types every line would pass."""

_NO_TORCH = """
import importlib.util, sys
import headcount, headcount.infer.counter
assert "site-packages" in headcount.__file__, headcount.__file__
assert importlib.util.find_spec("torch") is None and "torch" not in sys.modules
"""


class CheckError(Exception):
    """What is wrong with the installed wheel."""


@dataclass(frozen=True, slots=True)
class Installed:
    """An environment with the wheel in it, and an empty folder."""

    python: Path
    folder: Path

    def run(self, *command: object) -> str:
        """Run something in the folder; returns its standard output.

        Raises:
            CheckError: it failed.
        """
        # Nothing of the checkout, and nothing of the person's own settings of Python or headcount.
        outside = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTHON", "HEADCOUNT", "VIRTUAL_ENV"))
        }
        done = subprocess.run(
            list(map(str, command)), cwd=self.folder, env=outside, capture_output=True, text=True, check=False,
            timeout=_LONGEST_S,
        )  # fmt: skip
        if done.returncode:
            said = (done.stderr or done.stdout).strip()
            raise CheckError(f"{Path(str(command[0])).name} {' '.join(map(str, command[1:4]))} failed:\n{said[-3000:]}")
        return done.stdout

    @property
    def headcount(self) -> Path:
        """The command."""
        return self.python.with_name("headcount.exe" if os.name == "nt" else "headcount")


def version_is_told(installed: Installed) -> str:
    """``headcount --version`` and the package's metadata agree."""
    told = installed.run(installed.headcount, "--version").strip()
    asked = "from importlib.metadata import version; print('headcount', version('headcount'))"
    if told != installed.run(installed.python, "-c", asked).strip():
        raise CheckError(f"headcount --version says {told!r}, which is not the version that is installed.")
    return told


def crowd_is_counted(installed: Installed) -> str:
    """The demo's painted crowd has its number."""
    installed.run(installed.headcount, "demo", "--output-dir", "demo")
    found = json.loads((installed.folder / "demo" / "prediction.json").read_text(encoding="utf-8"))
    count = (found[0] if isinstance(found, list) else found)["count"]
    if abs(count - EXPECTED) > TOLERANCE * EXPECTED:
        raise CheckError(f"The demo's crowd was counted as {count:.1f}, but {EXPECTED:.1f} was expected.")
    return f"demo {count:.1f}"


def doctor_is_content(installed: Installed) -> str:
    """``headcount doctor`` finds nothing broken, and counts in the runtime of the light install."""
    told = json.loads(installed.run(installed.headcount, "doctor", "--json"))
    if not told["works"] or told["chosen"]["runtime"] != "openvino":
        raise CheckError(f"headcount doctor is not content: {told['faults'] or told['chosen']}")
    return f"doctor ({told['chosen']['precision']})"


def torch_is_not_there(installed: Installed) -> str:
    """Counting is imported from the wheel, without torch, which cannot be."""
    installed.run(installed.python, "-c", _NO_TORCH)
    return "no torch"


def types_are_there(installed: Installed) -> str:
    """Other people's code is checked against headcount's types."""
    if find_spec("mypy") is None:
        raise CheckError("The types are checked by mypy, which is not installed beside this command.")
    (installed.folder / "uses.py").write_text(_TYPES, encoding="utf-8")
    mypy = ("-m", "mypy", "--strict", "--config-file=", "--cache-dir", os.devnull, "--python-executable")
    installed.run(sys.executable, *mypy, installed.python, "uses.py")
    return "types"


def packages_fit(installed: Installed) -> str:
    """``pip check`` finds nothing."""
    installed.run(installed.python, "-m", "pip", "check")
    return "pip check"


EXPECTED, TOLERANCE = 863.583, 0.02
"""What the default model counts in the demo's scene in f32; bf16, where the processor has it, counts 0.9 % more."""
CHECKS: tuple[Callable[[Installed], str], ...] = (
    version_is_told, packages_fit, torch_is_not_there, doctor_is_content, crowd_is_counted, types_are_there,
)  # fmt: skip


def check(wheel: Path, python: Path) -> list[str]:
    """Install a wheel for an interpreter, and run every check; returns what each found.

    Raises:
        CheckError: it cannot be installed, or a check failed.
    """
    with _installed(wheel, python) as installed:
        return [one(installed) for one in CHECKS]


@contextmanager
def _installed(wheel: Path, python: Path) -> Iterator[Installed]:
    with tempfile.TemporaryDirectory(prefix="headcount-wheel-test-") as name:
        folder, bare = Path(name) / "empty", Path(name) / "environment"
        folder.mkdir()
        place = bare / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        installed = Installed(place, folder)
        installed.run(python, "-m", "venv", bare)
        pip = (place, "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
        installed.run(*pip, "--constraint", ROOT / "constraints" / "base.txt", wheel)
        yield installed


def main() -> int:
    """Check the wheel on every Python asked for; 1 where one fails or is not here."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", nargs="?", type=Path, help="a wheel; one is built of the last commit where left out")
    parser.add_argument("--pythons", nargs="+", default=PYTHONS, metavar="VERSION")
    parser.add_argument("--allow-missing", action="store_true", help="do not fail for a Python that is not here")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="headcount-wheel-") as folder:
        try:
            wheel = asked.wheel.resolve() if asked.wheel else build(ROOT, Path(folder))[1]
        except BuildError as error:
            print(f"Error: {error}", file=sys.stderr)
            return 1
        good = [_told(wheel, version, allow_missing=asked.allow_missing) for version in asked.pythons]
    return 0 if all(good) else 1


def _told(wheel: Path, version: str, *, allow_missing: bool) -> bool:
    """Check on one Python, print a line, and return whether that is as it should be."""
    python = interpreter(version)
    if python is None:
        print(f"Python {version}: not here (on the PATH, of pyenv, or of uv): install it.", flush=True)
        return allow_missing
    started = monotonic()
    try:
        found = check(wheel, python)
    except (CheckError, subprocess.TimeoutExpired) as error:
        print(f"Python {version}: FAILED. {error}", flush=True)
        return False
    print(f"Python {version}: {', '.join(found)} ({monotonic() - started:.0f} s)", flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main())
