"""What can be asked for by name, where numpy is not loaded: the help of a command lists it."""

from __future__ import annotations

from typing import Literal, get_args

PictureKind = Literal["auto", "points", "density", "boxes"]
"""What a picture of a prediction shows."""

PICTURE_KINDS: tuple[PictureKind, ...] = get_args(PictureKind)

Matcher = Literal["fast", "reference"]
"""Which of the maximum matchings of predictions and heads is taken."""

MATCHERS: tuple[Matcher, ...] = get_args(Matcher)

Hiding = Literal["blur", "pixelate", "off"]
"""How heads are made unrecognisable in a picture that leaves."""

HIDINGS: tuple[Hiding, ...] = get_args(Hiding)
