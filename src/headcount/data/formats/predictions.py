"""Predictions on disk: JSON, JSON Lines and CSV, written as they come and read back; COCO and NWPU, written.

In the CSV, text that a spreadsheet would take for a formula (a file's name that begins with = + - or @) has an
apostrophe before it, which is taken away where the file is read again.
"""

from __future__ import annotations

import errno
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from headcount.core.errors import InputError
from headcount.core.files import discard, partial_beside, refuse_taken, rename_over, writing
from headcount.core.image import RgbImage
from headcount.core.locks import held
from headcount.core.prediction import Prediction
from headcount.core.words import plural
from headcount.core.writers import WRITERS, TextWriter, writer_row
from headcount.data.formats.kept_rows import KeptRow, csv_rows, json_line_rows, json_rows
from headcount.data.formats.nwpu import ids_of_names, points_for_count, prediction_line
from headcount.data.formats.objects import coco_image_id
from headcount.data.parse.csv import csv_row, plain_cell
from headcount.data.parse.json import parse_json
from headcount.data.parse.text import read_lines, read_text

_KIND = "file of predictions"
CSV_COLUMNS = (
    "source", "count", "people", "low", "high", "points", "points_kind", "width", "height", "model", "runtime",
    "warnings", "region", "interval_level",
)  # fmt: skip


