"""Points of a video's frames in one MAT file: a cell `frame`, whose i-th structure has `loc`, a row for each head.

Mall and UCSD are published so.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headcount.core.errors import InputError
from headcount.data.parse.mat import as_rows, read_members

FRAMES = "frame"
LOCATION = "loc"

FrameRows = Callable[[], tuple[NDArray[Any], ...]]


def read_frames(path: Path) -> tuple[NDArray[Any], ...]:
    """The `loc` of each frame as it is written, unchecked; frame i, from 1, is at i − 1.

    Raises:
        InputError: the file is missing, damaged, or not in the published form.
    """
    cells = read_members(path, [FRAMES])[FRAMES]
    if cells.dtype.names is not None:  # a MAT file of one frame: its cell is looked through; or an array of structures
        structures: list[NDArray[Any]] = [cells.reshape(-1)[i : i + 1] for i in range(cells.size)]
    elif cells.dtype == np.object_ and min(cells.shape, default=0) <= 1:
        structures = [np.asarray(cell) for cell in cells.reshape(-1)]
    else:
        raise InputError(f'"{path}", {FRAMES}: a cell with a structure for each frame was expected.')
    found = []
    for number, structure in enumerate(structures, start=1):
        if LOCATION not in (structure.dtype.names or ()) or structure.size != 1:
            raise InputError(
                f'"{path}", {frame_place(number)}: a structure with {LOCATION} was expected, but this is none.'
            )
        value = structure[LOCATION].reshape(-1)[0]
        found.append(np.asarray(value))
    return tuple(found)


def rows_of(frames: FrameRows, number: int, columns: int, path: Path) -> NDArray[np.float64]:
    """(n, columns) float64 of frame ``number``, counted from 1, as written.

    Raises:
        InputError: as ``read_frames``; there is no such frame, or its rows are no such numbers.
    """
    values = frames()
    if number > len(values):
        raise InputError(f'"{path}" holds {len(values)} frames, so there is no annotation of frame {number}.')
    return as_rows(values[number - 1], columns, path, f"{frame_place(number)}.{LOCATION}")


def frame_place(number: int) -> str:
    """Frame ``number`` as MATLAB writes it, for messages."""
    return f"{FRAMES}{{{number}}}"
