"""CSV files with a header: columns by their names, in any order, others left alone; and rows, written."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from headcount.core.errors import InputError
from headcount.data.parse.text import read_text
from headcount.data.parse.values import cut


def read_rows(
    path: Path, kind: str, needed: Sequence[str], optional: Sequence[str] = (), *, together: Sequence[str] = (),
    advice: str = "",
) -> Iterator[tuple[str, dict[str, str]]]:  # fmt: skip
    """The line and the known cells of each row; ``kind`` and ``advice`` stand in messages.

    Columns that go ``together`` are all there or none.

    Names of columns are compared without case, and without the # that some tools begin the header with. Cells are as
    written, blanks around them included; blank rows are passed over, also those of empty cells.

    Raises:
        InputError: the file is no text, no CSV, lacks a column, has one twice, or a row has too few or too many cells.
    """
    # The module csv takes all three kinds of line end, and keeps those within quotes.
    reader = csv.reader(io.StringIO(read_text(path, kind), newline=""), strict=True)
    try:
        first = next((cells for cells in reader if any(map(str.strip, cells))), [])
        at, header = reader.line_num or 1, [cell.strip().lower().removeprefix("#") for cell in first]
        for name in (*needed, *optional):
            times = header.count(name)
            if times > 1 or (name in needed and not times):
                raise InputError(
                    f'"{path}", line {at}: the header must name the columns {",".join(needed)} once each, but it is '
                    f'"{cut(",".join(header))}" ("{name}" {times} times){advice}.'
                )
        if 0 < sum(name in header for name in together) < len(together):
            names = " and ".join(together)
            raise InputError(f'"{path}", line {at}: the columns {names} go together, but not all of them are there.')
        columns = {name: header.index(name) for name in (*needed, *optional) if name in header}
        for cells in reader:
            if not any(map(str.strip, cells)):
                continue
            where = f"line {reader.line_num}"
            if len(cells) != len(header):
                raise InputError(f'"{path}", {where}: {len(header)} cells were expected, got {len(cells)}.')
            yield where, {name: cells[column] for name, column in columns.items()}
    except csv.Error as error:
        raise InputError(f'"{path}", line {reader.line_num}: this is no valid CSV ({error}).') from error


_FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
"""What a spreadsheet computes, in letters of either width, behind what is put before it here."""


def plain_cell(value: object) -> object:
    """A cell that a spreadsheet shows as it is: text that it would take for a formula gets an apostrophe before it.

    Whoever names a file or a camera could else have something computed, or fetched, where the table is opened.
    ``text_of_cell`` gives back the text, whatever it was.

    >>> plain_cell("=1+1"), plain_cell("'=1"), plain_cell("a=1"), plain_cell(-2)
    ("'=1+1", "''=1", 'a=1', -2)
    """
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value


def text_of_cell(cell: str) -> str:
    """The text that ``plain_cell`` made a cell of.

    >>> text_of_cell("'=1+1"), text_of_cell("''=1"), text_of_cell("'a")
    ('=1+1', "'=1", "'a")
    """
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def csv_row(cells: Sequence[object]) -> str:
    r"""One row with its line end; floats as the shortest text that reads back as the same number.

    >>> csv_row(["a,b", 0.1, "c\rd"])
    '"a,b",0.1,"c\rd"\n'
    """
    text = io.StringIO()
    # With CRLF as the end of a line the module quotes a cell that holds either of its letters, else only LF.
    csv.writer(text, lineterminator="\r\n").writerow(cells)
    return text.getvalue()[:-2] + "\n"
