"""Whether loading keeps up with training: crops a second from cold files and from the cache, beside what a step uses.

    python -m benchmarks.loading [--recipe headcount-s] [--seconds 6] [DATA …]
DATA as in `headcount evaluate` (shanghaitech-b=PATH); without any, photographs are painted for the purpose. Then, with
a cache of half the images: how long a training step waits for its batch, and the memory after each of three epochs.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import torch
from PIL import Image

from headcount.core.scene import Scene
from headcount.data.sets.registry import read_dataset
from headcount.models.method import Method
from headcount.models.table import build_method
from headcount.synth import paint_scene
from headcount.train.batches import Batch, Batches
from headcount.train.pools import Pool
from headcount.train.recipe import Recipe, load_recipe

STEPS_PER_EPOCH = 250


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.loading")
    parser.add_argument("data", nargs="*")
    parser.add_argument("--recipe", default="headcount-s")
    parser.add_argument("--seconds", type=float, default=6.0, help="of each measurement, about")
    options = parser.parse_args()
    recipe = load_recipe(options.recipe)
    method = build_method(recipe.method, recipe.model).to(memory_format=torch.channels_last)
    with tempfile.TemporaryDirectory() as folder:
        scenes = [scene for name in options.data for scene in read_dataset(name, "train")] or _painted(Path(folder))
        pixels = statistics.mean(scene.size_wh[0] * scene.size_wh[1] for scene in scenes) / 1e6
        crop_h, crop_w = recipe.data.crop_hw
        print(
            f"{recipe.name}: {recipe.batch} crops of {crop_w}×{crop_h} a step, {len(scenes)} images of {pixels:.2f} "
            f"megapixels; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start"
        )
        used = _consumption(recipe, method, scenes, options.seconds)
        print(f"{'a training step of the model, its batch ready':<46}{used:>8.1f} crops a second")
        for title, cache_mb in (("cold files", 0), ("warm cache", recipe.data.cache_mb)):
            for workers in (1, 2):
                rate = _rate(recipe, method, scenes, workers, cache_mb, options.seconds)
                name = f"{title}, {workers} worker{'s' * (workers > 1)}"
                print(f"{name:<46}{rate:>8.1f} crops a second{rate / used:>7.1f} ×")
        half = round(sum(scene.size_wh[0] * scene.size_wh[1] * 3 for scene in scenes) / 2e6) + 1
        _waits(_batches(recipe, method, scenes, cache_mb=half), method, options.seconds)
        _memory(_batches(recipe, method, scenes, cache_mb=half), len(scenes))


def _painted(folder: Path) -> list[Scene]:
    scenes = []
    for seed in range(24):
        painted = paint_scene(seed, size_wh=(1024, 768), count=150)
        Image.fromarray(painted.pixels()).save(folder / f"{seed}.jpg", quality=90)
        scenes.append(Scene(folder / f"{seed}.jpg", painted.points_xy))
    return scenes


def _batches(recipe: Recipe, method: Method, scenes: list[Scene], **changes: int) -> Batches:
    data = recipe.data.model_copy(update=changes)
    return Batches(
        [Pool("all", scenes, 1.0)], method, data, batch=recipe.batch, steps_per_epoch=STEPS_PER_EPOCH, seed=1
    )


def _cold(scenes: Iterable[Scene]) -> None:
    """Let the system forget the files' content."""
    for scene in scenes:
        if isinstance(scene.image, Path) and hasattr(os, "posix_fadvise"):
            with scene.image.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


class _Step:
    """A training step as the loop takes it: forward, loss, backward, clipped, AdamW."""

    def __init__(self, method: Method) -> None:
        self.method = method.train()
        self.optimiser = torch.optim.AdamW(method.parameters(), lr=1e-5)

    def __call__(self, batch: Batch) -> None:
        images, targets = batch
        images = images.contiguous(memory_format=torch.channels_last)
        loss = self.method.loss(self.method.training_forward(images, targets), targets)["total"]
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.method.parameters(), 5.0)
        self.optimiser.step()


def _consumption(recipe: Recipe, method: Method, scenes: list[Scene], seconds: float) -> float:
    step, batch = _Step(method), _batches(recipe, method, scenes).at(0)
    for _ in range(2):
        step(batch)
    times, begun = [], time.perf_counter()
    while time.perf_counter() - begun < seconds:
        started = time.perf_counter()
        step(batch)
        times.append(time.perf_counter() - started)
    return recipe.batch / statistics.median(times)


def _rate(recipe: Recipe, method: Method, scenes: list[Scene], workers: int, cache_mb: int, seconds: float) -> float:
    """Crops a second where nothing else is done with them."""
    batches = _batches(recipe, method, scenes, workers=workers, cache_mb=cache_mb)
    if cache_mb:
        for scene in scenes:
            batches.cache.load(scene)
    else:
        _cold(scenes)
    taken, begun = 0, time.perf_counter()
    for step, _ in batches.run(0, 1_000_000):
        taken = step + 1
        if not cache_mb and taken * recipe.batch % len(scenes) < recipe.batch:
            _cold(scenes)  # each has come once: none may be warm when it comes again
        if time.perf_counter() - begun > seconds:
            break
    return taken * recipe.batch / (time.perf_counter() - begun)


def _resident_mb() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return float("nan")


def _waits(batches: Batches, method: Method, seconds: float) -> None:
    step, waits, steps, begun = _Step(method), [], [], time.perf_counter()
    mark = begun
    for _, batch in batches.run(0, 1_000_000):
        got = time.perf_counter()
        step(batch)
        waits.append(got - mark)
        mark = time.perf_counter()
        steps.append(mark - got)
        if mark - begun > 2 * seconds and len(waits) > 2:
            break
    print(
        f"of {len(steps)} training steps from files, one took {1e3 * statistics.median(steps):.0f} ms and waited "
        f"{1e3 * statistics.median(waits[1:]):.1f} ms for its batch (at most {1e3 * max(waits[1:]):.0f} ms)"
    )


def _memory(batches: Batches, images: int) -> None:
    steps = -(-images // batches.batch)
    resident = []
    for step, _ in batches.run(0, 3 * steps):
        if (step + 1) % steps == 0:
            resident.append(f"{_resident_mb():.0f}")
    print(
        f"cache {batches.cache.held_bytes / 1e6:.0f} of {batches.cache.limit_bytes / 1e6:.0f} MB; the process after "
        f"each time through all images: {', '.join(resident)} MB"
    )


main()
