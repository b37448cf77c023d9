"""`python -m benchmarks.batches`: images/s of a batch by one and two workers, beside a plain count of the same folder.

Each is a whole run of the command line, with its start and the opening of the model.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.timing import medians_ms
from headcount.synth import paint_scene

SIZE_WH = (1024, 768)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", default="headcount-s")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        photos = Path(place) / "photos"
        paint(photos, asked.images)
        times = medians_ms(ways(photos, Path(place), asked.model), rounds=asked.rounds, warmup=1)
    print(f"{os.cpu_count()} cores, {asked.images} images of {SIZE_WH[0]}×{SIZE_WH[1]}, {asked.model}, whole runs\n")
    for name, ms in times.items():
        print(f"{name:24} {1e3 * asked.images / ms:6.1f} images/s, {ms / 1e3:6.1f} s")


def paint(folder: Path, number: int) -> None:
    """So many photographs, of which no two are the same."""
    folder.mkdir()
    scenes = [paint_scene(seed, size_wh=SIZE_WH, count=150).pixels() for seed in range(min(number, 8))]
    for index in range(number):
        picture = np.roll(scenes[index % len(scenes)], 16 * (index // len(scenes)), axis=1)
        Image.fromarray(picture).save(folder / f"{index}.jpg", quality=92)


def ways(photos: Path, place: Path, model: str) -> dict[str, Callable[[], object]]:
    def run(output: Path, *more: str) -> None:
        shutil.rmtree(output, ignore_errors=True)
        output.unlink(missing_ok=True)
        command = [sys.executable, "-m", "headcount", "count", str(photos), "--model", model, "--quiet", *more]
        target = str(output) if output.suffix else f"{output}/"
        subprocess.run([*command, "--output", target], check=True, stdout=subprocess.DEVNULL)

    return {
        "plain count, .jsonl": lambda: run(place / "plain.jsonl"),
        "batch, 1 worker": lambda: run(place / "one", "--workers", "1"),
        "batch, 2 workers": lambda: run(place / "two", "--workers", "2"),
    }


if __name__ == "__main__":
    main()
