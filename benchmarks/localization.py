"""Localization, measured: `python -m benchmarks.localization [FOLDER]`, FOLDER with the official NWPU validation files.

Without the folder only the painted case is run: 10,000 predictions and 10,000 heads in one image.
"""

from __future__ import annotations

import sys
import tracemalloc
from pathlib import Path

import numpy as np

from benchmarks.timing import medians_ms
from headcount.data.formats.nwpu import read_nwpu_predictions, read_nwpu_truth
from headcount.evaluate.metrics.localization import images_of_files, matched_pairs, mean_over_thresholds
from headcount.evaluate.metrics.located import SIGMA_L, SIGMA_S
from headcount.evaluate.metrics.matching import candidate_pairs, match
from headcount.evaluate.metrics.nap import match_points

POINTS = 10_000
HEADS = 5_000
SIZE_WH = (1024, 768)


def main() -> None:
    draw = np.random.Generator(np.random.Philox(1))
    predicted, true = draw.random((2, POINTS, 2)) * SIZE_WH
    print(f"{POINTS:,} × {POINTS:,} points in {SIZE_WH[0]}×{SIZE_WH[1]} pixels")
    for mean_px in (4, 8, 12, 20, 40, 100, 1000):
        radius = draw.uniform(0.5, 1.5, POINTS) * mean_px
        # In the last case each point lies within every radius: too many pairs to be listed.
        pairs = f"{len(candidate_pairs(predicted, true, radius)):,}" if mean_px <= 40 else "more"
        time = medians_ms({"": lambda r=radius: match(predicted, true, r)}, rounds=5)[""]  # type: ignore[misc]
        tracemalloc.start()
        match(predicted, true, radius)
        peak = tracemalloc.get_traced_memory()[1] / 1e6
        tracemalloc.stop()
        print(f"  radius {mean_px:>4} px ± half: {pairs:>8} candidate pairs {time:>7.0f} ms {peak:>5.0f} MB")
    heads = draw.random((HEADS, 2)) * (2048, 1536)
    found = np.concatenate([heads + draw.normal(0, 2, heads.shape), draw.random((3 * HEADS, 2)) * (2048, 1536)])
    scores = draw.random(len(found))
    time = medians_ms({"": lambda: match_points(found, scores, heads)}, rounds=5)[""]
    print(f"nAP: {len(found):,} predictions, {HEADS:,} heads in 2048×1536 pixels {time:>7.0f} ms")
    if len(sys.argv) > 1:
        nwpu(Path(sys.argv[1]))


def nwpu(folder: Path) -> None:
    """The whole validation set at both σ, from loaded points to pairs, and the loading itself."""
    truth = read_nwpu_truth(folder / "val_gt_loc.txt")
    for path in sorted(folder.glob("*.txt")):
        if path.name == "val_gt_loc.txt":
            continue
        images = images_of_files(read_nwpu_predictions(path, truth), truth)
        times = medians_ms(
            {
                "read both files": lambda p=path: read_nwpu_predictions(p, read_nwpu_truth(folder / "val_gt_loc.txt")),  # type: ignore[misc]
                "match at both σ": lambda i=images: [matched_pairs(i, radius) for radius in (SIGMA_L, SIGMA_S)],  # type: ignore[misc]
            },
            rounds=5,
        )
        times |= medians_ms({"mean over 1–100 px": lambda i=images: mean_over_thresholds(i)}, rounds=1, warmup=0)  # type: ignore[misc]
        print(f"{path.name}: " + ", ".join(f"{title} {time:.0f} ms" for title, time in times.items()))


if __name__ == "__main__":
    main()
