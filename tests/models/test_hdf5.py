"""Weights in HDF5 files: arrays of numbers in the file itself, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from headcount.core.errors import ModelError
from headcount.models.hdf5 import read_hdf5
from headcount.models.weights import read_foreign


def test_arrays_are_read_by_their_place_in_the_file(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["DME.conv.weight"] = np.arange(6, dtype=">f8").reshape(2, 3)
        file["block/conv/0"] = np.ones((2, 2), np.float16)
        file["block/steps"] = np.uint8(7)
        file.create_group("empty")
        file["block/again"] = file["block"]  # a group that holds itself
    found = read_foreign(tmp_path / "a.h5")
    assert sorted(found) == ["DME.conv.weight", "block/conv/0", "block/steps"]
    assert torch.equal(found["DME.conv.weight"], torch.arange(6.0).view(2, 3))
    assert {key: value.dtype for key, value in found.items()} == {
        "DME.conv.weight": torch.float32, "block/conv/0": torch.float32, "block/steps": torch.int64
    }  # fmt: skip


def _reference(file: Any) -> None:
    file["other"] = np.zeros(2)
    file.create_dataset("bad", data=np.array([file["other"].ref], dtype=h5py.ref_dtype))


def _external(file: Any) -> None:
    file["bad"] = h5py.ExternalLink("other.h5", "weights")


def _soft(file: Any) -> None:
    file["bad"] = h5py.SoftLink("/elsewhere")


def _text(file: Any) -> None:
    file["bad"] = "text"


def _record(file: Any) -> None:
    file["bad"] = np.zeros(2, dtype=[("a", "f4"), ("b", "i4")])


def _raw_elsewhere(file: Any) -> None:
    file.create_dataset("bad", (2,), "f4", external=[("other.bin", 0, 8)])


def _virtual(file: Any) -> None:
    layout = h5py.VirtualLayout((2,), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "weights", (2,))
    file.create_virtual_dataset("bad", layout)


def _compressed(file: Any) -> None:
    file.create_dataset("bad", data=np.zeros((64, 64)), chunks=(8, 8), compression="gzip")


@pytest.mark.parametrize("put", [_compressed, _reference, _external, _soft, _text, _record, _raw_elsewhere, _virtual])
def test_what_is_no_array_in_the_file_is_refused_by_name(tmp_path: Path, put: Callable[[Any], None]) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        put(file)
    with pytest.raises(ModelError, match=r'a\.h5": "bad" is no array of numbers that lies in the file.*refused'):
        read_hdf5(tmp_path / "a.h5")


def test_a_small_file_that_asks_for_much_memory_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("w", (1 << 20, 1 << 20), "f4")  # no number of it is in the file
    with pytest.raises(ModelError, match=r"a\.h5. is a damaged HDF5 file: its arrays are larger than it"):
        read_hdf5(tmp_path / "a.h5")


@pytest.mark.parametrize("keep", [20, 600, -100])
def test_a_damaged_file_is_one_sentence(tmp_path: Path, keep: int) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["w"] = np.zeros(1000, np.float32)
    content = (tmp_path / "a.h5").read_bytes()
    (tmp_path / "a.h5").write_bytes(content[:keep])
    with pytest.raises(ModelError, match=r'a\.h5" is a damaged HDF5 file \(.*\): copy it again') as caught:
        read_foreign(tmp_path / "a.h5")
    assert "\n" not in str(caught.value)


def test_a_file_without_arrays_is_no_checkpoint(tmp_path: Path) -> None:
    h5py.File(tmp_path / "a.h5", "w").close()
    with pytest.raises(ModelError, match="no state dict"):
        read_foreign(tmp_path / "a.h5")
