"""Weights in HDF5 files, as public code of other projects leaves them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from headcount.core.errors import ModelError
from headcount.core.hdf5 import HDF5_BEGINNING, plain_dataset

_WHY_MAX = 200


def is_hdf5(file: Path) -> bool:
    """Whether a file begins as HDF5 does; false where it cannot be read."""
    try:
        with file.open("rb") as opened:
            return opened.read(len(HDF5_BEGINNING)) == HDF5_BEGINNING
    except OSError:
        return False


def read_hdf5(file: Path) -> dict[str, Tensor]:
    """All arrays of an HDF5 file, by their place in it (``block1/conv2d/0``): float32, or int64 where they are whole.

    Raises:
        ModelError: it is damaged, or holds anything that is no array of numbers in the file itself.
    """
    import h5py  # only these files need it

    found: dict[str, Tensor] = {}
    try:
        size = file.stat().st_size
        with h5py.File(file, "r") as opened:
            total, seen, groups = 0, set[int](), [("", opened)]
            while groups:
                place, group = groups.pop()
                address = h5py.h5o.get_info(group.id).addr
                if address in seen:  # a group may hold itself
                    continue
                seen.add(address)
                for key in group:
                    name = place + (key if isinstance(key, str) else key.decode("latin-1"))
                    if isinstance(group.get(key, getlink=True), h5py.HardLink) and isinstance(group[key], h5py.Group):
                        groups.append((f"{name}/", group[key]))
                        continue
                    stored = plain_dataset(group, key)
                    # The library may search for ever in the index of the pieces of a damaged file.
                    if stored is None or stored.chunks is not None:
                        raise ModelError(
                            f'"{file}": "{name[:_WHY_MAX]}" is no array of numbers that lies in the file in one piece, '
                            "and anything else is refused: save the weights alone, without compression."
                        )
                    total += stored.nbytes
                    if total > size:
                        raise ModelError(f'"{file}" is a damaged HDF5 file: its arrays are larger than it.')
                    found[name] = _tensor(stored[()])
    except ModelError:
        raise
    except Exception as error:  # HDF5 raises many kinds on a damaged file
        why = " ".join(str(error).split())[:_WHY_MAX].rstrip(".") or type(error).__name__
        raise ModelError(f'"{file}" is a damaged HDF5 file ({why}): copy it again from where it came.') from error
    return found


def _tensor(values: Any) -> Tensor:
    array = np.asarray(values)
    return torch.from_numpy(array.astype(np.float32 if array.dtype.kind == "f" else np.int64))
