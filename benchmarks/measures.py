"""How long measuring takes beside the network: places of heads, densities, tracks and trends, and regions of a count.

    python -m benchmarks.measures
prints, for 10, 200 and 2,000 heads in a frame of 1280×720 with five zones and two lines, the median milliseconds from a
counted frame to its Measurement; and how long a frame takes to be counted as a whole, and in five zones, too. Times are
the processor's, of one thread, so that what else runs on the machine is left out. People stand on 40 × 30 m before a
camera 9 m high, and walk on between frames.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

import headcount
from benchmarks.timing import medians_ms
from headcount.core.prediction import Prediction
from headcount.core.region import inside
from headcount.synth import paint_scene
from headcount.video.measure import Measurer
from headcount.video.site import CameraSettings

SIZE_WH = (1280, 720)
HEADS = (10, 200, 2_000)
FRAME_S = 0.2
FOCAL_PX, HEIGHT_M, DOWN = 900.0, 9.0, np.radians(25)


def seen_at(places: np.ndarray, height_m: float = 1.6) -> np.ndarray:
    """(n, 2) pixels of heads over places (n, 2) in metres, x to the right and y ahead of a camera over (0, 0)."""
    x, y = places.T
    ahead = y * np.cos(DOWN) + (HEIGHT_M - height_m) * np.sin(DOWN)
    below = (HEIGHT_M - height_m) * np.cos(DOWN) - y * np.sin(DOWN)
    return np.stack([SIZE_WH[0] / 2 + FOCAL_PX * x / ahead, SIZE_WH[1] / 2 + FOCAL_PX * below / ahead], axis=1)


def camera() -> CameraSettings:
    """Five zones of 10 × 8 m and two lines across."""
    marked = np.array([[-6.0, 12], [6, 12], [12, 30], [-12, 30], [0, 20]])
    points = [
        {"pixel": pixel, "metres": place}
        for pixel, place in zip(seen_at(marked, 0).tolist(), marked.tolist(), strict=True)
    ]
    corners = [(-10.0, 14.0), (0.0, 14.0), (-10.0, 23.0), (0.0, 23.0), (-5.0, 31.0)]
    zones = [
        {"name": f"zone {at}", "polygon": [(x, y), (x + 10, y), (x + 10, y + 8), (x, y + 8)], "unit": "metres"}
        for at, (x, y) in enumerate(corners)
    ]
    lines = [{"name": f"line {y}", "ends": [(-8, y), (8, y)], "unit": "metres"} for y in (18, 27)]
    return CameraSettings.model_validate(
        {
            "name": "camera", "source": "film.mp4", "calibration": {"points": points, "size_wh": SIZE_WH},
            "zones": zones, "lines": lines,
        }
    )  # fmt: skip


def counted(places: np.ndarray) -> Prediction:
    """Heads as a model that locates each would tell them, with a range."""
    pixels = seen_at(places)
    pixels = pixels[((pixels >= 0) & (pixels <= SIZE_WH)).all(axis=1)]
    number = float(len(pixels))
    return Prediction(number, SIZE_WH, pixels, "heads", interval=(0.9 * number, 1.2 * number + 2), interval_level=0.9)


def measured_ms(heads: int, frames: int) -> tuple[float, float]:
    """Median milliseconds of a frame after two warming ones, and how many heads were in view."""
    random = np.random.default_rng(0)
    places, way = random.uniform([-20, 8], [20, 38], (heads, 2)), random.normal(0, 0.6, (heads, 2))
    measurer, times, seen = Measurer(camera()), [], 0.0
    for frame in range(frames + 2):
        whole = counted(places + way * frame * FRAME_S)
        zones, _ = measurer.shapes(SIZE_WH)
        parts = [replace(inside(whole, zone.region), interval=whole.interval, interval_level=0.9) for zone in zones]
        at = datetime.fromtimestamp(1_790_000_000 + frame * FRAME_S, UTC)
        began = time.process_time()
        measurer.measure_counted(whole, parts, at, frame=frame, skipped=0, came=time.monotonic())
        times.append(1e3 * (time.process_time() - began))
        seen = whole.count
    return statistics.median(times[2:]), seen


def regions_ms(model: str, rounds: int) -> dict[str, float]:
    """Median milliseconds to count a frame as a whole, and in five zones, too."""
    counter = headcount.load(model, threads=1)
    pixels = paint_scene(1, size_wh=SIZE_WH, count=200).pixels()
    regions = [zone.region for zone in Measurer(camera()).shapes(SIZE_WH)[0]]
    return medians_ms(
        {"whole": lambda: counter.count(pixels), "zones": lambda: counter.count_regions(pixels, regions)},
        rounds=rounds,
        clock=time.process_time,
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--model", default="headcount-n")
    parser.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args()
    print(f"{'heads':>7}{'in view':>9}{'median ms':>11}   a counted frame to its Measurement, 5 zones, 2 lines")
    for heads in HEADS:
        median, seen = measured_ms(heads, args.frames)
        print(f"{heads:>7,}{seen:>9,.0f}{median:>11.1f}")
    found = regions_ms(args.model, args.rounds)
    print(f"{args.model} counts a frame in {found['whole']:.1f} ms, and in 5 zones, too, in {found['zones']:.1f} ms")


if __name__ == "__main__":
    main()
