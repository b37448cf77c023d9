"""The IIM authors' checkpoints: their names, their forward pass to 1e-5, and every misfit named.

The reference is written from the published layer names and sizes, on the raw tensors, without timm or our modules.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from typer.testing import CliRunner

from headcount.cli.main import app
from headcount.core.card import ModelCard
from headcount.core.errors import InputError, ModelError
from headcount.infer.models import check_weights, find_model
from headcount.models.instance.iim.foreign import FOREIGN
from headcount.models.runtime import TorchRuntime
from headcount.models.table import build_method
from headcount.models.weights import load_weights
from headcount.synth import paint_scene
from headcount.train.importing import import_weights

pytestmark = pytest.mark.slow

State = dict[str, Tensor]


class _Weights:
    """Random tensors by name, as a checkpoint holds them; activations keep their size through the depth."""

    def __init__(self, seed: int) -> None:
        self.state: State = {}
        self.random = torch.Generator().manual_seed(seed)

    def _normal(self, *shape: int, std: float = 1.0, mean: float = 0.0) -> Tensor:
        return torch.randn(*shape, generator=self.random) * std + mean

    def conv(self, name: str, inside: int, outside: int, kernel: int, *, bias: bool = False, up: bool = False) -> None:
        shape = (inside, outside) if up else (outside, inside)
        fan = inside * kernel**2 / (4 if up else 1)
        self.state[f"{name}.weight"] = self._normal(*shape, kernel, kernel, std=math.sqrt(2 / fan))
        if bias:
            self.state[f"{name}.bias"] = self._normal(outside, std=0.1)

    def norm(self, name: str, width: int, scale: float = 1.0) -> None:
        self.state[f"{name}.weight"] = scale * (1 + self._normal(width, std=0.1))
        self.state[f"{name}.bias"] = self._normal(width, std=0.1)
        self.state[f"{name}.running_mean"] = self._normal(width, std=0.1)
        self.state[f"{name}.running_var"] = 1 + self._normal(width, std=0.1).abs()
        self.state[f"{name}.num_batches_tracked"] = torch.tensor(7)

    def head(self, name: str, width: int) -> None:
        self.conv(f"{name}.0", width, width, 1, bias=True)
        self.norm(f"{name}.1", width)
        self.conv(f"{name}.3", width, 64, 4, bias=True, up=True)
        self.conv(f"{name}.5", 64, 1, 4, bias=True, up=True)

    def encoder(self, width: int, last: float = 1.0) -> None:
        for layer, (inside, outside) in zip((0, 2, 4), ((width, 256), (256, 128), (128, 64)), strict=True):
            self.conv(f"Binar.Threshold_Module.{layer}", inside, outside, 3)
            self.state[f"Binar.Threshold_Module.{layer + 1}.weight"] = torch.tensor([0.1 * (layer + 1)])
        self.conv("Binar.Threshold_Module.7", 64, 1, 1)
        self.state["Binar.Threshold_Module.7.weight"] *= last
        self.state |= {"Binar.weight": torch.tensor([0.5]), "Binar.bias": torch.zeros(1)}


_VGG_BLOCKS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


def _vgg_layers() -> Iterator[tuple[int, int, int]]:
    """(index in the public package, channels in, channels out); (index, 0, 0) for a pool."""
    index, inside = 0, 3
    for block in _VGG_BLOCKS:
        for outside in block:
            yield index, inside, outside
            index, inside = index + 3, outside
        yield index, 0, 0
        index += 1


def _vgg_name(index: int) -> str:
    part, first = (1, 0) if index < 23 else (2, 23) if index < 33 else (3, 33)
    return f"Extractor.layer{part}.{index - first}"


def _vgg_state() -> State:
    weights = _Weights(1)
    for index, inside, outside in _vgg_layers():
        if outside:
            weights.conv(_vgg_name(index), inside, outside, 3, bias=True)
            weights.norm(_vgg_name(index + 1), outside)
    for level, inside in enumerate((256, 512, 512)):
        for kind, width, kernel in (("lateral_convs", inside, 1), ("fpn_convs", 256, 3)):
            weights.conv(f"Extractor.neck.{kind}.{level}.conv", width, 256, kernel)
            weights.norm(f"Extractor.neck.{kind}.{level}.bn", 256)
    weights.head("Extractor.de_pred", 768)
    weights.encoder(768)
    return weights.state


class _Net:
    """A forward pass on raw tensors."""

    def __init__(self, state: Mapping[str, Tensor]) -> None:
        self.state = state

    def conv(self, x: Tensor, name: str, stride: int = 1) -> Tensor:
        weight = self.state[f"{name}.weight"]
        return F.conv2d(x, weight, self.state.get(f"{name}.bias"), stride, weight.shape[-1] // 2)

    def up(self, x: Tensor, name: str) -> Tensor:
        return F.conv_transpose2d(x, self.state[f"{name}.weight"], self.state[f"{name}.bias"], stride=2, padding=1)

    def norm(self, x: Tensor, name: str) -> Tensor:
        mean, var, weight, bias = (
            self.state[f"{name}.{part}"][:, None, None] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / torch.sqrt(var + 1e-5) * weight + bias

    def head(self, x: Tensor, name: str) -> Tensor:
        x = self.norm(self.conv(x, f"{name}.0"), f"{name}.1").relu()
        return torch.sigmoid(self.up(self.up(x, f"{name}.3").relu(), f"{name}.5"))

    def threshold(self, confidence: Tensor, feature: Tensor) -> Tensor:
        x = F.interpolate(feature, scale_factor=0.5) * F.interpolate(confidence, scale_factor=0.125)
        for layer in (0, 2, 4):
            x = self.conv(x, f"Binar.Threshold_Module.{layer}")
            x = torch.where(x > 0, x, self.state[f"Binar.Threshold_Module.{layer + 1}.weight"] * x)
        x = F.avg_pool2d(x, 15, stride=1, padding=7)
        x = F.avg_pool2d(self.conv(x, "Binar.Threshold_Module.7"), 15, stride=1, padding=7)
        return F.interpolate(1 / (2 + torch.exp(-10 * x)) + 0.2, scale_factor=8)

    def maps(self, images: Tensor) -> tuple[Tensor, Tensor]:
        feature, confidence = self.predict(images)
        return confidence, self.threshold(confidence, feature)

    def predict(self, images: Tensor) -> tuple[Tensor, Tensor]:
        raise NotImplementedError


class _Vgg(_Net):
    def predict(self, images: Tensor) -> tuple[Tensor, Tensor]:
        x, cuts = images, []
        for index, _, outside in _vgg_layers():
            if outside:
                x = self.norm(self.conv(x, _vgg_name(index)), _vgg_name(index + 1)).relu()
            else:
                cuts.append(x)  # before each pool
                x = F.max_pool2d(x, 2)
        neck = "Extractor.neck"
        lateral = [self.block(x, f"{neck}.lateral_convs.{n}") for n, x in enumerate(cuts[2:])]
        lateral[1] = lateral[1] + F.interpolate(lateral[2], scale_factor=2, mode="nearest")
        lateral[0] = lateral[0] + F.interpolate(lateral[1], scale_factor=2, mode="nearest")
        levels = [self.block(x, f"{neck}.fpn_convs.{n}") for n, x in enumerate(lateral)]
        feature = torch.cat([F.interpolate(x, scale_factor=2**n, mode="nearest") for n, x in enumerate(levels)], dim=1)
        return feature, self.head(feature, "Extractor.de_pred")

    def block(self, x: Tensor, name: str) -> Tensor:
        return self.norm(self.conv(x, f"{name}.conv"), f"{name}.bn").relu()


_WIDTHS = (48, 96, 192, 384)
_STAGES = ((2, 1, 2), (3, 4, 3), (4, 3, 4))  # stage, modules, branches


def _hrnet_state() -> State:
    weights = _Weights(2)

    def both(conv: str, norm: str, inside: int, outside: int, kernel: int, scale: float = 1.0) -> None:
        weights.conv(f"Extractor.{conv}", inside, outside, kernel)
        weights.norm(f"Extractor.{norm}", outside, scale)

    both("conv1", "bn1", 3, 64, 3)
    both("conv2", "bn2", 64, 64, 3)
    for n in range(4):
        inside = 256 if n else 64
        for k, (i, o, kernel) in enumerate(((inside, 64, 1), (64, 64, 3), (64, 256, 1)), 1):
            both(f"layer1.{n}.conv{k}", f"layer1.{n}.bn{k}", i, o, kernel, 0.3 if k == 3 else 1.0)
    both("layer1.0.downsample.0", "layer1.0.downsample.1", 64, 256, 1)
    both("transition1.0.0", "transition1.0.1", 256, 48, 3)
    both("transition1.1.0.0", "transition1.1.0.1", 256, 96, 3)
    for n in (2, 3):
        both(f"transition{n}.{n}.0.0", f"transition{n}.{n}.0.1", _WIDTHS[n - 1], _WIDTHS[n], 3)
    for stage, modules, branches in _STAGES:
        for module in range(modules):
            at = f"stage{stage}.{module}"
            for branch, width in enumerate(_WIDTHS[:branches]):
                for n in range(4):
                    for k in (1, 2):
                        unit = f"{at}.branches.{branch}.{n}"
                        both(f"{unit}.conv{k}", f"{unit}.bn{k}", width, width, 3, 0.3 if k == 2 else 1.0)
            for i, j in ((i, j) for i in range(branches) for j in range(branches)):
                fuse = f"{at}.fuse_layers.{i}.{j}"
                if j > i:
                    both(f"{fuse}.0", f"{fuse}.1", _WIDTHS[j], _WIDTHS[i], 1, 0.3)
                for k in range(i - j):
                    outside = _WIDTHS[i] if k == i - j - 1 else _WIDTHS[j]
                    both(f"{fuse}.{k}.0", f"{fuse}.{k}.1", _WIDTHS[j], outside, 3, 0.3)
    weights.head("Extractor.last_layer", 720)
    weights.encoder(720, 0.1)
    return weights.state


class _Hrnet(_Net):
    def predict(self, images: Tensor) -> tuple[Tensor, Tensor]:
        x = self.both(images, "conv1", "bn1", 2).relu()
        x = self.both(x, "conv2", "bn2", 2).relu()
        for n in range(4):
            y = x
            for k in (1, 2):
                y = self.both(y, f"layer1.{n}.conv{k}", f"layer1.{n}.bn{k}").relu()
            y = self.both(y, f"layer1.{n}.conv3", f"layer1.{n}.bn3")
            x = (y + (x if n else self.both(x, "layer1.0.downsample.0", "layer1.0.downsample.1"))).relu()
        branches = [
            self.both(x, "transition1.0.0", "transition1.0.1").relu(),
            self.both(x, "transition1.1.0.0", "transition1.1.0.1", 2).relu(),
        ]
        for stage, modules, number in _STAGES:
            if stage > 2:
                at = f"transition{stage - 1}.{stage - 1}.0"
                branches.append(self.both(branches[-1], f"{at}.0", f"{at}.1", 2).relu())
            assert len(branches) == number
            for module in range(modules):
                branches = self.exchange(branches, f"stage{stage}.{module}")
        feature = torch.cat([self.larger(x, branches[0]) for x in branches], dim=1)
        return feature, self.head(feature, "Extractor.last_layer")

    def both(self, x: Tensor, conv: str, norm: str, stride: int = 1) -> Tensor:
        return self.norm(self.conv(x, f"Extractor.{conv}", stride), f"Extractor.{norm}")

    def larger(self, x: Tensor, like: Tensor) -> Tensor:
        return F.interpolate(x, size=like.shape[2:], mode="bilinear", align_corners=False)

    def exchange(self, branches: list[Tensor], at: str) -> list[Tensor]:
        through = []
        for branch, x in enumerate(branches):
            for n in range(4):
                unit = f"{at}.branches.{branch}.{n}"
                y = self.both(x, f"{unit}.conv1", f"{unit}.bn1").relu()
                x = (self.both(y, f"{unit}.conv2", f"{unit}.bn2") + x).relu()
            through.append(x)
        fused = []
        for i, own in enumerate(through):
            total = torch.zeros_like(own)
            for j, x in enumerate(through):
                fuse = f"{at}.fuse_layers.{i}.{j}"
                if j > i:
                    x = self.larger(self.both(x, f"{fuse}.0", f"{fuse}.1"), own)
                for k in range(i - j):
                    x = self.both(x, f"{fuse}.{k}.0", f"{fuse}.{k}.1", 2)
                    x = x if k == i - j - 1 else x.relu()
                total = total + x
            fused.append(total.relu())
        return fused


@pytest.fixture(scope="module")
def states() -> dict[str, State]:
    return {"vgg16_bn_fpn": _vgg_state(), "hrnet_w48": _hrnet_state()}


def _runtime(weights: Path, card: ModelCard) -> TorchRuntime:
    with torch.device("meta"):  # drawing random weights takes seconds
        method = build_method(card.method, card.architecture)
    method = method.to_empty(device="cpu")
    load_weights(method, weights)
    return TorchRuntime(method, card.input)


@pytest.mark.parametrize(
    ("predictor", "reference", "data"),
    [("vgg16_bn_fpn", _Vgg, "shanghaitech-a"), ("hrnet_w48", _Hrnet, "nwpu-crowd")],
    ids=["vgg", "hrnet"],
)
def test_an_imported_network_computes_what_the_authors_does(
    tmp_path: Path, states: dict[str, State], predictor: str, reference: type[_Net], data: str
) -> None:
    state = states[predictor]
    torch.save({"net": {key.replace(".", ".module.", 1): value for key, value in state.items()}}, tmp_path / "a.pth")
    card = import_weights("iim", tmp_path / "a.pth", tmp_path / "mine.safetensors", data=data)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.pth", "mine.json", "mine.safetensors"]
    assert ModelCard.read(tmp_path / "mine.json") == card
    about = FOREIGN.data[data]
    assert {key: getattr(card.input, key) for key in about} == about
    pixels = paint_scene(3, size_wh=(96, 64)).pixels()[None]
    found = _runtime(tmp_path / "mine.safetensors", card).run(pixels)
    images = torch.tensor(pixels).permute(0, 3, 1, 2) / 255
    images = (images - torch.tensor(about["mean"])[:, None, None]) / torch.tensor(about["std"])[:, None, None]
    confidence, threshold = reference(state).maps(images)
    assert confidence.std() > 0.05  # no map that anything would equal
    assert threshold.std() > 0.002
    np.testing.assert_allclose(found["confidence"], confidence, atol=1e-5, rtol=0)
    enlarged = found["threshold"].repeat(8, axis=2).repeat(8, axis=3)
    np.testing.assert_allclose(enlarged, threshold, atol=1e-5, rtol=0)


@pytest.mark.parametrize("force", [False, True])
def test_the_command_writes_weights_and_card(tmp_path: Path, states: dict[str, State], force: bool) -> None:
    torch.save(states["vgg16_bn_fpn"], tmp_path / "a.pth")
    out = tmp_path / "mine.safetensors"
    if not force:
        out.write_bytes(b"mine")
    result = CliRunner().invoke(app, ["import", "iim", str(tmp_path / "a.pth"), "--output", str(out)])
    if not force:
        assert isinstance(result.exception, InputError)
        assert "--force" in str(result.exception)
        assert out.read_bytes() == b"mine"
        return
    assert result.exit_code == 0, result.output
    found = find_model(out)
    check_weights(out, found.card)
    theirs = [value.numel() for key, value in states["vgg16_bn_fpn"].items() if key.endswith((".weight", ".bias"))]
    assert found.card.parameters == sum(theirs) - len(FOREIGN.unused)
    assert found.card.architecture["predictor"] == "vgg16_bn_fpn"
    assert [output.name for output in found.card.outputs] == ["confidence", "threshold"]
    assert found.card.data[0].name == "nwpu-crowd"


def test_weights_never_come_to_lie_beside_another_models_graph(tmp_path: Path) -> None:
    (tmp_path / "mine.onnx").write_bytes(b"another")
    result = CliRunner().invoke(
        app, ["import", "iim", "a.pth", "--output", str(tmp_path / "mine.safetensors"), "--force"]
    )
    assert isinstance(result.exception, InputError)
    assert "mine.onnx" in str(result.exception)


def test_what_is_missing_and_what_is_left_over_is_named(tmp_path: Path, states: dict[str, State]) -> None:
    state = dict(states["vgg16_bn_fpn"])
    del state["Extractor.layer2.1.weight"], state["Binar.Threshold_Module.5.weight"]
    state |= {f"Extractor.neck.extra.{n}": torch.zeros(1) for n in range(6)}
    torch.save(state, tmp_path / "a.pth")
    with pytest.raises(ModelError) as caught:
        import_weights("iim", tmp_path / "a.pth", tmp_path / "mine.onnx")
    for words in (
        'a.pth"',
        'lacks "Binar.Threshold_Module.5.weight", "Extractor.layer2.1.weight" and has also "Extractor.neck.extra.0"',
        "and 2 more.",
    ):
        assert words in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["a.pth"]


def test_another_shape_is_named(tmp_path: Path, states: dict[str, State]) -> None:
    torch.save({**states["vgg16_bn_fpn"], "Extractor.de_pred.5.bias": torch.zeros(2)}, tmp_path / "a.pth")
    with pytest.raises(ModelError, match=r'"Extractor\.de_pred\.5\.bias" is \(2,\), but .* \(1,\)'):
        import_weights("iim", tmp_path / "a.pth", tmp_path / "mine.onnx")


@pytest.mark.parametrize("content", [{"conv.weight": torch.zeros(1)}, {"Extractor.conv1.weight": torch.zeros(1)}])
def test_another_network_is_refused(tmp_path: Path, content: State) -> None:
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(ModelError, match=r'no checkpoint of the IIM authors.*but ".*conv.*weight"'):
        import_weights("iim", tmp_path / "a.pth", tmp_path / "mine.onnx")


def test_an_unknown_data_set_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r'"nwpu-crwd".*"nwpu-crowd"'):
        import_weights("iim", tmp_path / "a.pth", tmp_path / "mine.onnx", data="nwpu-crwd")


def test_a_method_without_a_rule_names_those_that_have_one() -> None:
    with pytest.raises(InputError, match=r'no rule to import weights of the method "mask_aware".*iim'):
        import_weights("mask_aware", Path("a.pth"), Path("b.onnx"))
