"""AP50, AP, MR⁻² and F1 of boxes: by hand, against a plain writing of the protocols, and against the library alone."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from headcount.core.geometry import centres
from headcount.core.prediction import BoxesKind, Prediction
from headcount.core.scene import Scene
from headcount.evaluate.metrics.boxes import IOUS, BoxesResult, BoxMetric, match_boxes
from headcount.evaluate.metrics.located import LocalizationResult
from headcount.evaluate.metrics.table import WEAKEST_SCORE, EvaluationSettings, SeesWeaker
from headcount.evaluate.run import evaluate_scenes

coco = pytest.importorskip("faster_coco_eval", reason="faster-coco-eval is in the boxes extra")
SIDE = 64
Boxes = NDArray[np.float64]


class Image(NamedTuple):
    boxes: Boxes
    scores: NDArray[np.float64]
    heads: Boxes


def _image(draw: np.random.Generator, heads: int, others: int) -> Image:
    """Heads that overlap each other, boxes near them, twice as many as fit, and boxes of nothing."""
    corner = draw.uniform(0, SIDE - 12, (heads, 2))
    true = np.concatenate([corner, corner + draw.uniform(5, 12, (heads, 2))], axis=1)
    near = np.repeat(true, 2, axis=0) + draw.normal(0, 0.8, (2 * heads, 4))
    corner = draw.uniform(0, SIDE - 12, (others, 2))
    boxes = np.concatenate([near, np.concatenate([corner, corner + draw.uniform(4, 12, (others, 2))], axis=1)])
    return Image(boxes, draw.permutation(np.linspace(0.02, 0.99, len(boxes))), true)


def _images(number: int, seed: int) -> list[Image]:
    draw = np.random.Generator(np.random.Philox(seed))
    images = [_image(draw, int(draw.integers(0, 9)), int(draw.integers(0, 6))) for _ in range(number)]
    scores = draw.permutation(np.linspace(0.02, 0.99, sum(len(image.boxes) for image in images)))
    ends = np.cumsum([len(image.boxes) for image in images])[:-1]
    return [image._replace(scores=part) for image, part in zip(images, np.split(scores, ends), strict=True)]


def _prediction(image: Image, least: float = 0.0, kind: BoxesKind = "heads") -> Prediction:
    kept = image.scores >= least
    boxes = image.boxes[kept]
    return Prediction(len(boxes), (SIDE, SIDE), centres(boxes), "heads", image.scores[kept], boxes, kind)


def _scene(image: Image, name: str = "a") -> Scene:
    return Scene(np.zeros((SIDE, SIDE, 3), np.uint8), centres(image.heads), image.heads, name=name)


def _measured(images: list[Image], *, at: float | None = None) -> BoxesResult:
    metric = BoxMetric(EvaluationSettings())
    for image in images:
        if at is None:
            metric.add(_scene(image), _prediction(image), 0.0)
        else:
            metric.add_with_weaker(_scene(image), _prediction(image, at), _prediction(image), 0.0)
    result = metric.result()
    assert result is not None
    return result


def _iou(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(wide, 0) * max(high, 0)
    return float(
        shared / ((one[2] - one[0]) * (one[3] - one[1]) + (other[2] - other[0]) * (other[3] - other[1]) - shared)
    )


def _plain(images: list[Image], iou: float) -> list[tuple[float, bool]]:
    """(score, whether it is a head) of all boxes, from the highest score down."""
    found = []
    for image in images:
        free = list(range(len(image.heads)))
        for index in sorted(range(len(image.boxes)), key=lambda i: -image.scores[i]):
            best = max(free, key=lambda head: _iou(image.boxes[index], image.heads[head]), default=None)
            is_true = best is not None and _iou(image.boxes[index], image.heads[best]) >= iou
            if is_true and best is not None:
                free.remove(best)
            found.append((float(image.scores[index]), is_true))
    return sorted(found, reverse=True)


def _plain_ap(found: list[tuple[float, bool]], heads: int) -> float:
    points = []
    for number in range(1, len(found) + 1):
        true = sum(is_true for _, is_true in found[:number])
        points.append((true / heads, true / number))
    best = [max((p for recall, p in points if recall >= level), default=0.0) for level in np.linspace(0, 1, 101)]
    return sum(best) / len(best)


def _plain_miss_rate(found: list[tuple[float, bool]], heads: int, images: int) -> float:
    logs = []
    for power in range(9):
        allowed, miss, false, true = 10 ** (-2 + power / 4), 1.0, 0, 0
        for _, is_true in found:
            true, false = true + is_true, false + (not is_true)
            if false / images <= allowed:
                miss = 1 - true / heads
        logs.append(math.log(max(miss, 1e-10)))
    return math.exp(sum(logs) / 9)


@pytest.mark.parametrize("seed", range(4))
def test_against_a_plain_writing(seed: int) -> None:
    images = _images(12, seed)
    heads = sum(len(image.heads) for image in images)
    result = _measured(images, at=0.4)
    plain = {iou: _plain(images, iou) for iou in IOUS}
    assert result.heads == heads
    assert result.images == 12  # those without heads, too
    assert result.ap == pytest.approx({iou: _plain_ap(plain[iou], heads) for iou in IOUS})
    assert result.miss_rate == pytest.approx(_plain_miss_rate(plain[0.5], heads, 12))
    kept = [is_true for score, is_true in plain[0.5] if score >= 0.4]
    assert (result.tally.true_positives, result.tally.false_positives) == (sum(kept), len(kept) - sum(kept))
    assert result.tally.false_negatives == heads - sum(kept)
    assert 0.1 < (result.ap50 or 0) < 0.95


def test_a_crowd_beyond_the_librarys_cap_is_judged_as_the_library_does() -> None:
    draw = np.random.Generator(np.random.Philox(9))
    image = _image(draw, 400, 300)
    content = {
        "images": [{"id": 1}], "categories": [{"id": 1, "name": "head"}],
        "annotations": [
            {"id": n, "image_id": 1, "category_id": 1, "bbox": [*b[:2], *(b[2:] - b[:2])], "area": 1.0, "iscrowd": 0}
            for n, b in enumerate(image.heads, 1)
        ],
    }  # fmt: skip
    found = [
        {"image_id": 1, "category_id": 1, "bbox": [*b[:2], *(b[2:] - b[:2])], "score": s}
        for b, s in zip(image.boxes, image.scores, strict=True)
    ]
    truth = coco.COCO(content)
    judge = coco.COCOeval_faster(truth, truth.loadRes(found), "bbox")
    judge.params.maxDets, judge.params.areaRng, judge.params.areaRngLbl = [5000], [[0, 1e10]], ["all"]
    judge.evaluate()
    judge.accumulate()
    expected = judge.eval["precision"][:, :, 0, 0, 0].mean(axis=1)
    result = _measured([image])
    assert list(result.ap.values()) == pytest.approx(expected.tolist())
    assert result.tally.true_positives > 300  # a cap of 100 would lose them


HEADS = np.array([[0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10], [0, 30, 10, 40.0]])
OFF = np.array([0, 0, 0, -2.0])  # an IoU of 0.8


def test_by_hand() -> None:
    """Scores .9 true, .8 false, .7 true (IoU 0.8), .6 a second box of the first head, .5 true: three of four heads."""
    boxes = np.array([HEADS[0], [50, 50, 60, 60], HEADS[1] + OFF, HEADS[0] + OFF, HEADS[2]])
    one = Image(boxes, np.array([0.9, 0.8, 0.7, 0.6, 0.5]), HEADS)
    result = _measured([one], at=0.65)
    # Best precision: 1 up to recall 1/4 (26 of 101 recalls), 2/3 up to 1/2 (25), 3/5 up to 3/4 (25), then none.
    assert result.ap50 == pytest.approx((26 + 25 * 2 / 3 + 25 * 3 / 5) / 101)
    # Above IoU 0.8 only the first and the last are true: 1 up to 1/4, 2/5 up to 1/2.
    strict = (26 + 25 * 2 / 5) / 101
    assert result.ap[0.8] == pytest.approx(result.ap50)
    assert result.ap[0.85] == pytest.approx(strict)
    assert result.mean_ap == pytest.approx((7 * result.ap50 + 3 * strict) / 10)
    # One image: below one false box there is one head of four, and at 1 two.
    assert result.miss_rate == pytest.approx((0.75**8 * 0.5) ** (1 / 9))
    assert (result.tally.true_positives, result.tally.false_positives, result.tally.false_negatives) == (2, 1, 2)
    assert result.tally.f1 == pytest.approx(4 / 7)


def test_all_found_and_none_found() -> None:
    exact = _measured([Image(HEADS, np.full(4, 0.7), HEADS)])
    assert (exact.ap50, exact.mean_ap, exact.tally.f1) == (1, 1, 1)
    assert exact.miss_rate == pytest.approx(1e-10)
    none = _measured([Image(np.zeros((0, 4)), np.zeros(0), HEADS)])
    assert (none.ap50, none.mean_ap, none.miss_rate, none.tally.f1) == (0, 0, 1, 0)


def test_boxes_of_equal_score_come_in_together_whatever_their_order() -> None:
    boxes = np.array([HEADS[0], [50, 50, 60, 60.0]])
    results = [_measured([Image(boxes[order], np.full(2, 0.5), HEADS[:1])]) for order in ([0, 1], [1, 0])]
    assert [result.ap50 for result in results] == [0.5, 0.5]


def test_equal_heads_and_equal_boxes() -> None:
    twins = np.repeat(HEADS[:1], 3, axis=0)
    assert _measured([Image(twins, np.array([0.9, 0.8, 0.7]), twins[:2])]).tally.true_positives == 2


def test_what_is_judged() -> None:
    metric = BoxMetric(EvaluationSettings())
    image = Image(HEADS, np.full(4, 0.7), HEADS)
    metric.add(Scene(np.zeros((SIDE, SIDE, 3), np.uint8), centres(HEADS), name="points alone"), _prediction(image), 0.0)
    assert metric.result() is None
    metric.add(_scene(image), _prediction(image), 0.0)
    metric.add(Scene(np.zeros((SIDE, SIDE, 3), np.uint8), name="nobody"), _prediction(image), 0.0)
    result = metric.result()
    assert result is not None
    assert (result.images, result.heads, result.tally.false_positives) == (2, 4, 4)
    metric.add(_scene(image), _prediction(image, kind="parts"), 0.0)
    assert metric.result() is None
    metric = BoxMetric(EvaluationSettings())
    metric.add(_scene(image), Prediction(4, (SIDE, SIDE), centres(HEADS), "heads"), 0.0)
    assert metric.result() is None


def test_boxes_without_scores_have_an_f1_alone() -> None:
    metric = BoxMetric(EvaluationSettings())
    unscored = Prediction(4, (SIDE, SIDE), centres(HEADS), "heads", None, HEADS)
    metric.add(_scene(Image(HEADS, np.ones(4), HEADS)), unscored, 0.0)
    result = metric.result()
    assert result is not None
    assert (result.ap50, result.mean_ap, result.miss_rate, result.tally.f1) == (None, None, None, 1)
    assert [figure.metric for figure in result.figures()] == ["F1 of boxes at IoU 0.5"]
    assert any("–" in line for line in result.lines())


def test_it_says_what_the_truth_is_made_of_and_how_far_its_curves_reach() -> None:
    image = Image(HEADS, np.full(4, 0.7), HEADS)
    scene = Scene(
        np.zeros((SIDE, SIDE, 3), np.uint8),
        centres(HEADS),
        HEADS,
        ("pseudo", "pseudo", "annotated", "pseudo"),
        name="a",
    )
    metric = BoxMetric(EvaluationSettings())
    metric.add(scene, _prediction(image), 0.0)
    result = metric.result()
    assert result is not None
    assert "3 pseudo" in result.protocol
    assert "no scores below the threshold" in result.protocol
    assert result.to_dict()["provenance"] == {"annotated": 1, "pseudo": 3}
    assert f"from {WEAKEST_SCORE:g} up" in _measured([image], at=0.5).protocol


class _Detector:
    """Finds what an image is said to hold, at a threshold of 0.5."""

    def __init__(self, images: dict[str, Image]) -> None:
        self.images, self.asked = images, list[float]()

    def count(self, source: Scene) -> Prediction:
        return _prediction(self.images[source.name], 0.5)

    def count_keeping_maps(self, scene: Scene) -> tuple[Prediction, object]:
        def again(score: float) -> Prediction:
            self.asked.append(score)
            return _prediction(self.images[scene.name], score)

        return self.count(scene), again


def test_one_pass_counts_at_the_threshold_and_draws_curves_below_it() -> None:
    images = {f"{number}.png": image for number, image in enumerate(_images(5, 3))}
    detector = _Detector(images)
    scenes = [_scene(image, name) for name, image in images.items()]
    report = evaluate_scenes(detector, scenes)
    assert detector.asked == [WEAKEST_SCORE] * 5
    found = report.results["boxes"]
    assert isinstance(found, BoxesResult)
    assert found.to_dict() == _measured(list(images.values()), at=0.5).to_dict()
    assert report.images[0].predicted == np.count_nonzero(images["0.png"].scores >= 0.5)
    located = report.results["localization"]
    assert isinstance(located, LocalizationResult)
    assert located.predicted == sum(image.predicted for image in report.images)
    assert [len(image.predicted_xy) for image in located.weaker] == [len(image.boxes) for image in images.values()]
    assert evaluate_scenes(detector, scenes, metrics=["counting"]).results.keys() == {"counting"}
    assert len(detector.asked) == 5  # nobody looked deeper


def test_in_a_region_of_interest_boxes_beyond_it_are_not_judged() -> None:
    image = Image(np.concatenate([HEADS, HEADS + 25]), np.linspace(0.3, 0.9, 8), HEADS)
    region = np.zeros((SIDE, SIDE), np.bool_)
    region[:20, :32] = True
    scene = Scene(np.zeros((SIDE, SIDE, 3), np.uint8), centres(HEADS), HEADS, region=region, name="a")
    found = evaluate_scenes(_Detector({"a": image}), [scene]).results["boxes"]
    assert isinstance(found, BoxesResult)
    assert (found.heads, found.ap50) == (2, 1)


def test_it_looks_deeper() -> None:
    assert isinstance(BoxMetric(EvaluationSettings()), SeesWeaker)


def test_heads_in_small_groups_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.Generator(np.random.Philox(4))
    image = _image(draw, 60, 20)
    found = [match_boxes(image.boxes, image.scores, image.heads)]
    monkeypatch.setattr("headcount.evaluate.metrics.boxes._HEADS_AT_ONCE", 1000)
    monkeypatch.setattr("headcount.evaluate.metrics.boxes._PAIRS_AT_ONCE", 100)
    found.append(match_boxes(image.boxes, image.scores, image.heads))
    for one, other in zip(found[0].true, found[1].true, strict=True):
        np.testing.assert_array_equal(one, other)
