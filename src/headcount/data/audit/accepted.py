"""Findings that somebody looked at and accepted, in a text file kept beside the data.

    # headcount-accepted.txt: a code, a path below this file's folder, and how often (any number where left out)
    point-outside  part_B/train_data/images/IMG_7.jpg  2
    count-differs  .

Words with blanks stand in quotes, as in a shell; of two lines on the same, the later holds. A path with letters that
cannot be printed (a line break, bytes that are no text) stands as a web address would: ``url:images/a%0Ab.jpg``.
"""

from __future__ import annotations

import os
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from headcount.core.errors import InputError, nearest
from headcount.core.files import atomic_text, is_file, is_folder, writing
from headcount.core.locks import held
from headcount.data.audit.findings import CODES, Finding
from headcount.data.parse.text import read_lines, read_text
from headcount.data.parse.values import cut

FILE_NAME = "headcount-accepted.txt"
_CODED = "url:"
_KIND = "file of accepted findings"
_HEAD = (
    "# What a check of these data may find without calling it a problem, one to a line:\n"
    "# a code, a path below this folder, and how often (any number of times where that is left out).\n"
)

Key = tuple[str, str]
"""(code, path relative to the accept file's folder, with forward slashes)."""


@dataclass(frozen=True, slots=True)
class Judged:
    """Findings, sorted by what was accepted; each keeps its order.

    Attributes:
        problems: not accepted, or more often than accepted.
        accepted: problems that are accepted.
        notes: findings that are no problem.
        exceeded: how many were accepted of what now occurs more often.
        stale: what was accepted and no longer occurs.
    """

    problems: tuple[Finding, ...]
    accepted: tuple[Finding, ...]
    notes: tuple[Finding, ...]
    exceeded: Mapping[Key, int]
    stale: tuple[Key, ...]

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON: all findings, each with whether it is accepted."""
        accepted = set(map(id, self.accepted))
        everything = (*self.problems, *self.accepted, *self.notes)
        return {
            "clean": not self.problems,
            "findings": [{**f.to_dict(), "accepted": id(f) in accepted, "note": not f.is_problem} for f in everything],
            "accepted_but_gone": [{"code": code, "path": path} for code, path in self.stale],
        }


def beside(path: Path) -> Path:
    """Where the accept file of a data set lies: in its folder, or beside its file."""
    return (path if is_folder(path) else path.parent) / FILE_NAME


def read_accepted(file: Path) -> dict[Key, int | None]:
    """What a file accepts: how often, or None for any number of times.

    Raises:
        InputError: it cannot be read, or a line is malformed; the line is named.
    """
    if not is_file(file):
        raise InputError(f'There is no file "{file}" of accepted findings: check the path.', remedy="accept")
    accepted: dict[Key, int | None] = {}
    for number, line in enumerate(read_lines(file, _KIND), start=1):
        place = f'"{file}", line {number}'
        try:
            words = shlex.split(line, comments=True)
        except ValueError as error:
            raise InputError(f"{place}: a quotation mark is not closed.") from error
        if not words:
            continue
        if not 2 <= len(words) <= 3:
            raise InputError(f"{place}: a code, a path and perhaps a number were expected; blanks need quotes.")
        code, path = words[:2]
        if code not in CODES:
            raise InputError(f'{place}: "{cut(code)}" is no code of a finding.{nearest(cut(code), CODES)}')
        times = None
        if len(words) == 3:
            if not (words[2].isascii() and words[2].isdigit() and len(words[2]) <= 9 and int(words[2]) > 0):
                raise InputError(f'{place}: "{cut(words[2])}" is no number of times (1 or more was expected).')
            times = int(words[2])
        accepted[code, _decoded(path)] = times
    return accepted


def _encoded(path: str) -> str:
    if path.isprintable() and not path.startswith(_CODED):
        return path
    return _CODED + quote(path, safe="/ ", errors="surrogateescape")


def _decoded(word: str) -> str:
    return unquote(word.removeprefix(_CODED), errors="surrogateescape") if word.startswith(_CODED) else word


def judge(findings: Sequence[Finding], accepted: Mapping[Key, int | None], folder: Path) -> Judged:
    """Sort findings by what is accepted; ``folder`` is the accept file's, to which its paths are relative."""
    keys = [key_of(finding, folder) for finding in findings]
    times: Counter[Key] = Counter()
    for key, finding in zip(keys, findings, strict=True):
        times[key] += finding.occurrences
    within = {key for key, most in accepted.items() if most is None or times[key] <= most}
    parts: dict[str, list[Finding]] = {"problems": [], "accepted": [], "notes": []}
    for key, finding in zip(keys, findings, strict=True):
        part = "notes" if not finding.is_problem else "accepted" if key in within else "problems"
        parts[part].append(finding)
    return Judged(
        tuple(parts["problems"]),
        tuple(parts["accepted"]),
        tuple(parts["notes"]),
        {key: most for key, most in accepted.items() if most is not None and times[key] > most},
        tuple(key for key in accepted if not times[key]),
    )


def accept(file: Path, problems: Sequence[Finding]) -> int:
    """Add findings to an accept file, or make it; what stands there stays. How many lines were added.

    Raises:
        InputError: it cannot be written, another run adds to it, or what stands there cannot be read.
    """
    times: Counter[Key] = Counter()
    for finding in problems:
        times[key_of(finding, file.parent)] += finding.occurrences
    if not times:
        return 0
    with writing(file), held(file):
        exists = file.exists()
        if exists:
            read_accepted(file)  # nothing is added to a file that could not be read back
        old = read_text(file, _KIND) if exists else _HEAD
        return _add(file, old, times)


def _add(file: Path, old: str, times: Mapping[Key, int]) -> int:
    lines = [f"{code} {shlex.quote(_encoded(path))} {number}\n" for (code, path), number in times.items()]
    with atomic_text(file) as out:
        out.write(old + ("" if old.endswith("\n") or not old else "\n") + "".join(lines))
    return len(lines)


def key_of(finding: Finding, folder: Path) -> Key:
    """What a finding is accepted by.

    >>> key_of(Finding("no-heads", "/data/set/images/a.jpg", ""), Path("/data/set"))
    ('no-heads', 'images/a.jpg')
    """
    try:
        relative = os.path.relpath(finding.path, folder)
    except ValueError:  # another drive of Windows
        relative = finding.path
    return finding.code, Path(relative).as_posix()
