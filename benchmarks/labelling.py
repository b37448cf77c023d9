"""What the labelling page's help is worth: hand actions for 20 images, and the error of the boxes that follow.

    python -m benchmarks.labelling
labels 20 validation images of SCUT-HEAD (ten of part A and ten of part B, evenly out of their lists, boxes hidden) by
the page's own server, as a hand that makes no mistake would, until every head has its point and its box:

- **drawn**: a box is dragged around each head, with nothing else;
- **points**: each head is clicked, but k of them, evenly from far to near, are dragged as boxes; all others follow;
- **assisted**: the model suggests heads, all are accepted at once, those that are none are deleted and those that were
  missed are clicked; where any was missed, k boxes are dragged as before, and the missed ones' boxes follow.

An **action** is one press of a key (with what is held down for it), or one press and release of a mouse button: a
click, or a drag from press to release. Moving the pointer, panning, zooming and going to the next image are none: all
three need them alike. Deleting is one action, the key pressed over the point; each change of the tool is one.

A suggestion is right where it lies within σ_l of a true head's middle (maximum matching); it stays where it is. A hand
clicks the middle of the true box, and drags the true box. The error of a box is |s − ŝ|/s, s = √(width · height), of
its own head; boxes that were dragged are left out of it. The shipped models saw none of these images in training, but
how far they are believed was chosen on these lists.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.interpolation import far_to_near
from headcount.core.errors import HeadcountError
from headcount.core.geometry import centres, sides, sigmas_of_boxes
from headcount.core.scene import Scene
from headcount.data.sets.registry import read_dataset
from headcount.evaluate.metrics.matching import match
from headcount.label.interpolate import INTERPOLATIONS
from headcount.label.page.boxes import boxed
from headcount.label.page.session import Labelling
from headcount.label.page.store import Stroke

HERE = Path(__file__).parents[2] / "shared" / "data" / "SCUT-HEAD"
SETS = {"scut-head-a": HERE / "SCUT_HEAD_Part_A", "scut-head-b": HERE / "SCUT_HEAD_Part_B"}
PRESETS = 4
IMAGES = 20
WHO = ("benchmarkbenchmark", "hand")


@dataclass
class Hand:
    """A person at the page: every action is counted, and sent as the page sends it."""

    labelling: Labelling
    image: int
    clicks: int = 0
    drags: int = 0
    keys: int = 0
    _strokes: int = 0

    @property
    def actions(self) -> int:
        return self.clicks + self.drags + self.keys

    def click(self, x: float, y: float) -> None:
        self.clicks += 1
        self._do({f"h{self._strokes}": {"t": "head", "x": x, "y": y}})

    def drag(self, box: Sequence[float], head: str | None = None) -> None:
        self.drags += 1
        x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        if head is not None:  # the point that lies in it already
            x, y = (self.things()[head][axis] for axis in "xy")
        key = head or f"h{self._strokes}"
        self._do({key: {"t": "head", "x": x, "y": y, "box": list(box), "made": "annotated"}})

    def key(self, changes: dict[str, Any] | None = None) -> None:
        self.keys += 1
        if changes:
            self._do(changes)

    def suggest(self) -> None:
        self.keys += 1
        self.labelling.suggest(self.image, *WHO)
        self.labelling.assistant.wait()

    def things(self) -> dict[str, Any]:
        with self.labelling.store.reading(self.image) as document:
            return dict(document.things)

    def _do(self, changes: dict[str, Any]) -> None:
        self._strokes += 1
        self.labelling.strokes(self.image, *WHO, [Stroke(f"i{self.image}s{self._strokes}", "do", changes)])


@dataclass
class Result:
    """What one way of labelling took, and how well its boxes fit: errors by how they came to be."""

    heads: int = 0
    clicks: int = 0
    drags: int = 0
    keys: int = 0
    errors: dict[str, list[float]] = field(default_factory=lambda: {"interpolated": [], "pseudo": []})

    @property
    def actions(self) -> int:
        return self.clicks + self.drags + self.keys

    def add(self, hand: Hand, found: NDArray[np.int64], truth: NDArray[np.float64], method: str) -> None:
        """``found``: for each head of the document the row of the true box."""
        self.heads += len(truth)
        self.clicks, self.drags, self.keys = (
            self.clicks + hand.clicks, self.drags + hand.drags, self.keys + hand.keys,
        )  # fmt: skip
        for made, guess, row in self._sizes(hand, found, method):
            true = float(np.sqrt(sides(truth[row : row + 1]).prod()))
            self.errors[made].append(abs(guess - true) / true)

    def _sizes(self, hand: Hand, found: NDArray[np.int64], method: str) -> list[tuple[str, float, int]]:
        things = {**hand.things(), "sizes": {"t": "sizes", "method": method, "k": 2}}
        made = boxed(things, hand.labelling.size_wh(hand.image))
        size = np.sqrt(sides(made.boxes_xyxy).prod(axis=1))
        return [
            (provenance, float(size[at]), int(found[at]))
            for at, provenance in enumerate(made.provenance)
            if provenance in self.errors and found[at] >= 0
        ]

    def median(self, *kinds: str) -> str:
        errors = [error for kind in kinds for error in self.errors[kind]]
        return f"{100 * float(np.median(errors)):.1f} %" if errors else "–"


def draw_all(hand: Hand, truth: NDArray[np.float64]) -> NDArray[np.int64]:
    """A box around each head; gives the true row of each head of the document."""
    if len(truth):
        hand.key()
    for box in truth.tolist():
        hand.drag(box)
    return np.arange(len(truth))


def click_all(hand: Hand, truth: NDArray[np.float64], k: int) -> NDArray[np.int64]:
    """A click on each head but k, which are drawn; gives the true row of each head of the document."""
    presets = far_to_near(truth, min(k, len(truth)), 0)
    clicked = np.setdiff1d(np.arange(len(truth)), presets)
    for x, y in centres(truth[clicked]).tolist():
        hand.click(x, y)
    hand.key()
    for box in truth[presets].tolist():
        hand.drag(box)
    return np.concatenate([clicked, presets])


def correct(hand: Hand, truth: NDArray[np.float64], k: int) -> NDArray[np.int64]:
    """Suggestions accepted and corrected; gives the true row of each head of the document."""
    hand.suggest()
    made = {key: thing for key, thing in hand.things().items() if thing["t"] == "suggestion"}
    accepted = {
        key: {"t": "head", "x": one["x"], "y": one["y"]}
        | ({"box": one["box"], "made": "pseudo"} if "box" in one else {})
        for key, one in made.items()
    }
    hand.key(accepted)
    keys = list(accepted)
    points = np.array([(one["x"], one["y"]) for one in accepted.values()], float).reshape(-1, 2)
    row_of = dict.fromkeys(keys, -1)
    for guess, row in match(points, centres(truth), np.maximum(sigmas_of_boxes(truth)[1], 1.0)).tolist():
        row_of[keys[guess]] = row
    for key in keys:
        if row_of[key] < 0:
            hand.key({key: None})
    missed = np.setdiff1d(np.arange(len(truth)), list(row_of.values()))
    presets = far_to_near(truth, min(k, len(truth)), 0) if len(missed) else np.zeros(0, np.int64)
    for row in np.setdiff1d(missed, presets):
        hand.click(*centres(truth[row : row + 1])[0].tolist())
    if len(presets):
        hand.key()
        owner = {row: key for key, row in row_of.items()}
        for row in presets:
            hand.drag(truth[row].tolist(), owner.get(int(row)))
        hand.key()
    rows = {(round(x, 6), round(y, 6)): row for row, (x, y) in enumerate(centres(truth).tolist())}
    heads = {key: thing for key, thing in hand.things().items() if thing["t"] == "head"}
    found = [row_of.get(key, rows.get((round(one["x"], 6), round(one["y"], 6)), -1)) for key, one in heads.items()]
    return np.array(found, np.int64)


def evenly(scenes: Sequence[Scene], number: int) -> list[Scene]:
    """So many scenes with heads, evenly out of a list."""
    with_heads = [scene for scene in scenes if scene.boxes_xyxy is not None and len(scene.boxes_xyxy)]
    places = ((np.arange(number) + 0.5) * len(with_heads) / number).astype(int)
    return [with_heads[place] for place in dict.fromkeys(places.tolist())]


def study(scenes: Sequence[Scene], folder: Path, *, k: int, model: str | None) -> dict[tuple[str, str], Result]:
    """What each way and each method of interpolation comes to; databases are made in ``folder``, images stay."""
    results: dict[tuple[str, str], Result] = {}
    for way in ("drawn", "points", "assisted"):
        place = folder / way
        place.mkdir()
        for number, scene in enumerate(scenes):
            assert isinstance(scene.image, Path)
            (place / f"{number:03}{scene.image.suffix}").symlink_to(scene.image.resolve())
        labelling = Labelling(place, folder / f"{way}.sqlite", model=model)
        try:
            for number, scene in enumerate(scenes, start=1):
                assert scene.boxes_xyxy is not None
                hand, truth = Hand(labelling, number), scene.boxes_xyxy
                labelling.claim(number, *WHO)
                if way == "drawn":
                    found = draw_all(hand, truth)
                else:
                    found = click_all(hand, truth, k) if way == "points" else correct(hand, truth, k)
                for method in INTERPOLATIONS:
                    results.setdefault((way, method), Result()).add(hand, found, truth, method)
        finally:
            labelling.close()
    return results


def table(results: dict[tuple[str, str], Result]) -> list[str]:
    """Lines of at most 80 columns."""
    lines = [f"{'way':<10}{'actions':>9}{'a head':>8}{'clicks':>8}{'drags':>7}{'keys':>6}"]
    first = INTERPOLATIONS[0]
    for way in dict.fromkeys(way for way, _ in results):
        one = results[way, first]
        per_head = one.actions / max(1, one.heads)
        lines.append(f"{way:<10}{one.actions:>9,}{per_head:>8.2f}{one.clicks:>8,}{one.drags:>7,}{one.keys:>6,}")
    lines += ["", "median relative error of boxes that nobody drew", f"{'way':<10}{'method':<10}{'interpolated':>14}"]
    lines[-1] += f"{'boxes':>8}{'of the model':>14}{'boxes':>8}{'all':>9}"
    for (way, method), one in results.items():
        if way == "drawn":
            continue
        counts = [len(one.errors[kind]) for kind in ("interpolated", "pseudo")]
        lines.append(
            f"{way:<10}{method:<10}{one.median('interpolated'):>14}{counts[0]:>8,}{one.median('pseudo'):>14}"
            f"{counts[1]:>8,}{one.median('interpolated', 'pseudo'):>9}"
        )
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.labelling", description=__doc__.split("\n")[0])
    parser.add_argument(
        "--data", action="append", metavar="NAME=PATH", help="else SCUT-HEAD A and B beside the checkout"
    )
    parser.add_argument("--split", default="val", help="train, val, trainval or test (default: val)")
    parser.add_argument("--images", type=int, default=IMAGES, help=f"of all sets together (default: {IMAGES})")
    parser.add_argument("--presets", type=int, default=PRESETS, help=f"boxes drawn an image (default: {PRESETS})")
    parser.add_argument("--model", help="what makes suggestions (default: the shipped default)")
    options = parser.parse_args(arguments)
    specs = options.data or [f"{name}={path}" for name, path in SETS.items()]
    try:
        scenes = [
            scene for spec in specs for scene in evenly(read_dataset(spec, options.split), options.images // len(specs))
        ]
        with tempfile.TemporaryDirectory() as folder:
            results = study(scenes, Path(folder), k=options.presets, model=options.model)
    except HeadcountError as error:
        sys.exit(f"Error: {error}")
    heads = results["points", INTERPOLATIONS[0]].heads
    print(f"{len(scenes)} images, {heads:,} heads, {options.presets} boxes drawn an image\n")
    print("\n".join(table(results)))


if __name__ == "__main__":
    main()
