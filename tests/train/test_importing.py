"""Foreign checkpoints become safetensors; nothing in them is run."""

from __future__ import annotations

import os
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import load_file

from headcount.core.errors import InputError, ModelError
from headcount.models.parts.backbones import build_backbone, load_backbone
from headcount.train.importing import import_backbone, read_foreign


@pytest.fixture(scope="module")
def foreign() -> OrderedDict[str, torch.Tensor]:
    """The public package's state dict: other names, the same tensors in the same order."""
    torch.manual_seed(0)
    whole = timm.create_model("tf_efficientnet_lite0", pretrained=False).state_dict()
    return OrderedDict((f"_their_{k}.{'num_batches_tracked' if 'num_b' in key else 'w'}", value.clone())
                       for k, (key, value) in enumerate(whole.items()))  # fmt: skip


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model"])
def test_a_plain_state_dict_is_imported_and_fits(
    tmp_path: Path, foreign: OrderedDict[str, torch.Tensor], wrapper: str | None
) -> None:
    torch.save(foreign if wrapper is None else {wrapper: foreign, "epoch": 3}, tmp_path / "their.pth")
    import_backbone("efficientnet_lite0", tmp_path / "their.pth", tmp_path / "mine.safetensors")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.safetensors", "their.pth"]
    backbone = build_backbone("efficientnet_lite0")
    load_backbone(backbone, tmp_path / "mine.safetensors")
    mine = load_file(tmp_path / "mine.safetensors")
    assert torch.equal(mine["conv_stem.weight"], foreign["_their_0.w"])
    theirs = [value for key, value in foreign.items() if not key.endswith("num_batches_tracked")]
    assert len(mine) < len(theirs)  # the classifier and the layer before it stay behind
    assert all(any(v.shape == t.shape and torch.equal(v, t) for t in theirs) for v in list(mine.values())[::20])


def test_another_network_is_refused(tmp_path: Path, foreign: OrderedDict[str, torch.Tensor]) -> None:
    file, out = tmp_path / "their.pth", tmp_path / "mine.safetensors"
    torch.save(OrderedDict(list(foreign.items())[:-1]), file)
    with pytest.raises(ModelError, match="another network"):
        import_backbone("efficientnet_lite0", file, out)
    first = next(iter(foreign))
    torch.save(OrderedDict(foreign, **{first: torch.zeros(1)}), file)
    with pytest.raises(ModelError, match=r'"_their_0\.w" is \(1,\), but "conv_stem\.weight"'):
        import_backbone("efficientnet_lite0", file, out)
    assert not out.exists()


def test_an_unknown_backbone_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r'"efficientnet_lit0".*"efficientnet_lite0"'):
        import_backbone("efficientnet_lit0", tmp_path / "x.pth", tmp_path / "y.safetensors")


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
