"""The range that the true number lies in, of a count: what a model's card holds of it, and the range it makes.

Counts are compared on a log scale, ``log((true + HANDFUL) / (count + HANDFUL))``, so that a range grows with the count
and is some people wide where nobody is. How far the two lie apart depends on what is seen in the picture, the evidence:
a scale below the count and one above it are exponentials of a weighted sum. On images that no weight was fitted to the
distances over their scale have quantiles, and these times the scale of a new image make its range: a split conformal
interval (Lei et al., "Distribution-free predictive inference for regression", 2018), with residuals over their scale.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from headcount.core.errors import InputError
from headcount.core.limits import DEFAULT_LEVEL, HIGHEST_LEVEL, LOWEST_LEVEL

HANDFUL = 5.0
"""People added to counts before they are compared: a person more or less is little news, and 0 has a logarithm."""
COVERAGE = "coverage"
"""The metric of a card's result: the share of images whose true number lies in its range."""
_WIDEST = 8.0  # of the log of a factor: e⁸ is a thousandfold, and no range is of more use than one of that
_MOST_LOG = 100.0  # of a scale, which is thus a number whatever a card says
Finite = Annotated[float, Field(allow_inf_nan=False, ge=-1e6, le=1e6)]


def check_level(level: float) -> float:
    """A level that a range may be asked for, as a share.

    Raises:
        InputError: it lies outside 0.5 to 0.99.

    >>> check_level(0.9)
    0.9
    """
    if not LOWEST_LEVEL <= level <= HIGHEST_LEVEL:
        raise InputError(
            f"A range holds the true number with a chance from {LOWEST_LEVEL:g} to {HIGHEST_LEVEL:g}, but {level:g} "
            "was asked for."
        )
    return float(level)


class EvidenceSpec(BaseModel):
    """One kind of evidence: what it adds to the logarithm of the scale, and what was seen of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    below: Finite
    """What a unit adds to the log of the scale for true numbers below the count."""
    above: Finite
    """The same for true numbers above it."""
    low: Finite
    """The least value that was seen where the residuals come from."""
    high: Finite
    """The largest one."""
    spread: Annotated[float, Field(allow_inf_nan=False, ge=1e-12, le=1e6)]
    """Their standard deviation."""

    def excess(self, value: float) -> float:
        """How many spreads a value lies outside of what was seen; below 0 where it lies beneath.

        >>> spec = EvidenceSpec(name="grain", below=0, above=0, low=-1, high=1, spread=0.5)
        >>> spec.excess(0.3), spec.excess(2), spec.excess(-1.5)
        (0.0, 2.0, -1.0)
        """
        return (value - min(max(value, self.low), self.high)) / self.spread


class IntervalSpec(BaseModel):
    """How far true numbers lay from counts, and what told it: a record of the model card."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    below: Finite
    """The log of the scale for true numbers below the count where all evidence is 0."""
    above: Finite
    evidence: tuple[EvidenceSpec, ...] = ()
    quantiles: tuple[Finite, ...] = Field(min_length=3)
    """Of residuals over their scale: equal steps from the least to the largest, in order."""
    images: int = Field(ge=1)
    """How many residuals there were."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if list(self.quantiles) != sorted(self.quantiles):
            raise ValueError("quantiles in ascending order were expected")
        return self

    def excesses(self, evidence: Mapping[str, float]) -> dict[str, float]:
        """The evidence outside of what was seen, by name, in spreads; see ``EvidenceSpec.excess``."""
        found = {spec.name: spec.excess(evidence.get(spec.name, 0.0)) for spec in self.evidence}
        return {name: value for name, value in found.items() if value}

    def scales(self, evidence: Mapping[str, float]) -> tuple[float, float]:
        """The scale of residuals below and above the count.

        Evidence is cut off at what was seen, beyond which no weight was fitted; each spread beyond widens both scales
        by their own size once more.
        """
        logs = np.array([self.below, self.above])
        for spec in self.evidence:
            value = min(max(evidence.get(spec.name, 0.0), spec.low), spec.high)
            logs += value * np.array([spec.below, spec.above])
        wider = 1 + sum(map(abs, self.excesses(evidence).values()))
        below, above = wider * np.exp(np.clip(logs, -_MOST_LOG, _MOST_LOG))
        return float(below), float(above)

    def around(self, count: float, evidence: Mapping[str, float], level: float = DEFAULT_LEVEL) -> tuple[float, float]:
        """(low, high), with the count between them and nobody less than 0: the true number lies there with a chance of
        ``level`` where images are like those that the residuals come from.

        >>> spec = IntervalSpec(below=0, above=0, quantiles=tuple(np.linspace(-0.5, 0.5, 101)), images=10_000)
        >>> [round(end) for end in spec.around(100, {})]
        [62, 160]
        """
        tail = (1 - level) / 2
        ends = self.quantiles_at(np.array([tail, 1 - tail]))
        below, above = self.scales(evidence)
        logs = np.clip(ends * np.where(ends < 0, below, above), -_WIDEST, _WIDEST)
        low, high = (max(count, 0.0) + HANDFUL) * np.exp(logs) - HANDFUL
        # Outwards to the three digits that files hold: rounding must put nobody beyond an end.
        low, high = np.floor(1000 * low) / 1000, np.ceil(1000 * high) / 1000
        return float(max(0.0, min(low, count))), float(max(high, count, 0.0))

    def quantiles_at(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """Quantiles of a residual still to come: with n of them known, n + 1 places are as likely for it."""
        n = self.images
        places = np.where(shares < 0.5, 1 - (n + 1) * (1 - shares) / n, (n + 1) * shares / n)
        steps = np.linspace(0, 1, len(self.quantiles))
        found: NDArray[np.float64] = np.interp(np.clip(places, 0, 1), steps, self.quantiles)
        return found


def log_ratio(true: NDArray[np.float64], count: NDArray[np.float64]) -> NDArray[np.float64]:
    """The residuals: log((true + HANDFUL) / (count + HANDFUL)), 0 where both are one; counts below 0 are as 0."""
    found: NDArray[np.float64] = np.log((true + HANDFUL) / (np.maximum(count, 0) + HANDFUL))
    return found
