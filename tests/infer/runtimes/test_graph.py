"""A stranger's ONNX file is judged before a runtime opens it: quickly, and in little memory."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import headcount
from headcount.core.card import ModelCard
from headcount.core.errors import ModelError

onnx = pytest.importorskip("onnx", reason="the networks are built with onnx (train extra)")
helper, numbers, types = onnx.helper, onnx.numpy_helper, onnx.TensorProto

Parts = tuple[list[Any], dict[str, np.ndarray]]
"""Nodes that make a value ``z`` which is added to the map, and constants by name."""


def _node(kind: str, inputs: str, output: str = "k", **options: Any) -> Any:
    return helper.make_node(kind, inputs.split(" ") if inputs else [], [output], **options)


def _mean(kind: str, inputs: str, *before: Any, **options: Any) -> list[Any]:
    return [*before, _node(kind, inputs, **options), _node("ReduceMean", "k", "z", keepdims=0)]


def _loop() -> Any:
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [_node("Identity", "on", "goes"), _node("Add", "value one", "more")], "body",
        [value("turn", types.INT64, []), value("on", types.BOOL, []), value("value", types.FLOAT, [1])],
        [value("goes", types.BOOL, []), value("more", types.FLOAT, [1])],
        [numbers.from_array(np.ones(1, np.float32), "one")],
    )  # fmt: skip
    return _node("Loop", "turns going start", "z", body=body)


def _branch() -> Any:
    def side(name: str) -> Any:
        made = helper.make_node("Constant", [], [name], value=numbers.from_array(np.ones(1, np.float32)))
        return helper.make_graph([made], name, [], [helper.make_tensor_value_info(name, types.FLOAT, [1])])

    return [
        _node("ReduceMax", "nchw", "top", keepdims=0),
        _node("Greater", "top zero", "bright"),
        _node("If", "bright", "z", then_branch=side("a"), else_branch=side("b")),
    ]


def _whole(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def _real(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def _one(value: float) -> np.ndarray:
    return np.array(value, np.float32)


HOSTILE: dict[str, tuple[Parts, str]] = {
    "endless loop": (
        ([_loop()], {"turns": np.array(2**62), "going": np.array(True), "start": _real(0)}), "may never end"),
    "branch": ((_branch(), {"zero": np.array(0, np.float32)}), "may never end"),
    "constant of a shape": ((_mean("ConstantOfShape", "s"), {"s": _whole(3_500_000_000)}), r"asks for 13\.0 GB"),
    "shape that is computed": (
        (_mean("ConstantOfShape", "s", _node("Mul", "a b", "s")), {"a": _whole(100_000), "b": _whole(35_000)}),
        r"asks for 13\.0 GB"),
    "expand": ((_mean("Expand", "v s"), {"v": _real(1), "s": _whole(60_000, 60_000)}), "GB"),
    "tile": ((_mean("Tile", "v s"), {"v": _real(1), "s": _whole(3_500_000_000)}), "GB"),
    "range": ((_mean("Range", "from to by"), {"from": _one(0), "to": _one(3.5e9), "by": _one(1)}), "GB"),
    "broadcast": (
        (_mean("Add", "v u"), {"v": np.zeros((1, 60_000), np.float32), "u": np.zeros((60_000, 1), np.float32)}), "GB"),
    "padding": ((_mean("Conv", "nchw w", kernel_shape=[8, 8], pads=[30_000] * 4), {}), "GB"),
    "enlarged inside": ((_mean("Resize", "c  scales"), {"scales": _real(1, 1, 2000, 2000)}), "GB"),
    "many values": (
        ([_node("Expand", "v s", "k0"), *(_node("Neg", f"k{k}", f"k{k + 1}") for k in range(100)),
          _node("ReduceMean", "k100", "z", keepdims=0)], {"v": _real(1), "s": _whole(50_000_000)}), "GB"),
    "many operations": (
        ([*(_node("Neg", f"k{k}" if k else "c", f"k{k + 1}") for k in range(8_000)), _node("Neg", "k8000", "z")], {}),
        "operations, over the limit"),
    "size that pixels decide": (
        ([_node("NonZero", "c", "k"), _node("Cast", "k", "real", to=types.FLOAT),
          _node("ReduceSum", "real", "z", keepdims=0)], {}), "depends on what the image shows"),
    "NaN": (([_node("Mul", "c nan", "m"), _node("Relu", "m", "z")], {"nan": _real(np.nan)}), "not finite"),
    "NaN in half": (
        ([_node("Cast", "nan", "n", to=types.FLOAT), _node("Mul", "c n", "m"), _node("Relu", "m", "z")],
         {"nan": np.array([np.nan], np.float16)}), "not finite"),
    "infinity": (([_node("Div", "c inf", "z")], {"inf": _real(np.inf)}), "not finite"),
}  # fmt: skip
RUNTIMES = ["openvino", *(["onnxruntime"] if importlib.util.find_spec("onnxruntime") else [])]


@pytest.fixture
def written(tmp_path: Path, tiny_card: Callable[..., ModelCard]) -> Callable[[Parts], Path]:
    """Writes a network whose map is that of one convolution plus ``z``, with its card."""

    def write(parts: Parts) -> Path:
        nodes = [
            _node("Cast", "pixels", "float", to=types.FLOAT),
            _node("Transpose", "float", "nchw", perm=[0, 3, 1, 2]),
            _node("Conv", "nchw w", "c", strides=[8, 8], kernel_shape=[8, 8]),
            *parts[0],
            _node("Add", "c z", "density"),
        ]
        constants = {"w": np.full((1, 3, 8, 8), 1e-6, np.float32), **parts[1]}
        graph = helper.make_graph(
            nodes, "g",
            [helper.make_tensor_value_info("pixels", types.UINT8, [1, "h", "w", 3])],
            [helper.make_tensor_value_info("density", types.FLOAT, [1, 1, "rows", "columns"])],
            [numbers.from_array(value, name) for name, value in constants.items()],
        )  # fmt: skip
        path = tmp_path / "a.onnx"
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
        card = tiny_card(outputs=({"name": "density", "stride": 8},))
        path.with_suffix(".json").write_text(card.to_json(), encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_network_is_refused(name: str, runtime: str, written: Callable[[Parts], Path]) -> None:
    parts, words = HOSTILE[name]
    path = written(parts)
    with pytest.raises(ModelError, match=rf"a\.onnx.*{words}"):
        headcount.load(path, runtime=runtime)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_sound_one_is_opened(runtime: str, written: Callable[[Parts], Path], picture: np.ndarray) -> None:
    path = written(([_node("Mul", "c two", "z")], {"two": _real(2)}))
    expected = picture.sum(dtype=np.float64) * 3e-6
    assert headcount.load(path, runtime=runtime).count(picture).count == pytest.approx(expected, rel=1e-2)


def test_what_takes_no_such_image_is_named(written: Callable[[Parts], Path]) -> None:
    path = written(([_node("Mul", "c plane", "z")], {"plane": np.zeros((1, 1, 5, 7), np.float32)}))
    with pytest.raises(ModelError, match="takes no image of 256×256 pixels"):
        headcount.load(path)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_weights_in_other_files_are_not_read(runtime: str, written: Callable[[Parts], Path], tmp_path: Path) -> None:
    path = written(([_node("Mul", "c two", "z")], {"two": _real(2)}))
    model = onnx.load(str(path))
    for tensor in model.graph.initializer:
        if tensor.name == "two":
            tensor.ClearField("raw_data")
            tensor.data_location = types.EXTERNAL
            entry = tensor.external_data.add()
            entry.key, entry.value = "location", "secret.bin"
    (tmp_path / "secret.bin").write_bytes(bytes(4))
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match="names other files for its weights"):
        headcount.load(path, runtime=runtime)
