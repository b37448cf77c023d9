"""The table of kinds of manifests, and what a user's sources mean: entries in a stable order, as they are read.

Other packages add kinds by the entry-point group ``headcount.manifests``.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from headcount.core.errors import InputError
from headcount.core.files import is_file, is_folder
from headcount.core.notes import Note, Skipped
from headcount.core.table import Row, Table
from headcount.data.manifests.addresses import is_address
from headcount.data.manifests.entries import Entry, ManifestOptions, ManifestReader, Met
from headcount.data.media.sources import LeftAside, note_of

_LEFT_MAX = 100_000
_BRACES_MAX = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestKind(Row):
    """A kind of source; ``target`` is a ``ManifestReader``. ``suffixes``: of the files that are of this kind."""

    suffixes: tuple[str, ...] = ()


_ROOM = "headcount.data.manifests"

MANIFESTS = Table(
    "manifests",
    "kind of manifest",
    [
        ManifestKind(name="list", target=f"{_ROOM}.lists:read_list", title="A list", suffixes=(".txt",)),
        ManifestKind(name="csv", target=f"{_ROOM}.tables:read_csv", title="A CSV table", suffixes=(".csv", ".tsv")),
        ManifestKind(
            name="jsonl", target=f"{_ROOM}.tables:read_jsonl", title="A table in JSON lines",
            suffixes=(".jsonl", ".ndjson"),
        ),
        ManifestKind(
            name="parquet", target=f"{_ROOM}.tables:read_parquet", title="A Parquet table",
            suffixes=(".parquet", ".pq"), package="pyarrow", extra="batch",
        ),
        ManifestKind(name="webdataset", target=f"{_ROOM}.tars:read_tar", title="A tar", suffixes=(".tar",)),
        ManifestKind(name="files", target=f"{_ROOM}.files:read_files", title="A folder, pattern or file"),
    ],
    ManifestKind,
)  # fmt: skip


def kind_of_source(source: str) -> ManifestKind:
    """The kind of a source, by its suffix; a folder, a pattern, an image or a video where it is none of the others."""
    if is_address(source) or not is_folder(Path(source)):
        path = source.partition("?")[0] if is_address(source) else source
        if not any(sign in path for sign in "*["):
            for row in MANIFESTS.rows():
                if path.lower().endswith(row.suffixes):
                    return row
    return MANIFESTS["files"]


def read_manifests(sources: Sequence[str], options: ManifestOptions | None = None) -> Iterator[Entry | Note | Skipped]:
    """What several sources name, in their order; what one of them cannot give is told, and the others go on.

    ``{000..007}`` and ``{a,b}`` in a source stand for several.

    Raises:
        InputError: the only source gives nothing.
        MissingExtraError: a source needs what is not installed.
    """
    options = options or ManifestOptions()
    left: list[LeftAside] = []
    for source in itertools.chain.from_iterable(map(expand_braces, sources)):
        some = False
        try:
            for met in read_manifest(source, options):
                some = True
                if not isinstance(met, LeftAside):
                    yield met
                elif len(left) < _LEFT_MAX:
                    left.append(met)
        except InputError as error:
            if not some and len(sources) == 1 and source == sources[0]:
                raise
            yield Skipped(source, error)
    if (note := note_of(left)) is not None:
        yield note


def read_manifest(source: str, options: ManifestOptions) -> Iterator[Met]:
    """What one source names, in its order.

    Raises:
        InputError: it cannot be read.
        MissingExtraError: it needs what is not installed.
    """
    row = kind_of_source(source)
    reader: ManifestReader = row.load()
    with row.blamed(f'"{source}"'):
        yield from reader(source, options)


def expand_braces(source: str) -> Iterator[str]:
    """The sources that a brace form stands for; the source itself where it has none, or is there by that name.

    >>> list(expand_braces("shards-{008..010}.tar"))
    ['shards-008.tar', 'shards-009.tar', 'shards-010.tar']
    >>> list(expand_braces("{a,b}.csv"))
    ['a.csv', 'b.csv']

    Raises:
        InputError: it stands for more than a million.
    """
    found = re.search(r"\{([^{}]*(?:,|\.\.)[^{}]*)\}", source)
    if found is None or (not is_address(source) and is_file(Path(source))):
        yield source
        return
    before, after = source[: found.start()], source[found.end() :]
    for choice in _choices(found[1], source):
        for rest in expand_braces(after) if "{" in after else (after,):
            yield before + choice + rest


def _choices(inside: str, source: str) -> Iterator[str]:
    numbers = re.fullmatch(r"(\d{1,9})\.\.(\d{1,9})", inside)
    if numbers is None:
        yield from inside.split(",")
        return
    first, last = int(numbers[1]), int(numbers[2])
    if last - first >= _BRACES_MAX:
        raise InputError(f'"{source}" stands for more than {_BRACES_MAX:,} sources: name fewer.')
    width = len(numbers[1]) if numbers[1].startswith("0") else 0
    for number in range(first, last + 1):
        yield str(number).zfill(width)
