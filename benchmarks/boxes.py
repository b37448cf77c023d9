"""Box metrics, measured: `python -m benchmarks.boxes` judges made-up boxes of crowds; time and memory.

The boxes are as a detector's are down to a low score: one near each head, and others where nobody is.
"""

from __future__ import annotations

import time
import tracemalloc
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from headcount.core.geometry import centres
from headcount.core.prediction import Prediction
from headcount.core.scene import Scene
from headcount.evaluate.metrics.boxes import BoxMetric
from headcount.evaluate.metrics.table import EvaluationSettings

CASES = ((300, 500, 500, 1024), (60, 500, 4500, 1024), (2, 10_000, 10_000, 4096))
"""Images, heads in each, boxes of nobody in each, side in pixels."""
THRESHOLD = 0.5


class Crowd(NamedTuple):
    heads: NDArray[np.float64]
    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]


def main() -> None:
    draw = np.random.Generator(np.random.Philox(1))
    for images, heads, others, side in CASES:
        crowds = [_crowd(draw, heads, others, side) for _ in range(images)]
        start = time.process_time()
        _judge(crowds, side)
        seconds = time.process_time() - start
        tracemalloc.start()
        _judge(crowds[:2], side)
        peak = tracemalloc.get_traced_memory()[1] / 1e6
        tracemalloc.stop()
        boxes = heads + others
        print(f"{images:>4} images of {heads:>6,} heads and {boxes:>6,} boxes: {seconds:6.1f} s {peak:5.0f} MB")


def _crowd(draw: np.random.Generator, heads: int, others: int, side: int) -> Crowd:
    def boxes(number: int) -> NDArray[np.float64]:
        corner = draw.uniform(0, side - 24, (number, 2))
        return np.concatenate([corner, corner + draw.uniform(8, 24, (number, 2))], axis=1)

    true = boxes(heads)
    near = true + draw.normal(0, 1, true.shape)
    scores = np.concatenate([draw.beta(4, 2, heads), draw.beta(1, 4, others)])
    return Crowd(true, np.concatenate([near, boxes(others)]), scores)


def _judge(crowds: list[Crowd], side: int) -> None:
    metric = BoxMetric(EvaluationSettings())
    for heads, boxes, scores in crowds:
        scene = Scene(np.zeros((1, 1, 3), np.uint8), centres(heads), heads)
        own, every = (
            Prediction(len(boxes[kept]), (side, side), centres(boxes[kept]), "heads", scores[kept], boxes[kept])
            for kept in (scores >= THRESHOLD, scores >= 0)
        )
        metric.add_with_weaker(scene, own, every, 0.0)
    metric.result()


if __name__ == "__main__":
    main()
