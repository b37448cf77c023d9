"""Predictions on disk: JSON, JSON Lines and CSV, written as they come and read back; COCO and NWPU, written.

The CSV is plain data: a file name is written as it is, so one that begins with = + - or @ looks like a formula to a
spreadsheet. Import the columns as text if the names are not your own.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from headcount.core.errors import InputError
from headcount.core.files import discard, partial_beside, refuse_taken, writing
from headcount.core.geometry import sides
from headcount.core.prediction import Prediction
from headcount.core.writers import TextWriter, writer_row
from headcount.data.formats.nwpu import ids_of_names, prediction_line
from headcount.data.parse.csv import csv_row
from headcount.data.parse.json import parse_json
from headcount.data.parse.text import read_lines, read_text

_KIND = "file of predictions"
CSV_COLUMNS = (
    "source", "count", "low", "high", "points", "points_kind", "width", "height", "model", "runtime",
    "warnings",
)  # fmt: skip


class PredictionFile:
    """A file of many predictions that is never half written: rows go to a hidden file beside it, renamed on closing.

    Left through an exception (Ctrl-C, a full disk), what was added until then is kept as a valid file; where nothing
    was added, no file appears. The suffix chooses the format, a row of ``WRITERS`` that holds many: ``.json`` (a list),
    ``.jsonl`` (one a line), ``.csv`` (one row an image, without the points), ``.coco.json`` (COCO's results, a list of
    boxes with scores) or ``.txt`` (NWPU-Crowd's prediction file: an image's number, its points).

    Raises:
        InputError: on creation, before anything is counted: the suffix is unknown, the folder is missing or closed to
            writing, or the file exists and ``overwrite`` is False.
    """

    def __init__(self, path: str | Path, *, overwrite: bool = False) -> None:
        self.path = Path(path)
        self._writer: TextWriter = writer_row(self.path, many=True).load()
        self._added = self._begun = False
        refuse_taken(self.path, overwrite=overwrite)
        with writing(self.path):
            self._partial, self._target = partial_beside(self.path)
            self._file = self._partial.open("wb", buffering=0)

    def add(self, prediction: Prediction) -> None:
        """Append one prediction, whole or not at all; it is handed to the operating system at once."""
        with writing(self.path):
            row = self._writer.row(prediction)
            if row:
                self._append((self._writer.between if self._begun else self._writer.head) + row)
                self._begun = True
        self._added = True

    def close(self) -> None:
        """Finish the file and give it its name."""
        if self._file.closed:
            return
        try:
            with writing(self.path):
                self._append(("" if self._begun else self._writer.head) + self._writer.closing(begun=self._begun))
                os.fsync(self._file.fileno())
                self._partial.replace(self._target)
        finally:
            self._file.close()
            discard(self._partial)

    def _append(self, text: str) -> None:
        data = self._writer.encode(text)
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
        if kind is None or self._added:
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
        raise InputError(f"{where}: {error}") from error


def _json_row(prediction: Prediction) -> str:
    return json.dumps(prediction.to_dict(), ensure_ascii=False, allow_nan=False)


def _json_line(prediction: Prediction) -> str:
    return _json_row(prediction) + "\n"


def _csv_line(prediction: Prediction) -> str:
    low, high = prediction.interval or ("", "")
    width, height = prediction.size_wh
    return csv_row([
        prediction.source, round(prediction.count, 3), low, high, len(prediction.points_xy), prediction.points_kind,
        width, height, prediction.model, prediction.runtime, "; ".join(prediction.warnings),
    ])  # fmt: skip


def _nwpu_line(prediction: Prediction) -> str:
    (image,) = ids_of_names([prediction.source])
    if prediction.points_kind == "none":
        raise InputError("The model counts without saying where heads are, so it gives no NWPU prediction file.")
    return prediction_line(image, prediction.points_xy, prediction.size_wh)


def _coco_row(prediction: Prediction) -> str:
    """An entry for each box, as pycocotools' ``loadRes`` reads them."""
    if prediction.boxes_xyxy is None or prediction.boxes_kind != "heads":
        raise InputError(f'The model "{prediction.model}" gives no boxes of heads, so it gives no COCO results.')
    stem = Path(prediction.source).stem
    # COCO's own images are named by their number; others are left with their name for the reader to look up.
    image: int | str = int(stem) if stem.isascii() and stem.isdigit() else stem
    scores = np.ones(len(prediction.boxes_xyxy)) if prediction.scores is None else prediction.scores
    boxes = np.concatenate([prediction.boxes_xyxy[:, :2], sides(prediction.boxes_xyxy)], axis=1)  # x, y, width, height
    return ",\n".join(
        json.dumps({"image_id": image, "category_id": 1, "bbox": box, "score": score}, ensure_ascii=False)
        for box, score in zip(boxes.round(2).tolist(), scores.round(4).tolist(), strict=True)
    )


def _json_alone(prediction: Prediction) -> str:
    return json.dumps(prediction.to_dict(), ensure_ascii=False, allow_nan=False, indent=2) + "\n"


JSON = TextWriter(row=_json_row, head="[\n", between=",\n", tail="]\n", alone=_json_alone)
JSON_LINES = TextWriter(row=_json_line)
CSV = TextWriter(row=_csv_line, head=csv_row(CSV_COLUMNS))
COCO_RESULTS = TextWriter(row=_coco_row, head="[\n", between=",\n", tail="]\n")
NWPU = TextWriter(row=_nwpu_line, refuse=ids_of_names)
