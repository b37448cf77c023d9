"""What a batch counts with: plain data that goes to other processes, and the fingerprint by which runs are the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from headcount.core.card import sha256_of
from headcount.core.errors import InputError
from headcount.core.limits import DEFAULT_LEVEL, DEFAULT_MAX_PIXELS
from headcount.core.region import Region
from headcount.infer.models import default_model, model_or_default
from headcount.infer.runtimes.table import choose_form, words_of

if TYPE_CHECKING:
    from headcount.infer.counter import Counter

COUNTING = 1
"""Raised whenever the same image, model and settings give other rows than before: no table mixes the two."""


@dataclass(frozen=True, slots=True)
class BatchSettings:
    """What every row of a batch is counted with; each argument as of ``headcount.load``.

    Attributes:
        every_s: seconds between the frames of a video.
        region: where people are counted; None: in the whole image.
        points: whether rows hold the points.
        boxes: whether rows hold the boxes.

    Raises:
        InputError: the region's corners are pixels of images of unknown size, which the first image would settle.
    """

    model: str | None = None
    device: str = "auto"
    runtime: str = "auto"
    precision: str = "auto"
    threads: int | None = None
    interval: float = DEFAULT_LEVEL
    max_pixels: int = DEFAULT_MAX_PIXELS
    every_s: float = 1.0
    region: Region | None = None
    points: bool = True
    boxes: bool = True

    def __post_init__(self) -> None:
        if self.region is not None and self.region.awaits_size:
            raise InputError(
                "The region of interest has corners in pixels and says nothing of the images' size, which a batch "
                "cannot take from the first image: give the corners as shares of the sides, from 0 to 1, or a mask."
            )

    def resolved(self) -> BatchSettings:
        """The same with the model named: what other processes find in their environment changes nothing."""
        return self if self.model is not None else replace(self, model=default_model())

    def open(self) -> Counter:
        """The model, loaded in this process; errors as of ``headcount.load``."""
        from headcount.infer.counter import load  # brings the network's libraries

        return load(
            self.model,
            device=self.device,
            runtime=self.runtime,
            precision=self.precision,
            threads=self.threads,
            max_pixels=self.max_pixels,
            interval=self.interval,
        )

    def described(self, counter: Counter) -> dict[str, Any]:
        """All that a row depends on, as plain data: this, the opened model and its weights, headcount's counting.

        Neither the number of threads is in it nor where the model lies.
        """
        return {
            "model": counter.card.name,
            "weights": self._weights_sha256(counter),
            "runtime": words_of(counter.runtime),
            "interval": counter.interval,
            "max_pixels": counter.max_pixels,
            "every_s": self.every_s,
            "region": None if self.region is None else _of_region(self.region),
            "points": self.points,
            "boxes": self.boxes,
            "counting": COUNTING,
        }

    def _weights_sha256(self, counter: Counter) -> str:
        found = model_or_default(self.model)
        suffix, _ = choose_form(counter.runtime.name, self.precision, found.weights, found.card, first=found.named)
        return sha256_of(found.weights[suffix])


def _of_region(region: Region) -> dict[str, Any]:
    """A region, whatever its file is called."""
    return {key: value for key, value in region.to_dict().items() if key != "file"}


def fingerprint(described: Mapping[str, Any]) -> str:
    """Sixteen signs that differ where anything differs that a row depends on.

    >>> fingerprint({"model": "headcount-n"}) == fingerprint({"model": "headcount-s"})
    False
    """
    text = json.dumps(described, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


_WORDS = {
    "model": "the model", "weights": "the weights of the model", "runtime": "what computes",
    "interval": "the chance of the range", "max_pixels": "the limit of pixels", "every_s": "the time between frames",
    "region": "the region of interest", "points": "whether points are kept", "boxes": "whether boxes are kept",
    "counting": "headcount's way to count",
}  # fmt: skip


def what_differs(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What a user must know of two that differ, in a few words; empty where they are the same.

    >>> what_differs({"model": "headcount-n", "every_s": 1.0}, {"model": "headcount-s", "every_s": 1.0})
    'the model was headcount-n and is headcount-s'
    """
    differing = [key for key in {**now, **before} if before.get(key) != now.get(key)]
    return ", ".join(_difference(key, before.get(key), now.get(key)) for key in differing)


def _difference(key: str, before: Any, now: Any) -> str:
    words = _WORDS.get(key, f'"{key}"')
    if key == "weights":
        return f"{words} are others"
    if key == "region":
        return f"{words} is another"
    return f"{words} was {before} and is {now}"
