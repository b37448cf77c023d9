"""What the page sends, checked before anything is done with it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from headcount.label.page.things import MOST_THINGS, AnyThing, ThingId, plain_changes

MOST_STROKES = 500
Name = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f\x7f]+$")]
SessionId = Annotated[str, Field(pattern=r"^[A-Za-z0-9]{8,40}$")]
StrokeId = Annotated[str, Field(pattern=r"^[A-Za-z0-9]{8,40}$")]
_Given = dict[ThingId, AnyThing | None]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Who(_Body):
    """A tab of a browser, and the person at it."""

    session: SessionId
    person: Name


class ClaimBody(Who):
    """``over``: from any tab of the same name, too. ``from``: from that session, if it is of the same name.

    ``renew``: only go on with a claim that nobody took over.
    """

    over: bool = False
    former: Annotated[SessionId | None, Field(alias="from")] = None
    renew: bool = False


class StrokeBody(_Body):
    """One stroke: changes, or the undoing or redoing of the person's last one."""

    id: StrokeId
    kind: Literal["do", "undo", "redo"] = "do"
    changes: Annotated[_Given, Field(max_length=MOST_THINGS)] = {}

    def plain(self) -> dict[str, Any]:
        """The changes as they are kept."""
        return plain_changes(self.changes)


class StrokesBody(Who):
    """Strokes in their order, which were made on one ``version`` of the image's file; empty: on whatever is there."""

    strokes: Annotated[list[StrokeBody], Field(min_length=1, max_length=MOST_STROKES)]
    version: Annotated[str, Field(max_length=80)] = ""


class BoxesBody(_Body):
    """What the boxes are asked for: ``changes`` are not written, as while a preset is dragged.

    ``within`` is (x1, y1, x2, y2): boxes of heads elsewhere are not needed.
    """

    changes: Annotated[_Given, Field(max_length=1000)] = {}
    within: tuple[FiniteFloat, FiniteFloat, FiniteFloat, FiniteFloat] | None = None

    def plain(self) -> dict[str, Any]:
        """The changes as they would be kept."""
        return plain_changes(self.changes)
