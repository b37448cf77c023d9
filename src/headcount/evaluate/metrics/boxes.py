"""How well the boxes of heads fit: AP50, AP, MR⁻² and F1.

faster-coco-eval matches boxes as COCO does: from the highest score down, each takes the free head that it overlaps
most, if their intersection over union (IoU) is at least a threshold. Their number has no cap: the library's own of 100
an image would lose a crowd. The curves are drawn here of what it matched, with a point for each score that occurs, so
that no figure depends on the order of images or of boxes of equal score.

- AP50 is COCO's average precision at IoU 0.5: the mean over 101 recalls of the best precision there or beyond. AP is
  the mean of those at IoU 0.5, 0.55 … 0.95.
- MR⁻² is the log-average miss rate of "Pedestrian Detection: An Evaluation of the State of the Art" (Dollár et al.) at
  IoU 0.5: the geometric mean of the miss rates at nine numbers of false boxes an image, evenly spaced from 0.01 to 1 in
  their logarithm. Lower is better.
- F1, with precision and recall, is of the boxes that the model's own score threshold lets through, at IoU 0.5.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from headcount.core.geometry import Boxes
from headcount.core.prediction import Prediction
from headcount.core.scene import Scene
from headcount.core.words import plural
from headcount.decode.boxes import overlaps
from headcount.evaluate.metrics.curve import Curve
from headcount.evaluate.metrics.located import Tally
from headcount.evaluate.metrics.table import WEAKEST_SCORE, EvaluationSettings, Figure

IOUS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
_HEADS_AT_ONCE = 16  # each is compared with every box of its group
_PAIRS_AT_ONCE = 2_000_000
_SLACK = 1e-6  # pairs of an IoU of 0.5 to the last digit are for the matcher to judge


class Found(NamedTuple):
    """The boxes of some images: ``scores`` (n,) of all, and ``true`` of those that were matched, by the IoU."""

    scores: NDArray[np.float64]
    true: tuple[NDArray[np.float64], ...]


@dataclass(frozen=True, slots=True)
class BoxesResult:
    """The figures of the boxes of heads.

    Attributes:
        images, heads: those that were judged, and the heads in them.
        tally: of the boxes at the model's own score threshold, at IoU 0.5.
        ap: average precision by IoU; empty where boxes have no scores.
        miss_rate: MR⁻²; None where boxes have no scores.
        weakest: the curves hold boxes from this score up; None: those alone that the model's threshold lets through.
        provenance: how many of the heads' boxes came to be in which way.
    """

    images: int
    heads: int
    tally: Tally
    ap: dict[float, float]
    miss_rate: float | None
    weakest: float | None
    provenance: dict[str, int]

    @property
    def ap50(self) -> float | None:
        """AP at IoU 0.5."""
        return self.ap.get(0.5)

    @property
    def mean_ap(self) -> float | None:
        """COCO's AP: the mean over IoU 0.5 to 0.95."""
        return sum(self.ap.values()) / len(self.ap) if self.ap else None

    @property
    def protocol(self) -> str:
        """What was done, in words: figures of different protocols are not comparable."""
        made = [f"{number:,} {how}" for how, number in sorted(self.provenance.items()) if how != "annotated"]
        truth = f"; of the true boxes {', '.join(made)}" if made else ""
        return f"COCO's matching from the highest score down, no cap on boxes; {self._curves}{truth}"

    @property
    def _curves(self) -> str:
        if not self.ap:
            return "boxes have no scores"
        if self.weakest is None:
            return "no scores below the threshold"
        return f"scores from {self.weakest:g} up"

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "protocol": self.protocol,
            "images": self.images,
            "heads": self.heads,
            "ap50": self.ap50,
            "ap": self.mean_ap,
            "ap_by_iou": {f"{iou:g}": value for iou, value in self.ap.items()},
            "mr2": self.miss_rate,
            "at_score_threshold": {"iou": 0.5, **self.tally.to_dict()},
            "provenance": self.provenance,
        }

    def lines(self) -> list[str]:
        """The protocol and the figures."""
        tally = self.tally
        cells = [("AP50", self.ap50), ("AP", self.mean_ap), ("MR⁻²", self.miss_rate), ("F1", tally.f1)]
        cells += [("P", tally.precision), ("R", tally.recall)]
        lines = [
            f"boxes: {plural(self.images, 'image')}, {plural(self.heads, 'head')}, "
            f"{plural(tally.true_positives + tally.false_positives, 'box')} at the score threshold",
            f"protocol: matched as COCO does, no cap on boxes; {self._curves};",
            "  F1, P, R: at the score threshold, IoU 0.5; MR⁻²: IoU 0.5, lower is better",
        ]
        made = [f"{number:,} {how}" for how, number in sorted(self.provenance.items()) if how != "annotated"]
        lines += [f"note: of the true boxes {', '.join(made)}"] if made else []
        lines += ["", "  " + "".join(f"{name:>10}" for name, _ in cells)]
        return [*lines, "  " + "".join("–".rjust(10) if value is None else f"{value:>10.4f}" for _, value in cells)]

    def figures(self) -> list[Figure]:
        """AP50, AP and MR⁻² where there are scores, and F1 of boxes."""
        curves = [("AP50", self.ap50), ("AP", self.mean_ap), ("MR⁻²", self.miss_rate)]
        found = [Figure(name, value, self.protocol) for name, value in curves if value is not None]
        return [*found, Figure("F1 of boxes at IoU 0.5", self.tally.f1, "at the model's score threshold")]


