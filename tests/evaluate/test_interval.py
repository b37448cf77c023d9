"""Ranges are learned from residuals: they hold as often as they promise, on images that taught them nothing."""

from __future__ import annotations

import numpy as np
import pytest

from headcount.core.errors import InputError
from headcount.evaluate.interval import FEWEST_IMAGES, CountedImages, fit_interval


def _set(name: str, images: int, seed: int, *, noise: float = 0.05, slope: float = 0.15) -> CountedImages:
    """Counts whose errors grow with the crowding, and are twice as large above as below."""
    draw = np.random.default_rng(seed)
    crowding = draw.uniform(0, 5, images)
    true = np.round(np.exp(draw.uniform(2, 6, images)))
    error = draw.normal(0, noise + slope * crowding / 5, images)
    error = np.where(error > 0, 2 * error, error)
    counts = (true + 5) * np.exp(-error) - 5
    evidence = [{"crowding": float(one), "constant": 1.0} for one in crowding]
    return CountedImages(name, list(map(float, counts)), list(map(float, true)), evidence)


def _share_inside(fitted: object, one: CountedImages, level: float) -> float:
    spec = fitted.spec  # type: ignore[attr-defined]
    inside = []
    for count, true, evidence in zip(one.counts, one.true, one.evidence, strict=True):
        low, high = spec.around(count, evidence, level)
        inside.append(low <= true <= high)
    return float(np.mean(inside))


def test_ranges_hold_as_often_as_they_promise_on_new_images() -> None:
    fitted = fit_interval([_set("a", 300, 1), _set("b", 200, 2)])
    new = _set("new", 4000, 3)
    for level in (0.5, 0.8, 0.9, 0.98):
        assert _share_inside(fitted, new, level) == pytest.approx(level, abs=0.05)
    # Where errors are small, and where they are large.
    for low, high in ((0, 1), (4, 5)):
        rows = [k for k, evidence in enumerate(new.evidence) if low <= evidence["crowding"] < high]
        part = CountedImages("part", *([values[k] for k in rows] for values in (new.counts, new.true, new.evidence)))
        assert _share_inside(fitted, part, 0.9) == pytest.approx(0.9, abs=0.07)


def test_coverage_is_told_by_set_and_holds_across_folds() -> None:
    fitted = fit_interval([_set("a", 300, 1), _set("b", 200, 2)])
    assert {name: found.images for name, found in fitted.coverage.items()} == {"a": 300, "b": 200}
    assert all(found.holds for found in fitted.coverage.values())
    # Errors of one set that are twice as large in the other, with nothing to tell them by, do not hold there.
    unlike = fit_interval([_set("a", 300, 1, slope=0), _set("b", 300, 2, noise=0.5, slope=0)]).coverage
    assert unlike["a"].share > 0.95
    assert not unlike["b"].holds


def test_scales_follow_the_evidence_and_both_sides_have_their_own() -> None:
    spec = fit_interval([_set("a", 600, 1)]).spec
    below_0, above_0 = spec.scales({"crowding": 0})
    below_5, above_5 = spec.scales({"crowding": 5})
    assert below_5 > 2 * below_0
    assert above_5 > 2 * above_0
    low, high = spec.around(100, {"crowding": 4})
    assert np.log((high + 5) / 105) > 1.4 * np.log(105 / (low + 5))
    assert [one.name for one in spec.evidence] == ["crowding"]  # what is always the same tells nothing


def test_it_is_the_same_each_time_and_knows_what_it_saw() -> None:
    one = _set("a", 120, 4)
    spec = fit_interval([one]).spec
    assert spec == fit_interval([one]).spec
    (crowding,) = spec.evidence
    values = [evidence["crowding"] for evidence in one.evidence]
    assert (crowding.low, crowding.high) == (pytest.approx(min(values), abs=1e-4), pytest.approx(max(values), abs=1e-4))
    assert spec.images == 120


def test_pictures_of_nobody_alone_have_ranges_too() -> None:
    fitted = fit_interval([CountedImages("nobody", [0.0, 0.2] * 20, [0.0] * 40, [{}] * 40)])
    low, high = fitted.spec.around(0.2, {})
    assert low == 0
    assert high < 1


def test_too_few_images_are_refused() -> None:
    few = _set("a", FEWEST_IMAGES - 1, 1)
    with pytest.raises(InputError, match="takes 20 images with a known number to be told by, but there are 19"):
        fit_interval([few])
