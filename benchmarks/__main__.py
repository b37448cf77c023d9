"""`python -m benchmarks`: speed, start-up and memory of the shipped model, beside CSRNet's architecture."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import headcount
from benchmarks.csrnet import export_csrnet
from benchmarks.folder import folders
from benchmarks.timing import medians_ms
from headcount.synth import paint_scene

SIZE_WH = (1024, 768)
LARGE_WH = (7744, 5168)  # 40.02 megapixels


def main() -> None:
    warnings.filterwarnings("ignore")
    print(f"{os.cpu_count()} cores, {SIZE_WH[0]}×{SIZE_WH[1]} pixels, medians in milliseconds, taken in turns\n")
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder) / "scene.jpg"
        scene = paint_scene(7, size_wh=SIZE_WH, count=250)
        Image.fromarray(scene.pixels()).save(photo, quality=92)
        networks(photo, Path(folder))
        start_up(photo)
        large_image(scene.pixels(), Path(folder))
    folders()


def networks(photo: Path, folder: Path) -> None:
    """Every runtime, the network alone and from file to Prediction; then CSRNet's architecture."""
    pixels = np.ascontiguousarray(np.asarray(Image.open(photo).convert("RGB")))[None]
    alone: dict[str, Callable[[], object]] = {}
    whole: dict[str, Callable[[], object]] = {}
    for title, runtime, precision in (
        ("OpenVINO int8", "openvino", "int8"),
        ("OpenVINO bf16", "openvino", "bf16"),
        ("OpenVINO f32", "openvino", "f32"),
        ("ONNX Runtime f32", "onnxruntime", "f32"),
        ("torch f32", "torch", "f32"),
    ):
        counter = headcount.load(device="cpu", runtime=runtime, precision=precision)
        alone[title] = lambda run=counter.runtime.run: run(pixels)  # type: ignore[misc]
        whole[title] = lambda count=counter.count: count(photo)  # type: ignore[misc]
    network, file = medians_ms(alone, rounds=11), medians_ms(whole, rounds=11)

    path = folder / "csrnet.onnx"
    with contextlib.redirect_stdout(io.StringIO()):
        yardstick = export_csrnet(path, SIZE_WH)
    csrnet = medians_ms(_csrnet_runs(yardstick, path, pixels), rounds=3, warmup=1)
    print(f"{'':<18}{'headcount-s':>24}{'CSRNet architecture':>22}")
    print(f"{'':<18}{'network':>12}{'from file':>12}{'network':>22}")
    for title in alone:
        print(f"{title:<18}{network[title]:>12.0f}{file[title]:>12.0f}{csrnet.get(title, float('nan')):>22.0f}")


def _csrnet_runs(network: torch.nn.Module, path: Path, pixels: np.ndarray) -> dict[str, Callable[[], object]]:
    import openvino

    from headcount.infer.runtimes.onnx import open_session

    core = openvino.Core()
    f32 = core.compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    bf16 = core.compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "bf16"})
    session = open_session(path)
    network = network.to(memory_format=torch.channels_last)

    def eager() -> torch.Tensor:
        with torch.inference_mode():
            return network(torch.from_numpy(pixels))

    return {
        "OpenVINO bf16": lambda: bf16(pixels),
        "OpenVINO f32": lambda: f32(pixels),
        "ONNX Runtime f32": lambda: session.run(None, {"pixels": pixels}),
        "torch f32": eager,
    }


def start_up(photo: Path) -> None:
    """Whole processes: the help text, and a first count."""
    command = [sys.executable, "-m", "headcount"]
    times = medians_ms(
        {
            "headcount --help": lambda: subprocess.run([*command, "--help"], check=True, capture_output=True),
            "headcount count PHOTO": lambda: subprocess.run(
                [*command, "count", str(photo)], check=True, capture_output=True
            ),
        },
        rounds=5,
        warmup=1,
    )
    print("\nStart-up, whole processes")
    for title, value in times.items():
        print(f"{title:<24}{value:>8.0f} ms")


def large_image(pixels: np.ndarray, folder: Path) -> None:
    """Peak memory of 40 megapixels, above the loaded model."""
    width, height = LARGE_WH
    repeats = (-(-height // pixels.shape[0]), -(-width // pixels.shape[1]), 1)
    photo = folder / "large.jpg"
    Image.fromarray(np.tile(pixels, repeats)[:height, :width]).save(photo, quality=90)
    print(f"\n{width}×{height} = {width * height / 1e6:.0f} megapixels, in tiles, OpenVINO")
    for precision in ("bf16", "f32"):
        command = [sys.executable, "-m", "benchmarks.peak_memory", str(photo), precision]
        seen = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        print(
            f"{precision:<6}peak {seen['peak_mb']:>5} MB, {seen['peak_mb'] - seen['loaded_mb']} MB above the loaded "
            f"model; counted {seen['count']:.0f} in {seen['seconds']:.1f} s"
        )


main()
