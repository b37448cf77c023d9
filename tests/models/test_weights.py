"""Foreign checkpoints are tables of tensors; nothing in them is run."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from headcount.core.errors import ModelError
from headcount.models.weights import read_foreign


class _Trap:
    """A pickle that would run a command."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.mark),)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize(("depth", "zipped"), [("whole", True), ("whole", False), ("beside", True), ("legacy", False)])
def test_a_malicious_pickle_is_refused_and_nothing_is_run(tmp_path: Path, depth: str, zipped: bool) -> None:
    file, mark = tmp_path / "trap.pth", tmp_path / "ran"
    content: Any = {"w": torch.zeros(2), "x": _Trap(mark)} if depth == "beside" else _Trap(mark)
    if depth == "legacy":
        file.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, file, _use_new_zipfile_serialization=zipped)
    with pytest.raises(ModelError, match=r"trap\.pth.*refused"):
        read_foreign(file)
    assert not mark.exists()
    pickle.loads(pickle.dumps(_Trap(mark)))  # the trap does work
    assert mark.exists()


@pytest.mark.parametrize("content", [{}, [1, 2], torch.zeros(3), {"a": 1}, {"state_dict": {"a": "text"}}])
def test_what_is_no_table_of_tensors_is_refused(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "x.pth")
    with pytest.raises(ModelError, match=r"x\.pth.*no state dict"):
        read_foreign(tmp_path / "x.pth")


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 cut", b"text"])
def test_a_missing_or_damaged_file_is_named(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "x.pth").write_bytes(content)
    with pytest.raises(ModelError, match=r"x\.pth"):
        read_foreign(tmp_path / "x.pth")


def test_a_folder_is_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        read_foreign(tmp_path)


def test_what_a_training_script_keeps_beside_the_weights_is_left_aside(tmp_path: Path) -> None:
    weights = {"frontend.0.weight": torch.arange(4.0)}
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(2))], lr=0.1, momentum=0.9).state_dict()
    for best in (66.4, np.float64(66.4), np.float32(66.4), np.int64(66), torch.tensor(66.4)):
        kept = {"epoch": 7, "arch": None, "state_dict": weights, "best_prec1": best, "optimizer": optimizer}
        for zipped in (True, False):
            torch.save(kept, tmp_path / "best.pth.tar", _use_new_zipfile_serialization=zipped)
            assert torch.equal(
                read_foreign(tmp_path / "best.pth.tar")["frontend.0.weight"], weights["frontend.0.weight"]
            )


def test_an_array_of_numpys_is_no_weight(tmp_path: Path) -> None:
    torch.save({"w": torch.zeros(1), "v": np.zeros(3)}, tmp_path / "a.pth")
    with pytest.raises(ModelError, match=r"a\.pth"):
        read_foreign(tmp_path / "a.pth")
