"""Pictures: predictions, matches, findings."""

from __future__ import annotations

from typing import Literal, get_args

Kind = Literal["auto", "points", "density"]
"""What a picture of a prediction can show."""
KINDS: tuple[Kind, ...] = get_args(Kind)
