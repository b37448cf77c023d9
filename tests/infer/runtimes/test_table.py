"""Every runtime keeps the contract, and they agree."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

import headcount
from headcount.core import table
from headcount.core.errors import InputError, MissingExtraError, ModelError
from headcount.infer import INT8
from headcount.infer.runtimes import openvino as openvino_runtime
from headcount.infer.runtimes.table import RUNTIMES, choose_form, choose_runtime

ONNX_RUNTIMES = [
    "openvino",
    pytest.param(
        "onnxruntime",
        marks=pytest.mark.skipif(
            importlib.util.find_spec("onnxruntime") is None, reason="ONNX Runtime is in the train extra"
        ),
    ),
]
SIZES = [(32, 32), (96, 160), (32, 1600), (64, 64), (96, 160)]


@pytest.mark.parametrize("name", ONNX_RUNTIMES)
def test_contract(tiny_model: str, name: str) -> None:
    runtime = headcount.load(tiny_model, runtime=name, precision="f32").runtime
    assert (runtime.name, runtime.device, runtime.precision) == (name, "cpu", "f32")
    for height, width in SIZES:
        pixels = np.full((1, height, width, 3), 128, np.uint8)
        before = pixels.copy()
        maps = runtime.run(pixels)
        assert set(maps) == {"density", "mask"}
        for values in maps.values():
            assert values.dtype == np.float32
            assert values.shape == (1, 1, height // 8, width // 8)
        again = runtime.run(pixels)
        for key, values in maps.items():
            np.testing.assert_array_equal(values, again[key])
        np.testing.assert_array_equal(pixels, before)


def test_results_outlive_the_next_run(tiny_model: str, picture: np.ndarray) -> None:
    runtime = headcount.load(tiny_model).runtime
    first = runtime.run(picture[None])["density"]
    kept = first.copy()
    runtime.run(255 - picture[None])
    np.testing.assert_array_equal(first, kept)


def test_openvino_agrees_with_onnx_runtime(tiny_model: str, picture: np.ndarray) -> None:
    pytest.importorskip("onnxruntime", reason="ONNX Runtime is in the train extra")
    one = headcount.load(tiny_model, runtime="openvino", precision="f32").runtime.run(picture[None])
    two = headcount.load(tiny_model, runtime="onnxruntime").runtime.run(picture[None])
    for name in one:
        np.testing.assert_allclose(one[name], two[name], atol=1e-4, rtol=0)


def test_fixed_and_dynamic_graphs_agree(tiny_model: str, picture: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    dynamic = headcount.load(tiny_model, precision="f32").runtime.run(picture[None])
    monkeypatch.setattr(openvino_runtime, "_STATIC_FROM_PIXELS", 0)
    runtime = headcount.load(tiny_model, precision="f32").runtime
    for pixels in (picture[None], picture[None, :32], picture[None]):
        fixed = runtime.run(pixels)
    for name in dynamic:
        np.testing.assert_allclose(fixed[name], dynamic[name], atol=1e-5, rtol=0)


def test_choice() -> None:
    both = {".onnx": Path("a.onnx"), ".safetensors": Path("a.safetensors")}
    assert choose_runtime("auto", "auto", both) == "openvino"
    assert choose_runtime("auto", "cpu", both) == "openvino"
    assert choose_runtime("openvino", "auto", both, first=".safetensors") == "openvino"
    assert choose_runtime("auto", "auto", {INT8: Path("a.int8.onnx")}) == "openvino"


BOTH = {".onnx": Path("a.onnx"), INT8: Path("a.int8.onnx"), ".safetensors": Path("a.safetensors")}


@pytest.mark.parametrize(
    ("runtime", "precision", "first", "expected"),
    [
        ("openvino", "auto", None, (INT8, "int8")),
        ("openvino", "auto", INT8, (INT8, "int8")),
        ("openvino", "int8", ".onnx", (INT8, "int8")),
        ("openvino", "auto", ".onnx", (".onnx", "auto")),
        ("openvino", "f32", None, (".onnx", "f32")),
        ("openvino", "fp32", None, (".onnx", "f32")),
        ("openvino", "bf16", None, (".onnx", "bf16")),
        ("onnxruntime", "auto", None, (".onnx", "auto")),
        ("torch", "auto", None, (".safetensors", "auto")),
    ],
)
def test_int8_is_taken_where_it_is_there_and_nothing_else_asked_for(
    tiny_model: str, runtime: str, precision: str, first: str | None, expected: tuple[str, str]
) -> None:
    card = headcount.load(tiny_model).card.model_copy(update={"precision": "auto"})
    assert choose_form(runtime, precision, BOTH, card, first=first) == expected


@pytest.mark.parametrize(
    ("runtime", "precision", "available", "first", "words"),
    [
        ("openvino", "int8", [".onnx"], None, r'The model "tiny" has no \.int8\.onnx file: choose f32 or bf16'),
        ("onnxruntime", "int8", [".onnx", INT8], None, "int8 is computed by OpenVINO, not by onnxruntime"),
        ("torch", "int8", [".onnx", INT8], None, "int8 is computed by OpenVINO, not by torch"),
        ("openvino", "f32", [INT8], INT8, r'"tiny" is in int8, but f32 was asked for: name its \.onnx'),
    ],
)
def test_int8_that_cannot_be_is_named(
    tiny_model: str, runtime: str, precision: str, available: list[str], first: str | None, words: str
) -> None:
    card = headcount.load(tiny_model).card
    with pytest.raises(InputError, match=words):
        choose_form(runtime, precision, {suffix: Path("a") for suffix in available}, card, first=first)


@pytest.mark.parametrize(
    ("runtime", "device", "words"),
    [
        ("openvin", "auto", 'Did you mean "openvino"'),
        ("auto", "gpu", "no device"),
        ("openvino", "cuda", 'not on cuda: choose the runtime "torch"'),
    ],
)
def test_wrong_choices_are_named(runtime: str, device: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        choose_runtime(runtime, device, {".onnx": Path("a.onnx")})


@pytest.mark.parametrize(
    ("runtime", "device", "weights", "words"),
    [
        ("torch", "auto", ".safetensors", "The torch runtime"),
        ("auto", "auto", ".safetensors", "The torch runtime"),
        ("auto", "cuda", ".onnx", 'Device "cuda"'),
        ("onnxruntime", "auto", ".onnx", "ONNX Runtime"),
    ],
)
def test_a_light_install_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, runtime: str, device: str, weights: str, words: str
) -> None:
    monkeypatch.setattr(table, "is_installed", lambda package: False)
    with pytest.raises(MissingExtraError, match=rf'{words} needs the "train" extra: .*\.\[train\]'):
        choose_runtime(runtime, device, {weights: Path("a")})


def test_unknown_precisions_are_named(tiny_model: str) -> None:
    with pytest.raises(InputError, match="no precision"):
        headcount.load(tiny_model, precision="f64")


def test_the_card_chooses_the_precision_where_the_user_does_not(tiny_model: str) -> None:
    card = headcount.load(tiny_model).card
    chosen = [
        choose_form("openvino", wanted, available, card.model_copy(update={"precision": precision}))[1]
        for precision in ("auto", "f32")
        for wanted in ("auto", "bf16")
        for available in ({".onnx": Path("a.onnx")}, BOTH)
    ]
    assert chosen == ["auto", "int8", "bf16", "bf16", "f32", "f32", "bf16", "bf16"]


def test_onnx_runtime_has_no_bf16(tiny_model: str) -> None:
    pytest.importorskip("onnxruntime", reason="ONNX Runtime is in the train extra")
    with pytest.raises(InputError, match="f32"):
        headcount.load(tiny_model, runtime="onnxruntime", precision="bf16")


@pytest.mark.parametrize("name", ONNX_RUNTIMES)
def test_damaged_files_are_named(tmp_path: Path, tiny_model_dir: Path, name: str) -> None:
    whole = (tiny_model_dir / "tiny.onnx").read_bytes()
    (tmp_path / "a.json").write_text((tiny_model_dir / "tiny.json").read_text(encoding="utf-8"), encoding="utf-8")
    for content in (whole[: len(whole) // 2], b"hello" * 50, b"\x08\x08" + bytes(100)):
        (tmp_path / "a.onnx").write_bytes(content)
        with pytest.raises(ModelError, match=r"a\.onnx"):
            headcount.load(tmp_path / "a.onnx", runtime=name)


def test_openvino_is_imported_without_its_telemetry(tiny_model: str) -> None:
    import subprocess

    code = (
        f"import sys, headcount; headcount.load({tiny_model!r}); "
        "print([m for m in sys.modules if 'telemetry' in m or m.startswith('openvino.tools.ovc')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_row_of_the_table_can_be_loaded() -> None:
    pytest.importorskip("onnxruntime", reason="ONNX Runtime is in the train extra")
    for row in RUNTIMES.values():
        assert callable(row.load())
        assert row.devices