class BoxMetric:
    """Accumulates the boxes of each image: those are judged whose heads have boxes, or in which nobody is."""

    def __init__(self, settings: EvaluationSettings) -> None:
        self._found: list[Found] = []
        self._heads = self._images = self._true = self._at_threshold = 0
        self._has_boxes = self._has_scores = self._is_deep = True
        self._provenance: Counter[str] = Counter()

    def add(self, scene: Scene, prediction: Prediction, seconds: float) -> None:
        """Take in one image."""
        self.add_with_weaker(scene, prediction, None, seconds)

    def add_with_weaker(self, scene: Scene, prediction: Prediction, weaker: Prediction | None, seconds: float) -> None:
        """As ``add``; ``weaker`` is what the model finds down to ``WEAKEST_SCORE``, the prediction's own boxes too."""
        if prediction.boxes_xyxy is None or prediction.boxes_kind != "heads":
            self._has_boxes = False
        if not self._has_boxes or (scene.boxes_xyxy is None and scene.count):
            return
        heads = np.zeros((0, 4)) if scene.boxes_xyxy is None else scene.boxes_xyxy
        seen = prediction if weaker is None else weaker
        assert seen.boxes_xyxy is not None
        assert prediction.boxes_xyxy is not None
        self._has_scores &= seen.scores is not None
        self._is_deep &= weaker is not None
        scores = np.ones(len(seen.boxes_xyxy)) if seen.scores is None else seen.scores
        found = match_boxes(seen.boxes_xyxy, scores, heads)
        self._found.append(found)
        self._images += 1
        self._heads += len(heads)
        self._provenance.update(scene.box_provenance or ["annotated"] * len(heads))
        at_threshold = len(prediction.boxes_xyxy)
        self._at_threshold += at_threshold
        if at_threshold:
            least = 1.0 if prediction.scores is None else float(prediction.scores.min())
            self._true += int(np.count_nonzero(found.true[0] >= least))

    def result(self) -> BoxesResult | None:
        """The figures so far; None of a model without boxes of heads, or where no head has a box."""
        if not self._has_boxes or not self._heads:
            return None
        scores = np.concatenate([found.scores for found in self._found])
        every = zip(*(found.true for found in self._found), strict=True) if self._has_scores else ()
        curves = [Curve.of(scores, np.concatenate(true)) for true in every]
        return BoxesResult(
            images=self._images,
            heads=self._heads,
            tally=Tally(self._true, self._at_threshold - self._true, self._heads - self._true),
            ap={iou: curve.average_precision(self._heads) for iou, curve in zip(IOUS, curves, strict=False)},
            miss_rate=curves[0].miss_rate(self._heads, self._images) if curves else None,
            weakest=WEAKEST_SCORE if self._is_deep else None,
            provenance=dict(self._provenance),
        )


