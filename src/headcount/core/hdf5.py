"""HDF5 files that strangers made: what in them may be read."""

from __future__ import annotations

from importlib import import_module
from typing import Any

HDF5_BEGINNING = b"\x89HDF\r\n\x1a\n"
"""The first bytes of such a file."""


def plain_dataset(group: Any, name: str | bytes) -> Any | None:
    """The dataset of that name in an open h5py file or group, if it is an array of numbers that lies in this file.

    None for everything else: links to other places and other files, arrays put together from other files, references
    to objects, text, records.
    """
    h5py = import_module("h5py")  # by its name: whoever has no such file has no need of it
    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        return None
    stored: Any = group[name]
    plain = isinstance(stored, h5py.Dataset) and stored.dtype.kind in "iuf" and not stored.is_virtual
    return stored if plain and not stored.external else None
