"""`python -m benchmarks.folder`: a folder of photographs counted by one run, beside one call for each.

A run reads and counts the next images while it tells, draws and writes one. Part of `python -m benchmarks`.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import cv2
from PIL import Image

import headcount
from benchmarks.timing import medians_ms
from headcount.infer.counter import Counter
from headcount.infer.job import Counted, Job, find_sources, open_overlays
from headcount.synth import paint_scene

KINDS = {"1024×768": (1.0, 24), "6144×4608": (6.0, 6)}
"""What the photographs are: how far a painted scene is enlarged, and how many there are."""


def folders() -> None:
    counter = headcount.load(device="cpu")
    print("\nA folder, images/s: one call each, one run, one run that draws pictures")
    with tempfile.TemporaryDirectory() as place:
        for kind, (factor, number) in KINDS.items():
            folder = Path(place) / kind
            folder.mkdir()
            for seed in range(number):
                painted = paint_scene(seed, size_wh=(1024, 768), count=150).pixels()
                photo = cv2.resize(painted, None, fx=factor, fy=factor)
                Image.fromarray(photo).save(folder / f"{seed}.jpg", quality=92)
            times = medians_ms(_ways(counter, folder, Path(place) / f"{kind} drawn"), rounds=5, warmup=1)
            rate = {name: 1e3 * number / ms for name, ms in times.items()}
            print(f"{kind}: {', '.join(f'{images:.1f}' for images in rate.values())}")


def _ways(counter: Counter, folder: Path, drawn: Path) -> dict[str, Callable[[], object]]:
    sources = find_sources([str(folder)])

    def alone() -> None:
        for file in sources.files:
            counter.count(file.path)

    def run(*, draw: bool) -> None:
        overlays = open_overlays(drawn, [str(folder)], sources, overwrite=True) if draw else None
        counted = sum(isinstance(event, Counted) for event in Job(counter, sources.files, overlays=overlays).run())
        assert counted == len(sources.files)

    return {
        "one by one": alone,
        "run": lambda: run(draw=False),
        "run, drawn": lambda: run(draw=True),
    }


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    folders()
