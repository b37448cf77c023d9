"""Published weights of backbones become safetensors."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import load_file

from headcount.core.errors import InputError, ModelError
from headcount.models.parts.backbones import build_backbone, load_backbone
from headcount.models.parts.foreign import import_backbone


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
