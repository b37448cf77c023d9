"""Rows of a file of results that a run wrote before, to go on behind them: JSON, JSON Lines and CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headcount.core.errors import InputError
from headcount.data.parse.csv import csv_row, text_of_cell
from headcount.data.parse.json import parse_json
from headcount.data.parse.text import read_text

_KIND = "file of predictions"


@dataclass(frozen=True, slots=True)
class KeptRow:
    """One prediction of a file.

    Attributes:
        source: the image or frame it is of.
        model, runtime: what counted it.
        count: people.
        interval: (low, high), or None.
        size_wh: (width, height) of the image.
        region: where people were counted, as ``Region.to_dict`` says it, or None.
        text: what stands in the file.
    """

    source: str
    model: str
    runtime: str
    count: float
    interval: tuple[float, float] | None
    size_wh: tuple[int, int]
    region: Mapping[str, Any] | None
    text: str


def json_rows(path: Path) -> Iterator[KeptRow]:
    """The rows of a JSON list.

    Raises:
        InputError: it is none, or a row is no prediction.
    """
    data = parse_json(read_text(path, _KIND), path, _KIND)
    for number, one in enumerate(data if isinstance(data, list) else [data], start=1):
        yield _row(one, f'"{path}", prediction {number}', _dumped)


def json_line_rows(path: Path) -> Iterator[KeptRow]:
    """The rows of JSON Lines; half a line at the end is what a power cut left, and no row.

    Raises:
        InputError: a line is no prediction.
    """
    for number, line in enumerate(_whole_lines(path), start=1):
        if line.strip():
            data = parse_json(line, path, _KIND, line=number)
            yield _row(data, f'"{path}", line {number}', lambda one: _dumped(one) + "\n")


def csv_rows(path: Path, columns: tuple[str, ...]) -> Iterator[KeptRow]:
    """The rows of a CSV with these columns; half a line at the end is what a power cut left, and no row.

    Raises:
        InputError: it has others, or a row is no prediction.
    """
    reader = csv.reader(io.StringIO("".join(_whole_lines(path)), newline=""), strict=True)
    try:
        header = next(reader, list(columns))
        # Written before there were regions, or the chance of a range.
        missing = len(columns) - len(header)
        if missing not in (0, 1, 2) or header != list(columns[: len(header)]):
            raise InputError(f'"{path}" has other columns than {",".join(columns)}: write to another file.')
        for cells in reader:
            one: dict[str, Any] = dict(zip(columns, cells, strict=False))
            interval = (one.get("low"), one.get("high")) if one.get("low") else None
            region = parse_json(one["region"], path, _KIND, line=reader.line_num) if one.get("region") else None
            data = {**one, "interval": interval, "size_wh": (one.get("width"), one.get("height")), "region": region}
            data |= {name: text_of_cell(one[name]) for name in ("source", "model", "runtime") if name in one}
            cells += [""] * missing
            yield _row(data, f'"{path}", line {reader.line_num}', lambda one, cells=cells: csv_row(cells))  # type: ignore[misc]
    except csv.Error as error:
        raise InputError(f'"{path}", line {reader.line_num}: this is no valid CSV ({error}).') from error


def _whole_lines(path: Path) -> list[str]:
    lines = io.StringIO(read_text(path, _KIND), newline="").readlines()
    return lines if not lines or lines[-1].endswith("\n") else lines[:-1]


def _dumped(data: Mapping[str, Any]) -> str:
    return json.dumps(data, ensure_ascii=False, allow_nan=False)


def _row(data: Any, where: str, text: Callable[[Mapping[str, Any]], str]) -> KeptRow:
    try:
        interval, (width, height), region = data["interval"], data["size_wh"], data.get("region")
        return KeptRow(
            str(data["source"]), str(data["model"]), str(data["runtime"]), float(data["count"]),
            None if interval is None else (float(interval[0]), float(interval[1])),
            (int(width), int(height)), None if region is None else dict(region), text(data),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
        raise InputError(f"{where}: this is no prediction ({type(error).__name__}: {error}).") from error
