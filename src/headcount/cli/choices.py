"""Choices that several commands offer."""

from __future__ import annotations

from enum import StrEnum


class Device(StrEnum):
    """Where to compute."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class Precision(StrEnum):
    """The numbers to compute in."""

    auto = "auto"
    f32 = "f32"
    bf16 = "bf16"


class Matching(StrEnum):
    """Which of the maximum matchings of predictions and heads is found."""

    fast = "fast"
    reference = "reference"
