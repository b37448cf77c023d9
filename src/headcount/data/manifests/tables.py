"""Tables with a column of paths or addresses: CSV, JSON lines, Parquet; a row of theirs is one image or video."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from headcount.core.errors import InputError, nearest
from headcount.core.notes import Skipped
from headcount.data.manifests.addresses import is_address, join, open_file
from headcount.data.manifests.entries import COLUMNS, Entry, ManifestOptions, Met
from headcount.data.manifests.files import absolute
from headcount.data.manifests.lists import numbered_lines

_ROWS = 4096
_LONGEST = 32_768
"""No path and no address is longer, in bytes."""
_MOST_UNPACKED, _MOST_RATIO = 2**28, 1000
"""A column may take so many bytes, or so many times what it takes in its file; paths take tens of times that."""


def read_csv(source: str, options: ManifestOptions) -> Iterator[Met]:
    """The rows of a CSV table with a header (``.tsv``: between tabs).

    Raises:
        InputError: it cannot be read, has no such column, or is no CSV.
    """
    rows = csv.reader(
        (f"{line}\n" for _, line in numbered_lines(source, "a CSV table")),
        delimiter="\t" if source.lower().endswith(".tsv") else ",",
    )
    try:
        header = next(rows, [])
        at = header.index(_column(source, header, options))
        for row in rows:
            if row:
                yield _entry(source, f"line {rows.line_num}", row[at] if at < len(row) else None)
    except csv.Error as error:
        raise InputError(f'"{source}", line {rows.line_num}: this is no CSV ({error}).') from error


def read_jsonl(source: str, options: ManifestOptions) -> Iterator[Met]:
    """The lines of a table in JSON lines: an object each, or a text.

    Raises:
        InputError: it cannot be read, has no such key, or a line is no JSON.
    """
    column = options.column
    for number, line in numbered_lines(source, "a table in JSON lines"):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f'"{source}", line {number}: this is no JSON ({str(error)[:200]}).') from error
        if isinstance(value, dict):
            column = column or _column(source, list(value), options)
            value = value.get(column)
        yield _entry(source, f"line {number}", value)


def read_parquet(source: str, options: ManifestOptions) -> Iterator[Met]:
    """The rows of a Parquet table, of which the one column is read, some thousand rows at a time.

    A file of a few bytes may say a gigabyte: a value that it repeats is kept once.

    Raises:
        InputError: it cannot be read, has no such column, is no Parquet, or its values are far longer than a path.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with open_file(source) as file:
        try:
            table = pq.ParquetFile(file)
            column = _column(source, table.schema_arrow.names, options)
            _refuse_unpacked(source, table.metadata, column)
            table = pq.ParquetFile(file, metadata=table.metadata, read_dictionary=[column])
            number = 0
            for batch in table.iter_batches(batch_size=_ROWS, columns=[column]):
                _refuse_long(source, batch.column(0))
                for value in batch.column(0).to_pylist():
                    number += 1
                    yield _entry(source, f"row {number}", value)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise InputError(f'"{source}" is no Parquet file that can be read ({str(error)[:200]}).') from error


def _refuse_unpacked(source: str, metadata: Any, column: str) -> None:
    """Refuse a column that takes gigabytes when it is unpacked, and next to nothing before."""
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        for part in map(group.column, range(group.num_columns)):
            packed, size = part.total_compressed_size, part.total_uncompressed_size
            if part.path_in_schema == column and size > max(_MOST_UNPACKED, _MOST_RATIO * packed):
                raise InputError(
                    f'The column "{column}" of "{source}" takes {packed:,} bytes, and {size:,} when it is read: '
                    "write the table again, with paths alone."
                )


def _refuse_long(source: str, values: Any) -> None:
    """Refuse values of which each is far longer than a path."""
    import pyarrow as pa
    import pyarrow.compute as pc

    unique = values.dictionary if isinstance(values, pa.DictionaryArray) else values
    if pa.types.is_string(unique.type) or pa.types.is_large_string(unique.type):
        longest = pc.max(pc.binary_length(unique)).as_py() or 0
        if longest > _LONGEST:
            raise InputError(
                f'"{source}" holds a text of {longest:,} letters where a path or address was expected: '
                "name the column that holds the paths."
            )


def _column(source: str, names: Sequence[str], options: ManifestOptions) -> str:
    """The column that holds the addresses.

    Raises:
        InputError: there is none of that name, or of those that are known.
    """
    wanted = (options.column,) if options.column else COLUMNS
    for name in wanted:
        if name in names:
            return name
    if options.column:
        raise InputError(f'"{source}" has no column "{options.column}".{nearest(options.column, names)}')
    raise InputError(
        f'"{source}" has none of the columns {", ".join(COLUMNS)}: name the column that holds the paths.',
        remedy="column",
    )


def _entry(source: str, where: str, value: Any) -> Met:
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        return Skipped(source, InputError(f'"{source}", {where}: {str(value)[:80]!r} is no path or address.'))
    if is_address(value):
        return Entry(value)
    if is_address(source):
        return Entry(join(source, value))
    beside = Path(source).parent / value
    try:
        is_elsewhere = not beside.exists() and Path(value).exists()
    except OSError:  # a name too long
        is_elsewhere = False
    return Entry(absolute(value if is_elsewhere else beside))
