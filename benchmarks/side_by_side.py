"""The shipped models beside the networks of the papers, at several sizes and on each run-time, in one run.

    python -m benchmarks.side_by_side [--output table.md] [--plot speed.png] [--rounds 5] [--large]
measures the network alone (from pixels to maps) in a process for each entry, which also tells its peak memory. Networks
of recipes have random weights: their time does not depend on them. The sizes are 512×384, 1024×768 and 1920×1080, with
``--large`` 4096×3072 as well. Entries take turns: the whole list is passed twice, and medians are quoted.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.peak_memory import peak_mb

SHIPPED = ("headcount-s", "headcount-n", "headcount-crowds-s", "headcount-detect-s")
RECIPES = {
    "MCNN": "mcnn-shanghaitech-a",
    "CSRNet": "csrnet-shanghaitech-a",
    "CANNet": "cannet-shanghaitech-a",
    "MAN-light": "man-shanghaitech-a-solution5",
    "MAN-csr": "man-shanghaitech-a-csr",
    "IIM VGG-16": "iim-shanghaitech-a-vgg16-point",
    "CenterNet DLA-34": "mfl-centernet-scut-head-a",
}
CHANGES = {"mfl-centernet-scut-head-a": ("model.neck=dla_up_plain",)}
"""CenterNet as published has deformable convolutions, which run on torch alone; here it has plain ones."""
SIZES_WH = ((512, 384), (1024, 768), (1920, 1080))
LARGE_WH = (4096, 3072)
RUNTIMES = (("openvino", "int8"), ("openvino", "bf16"), ("openvino", "f32"), ("onnxruntime", "f32"), ("torch", "f32"))
PLOTTED = ("openvino", "f32")
PASSES = 2


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, metavar="FILE.md")
    parser.add_argument("--plot", type=Path, metavar="FILE.png")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--one", nargs=5, help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.one:
        model, runtime, precision, width, height = asked.one
        print(json.dumps(measure(model, runtime, precision, (int(width), int(height)), asked.rounds)))
        return
    sizes = (*SIZES_WH, LARGE_WH) if asked.large else SIZES_WH
    with tempfile.TemporaryDirectory() as folder:
        models = {name: name for name in SHIPPED} | {
            title: str(random_model(recipe, Path(folder))) for title, recipe in RECIPES.items()
        }
        costs = {title: cost_of(model) for title, model in models.items()}
        # Every run-time at the usual size, one at the others: all of them would take hours.
        entries = [
            (title, *runtime, size)
            for size in sizes
            for runtime in RUNTIMES
            for title in models
            if (size == SIZES_WH[1] or runtime == PLOTTED) and (runtime[1] != "int8" or has_int8(models[title]))
        ]
        found: dict[tuple[str, str, str, tuple[int, int]], list[dict[str, float]]] = {}
        for turn in range(PASSES):
            for number, entry in enumerate(entries, start=1):
                title, runtime, precision, size = entry
                seen = in_own_process(models[title], runtime, precision, size, asked.rounds)
                if seen is not None:
                    found.setdefault(entry, []).append(seen)
                print(f"\rpass {turn + 1} of {PASSES}, {number} of {len(entries)}", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
    text = table(found, costs, sizes)
    print(text)
    if asked.output is not None:
        asked.output.write_text(text + "\n", encoding="utf-8")
    if asked.plot is not None:
        plot(found, sizes, asked.plot)


def random_model(recipe_name: str, folder: Path) -> Path:
    """A recipe's network with random weights, as a model file."""
    from headcount.models.table import build_method
    from headcount.train.card import method_card
    from headcount.train.export import write_model
    from headcount.train.recipe import load_recipe

    recipe = load_recipe(recipe_name, CHANGES.get(recipe_name, ()))
    method = build_method(recipe.method, recipe.model).eval()
    path = folder / f"{recipe_name}{'.safetensors' if method.torch_only else '.onnx'}"
    write_model(method, method_card(recipe.method, recipe.model, method, name=recipe_name), path, halved=False)
    return path


def has_int8(model: str) -> bool:
    """Whether a model has a graph in int8, which only shipped ones have."""
    from headcount.infer import INT8
    from headcount.infer.models import find_model

    return INT8 in find_model(model).weights


