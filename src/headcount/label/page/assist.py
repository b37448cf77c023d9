"""A model's suggestions: where it takes heads to be, on one image at a time, by a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from headcount.core.errors import HeadcountError
from headcount.core.geometry import clip_boxes, clip_points, has_area, in_mask, sides
from headcount.label.page.boxes import Boxed
from headcount.label.page.things import Changes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headcount.core.prediction import Prediction
    from headcount.infer.counter import Counter

NEAR_PX = 6.0
"""How near a suggestion without a box is to the head that it is of."""
_NEIGHBOURS = 8


@dataclass(frozen=True, slots=True)
class Job:
    """What became of the suggestions for an image; ``text`` says it in a sentence."""

    state: Literal["waiting", "running", "done", "failed"]
    text: str = ""


class Assistant:
    """Loads a model when it is first asked, and runs it on one image after the other.

    Args:
        model: a shipped name or a file; None: the default.
        give: called with (image, what was found) by the worker; what it returns is said on the page.
    """

    def __init__(
        self, model: str | None, path: Callable[[int], Path], give: Callable[[int, Prediction], str], *, max_pixels: int
    ) -> None:
        self._model, self._path, self._give, self._max_pixels = model, path, give, max_pixels
        self._counter: Counter | None = None
        self._jobs: dict[int, Job] = {}
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="assist")

    def job(self, image: int) -> Job | None:
        """What became of the last one that was asked for on an image; None: none was."""
        return self._jobs.get(image)

    def ask(self, image: int) -> Job:
        """Have suggestions made for an image, unless that is under way."""
        with self._lock:
            known = self._jobs.get(image)
            if known is None or known.state in ("done", "failed"):
                self._jobs[image] = Job("waiting", "Waiting for the model.")
                self._pool.submit(self._run, image)
            return self._jobs[image]

    def wait(self) -> None:
        """Return when all that was asked for is done."""
        self._pool.submit(lambda: None).result()

    def close(self) -> None:
        """Begin nothing more."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _run(self, image: int) -> None:
        self._jobs[image] = Job("running", "The model looks at the image.")
        try:
            if self._counter is None:
                from headcount.infer.counter import load  # its runtime takes a second to import

                self._counter = load(self._model, max_pixels=self._max_pixels)
            self._jobs[image] = Job("done", self._give(image, self._counter.count(self._path(image))))
        except HeadcountError as error:
            self._jobs[image] = Job("failed", error.message)
        except Exception as error:  # whatever a model's runtime raises: the page goes on
            self._jobs[image] = Job("failed", f"The model failed on this image ({type(error).__name__}: {error}).")


def suggestions(
    found: Prediction, heads: Boxed, region: NDArray[np.bool_] | None, known: set[tuple[float, float]], *, mark: str
) -> Changes:
    """What a model found as suggestions, less what is labelled already: on or near a head, suggested, or outside the
    region of interest. ``mark`` makes their ids.

    A suggestion is of a head within half a side of its box or of the head's; without boxes, within ``NEAR_PX``.
    """
    points = clip_points(found.points_xy, found.size_wh).round(2)
    boxes = None
    if found.boxes_xyxy is not None and found.boxes_kind == "heads":
        boxes = clip_boxes(found.boxes_xyxy, found.size_wh).round(2)
    inside = np.ones(len(points), np.bool_) if region is None else in_mask(points, region)
    free = inside & ~_near(points, boxes, heads)
    changes: Changes = {}
    for row in np.flatnonzero(free):
        x, y = points[row].tolist()
        if (x, y) in known:
            continue
        score = 1.0 if found.scores is None else round(float(found.scores[row]), 4)
        changes[f"{mark}.{row}"] = {"t": "suggestion", "x": x, "y": y, "score": score}
        if boxes is not None and has_area(boxes[row : row + 1])[0]:
            changes[f"{mark}.{row}"] = {
                "t": "suggestion", "x": x, "y": y, "box": boxes[row].tolist(), "score": score,
            }  # fmt: skip
    return changes


def _near(points: NDArray[np.float64], boxes: NDArray[np.float64] | None, heads: Boxed) -> NDArray[np.bool_]:
    """(n,) whether a suggestion is of a head that is labelled already; a head is one suggestion's at most."""
    taken = np.zeros(len(points), np.bool_)
    if not len(points) or not len(heads.ids):
        return taken
    from scipy.spatial import cKDTree  # start-up time

    own = np.full(len(points), NEAR_PX) if boxes is None else np.maximum(sides(boxes).max(axis=1) / 2, 2.0)
    has_box = ~np.isnan(heads.boxes_xyxy[:, 0])
    reach = np.full(len(heads.ids), NEAR_PX)
    reach[has_box] = sides(heads.boxes_xyxy[has_box]).max(axis=1) / 2
    tree = cKDTree(points)
    for point, radius in zip(heads.points_xy, reach, strict=True):
        distances, rows = tree.query(point, k=min(_NEIGHBOURS, len(points)))
        for distance, row in zip(np.atleast_1d(distances), np.atleast_1d(rows), strict=True):  # nearest first
            if not taken[row] and distance <= max(radius, own[row]):
                taken[row] = True
                break
    return taken
