"""What an attack is: files, how they are given, and what must happen."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.attacks.make import FILES

Must = Literal["refused", "left out", "read"]
"""``refused``: nothing is done, one sentence says why, exit code 2. ``left out``: the sentence is said and the rest is
done, exit code 1. ``read``: it is read without harm, exit code 0."""


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a command: its exit code, what it wrote to standard output and error, its largest size in MiB."""

    code: int
    out: str
    err: str
    peak_mib: int = 0


Check = Callable[[Path, Told], None]


@dataclass(frozen=True, slots=True)
class Attack:
    """A command with something of a stranger's in it.

    Attributes:
        name: what is tried.
        command: the arguments of headcount; the folder it is run in also holds image.png, tiny.onnx and tiny.json.
        files: the kept file of each name in that folder; links where they begin with "->".
        must: what must happen.
        says: a pattern that standard error must have; where it is not read, the first file's name where there is none.
        check: looks at what is there afterwards.
        needs: a package without which it cannot be tried.
        terminal: whether standard output and error are a terminal.
    """

    name: str
    command: tuple[str, ...]
    files: dict[str, str]
    must: Must = "refused"
    says: str = ""
    check: Check | None = None
    needs: str = ""
    terminal: bool = False

    @property
    def pattern(self) -> str:
        """What standard error must have."""
        return self.says or ("" if self.must == "read" else re.escape(next(iter(self.files))))

    def lay(self, folder: Path) -> None:
        """Put its files into a folder."""
        for name, kept in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            if kept.startswith("->"):
                path.symlink_to(kept[2:])
            else:
                path.write_bytes((FILES / kept).read_bytes())
