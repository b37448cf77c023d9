"""Predictions on disk: JSON, JSON Lines and CSV, written as they come and read back; NWPU lines, written.

The CSV is plain data: a file name is written as it is, so one that begins with = + - or @ looks like a formula to a
spreadsheet. Import the columns as text if the names are not your own.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from headcount.core.errors import InputError, nearest
from headcount.core.files import discard, partial_beside, writing
from headcount.core.prediction import Prediction, register_writer
from headcount.data.formats.nwpu import ids_of_names, prediction_line

CSV_COLUMNS = (
    "source", "count", "low", "high", "points", "points_kind", "width", "height", "model", "runtime",
    "warnings",
)  # fmt: skip
_ENCODING = "utf-8"
# File names that are not valid UTF-8 reach Python as lone surrogates: written as \udcXX, which JSON reads back.
_ENCODING_ERRORS = "backslashreplace"


class PredictionFile:
    """A file of many predictions that is never half written: rows go to a hidden file beside it, renamed on closing.

    Left through an exception (Ctrl-C, a full disk), what was added until then is kept as a valid file; where nothing
    was added, no file appears. The suffix chooses the format: ``.json`` (a list), ``.jsonl`` (one a line), ``.csv``
    (one row an image, without the points) or ``.txt`` (NWPU-Crowd's prediction file: an image's number, its points).

    Raises:
        InputError: on creation, before anything is counted: the suffix is unknown, the folder is missing or closed to
            writing, or the file exists and ``overwrite`` is False.
    """

    def __init__(self, path: str | Path, *, overwrite: bool = False) -> None:
        self.path = Path(path)
        suffix = self.path.suffix.lower()
        if suffix not in _FORMATS:
            raise InputError(f'Predictions cannot be written as "{self.path.name}".{nearest(suffix, _FORMATS)}')
        self._head, self._between, self._tail, self._row = _FORMATS[suffix]
        self._written = 0
        with writing(self.path):
            if self.path.is_dir():
                raise InputError(f'"{self.path}" is a folder: name a file in it.')
            if self.path.exists() and not overwrite:
                raise InputError(f'"{self.path}" exists already: choose another name, or overwrite it with --force.')
            self._partial, self._target = partial_beside(self.path)
            self._file = self._partial.open("wb", buffering=0)

    def add(self, prediction: Prediction) -> None:
        """Append one prediction, whole or not at all; it is handed to the operating system at once."""
        with writing(self.path):
            self._append((self._between if self._written else self._head) + self._row(prediction))
        self._written += 1

    def close(self) -> None:
        """Finish the file and give it its name."""
        if self._file.closed:
            return
        before = self._head if not self._written else "\n" if self._tail else ""
        try:
            with writing(self.path):
                self._append(before + self._tail)
                os.fsync(self._file.fileno())
                self._partial.replace(self._target)
        finally:
            self._file.close()
            discard(self._partial)

    def _append(self, text: str) -> None:
        data = text.encode(_ENCODING, _ENCODING_ERRORS)
        start = self._file.tell()
        try:
            while data:
                data = data[self._file.write(data) :]
        except BaseException:  # a full disk, or Ctrl-C between two parts: half a row would spoil the file
            self._file.truncate(start)
            self._file.seek(start)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None or self._written:
            self.close()
        else:
            self._file.close()
            discard(self._partial)


def read_predictions(path: str | Path) -> Iterator[Prediction]:
    """Predictions of a ``.json`` file (one or a list) or a ``.jsonl`` file, in order, without density maps.

    Raises:
        InputError: the file is missing, of another suffix, or not what ``PredictionFile`` or ``Prediction.save`` wrote;
            of a ``.jsonl`` file the line is named.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (".json", ".jsonl"):
        raise InputError(f'Predictions are read from .json and .jsonl files, but "{path}" is neither.')
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise InputError(f'There is no file "{path}": check the path.') from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f'"{path}" cannot be read as UTF-8 text ({error}).') from error
    if suffix == ".jsonl":
        for number, line in enumerate(text.split("\n"), start=1):
            if line.strip():
                yield _prediction(line, f'"{path}", line {number}')
        return
    data = _parsed(text, f'"{path}"')
    for number, one in enumerate(data if isinstance(data, list) else [data], start=1):
        yield _prediction(one, f'"{path}", prediction {number}')


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:  # a whole number of thousands of digits; lists in lists in lists
        raise InputError(f"{where} is no JSON of a prediction ({error}).") from error


def _prediction(data: Any, where: str) -> Prediction:
    if isinstance(data, str):
        data = _parsed(data, where)
    if not isinstance(data, dict):
        raise InputError(f"{where}: a prediction is a JSON object, but this is {type(data).__name__}.")
    try:
        return Prediction.from_dict(data)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error


def _json_row(prediction: Prediction) -> str:
    return json.dumps(prediction.to_dict(), ensure_ascii=False, allow_nan=False)


def _json_line(prediction: Prediction) -> str:
    return _json_row(prediction) + "\n"


def _csv_line(prediction: Prediction) -> str:
    low, high = prediction.interval or ("", "")
    width, height = prediction.size_wh
    return _as_csv(
        prediction.source, round(prediction.count, 3), low, high, len(prediction.points_xy), prediction.points_kind,
        width, height, prediction.model, prediction.runtime, "; ".join(prediction.warnings),
    )  # fmt: skip


def _as_csv(*cells: object) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def _nwpu_line(prediction: Prediction) -> str:
    (image,) = ids_of_names([prediction.source])
    if prediction.points_kind == "none":
        raise InputError("The model counts without saying where heads are, so it gives no NWPU prediction file.")
    return prediction_line(image, prediction.points_xy, prediction.size_wh)


# suffix → what opens the file, stands between two rows, closes the file; and one row
_FORMATS: dict[str, tuple[str, str, str, Callable[[Prediction], str]]] = {
    ".json": ("[\n", ",\n", "]\n", _json_row),
    ".jsonl": ("", "", "", _json_line),
    ".csv": (_as_csv(*CSV_COLUMNS), "", "", _csv_line),
    ".txt": ("", "", "", _nwpu_line),
}


def _write_one(prediction: Prediction, path: Path) -> None:
    """One prediction: a JSON object, a line, or a header and a row. ``Prediction.save`` keeps the writing atomic."""
    suffix = path.suffix.lower()
    if suffix == ".json":
        text = json.dumps(prediction.to_dict(), ensure_ascii=False, allow_nan=False, indent=2) + "\n"
    else:
        head, _, _, row = _FORMATS[suffix]
        text = head + row(prediction)
    path.write_text(text, encoding=_ENCODING, errors=_ENCODING_ERRORS, newline="")


for _suffix in _FORMATS:
    register_writer(_suffix, _write_one)
