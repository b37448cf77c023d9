"""Words and arrays between two processes: a line of JSON, then the arrays' bytes; nothing is unpickled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]


def send(stream: IO[bytes], words: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write both.

    Raises:
        OSError: nobody reads.
    """
    whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    described = {name: [array.dtype.str, array.shape] for name, array in whole.items()}
    stream.write(json.dumps([dict(words), described]).encode() + b"\n")
    for array in whole.values():
        stream.write(array.tobytes())
    stream.flush()


def receive(stream: IO[bytes]) -> tuple[dict[str, Any], Arrays]:
    """Read what was sent.

    Raises:
        EOFError: there is nothing more, or not all of it.
    """
    try:
        words, described = json.loads(stream.readline())
    except ValueError:
        raise EOFError from None
    arrays = {}
    for name, (kind, shape) in described.items():
        size = int(np.dtype(kind).itemsize * np.prod(shape, dtype=np.int64))
        content = stream.read(size)
        if len(content) < size:
            raise EOFError
        arrays[name] = np.frombuffer(content, kind).reshape(shape)
    return words, arrays
