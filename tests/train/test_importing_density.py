"""Public checkpoints of CSRNet, CANNet and MCNN: their names, their forward pass, and every misfit named.

The references are written from the published layer names and sizes, on the raw tensors, without our modules.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from typer.testing import CliRunner

from headcount.cli.main import app
from headcount.core.card import ModelCard
from headcount.core.errors import InputError, ModelError
from headcount.infer.counter import load
from headcount.synth import paint_scene
from headcount.train.importing import import_weights

pytestmark = pytest.mark.slow

State = dict[str, Tensor]
FRONT = ((0, 64), (2, 64), (5, 128), (7, 128), (10, 256), (12, 256), (14, 256), (17, 512), (19, 512), (21, 512))
BACK = (512, 512, 512, 256, 128, 64)
MCNN = (((9, 16), (7, 32), (7, 16), (7, 8)), ((7, 20), (5, 40), (5, 20), (5, 10)), ((5, 24), (3, 48), (3, 24), (3, 12)))


class _Random:
    def __init__(self) -> None:
        self.state: State = {}
        self.draw = torch.Generator().manual_seed(0)

    def conv(self, name: str, inside: int, outside: int, kernel: int, *, bias: bool = True) -> None:
        std = math.sqrt(2 / (inside * kernel**2))
        self.state[f"{name}.weight"] = torch.randn(outside, inside, kernel, kernel, generator=self.draw) * std
        if bias:
            self.state[f"{name}.bias"] = torch.randn(outside, generator=self.draw) * 0.1

    def norm(self, name: str, width: int) -> None:
        for part in ("weight", "bias", "running_mean", "running_var"):
            start = 1.0 if part in ("weight", "running_var") else 0.0
            self.state[f"{name}.{part}"] = start + 0.1 * torch.rand(width, generator=self.draw)
        self.state[f"{name}.num_batches_tracked"] = torch.tensor(9)


def _csrnet_state(*, context: bool = False, batch_norm: bool = False) -> State:
    made, inside = _Random(), 3
    for index, outside in FRONT:
        made.conv(f"frontend.{index}", inside, outside, 3)
        inside = outside
    if context:
        for scale in range(4):
            made.conv(f"context.scales.{scale}.1", 512, 512, 1, bias=False)
        made.conv("context.weight_net", 512, 512, 1)
        made.conv("context.bottleneck", 1024, 512, 1)
    for number, outside in enumerate(BACK):
        step = 3 if batch_norm else 2
        made.conv(f"backend.{step * number}", inside, outside, 3)
        if batch_norm:
            made.norm(f"backend.{step * number + 1}", outside)
        inside = outside
    made.conv("output_layer", 64, 1, 1)
    return made.state


def _csrnet(state: State, x: Tensor) -> Tensor:
    for index, _ in FRONT:
        if index in (5, 10, 17):
            x = F.max_pool2d(x, 2)
        x = F.conv2d(x, state[f"frontend.{index}.weight"], state[f"frontend.{index}.bias"], padding=1).relu()
    if "context.bottleneck.weight" in state:
        contexts, weights = [], []
        for scale, cells in enumerate((1, 2, 3, 6)):
            pooled = F.conv2d(F.adaptive_avg_pool2d(x, cells), state[f"context.scales.{scale}.1.weight"])
            contexts.append(F.interpolate(pooled, size=x.shape[2:], mode="bilinear", align_corners=False))
            net = [state[f"context.weight_net.{part}"] for part in ("weight", "bias")]
            weights.append(torch.sigmoid(F.conv2d(x - contexts[-1], *net)))
        mean = sum(c * w for c, w in zip(contexts, weights, strict=True)) / sum(weights)
        x = F.conv2d(
            torch.cat([mean, x], 1), state["context.bottleneck.weight"], state["context.bottleneck.bias"]
        ).relu()
    normed = "backend.1.weight" in state
    for number in range(6):
        index = (3 if normed else 2) * number
        x = F.conv2d(x, state[f"backend.{index}.weight"], state[f"backend.{index}.bias"], padding=2, dilation=2)
        if normed:
            parts = (state[f"backend.{index + 1}.{p}"] for p in ("running_mean", "running_var", "weight", "bias"))
            x = F.batch_norm(x, *parts)
        x = x.relu()
    return F.conv2d(x, state["output_layer.weight"], state["output_layer.bias"])


def _mcnn_state() -> State:
    made = _Random()
    for column, layers in enumerate(MCNN, 1):
        inside = 1
        for index, (kernel, outside) in zip((0, 2, 4, 5), layers, strict=True):
            made.conv(f"DME.branch{column}.{index}.conv", inside, outside, kernel)
            inside = outside
    made.conv("DME.fuse.0.conv", 30, 1, 1)
    made.state["DME.fuse.0.conv.bias"] += 100  # above the ReLU at the end
    return made.state


def _mcnn(state: State, gray: Tensor) -> Tensor:
    columns = []
    for column in (1, 2, 3):
        x = gray
        for index in (0, 2, 4, 5):
            weight = state[f"DME.branch{column}.{index}.conv.weight"]
            bias = state[f"DME.branch{column}.{index}.conv.bias"]
            x = F.conv2d(x, weight, bias, padding=weight.shape[-1] // 2).relu()
            x = F.max_pool2d(x, 2) if index < 4 else x
        columns.append(x)
    fuse = (state["DME.fuse.0.conv.weight"], state["DME.fuse.0.conv.bias"])
    return F.conv2d(torch.cat(columns, 1), *fuse).relu()


CASES: dict[str, tuple[str, Callable[[], State]]] = {
    "csrnet": ("csrnet", _csrnet_state),
    "cannet": ("cannet", lambda: _csrnet_state(context=True)),
    "cannet with batch norms": ("cannet", lambda: _csrnet_state(context=True, batch_norm=True)),
    "mcnn": ("mcnn", _mcnn_state),
}


def _imagenet(pixels: np.ndarray) -> Tensor:
    mean, std = torch.tensor((0.485, 0.456, 0.406)), torch.tensor((0.229, 0.224, 0.225))
    return ((torch.tensor(pixels) / 255 - mean) / std).permute(2, 0, 1)[None].float()


@pytest.mark.parametrize("case", list(CASES))
def test_an_imported_network_computes_what_the_public_code_does(tmp_path: Path, case: str) -> None:
    name, make = CASES[case]
    state = make()
    best = np.float64(68.2)
    kept = {"epoch": 3, "state_dict": {f"module.{k}": v for k, v in state.items()}, "best": best, "optimizer": {"s": 1}}
    torch.save(kept, tmp_path / "best.pth.tar")
    out = tmp_path / "mine.safetensors"
    result = CliRunner().invoke(app, ["import", name, str(tmp_path / "best.pth.tar"), "--output", str(out)])
    assert result.exit_code == 0, result.output
    card = ModelCard.read(tmp_path / "mine.json")
    assert (card.method, card.data) == (name, ())
    pixels = paint_scene(3, size_wh=(96, 64)).pixels()
    if name == "mcnn":
        pixels = pixels[..., 0]
        expected = _mcnn(state, torch.tensor(pixels)[None, None].float())
    else:
        expected = _csrnet(state, _imagenet(pixels))
    found = load(out, threads=1).count(pixels)
    assert found.density is not None
    np.testing.assert_allclose(found.density, expected[0, 0], rtol=1e-3, atol=1e-4 * float(expected.abs().max()))
    assert expected.std() > 0


def test_what_is_missing_and_left_over_is_named(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for key, value in _mcnn_state().items():
            if key != "DME.branch2.4.conv.bias":
                file[key] = value.numpy()
        file["DME.branch4.0.conv.bias"] = np.zeros(3, np.float32)
    with pytest.raises(ModelError) as caught:
        import_weights("mcnn", tmp_path / "a.h5", tmp_path / "mine.onnx")
    assert 'does not fit MCNN: it lacks "DME.branch2.4.conv.bias" and has also "DME.branch4.0.conv.bias"' in str(
        caught.value
    )
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]


def test_numbers_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    state = _mcnn_state()
    state["DME.branch3.2.conv.weight"][0, 0, 0, 0] = torch.nan
    torch.save({"epoch": 1, "model_state_dict": state}, tmp_path / "a.pth")
    with pytest.raises(ModelError, match=r'"DME\.branch3\.2\.conv\.weight" has numbers that are not finite'):
        import_weights("mcnn", tmp_path / "a.pth", tmp_path / "mine.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["a.pth"]


@pytest.mark.parametrize(("method", "other"), [("csrnet", "cannet"), ("cannet", "csrnet"), ("mcnn", "csrnet")])
def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path, method: str, other: str) -> None:
    keys = {
        "csrnet": ("frontend.0.weight", "backend.0.weight"),
        "cannet": ("frontend.0.weight", "backend.0.weight", "context.scales.0.1.weight"),
    }
    torch.save({key: torch.zeros(1) for key in keys[other]}, tmp_path / "a.pth")
    with pytest.raises(ModelError, match=r"is no checkpoint of the .* authors: it has no .*, but \""):
        import_weights(method, tmp_path / "a.pth", tmp_path / "mine.onnx")


def test_the_data_set_is_said_where_it_is_known(tmp_path: Path) -> None:
    torch.save(_mcnn_state(), tmp_path / "a.pth")
    card = import_weights("mcnn", tmp_path / "a.pth", tmp_path / "a.safetensors", data="shanghaitech-b")
    assert card.summary == "MCNN by its authors, trained on shanghaitech-b."
    assert [use.name for use in card.data] == ["shanghaitech-b"]
    with pytest.raises(InputError, match=r'no data set "shanghaitech-c".*"shanghaitech-'):
        import_weights("mcnn", tmp_path / "a.pth", tmp_path / "b.safetensors", data="shanghaitech-c")
