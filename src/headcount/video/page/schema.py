"""What the page sends, checked where it comes in."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

_Place = tuple[FiniteFloat, FiniteFloat]
_Typed = Annotated[str, Field(max_length=40)]
_Text = Annotated[str, Field(max_length=200)]
MOST_SHAPES = 200


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PointBody(_Body):
    """A point of the ground: where it was marked, and what was typed of where it is."""

    pixel: _Place
    x: _Typed = ""
    y: _Typed = ""


class ShapeBody(_Body):
    """A zone or a line.

    ``drawn`` is empty for the usual. ``was`` is the name that it has in the file, whose further settings it keeps.
    """

    name: _Text
    corners: Annotated[list[_Place], Field(max_length=200)]
    drawn: Literal["", "ground", "heads"] = ""
    unit: Literal["pixels", "metres"] = "pixels"
    was: _Text = ""


class DraftBody(_Body):
    """All that was drawn and typed so far, be it right or not."""

    site: _Text = ""
    name: _Text = ""
    person: _Typed = ""
    fov: _Typed = ""
    height: _Typed = ""
    points: Annotated[list[PointBody], Field(max_length=MOST_SHAPES)] = []
    zones: Annotated[list[ShapeBody], Field(max_length=MOST_SHAPES)] = []
    lines: Annotated[list[ShapeBody], Field(max_length=MOST_SHAPES)] = []


class SaveBody(_Body):
    """What shall be saved; ``over``: also in the place of what is in the file already."""

    draft: DraftBody
    over: bool = False
