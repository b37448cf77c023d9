"""The table that a batch gives: a row an image or frame, also of one that could not be counted."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from headcount.core.addresses import without_secrets
from headcount.core.prediction import Prediction

ENTRIES = pa.schema(
    [
        pa.field("number", pa.int64(), nullable=False),
        pa.field("address", pa.string(), nullable=False),
        pa.field("member", pa.string()),
        pa.field("offset", pa.int64()),
        pa.field("size", pa.int64()),
    ]
)
"""What is to be counted: its place in the manifest, its file, and of a tar the member, and where that lies (or null).
"""

_POINT = pa.struct([("x", pa.float32()), ("y", pa.float32()), ("score", pa.float32())])
_BOX = pa.struct([(side, pa.float32()) for side in ("x1", "y1", "x2", "y2")])

ROWS = pa.schema(
    [
        pa.field("number", pa.int64(), nullable=False),
        pa.field("frame", pa.int32()),
        pa.field("second", pa.float64()),
        pa.field("address", pa.string(), nullable=False),
        pa.field("member", pa.string()),
        pa.field("sha256", pa.string()),
        pa.field("bytes", pa.int64()),
        pa.field("width", pa.int32()),
        pa.field("height", pa.int32()),
        pa.field("count", pa.float64()),
        pa.field("low", pa.float64()),
        pa.field("high", pa.float64()),
        pa.field("level", pa.float64()),
        pa.field("points", pa.list_(_POINT)),
        pa.field("points_kind", pa.string()),
        pa.field("boxes", pa.list_(_BOX)),
        pa.field("boxes_kind", pa.string()),
        pa.field("warnings", pa.list_(pa.string())),
        pa.field("model", pa.string()),
        pa.field("fingerprint", pa.string()),
        pa.field("seconds", pa.float64()),
        pa.field("error", pa.string()),
    ]
)
"""The columns, in their order.

``number`` is the place in the manifest from 0; ``frame`` and ``second`` are of a frame of a video: which of those
counted, from 0, and where. ``sha256`` and ``bytes`` are of the file or member; ``width``, ``height``, ``points`` and
``boxes`` in pixels of the upright image. ``low`` to ``high`` holds the true number with the chance ``level``. ``error``
is null where it was counted, else a sentence, and then ``count`` is null. Passwords and tokens in addresses are left
out. ``seconds`` is the time taken, and the one column that differs from run to run.
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One row before it is in the table; ``prediction`` is None where there is an ``error``."""

    number: int
    address: str
    member: str = ""
    frame: int | None = None
    second: float | None = None
    sha256: str | None = None
    size: int | None = None
    prediction: Prediction | None = None
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0
    error: str | None = None


def rows_table(rows: Sequence[Row], *, model: str, fingerprint: str, points: bool, boxes: bool) -> pa.Table:
    """Rows as a table of the schema ``ROWS``."""
    found = [row.prediction for row in rows]
    columns: dict[str, Any] = {
        "number": [row.number for row in rows],
        "frame": [row.frame for row in rows],
        "second": [row.second for row in rows],
        "address": [valid_text(without_secrets(row.address)) for row in rows],
        "member": [valid_text(row.member) or None for row in rows],
        "sha256": [row.sha256 for row in rows],
        "bytes": [row.size for row in rows],
        "width": [None if one is None else one.size_wh[0] for one in found],
        "height": [None if one is None else one.size_wh[1] for one in found],
        "count": [None if one is None else float(one.count) for one in found],
        "low": [None if one is None or one.interval is None else float(one.interval[0]) for one in found],
        "high": [None if one is None or one.interval is None else float(one.interval[1]) for one in found],
        "level": [None if one is None else one.interval_level for one in found],
        "points": _structs([_points_of(one) if points else None for one in found], _POINT),
        "points_kind": [None if one is None else one.points_kind for one in found],
        "boxes": _structs([_boxes_of(one) if boxes else None for one in found], _BOX),
        "boxes_kind": [None if one is None or one.boxes_xyxy is None else one.boxes_kind for one in found],
        "warnings": [[valid_text(text) for text in row.warnings] for row in rows],
        "model": [model] * len(rows),
        "fingerprint": [fingerprint] * len(rows),
        "seconds": [round(row.seconds, 6) for row in rows],
        "error": [None if row.error is None else valid_text(row.error) for row in rows],
    }
    return pa.table({name: pa.array(cells, ROWS.field(name).type) for name, cells in columns.items()}, schema=ROWS)


def valid_text(text: str) -> str:
    """A name that is no valid Unicode with its odd bytes written out: no table holds it otherwise.

    >>> valid_text("a\\udcff.jpg")
    'a\\\\udcff.jpg'
    """
    return text.encode("utf-8", "backslashreplace").decode()


def path_of(text: str) -> Path:
    """The path that a text of ``valid_text`` was; the text itself where something is there by that name."""
    path = Path(text)
    if "\\udc" not in text or os.path.lexists(path):
        return path
    return Path(re.sub(r"\\u(dc[89a-f][0-9a-f])", lambda odd: chr(int(odd[1], 16)), text))


def _points_of(found: Prediction | None) -> NDArray[np.float32] | None:
    """(n, 3): x, y and score, NaN where there is none; None where the model gives no points."""
    if found is None or found.points_kind == "none":
        return None
    scores = np.full(len(found.points_xy), np.nan) if found.scores is None else found.scores
    return np.column_stack([found.points_xy, scores]).astype(np.float32)


def _boxes_of(found: Prediction | None) -> NDArray[np.float32] | None:
    return None if found is None or found.boxes_xyxy is None else found.boxes_xyxy.astype(np.float32)


def _structs(cells: Sequence[NDArray[np.float32] | None], kind: Any) -> Any:
    """A list of structs a cell, null where the cell is None; NaN becomes null."""
    lengths = [0 if cell is None else len(cell) for cell in cells]
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
    wide = [cell for cell in cells if cell is not None]
    values = np.concatenate(wide) if wide else np.zeros((0, kind.num_fields), np.float32)
    fields = [pa.array(np.ascontiguousarray(values[:, at]), from_pandas=True) for at in range(kind.num_fields)]
    structs = pa.StructArray.from_arrays(fields, fields=list(kind))
    return pa.ListArray.from_arrays(
        offsets, structs, type=pa.list_(kind), mask=pa.array([c is None for c in cells], pa.bool_())
    )
