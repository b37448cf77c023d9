"""What a detector that learned from rendered crowds alone is worth on photographs, beside always saying the mean.

    headcount synth rendered …; headcount train headcount-open-s …
    headcount export runs/headcount-open-s --output open.onnx
    python -m benchmarks.rendered_only open.onnx --data scut-head-a=PATH --data scut-head-b=PATH

Of each data set: the threshold of the boxes that makes the least MAE on some training images, then the MAE on its
validation list, with the 95 % interval of the list's images drawn anew; and the MAE of the training images' mean.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
from numpy.typing import NDArray

from headcount.core.errors import HeadcountError
from headcount.core.scene import Scene
from headcount.data.sets.registry import parse_spec, read_dataset
from headcount.infer.counter import Counter, load

THRESHOLDS = np.arange(12, 37) / 40  # 0.3 to 0.9
TRAINING_IMAGES = 50
_DRAWS = 2000


def errors(counter: Counter, scenes: list[Scene]) -> NDArray[np.float64]:
    """(n, t) predicted − true number of boxes, by scene and threshold."""
    found = []
    for scene in scenes:
        scores = counter.count(scene).scores
        given = np.zeros(0) if scores is None else scores
        found.append([float((given > threshold).sum() - scene.count) for threshold in THRESHOLDS])
    return np.array(found).reshape(-1, len(THRESHOLDS))


def measure(counter: Counter, training: list[Scene], validation: list[Scene], rng: np.random.Generator) -> str:
    """A line of figures of one data set."""
    some = training[:: max(1, len(training) // TRAINING_IMAGES)]
    chosen = int(np.abs(errors(counter, some)).mean(axis=0).argmin())
    error = errors(counter, validation)[:, chosen]
    mean = float(np.mean([scene.count for scene in training]))
    constant = np.array([scene.count - mean for scene in validation])
    rows = rng.integers(0, len(error), (_DRAWS, len(error)))
    low, high = np.percentile(np.abs(error)[rows].mean(axis=1), [2.5, 97.5])
    return (
        f"threshold {THRESHOLDS[chosen]:.3f}: MAE {np.abs(error).mean():.2f} ({low:.2f} to {high:.2f}), "
        f"bias {error.mean():+.2f}; always the mean {mean:.1f}: MAE {np.abs(constant).mean():.2f}"
    )


def lowered(counter: Counter) -> Counter:
    """The same counter with its boxes down to the lowest of the thresholds."""
    settings = dict(counter.card.decoder.settings)
    settings["boxes"] = {**settings["boxes"], "score_threshold": float(THRESHOLDS[0])}
    decoder = counter.card.decoder.model_copy(update={"settings": settings})
    return Counter(counter.card.model_copy(update={"decoder": decoder}), counter.runtime)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="a model of the method fused, exported")
    parser.add_argument("--data", action="append", required=True, metavar="NAME=PATH")
    given = parser.parse_args()
    counter = lowered(load(given.model, precision="f32"))
    for spec in given.data:
        name = parse_spec(spec)[0]
        line = measure(counter, read_dataset(spec, "train"), read_dataset(spec, "val"), np.random.default_rng(0))
        print(f"{name}: {line}", flush=True)


if __name__ == "__main__":
    try:
        main()
    except HeadcountError as error:
        sys.exit(f"Error: {error.message}")