class PredictionFile:
    """A file of many predictions that is whole after every one that is added, whatever happens next.

    It has its name from the first prediction on; until then an old file stays in its place. While it is open, no other
    run can write to it. The suffix chooses the format, a row of ``WRITERS`` that holds many: ``.json`` (a list),
    ``.jsonl`` (one a line), ``.csv`` (one row an image, without the points), ``.coco.json`` (COCO's results, a list of
    boxes with scores) or ``.txt`` (NWPU-Crowd's prediction file: an image's number, its points).

    Left through an exception before anything was added, no file appears.

    Raises:
        InputError: on creation, before anything is counted: the suffix is unknown, the folder is missing or closed to
            writing, another run writes the file, or it exists and neither ``overwrite`` nor ``resume`` is True; with
            ``resume`` the format cannot be gone on with, or a row cannot be read.

    Attributes:
        path: the file.
        added: how many predictions are in it.
        rows_before: with ``resume``, the rows that were in it.
        written_before_ns: when the last of them was, in nanoseconds.
    """

    def __init__(self, path: str | Path, *, overwrite: bool = False, resume: bool = False) -> None:
        self.path, self.added = Path(path), 0
        overwrite = self._overwrite = overwrite or resume
        self._row = writer_row(self.path, many=True)
        self._writer: TextWriter = self._row.load()
        refuse_taken(self.path, overwrite=True)  # a file in a folder that is there
        with ExitStack() as stack:
            stack.enter_context(held(self.path))
            refuse_taken(self.path, overwrite=overwrite)
            self.rows_before: tuple[KeptRow, ...] = ()
            self.written_before_ns = 0
            if resume:
                self._read_rows()
            with writing(self.path):
                self._partial, self._target = partial_beside(self.path)
                self._file = self._partial.open("w+b", buffering=0)
            stack.callback(discard, self._partial)
            stack.callback(lambda: self._file.close())
            self._held = stack.pop_all()
        self._has_name = self._begun = False
        self._end = 0  # of the rows; what closes the file stands behind

    def _read_rows(self) -> None:
        if self._writer.rows is None:
            able = [row.name for row in WRITERS.rows() if row.many and row.load().rows is not None]
            raise InputError(
                f"A run that writes {self._row.name} cannot be gone on with, since such a file does not tell what was "
                f"counted by which model: start anew, with {', '.join(able[:-1])} or {able[-1]}."
            )
        if self.path.exists():
            self.written_before_ns = self.path.stat().st_mtime_ns
            self.rows_before = tuple(self._writer.rows(self.path))

    def keep(self, rows: Sequence[KeptRow]) -> None:
        """Begin with rows that were in it before."""
        with self._writing():
            for row in rows:
                self._append((self._writer.between if self._begun else self._writer.head) + row.text, begun=True)
        self.added = len(rows)

    @property
    def can_be_resumed(self) -> bool:
        """Whether a run that was cut off can go on behind its rows."""
        return self._writer.rows is not None

    def add(self, prediction: Prediction) -> None:
        """Append one prediction, whole or not at all; it is handed to the operating system at once.

        Raises:
            InputError: it cannot be written, or the format cannot hold it; what was added before stays.
        """
        with self._row.blamed(f'the prediction of "{prediction.source}"'):
            row = self._writer.row(prediction)
        with self._writing():
            if row:
                self._append((self._writer.between if self._begun else self._writer.head) + row, begun=True)
            self._take_name()
        self.added += 1

    def close(self) -> None:
        """Finish the file and hand it to the disk; what was added is in it also where that fails.

        Raises:
            InputError: the system says that it may not all be on the disk.
        """
        if self._file.closed:
            return
        with self._held, self._writing():
            if not self._begun:
                self._append(self._writer.head, begun=False)
            self._take_name()
            os.fsync(self._file.fileno())

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = f'"{self.path}" cannot be written ({error.strerror or error})'
            if not self._has_name:
                raise InputError(f"{reason}: choose another place.") from error
            raise InputError(
                f"{reason}: it holds {plural(self.added, 'prediction')} until then; make room, or choose another place."
            ) from error

    def _append(self, text: str, *, begun: bool) -> None:
        """Write over what closes the file, and close it again: it never needs room that it does not have already."""
        before = self._writer.encode(self._writer.closing(begun=self._begun)) if self._end else b""
        rows = self._writer.encode(text)
        try:
            self._write(rows + self._writer.encode(self._writer.closing(begun=begun)))
        except BaseException:  # a full disk, or Ctrl-C between two parts: half a row would spoil the file
            self._write(before)
            self._file.truncate()
            raise
        self._end, self._begun = self._end + len(rows), begun

    def _write(self, data: bytes) -> None:
        self._file.seek(self._end)
        while data:
            data = data[self._file.write(data) :]

    def _take_name(self) -> None:
        """Give the file its name, once; it is opened anew, since Windows renames no open file."""
        if self._has_name:
            return
        if self._target.exists():
            if not self._overwrite:
                raise FileExistsError(errno.EEXIST, "another program has made it meanwhile")
            os.fsync(self._file.fileno())  # the old one is let go of only for one that is on the disk
        self._file.close()
        rename_over(self._partial, self._target)
        self._has_name = True
        self._file = self._target.open("r+b", buffering=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None or self.added:
            self.close()
        else:
            self._held.close()


class OnePrediction:
    """The file of a run of one image, in a format that holds no many: the density map (``.npy``), a picture (``.png``).

    Raises:
        InputError: on creation: the suffix is unknown, the folder is missing, or the file exists and ``overwrite`` is
            False.
    """

    def __init__(self, path: str | Path, *, overwrite: bool = False) -> None:
        self.path, self.added, self._overwrite = Path(path), 0, overwrite
        writer_row(self.path).require()
        refuse_taken(self.path, overwrite=overwrite)

    def add(self, prediction: Prediction) -> None:
        """Write the prediction, whole or not at all."""
        prediction.save(self.path, overwrite=self._overwrite)
        self.added += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        """Nothing is left to do."""


class PredictionStream:
    """Predictions written as they come to where there is no file, as standard output; the suffix chooses the format.

    Raises:
        InputError: no writer has the suffix.
    """

    def __init__(self, suffix: str, write: Callable[[bytes], object]) -> None:
        self.added = 0
        self._row = writer_row(Path(f"output{suffix}"), many=True)
        self._writer: TextWriter = self._row.load()
        self._write, self._begun = write, False

    def add(self, prediction: Prediction) -> None:
        """Write one prediction."""
        with self._row.blamed(f'the prediction of "{prediction.source}"'):
            row = self._writer.row(prediction)
        if row:
            self._write(self._writer.encode((self._writer.between if self._begun else self._writer.head) + row))
            self._begun = True
        self.added += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Write what ends a file, unless nothing was added."""
        if kind is None or self.added:
            head = "" if self._begun else self._writer.head
            self._write(self._writer.encode(head + self._writer.closing(begun=self._begun)))


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
    if suffix == ".jsonl":
        for number, line in enumerate(read_lines(path, _KIND), start=1):
            if line.strip():
                yield _prediction(parse_json(line, path, _KIND, line=number), f'"{path}", line {number}')
        return
    data = parse_json(read_text(path, _KIND), path, _KIND)
    for number, one in enumerate(data if isinstance(data, list) else [data], start=1):
        yield _prediction(one, f'"{path}", prediction {number}')


def _prediction(data: Any, where: str) -> Prediction:
    if not isinstance(data, dict):
        raise InputError(f"{where}: a prediction is a JSON object, but this is {type(data).__name__}.")
    try:
        return Prediction.from_dict(data)
    except InputError as error:
        raise InputError(f"{where}: {error.message}") from error


def _json_row(prediction: Prediction) -> str:
    return json.dumps(prediction.to_dict(), ensure_ascii=False, allow_nan=False)


def _json_line(prediction: Prediction) -> str:
    return _json_row(prediction) + "\n"


def _csv_line(prediction: Prediction) -> str:
    low, high = prediction.interval or ("", "")
    width, height = prediction.size_wh
    region = "" if prediction.region is None else json.dumps(prediction.region.to_dict(), ensure_ascii=False)
    cells: list[object] = [
        prediction.source, round(prediction.count, 3), prediction.people, low, high, len(prediction.points_xy),
        prediction.points_kind,
        width, height, prediction.model, prediction.runtime, "; ".join(prediction.warnings), region,
        "" if prediction.interval_level is None else prediction.interval_level,
    ]  # fmt: skip
    return csv_row([plain_cell(cell) for cell in cells])


def _nwpu_line(prediction: Prediction) -> str:
    (image,) = ids_of_names([prediction.source])
    if prediction.points_kind == "none":
        raise InputError("The model counts without saying where heads are, so it gives no NWPU prediction file.")
    return prediction_line(image, points_for_count(prediction), prediction.size_wh)


def _coco_row(prediction: Prediction) -> str:
    """An entry for each box, as pycocotools' ``loadRes`` reads them."""
    if prediction.boxes_xyxy is None or prediction.boxes_kind != "heads":
        raise InputError(f'The model "{prediction.model}" gives no boxes of heads, so it gives no COCO results.')
    return ",\n".join(json.dumps(one, ensure_ascii=False) for one in prediction.to_coco())


def _refuse_equal_ids(names: Iterable[str]) -> None:
    named: dict[int | str, str] = {}
    for name in names:
        other = named.setdefault(coco_image_id(name), name)
        if other != name:
            raise InputError(
                f'"{other}" and "{name}" would both be image "{coco_image_id(name)}" in a file of COCO results: '
                "rename one."
            )


def _json_alone(prediction: Prediction) -> str:
    return json.dumps(prediction.to_dict(), ensure_ascii=False, allow_nan=False, indent=2) + "\n"


class _Density:
    """The density map alone, as numpy's file of one array: (h / stride, w / stride) float32, people a cell."""

    def one(self, prediction: Prediction, image: RgbImage | None) -> bytes:
        if prediction.density is None:
            raise InputError(f'The model "{prediction.model}" makes no density map, so it gives no .npy file.')
        content = io.BytesIO()
        np.save(content, prediction.density, allow_pickle=False)
        return content.getvalue()


DENSITY = _Density()
JSON = TextWriter(row=_json_row, head="[\n", between=",\n", tail="]\n", alone=_json_alone, rows=json_rows)
JSON_LINES = TextWriter(row=_json_line, rows=json_line_rows)
CSV = TextWriter(row=_csv_line, head=csv_row(CSV_COLUMNS), rows=partial(csv_rows, columns=CSV_COLUMNS))
COCO_RESULTS = TextWriter(row=_coco_row, head="[\n", between=",\n", tail="]\n", refuse=_refuse_equal_ids)
NWPU = TextWriter(row=_nwpu_line, refuse=ids_of_names)
