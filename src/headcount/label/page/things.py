"""What a person labels on an image, as plain data that is checked where it comes in.

A **thing** has an id, which the page makes, and a kind: a head, a model's suggestion of one, an area of the region of
interest, a block that is done, the whole image that is done, or how sizes are interpolated. Coordinates are (x, y)
pixels of the upright image, the centre of the first pixel at (0.5, 0.5).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, TypeAdapter

from headcount.core.errors import InputError
from headcount.core.scene import Provenance
from headcount.label.interpolate import Interpolation

MOST_THINGS = 50_000
"""In one stroke: a model's suggestions for a dense crowd are one."""
MOST_CORNERS = 5_000
DONE = "done"
"""The id of the mark that an image is done; that of a block is ``block:COLUMN:ROW``."""
SIZES = "sizes"
"""The id of the thing that says how sizes are interpolated."""

_Box = tuple[FiniteFloat, FiniteFloat, FiniteFloat, FiniteFloat]
_Corner = tuple[FiniteFloat, FiniteFloat]
Thing = dict[str, Any]
"""A thing as plain data: the fields of one of the classes below."""
Changes = dict[str, Thing | None]
"""Things by their ids, as they shall be; None takes one away."""


class WrongStrokeError(InputError):
    """A stroke that no picture of its size could take, whenever it is sent: its sender need not keep it."""


class _Kind(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Head(_Kind):
    """A head: its point, and its box where it has one of its own, with how that came to be."""

    t: Literal["head"]
    x: FiniteFloat
    y: FiniteFloat
    box: _Box | None = None
    made: Provenance | None = None


class Suggestion(_Kind):
    """What a model takes for a head; it counts for nothing until somebody accepts it."""

    t: Literal["suggestion"]
    x: FiniteFloat
    y: FiniteFloat
    box: _Box | None = None
    score: FiniteFloat = 1.0


class Area(_Kind):
    """A part of the region of interest: inside is what an odd number of its rings hold, as with holes."""

    t: Literal["area"]
    rings: Annotated[
        list[Annotated[list[_Corner], Field(min_length=3, max_length=MOST_CORNERS)]],
        Field(min_length=1, max_length=MOST_CORNERS),
    ]


class Mark(_Kind):
    """A block or an image that is done."""

    t: Literal["block", "done"]


class Sizes(_Kind):
    """How the boxes of heads without one follow from the drawn ones; see ``interpolate_sizes``.

    ``share``: whether the drawn boxes of this image alone serve it, or those of all images of its folder and size.
    """

    t: Literal["sizes"]
    method: Interpolation = "nearest"
    k: Annotated[int, Field(ge=1, le=100)] = 2
    share: Literal["image", "folder"] = "image"


AnyThing = Annotated[Head | Suggestion | Area | Mark | Sizes, Field(discriminator="t")]
ThingId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,64}$")]
_GIVEN: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[ThingId, AnyThing | None])


def plain_changes(changes: dict[str, Any]) -> Changes:
    """Changes as they are kept: fields of no value left out, so that equal things are equal data.

    Raises:
        pydantic.ValidationError: a thing is none.

    >>> plain_changes({"a": {"t": "head", "x": 1, "y": 2, "box": None}, "b": None})
    {'a': {'t': 'head', 'x': 1.0, 'y': 2.0}, 'b': None}
    """
    checked = _GIVEN.validate_python(changes)
    return {
        key: None if thing is None else thing.model_dump(mode="json", exclude_none=True)
        for key, thing in checked.items()
    }


def refuse_outside(changes: Changes, size_wh: tuple[int, int]) -> None:
    """
    Raises:
        WrongStrokeError: a point, a corner or a box lies outside the image, or a box has no area.
    """
    width, height = size_wh
    for key, thing in changes.items():
        if thing is None:
            continue
        places = [(thing["x"], thing["y"])] if "x" in thing else []
        places += [corner for ring in thing.get("rings", ()) for corner in ring]
        box = thing.get("box")
        if box is not None:
            places += [box[:2], box[2:]]
            if not (box[0] < box[2] and box[1] < box[3]):
                raise WrongStrokeError(f'The box of "{key}" must be x1 < x2, y1 < y2, but it is {box}.')
        for x, y in places:
            if not (0 <= x <= width and 0 <= y <= height):
                raise WrongStrokeError(f'({x:g}, {y:g}) of "{key}" lies outside the image of {width}×{height} pixels.')
