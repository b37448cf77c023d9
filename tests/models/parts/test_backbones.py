"""Backbones: shapes as they say, frozen where asked, and weights that fit or are refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from headcount.core.errors import InputError, ModelError
from headcount.models.parts.backbones import TimmOptions, build_backbone, initialise_he, load_backbone
from headcount.models.parts.necks import TopDownNeck
from headcount.models.parts.published import whole_network

pytestmark = pytest.mark.slow

TINY = "test_efficientnet"
BACKBONES = {
    "light": None,
    "vgg16": None,
    TINY: TimmOptions(strides=(8, 16)),
    "test_resnet": TimmOptions(strides=(4, 8, 16, 32)),
    "efficientnet_lite0": TimmOptions(frozen_stages=2),
    "efficientnet_half": TimmOptions(strides=(2, 4, 8, 16, 32)),
    "dla46_c": TimmOptions(strides=(4, 32)),  # whose first map timm leaves out
}


@pytest.mark.parametrize("name", list(BACKBONES))
@pytest.mark.parametrize("in_channels", [1, 3])
def test_features_have_the_channels_and_strides_they_say(name: str, in_channels: int) -> None:
    backbone = build_backbone(name, in_channels=in_channels, options=BACKBONES[name]).eval()
    with torch.inference_mode():
        features = backbone(torch.zeros(1, in_channels, 64, 96))
    shapes = [(1, c, 64 // s, 96 // s) for c, s in zip(backbone.channels, backbone.strides, strict=True)]
    assert [tuple(feature.shape) for feature in features] == shapes


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("efficientnet_lit0", None, ['"efficientnet_lit0"', 'Did you mean "efficientnet_lite0"']),
        (TINY, TimmOptions(strides=(3,)), ["stride 3", "[2, 4, 8, 16, 32]"]),
        (TINY, TimmOptions(frozen_stages=99), ["frozen_stages=99"]),
        ("test_resnet", TimmOptions(frozen_stages=1), ["frozen_stages=1"]),
        ("light", TimmOptions(strides=(4,)), ['"light" takes no options']),
        ("vgg16", TimmOptions(frozen_stages=1), ['"vgg16" takes no options']),
    ],
)
def test_what_a_backbone_has_not_is_named(name: str, options: TimmOptions | None, words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        build_backbone(name, options=options)
    for word in words:
        assert word in str(caught.value)


def test_frozen_stages_keep_weights_and_statistics_through_a_step() -> None:
    torch.manual_seed(0)
    backbone = build_backbone("efficientnet_lite0", options=TimmOptions(frozen_stages=2)).train()
    before = {key: value.clone() for key, value in backbone.state_dict().items()}
    optimiser = torch.optim.AdamW([p for p in backbone.parameters() if p.requires_grad], lr=0.1, weight_decay=0.1)
    sum(feature.square().mean() for feature in backbone(torch.randn(2, 3, 64, 64))).backward()
    optimiser.step()
    moved = {key for key, value in backbone.state_dict().items() if not torch.equal(value, before[key])}
    frozen = ("network.conv_stem.", "network.bn1.", "network.blocks.0.", "network.blocks.1.")
    assert not [key for key in moved if key.startswith(frozen)]
    later = {key for key in before if not key.startswith(frozen)}
    assert moved == later


def test_fixed_statistics_stay_while_every_weight_moves() -> None:
    torch.manual_seed(0)
    backbone = build_backbone("efficientnet_lite0", options=TimmOptions(fixed_statistics=True)).train()
    before = {key: value.clone() for key, value in backbone.state_dict().items()}
    optimiser = torch.optim.AdamW(backbone.parameters(), lr=0.1, weight_decay=0.1)
    images = torch.randn(2, 3, 64, 64)
    learned = backbone(images)
    sum(feature.square().mean() for feature in learned).backward()
    counted = backbone.eval()(images)
    assert all(torch.equal(one, other) for one, other in zip(learned, counted, strict=True))  # as it will count
    optimiser.step()
    moved = {key for key, value in backbone.state_dict().items() if not torch.equal(value, before[key])}
    assert moved == {key for key in before if not key.endswith(("running_mean", "running_var", "num_batches_tracked"))}


def test_without_frozen_stages_everything_is_trained() -> None:
    backbone = build_backbone(TINY)
    assert all(p.requires_grad for p in backbone.parameters())


@pytest.mark.parametrize("name", ["light", "vgg16", TINY])
@pytest.mark.parametrize("half", [False, True])
def test_weights_go_through_a_file(tmp_path: Path, name: str, half: bool) -> None:
    torch.manual_seed(0)
    source = build_backbone(name)
    state = (source.network if name == TINY else source).state_dict()
    kept = {k: v.half() if half else v for k, v in state.items() if not k.endswith("num_batches_tracked")}
    save_file(kept, tmp_path / "w.safetensors")
    torch.manual_seed(1)
    target = build_backbone(name)
    load_backbone(target, tmp_path / "w.safetensors")
    loaded = (target.network if name == TINY else target).state_dict()
    assert all(torch.equal(loaded[key], value.float()) for key, value in kept.items())


def _state() -> dict[str, torch.Tensor]:
    return {k: v.clone() for k, v in build_backbone("light").state_dict().items()}


def test_a_missing_left_over_or_misfitting_tensor_is_named(tmp_path: Path) -> None:
    file, key = tmp_path / "w.safetensors", "layers.0.0.weight"
    for change, words in (
        (lambda s: s.pop(key), f'lacks "{key}"'),
        (lambda s: s.update(head=torch.zeros(1)), 'has also "head"'),
        (lambda s: s.update({key: torch.zeros(3)}), f'has in another shape "{key}"'),
    ):
        state = _state()
        change(state)
        save_file(state, file)
        with pytest.raises(ModelError) as caught:
            load_backbone(build_backbone("light"), file)
        assert words in str(caught.value)
        assert "w.safetensors" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "options", "whole"),
    [
        ("resnet50", TimmOptions(strides=(8, 16)), "resnet50"),  # a part of it: no layer4, no classifier
        ("vgg16_bn", TimmOptions(strides=(4, 8)), "vgg16_bn"),  # features_0 here, features.0 there
        ("vgg16", None, "vgg16"),  # the first ten convolutions, under names of our own
        ("test_efficientnet", TimmOptions(strides=(8,)), "test_efficientnet"),
        ("convnext_atto", TimmOptions(strides=(4, 8)), "convnext_atto"),
    ],
)
def test_the_published_names_of_a_whole_network_fit_a_part_of_it(
    tmp_path: Path, name: str, options: TimmOptions | None, whole: str
) -> None:
    backbone = build_backbone(name, options=options)
    names, known = backbone.published_names()
    shapes = whole_network(whole).state_dict()
    assert set(names) == set(backbone.state_dict())
    published = {key: torch.randn(shape.shape) for key, shape in shapes.items() if "classif" not in key}
    save_file({key: value for key, value in published.items() if value.numel() < 10**7}, tmp_path / "w.safetensors")
    load_backbone(backbone, tmp_path / "w.safetensors")
    loaded = backbone.state_dict()
    for key, name_there in names.items():
        if not key.endswith("num_batches_tracked"):
            assert torch.equal(loaded[key], published[name_there]), key
    assert known == set(shapes)


@pytest.mark.parametrize("content", [b"", b"\x80\x02}q\x00.", b"PK\x03\x04"])
def test_another_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match="no safetensors"):
        load_backbone(build_backbone("light"), tmp_path / "w.safetensors")


def test_a_missing_file_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.safetensors.*import the weights of the backbone"):
        load_backbone(build_backbone("light"), tmp_path / "none.safetensors")


def test_he_initialisation_keeps_the_size_of_features() -> None:
    torch.manual_seed(0)
    backbone = build_backbone("light")
    initialise_he(backbone)
    with torch.inference_mode():
        features = backbone(torch.randn(1, 3, 32, 32))[0]
    assert 0.05 < features.std().item() < 20


def test_a_neck_brings_several_strides_to_the_finest() -> None:
    neck = TopDownNeck([4, 6, 8], 10).eval()
    maps = [torch.randn(1, c, 16 // n, 24 // n) for c, n in ((4, 1), (6, 2), (8, 4))]
    assert neck(maps).shape == (1, 10, 16, 24)
    changed = [maps[0], maps[1], maps[2] + 1]
    assert not torch.equal(neck(maps), neck(changed))


def test_a_neck_of_one_level_is_the_adapter_alone() -> None:
    neck = TopDownNeck([4], 10)
    assert [tuple(m.kernel_size) for m in neck.modules() if isinstance(m, nn.Conv2d)] == [(1, 1)]
    assert not [m for m in neck.modules() if isinstance(m, nn.BatchNorm2d)]