def cost_of(model: str) -> tuple[float, float]:
    """Parameters in millions, and multiplications at 1024×768 in thousands of millions."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from headcount.infer.models import find_model
    from headcount.models.table import build_method

    card = find_model(model).card
    method = build_method(card.method, card.architecture).eval()
    images = torch.zeros(1, card.input.channels, 768, 1024)
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        method(images)
    return card.parameters / 1e6, counter.get_total_flops() / 2e9


def in_own_process(
    model: str, runtime: str, precision: str, size_wh: tuple[int, int], rounds: int
) -> dict[str, float] | None:
    """What a process of its own measures; None where this run-time cannot run the model."""
    command = [
        sys.executable, "-m", "benchmarks.side_by_side", "--rounds", str(rounds), "--one", model, runtime, precision,
        *map(str, size_wh),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        print(f"\n{model} on {runtime}: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return None
    seen: dict[str, float] = json.loads(done.stdout)
    return seen


def measure(model: str, runtime: str, precision: str, size_wh: tuple[int, int], rounds: int) -> dict[str, float]:
    """The median milliseconds of the network over an image of noise, and the peak memory above the loaded model."""
    import headcount
    from headcount.infer.tiling import network_maps

    # A model of a recipe that runs on torch has its weights beside the ONNX file.
    path = str(Path(model).with_suffix(".safetensors")) if runtime == "torch" and Path(model).suffix else model
    counter = headcount.load(path, device="cpu", runtime=runtime, precision=precision)
    pixels = np.random.default_rng(0).integers(0, 256, (size_wh[1], size_wh[0], 3), dtype=np.uint8)
    network_maps(pixels[:64, :64], counter.runtime.run, counter.card)
    loaded = peak_mb()
    times = []
    for turn in range(rounds + 1):
        started = time.perf_counter()
        network_maps(pixels, counter.runtime.run, counter.card)
        if turn or rounds == 1:
            times.append(1e3 * (time.perf_counter() - started))
    return {"ms": statistics.median(times), "mb": peak_mb() - loaded}


Found = dict[tuple[str, str, str, tuple[int, int]], list[dict[str, float]]]


def table(found: Found, costs: dict[str, tuple[float, float]], sizes: Sequence[tuple[int, int]]) -> str:
    """Markdown: a row a network; milliseconds by run-time at 1024×768, by size on OpenVINO in f32."""
    runtimes = [f"{name} {precision}" for name, precision in RUNTIMES]
    columns = ["network", "parameters", "MACs", *runtimes, "images/s", *(f"{w}×{h}" for w, h in sizes), "memory"]
    lines = [
        f"{os.cpu_count()} cores; network alone, milliseconds, medians of {PASSES} passes. By run-time: at 1024×768, "
        "images/s of the quickest. By size: OpenVINO f32. Memory: above the model, 1920×1080, OpenVINO f32.",
        "",
        "| " + " | ".join(columns) + " |",
        "|" + "---|" * len(columns),
    ]
    for title, (parameters, macs) in costs.items():
        usual = [_of(found, title, *runtime, SIZES_WH[1], "ms") for runtime in RUNTIMES]
        by_size = [_of(found, title, *PLOTTED, size, "ms") for size in sizes]
        memory = _of(found, title, *PLOTTED, SIZES_WH[2], "mb")
        quickest = min((value for value in usual if value is not None), default=None)
        cells = [title, f"{parameters:.2f} M", f"{macs:.1f} G", *map(_text, usual)]
        cells += ["—" if quickest is None else f"{1000 / quickest:.1f}", *map(_text, by_size)]
        cells.append("—" if memory is None else f"{memory:,.0f} MB")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _of(found: Found, title: str, runtime: str, precision: str, size: tuple[int, int], what: str) -> float | None:
    seen = found.get((title, runtime, precision, size))
    return None if not seen else statistics.median(one[what] for one in seen)


def _text(value: float | None) -> str:
    return "—" if value is None else f"{value:,.0f}"


def plot(found: Found, sizes: Sequence[tuple[int, int]], path: Path) -> None:
    """How the time grows with the pixels, a line a network, both axes logarithmic."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    titles = list(dict.fromkeys(title for title, *_ in found))
    for title in titles:
        points = [(w * h / 1e6, _of(found, title, *PLOTTED, (w, h), "ms")) for w, h in sizes]
        shown = [(x, y) for x, y in points if y is not None]
        if shown:
            style = "-o" if title in SHIPPED else "--s"
            axes.plot(*zip(*shown, strict=True), style, label=title, markersize=4)
    axes.set(xscale="log", yscale="log", xlabel="image", ylabel="milliseconds (OpenVINO, f32)")
    axes.set_xticks([w * h / 1e6 for w, h in sizes], [f"{w}×{h}" for w, h in sizes])
    axes.set_xticks([], minor=True)
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.grid(True, which="both", alpha=0.3)
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.01, 0.5))
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