def match_boxes(boxes_xyxy: Boxes, scores: NDArray[np.float64], heads_xyxy: Boxes) -> Found:
    """Which boxes of one image are heads, at each of ``IOUS``.

    ``boxes_xyxy`` is (m, 4), ``scores`` (m,), ``heads_xyxy`` (n, 4). Of equal scores the first box goes first.

    >>> heads = np.array([[0, 0, 10, 10], [20, 0, 30, 10.0]])
    >>> found = match_boxes(np.array([[0, 0, 10, 8], [0, 0, 10, 9.0]]), np.array([0.6, 0.9]), heads)
    >>> found.true[0].tolist(), [len(true) for true in found.true]
    ([0.9], [1, 1, 1, 1, 1, 1, 1, 1, 1, 0])
    """
    scores = np.asarray(scores, np.float64)
    box, head = _near(boxes_xyxy, heads_xyxy)
    if not len(box):
        return Found(scores, tuple(np.zeros(0) for _ in IOUS))
    return Found(scores, _true_scores(boxes_xyxy, scores, heads_xyxy, box, head))


def _near(boxes_xyxy: Boxes, heads_xyxy: Boxes) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The pairs of box and head that may be matched at the lowest IoU."""
    pairs = [np.zeros((2, 0), np.intp)]
    step = max(1, _PAIRS_AT_ONCE // max(1, len(boxes_xyxy)))
    for start in range(0, len(heads_xyxy), step):
        iou = overlaps(boxes_xyxy.T[:, :, None], heads_xyxy[start : start + step].T[:, None])
        box, head = np.nonzero(iou >= IOUS[0] - _SLACK)
        pairs.append(np.stack([box, head + start]))
    box, head = np.concatenate(pairs, axis=1)
    return box, head


def _true_scores(
    boxes_xyxy: Boxes, scores: NDArray[np.float64], heads_xyxy: Boxes, box: NDArray[np.intp], head: NDArray[np.intp]
) -> tuple[NDArray[np.float64], ...]:
    """The scores of the boxes that the library matches, by IoU; ``box`` and ``head`` are pairs that may be."""
    from faster_coco_eval import COCO, COCOeval_faster

    boxes, box = np.unique(box, return_inverse=True)
    heads, head = np.unique(head, return_inverse=True)
    of_head, of_box = _groups(box, head, len(boxes), len(heads))
    groups = int(of_head.max()) + 1
    content = {
        "images": [{"id": group} for group in range(groups)],
        "categories": [{"id": 1, "name": "head"}],
        "annotations": list(_annotations(heads_xyxy[heads], of_head)),
    }
    found = [
        {**one, "score": score}
        for one, score in zip(_annotations(boxes_xyxy[boxes], of_box), scores[boxes].tolist(), strict=True)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        truth = COCO(content)
        matcher = COCOeval_faster(truth, truth.loadRes(found), "bbox")
    matcher.params.maxDets = [len(found)]
    matcher.params.areaRng, matcher.params.areaRngLbl = [[0.0, np.inf]], ["all"]
    matcher.params.iouThrs = np.array(IOUS)
    # It tells the score at which a recall is reached, so it is asked for the recall of each head.
    matcher.params.recThrs = np.arange(1, len(heads) + 1) / len(heads)
    matcher.evaluate()
    matcher.accumulate()
    number = np.rint(matcher.eval["recall"].reshape(len(IOUS)) * len(heads)).astype(int)
    reached = matcher.eval["scores"].reshape(len(IOUS), len(heads))
    return tuple(row[:true].copy() for row, true in zip(reached, number, strict=True))


def _groups(
    box: NDArray[np.intp], head: NDArray[np.intp], boxes: int, heads: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The group of each head and of each box, so that no pair is torn apart and each group has few heads.

    The library compares every box of an image with every head; a group is an image to it.
    """
    size = boxes + heads
    _, part = connected_components(coo_array((np.ones(len(box)), (box, boxes + head)), (size, size)), directed=False)
    before = np.cumsum(np.bincount(part[boxes:], minlength=int(part.max()) + 1)) - 1
    group = np.unique(before // _HEADS_AT_ONCE, return_inverse=True)[1]
    return group[part[boxes:]], group[part[:boxes]]


def _annotations(boxes_xyxy: Boxes, groups: Sequence[int] | NDArray[np.intp]) -> Iterator[dict[str, Any]]:
    sides = boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]
    rows = np.concatenate([boxes_xyxy[:, :2], sides], axis=1).tolist()
    areas = sides.prod(axis=1).tolist()
    for number, (row, area, group) in enumerate(zip(rows, areas, np.asarray(groups).tolist(), strict=True), start=1):
        yield {"id": number, "image_id": group, "category_id": 1, "bbox": row, "area": area, "iscrowd": 0}
