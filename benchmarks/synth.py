"""`python -m benchmarks.synth`: how long a rendered scene takes; `--sheet FILE.jpg` writes a sheet of scenes.

Scenes of 1920×1080 with 400 to 500 people whose heads are in the picture, three of each of three places, after one that
is not measured (shaders are compiled then).
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import cv2
import numpy as np

from headcount.synth.rendered import render_scene
from headcount.synth.rendered.light import DAY_PARTS, WEATHERS
from headcount.synth.rendered.places import KINDS, PLACES, Place

SIZE_WH, PEOPLE, SCENES = (1920, 1080), 500, 3
CROWDED: tuple[Place, ...] = ("concert", "station", "street")
"""Places in which so many often have room."""
_COLUMNS, _TILE_WH = 4, (480, 270)


def times_s() -> dict[str, list[tuple[float, int]]]:
    """Seconds of each scene and the people in it, by place; scenes without room for so many are passed over."""
    found: dict[str, list[tuple[float, int]]] = {}
    for place in CROWDED:
        seed, least = 1, 0.8 * PEOPLE
        while len(found.setdefault(place, [])) < SCENES:
            start = time.perf_counter()
            made = render_scene(seed, size_wh=SIZE_WH, count=PEOPLE, place=place)
            seconds, people = time.perf_counter() - start, made.scene.count + made.hidden
            seed += 1
            if people >= least and seed > 2:
                found[place].append((seconds, people))
    return found


def sheet(path: Path, seed: int = 700) -> None:
    """A JPEG of scenes: every place three times, the weather and the part of the day taken in turn."""
    tiles = []
    for number in range(3 * len(PLACES)):
        place = PLACES[number % len(PLACES)]
        outdoors = not KINDS[place].indoors
        rendered = render_scene(
            seed + number, size_wh=(1280, 720), place=place,
            weather=WEATHERS[number % len(WEATHERS)] if outdoors else None,
            day=DAY_PARTS[number % len(DAY_PARTS)] if outdoors else None,
        )  # fmt: skip
        tiles.append(cv2.resize(rendered.scene.pixels(), _TILE_WH, interpolation=cv2.INTER_AREA))
    rows = [np.hstack(tiles[first : first + _COLUMNS]) for first in range(0, len(tiles), _COLUMNS)]
    whole = np.vstack(rows)
    path.write_bytes(cv2.imencode(".jpg", whole[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 82])[1].tobytes())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sheet", type=Path, help="write a sheet of scenes, and measure nothing")
    given = parser.parse_args()
    if given.sheet:
        sheet(given.sheet)
    else:
        found = times_s()
        for place, scenes in found.items():
            people = statistics.median(people for _, people in scenes)
            print(f"{place:<10} {statistics.median(seconds for seconds, _ in scenes):5.2f} s, {people:.0f} people")
        every = [seconds for scenes in found.values() for seconds, _ in scenes]
        print(f"{'all':<10} {statistics.median(every):5.2f} s, the slowest {max(every):.2f} s")
