"""Pictures: predictions, matches, findings."""

from __future__ import annotations

from typing import Literal, get_args

PictureKind = Literal["auto", "points", "density"]
"""What a picture of a prediction can show."""
PICTURE_KINDS: tuple[PictureKind, ...] = get_args(PictureKind)
