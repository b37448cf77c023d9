"""What a picture and its count show of the count's error."""

from __future__ import annotations

import numpy as np
import pytest

from headcount.core.card import ModelCard, OutputSpec
from headcount.core.interval import EvidenceSpec, IntervalSpec
from headcount.core.prediction import Prediction
from headcount.infer.evidence import EVIDENCE, evidence_of, range_of

GRAY = np.full((128, 192, 3), 128, np.uint8)
NOISE = np.random.default_rng(0).integers(0, 256, GRAY.shape).astype(np.uint8)


def _found(points: list[list[float]], **fields: object) -> Prediction:
    return Prediction(len(points), (192, 128), np.array(points).reshape(-1, 2), "heads", **fields)  # type: ignore[arg-type]


def test_every_kind_has_a_value_and_words() -> None:
    found = evidence_of(_found([]), GRAY, {})
    assert found.keys() == EVIDENCE.keys()
    assert {**found, "people": 0} == dict.fromkeys(EVIDENCE, 0)
    assert found["people"] == pytest.approx(np.log2(5))


def test_crowding_is_what_a_person_sees_around() -> None:
    alone = evidence_of(_found([[10, 10], [100, 100]]), GRAY, {})
    assert alone["crowding"] == pytest.approx(np.log2(1 + 1))
    together = evidence_of(_found([[10, 10], [20, 20], [30, 30], [100, 100]]), GRAY, {})
    assert together["crowding"] == pytest.approx(np.log2(1 + (9 + 1) / 4))
    density = np.zeros((16, 24), np.float32)
    density[1:4, 1] = 1
    density[12, 12] = 1
    summed = Prediction(4, (192, 128), density=density, density_stride=8)
    assert evidence_of(summed, GRAY, {})["crowding"] == pytest.approx(together["crowding"])


def test_heads_that_are_located_and_those_that_are_not() -> None:
    boxes = np.array([[0, 0, 32, 32], [0, 0, 8, 8], [40, 40, 72, 72]])
    found = _found([[16, 16], [4, 4], [56, 56]], boxes_xyxy=boxes)
    assert evidence_of(found, GRAY, {})["head_size"] == 1  # twice 16 pixels
    parts = _found([[16, 16], [4, 4], [56, 56]], boxes_xyxy=boxes, boxes_kind="parts")
    assert evidence_of(parts, GRAY, {})["head_size"] == 0
    peaks = Prediction(27, (192, 128), np.full((3, 2), 9.0), "peaks", density=np.full((16, 24), 27 / 384, np.float32))
    assert evidence_of(peaks, GRAY, {})["unplaced"] == 2  # 32 over 8
    assert evidence_of(Prediction(27, (192, 128)), GRAY, {})["unplaced"] == 0


def test_parts_that_disagree() -> None:
    assert evidence_of(_found([]), GRAY, {"density": 75, "boxes": 35, "instances": -2})["disagreement"] == 4
    assert evidence_of(_found([]), GRAY, {"density": 7})["disagreement"] == 0


def test_noise_has_grain_and_a_large_picture_is_looked_at_in_the_middle() -> None:
    noise, gray = (evidence_of(_found([]), pixels, {}) for pixels in (NOISE, GRAY))
    assert noise["grain"] > 1
    assert gray["grain"] == gray["contrast"] == 0
    large = np.full((1200, 1500, 3), 128, np.uint8)
    large[:80] = NOISE[:80, :1].repeat(1500, axis=1)
    assert evidence_of(_found([]), large, {})["contrast"] == 0
    tiny = evidence_of(_found([]), NOISE[:5, :90], {})
    assert (tiny["contrast"], tiny["grain"]) == (0, 0)


def _card(**fields: float) -> ModelCard:
    grain = EvidenceSpec(name="grain", below=0, above=0, **{"low": -1, "high": 0.5, "spread": 0.25, **fields})
    interval = IntervalSpec(below=-1, above=-1, evidence=(grain,), quantiles=(-1, 0, 1), images=99)
    outputs = (OutputSpec(name="density", stride=8),)
    return ModelCard(name="m", method="m", task="size", outputs=outputs, interval=interval)


def test_a_picture_unlike_all_that_was_seen_has_a_wide_range_and_a_warning() -> None:
    (low, high), warnings = range_of(_card(), _found([[9, 9]] * 50), NOISE, {}, 0.9)  # type: ignore[misc]
    (usual_low, usual_high), said = range_of(_card(), _found([[9, 9]] * 50), GRAY, {}, 0.9)  # type: ignore[misc]
    assert not said
    assert warnings == (
        "This picture shows more noise or finer texture than any the model was tested on: the count may be far off.",
    )
    assert high - low > 2 * (usual_high - usual_low)
    # A smoother one than all is no worse.
    assert not range_of(_card(low=0.3), _found([]), GRAY, {}, 0.9)[1]


def test_a_card_that_knows_nothing_gives_none() -> None:
    assert range_of(_card().with_interval(None), _found([]), NOISE, {}, 0.9) == (None, ())
