"""Who is told of what is measured: the contract of an output, and the table of outputs.

A row's target makes an output of its settings: ``target(settings, site, folder)``, where ``folder`` is that of the
site's file, which relative paths are below. An output has ``name`` and ``close()``, and one of these or both:

- ``take(record, picture)``: it is handed every record as it comes, by a thread of its own. What it raises as an OSError
  (a full disk) is tried again with the same record until it works.
- ``wants(record)`` and ``deliver(waiting)``: what it wants waits on the disk until it was taken.

It may have ``trouble``, a sentence of what does not work now, which is looked at once a second.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from headcount.core.errors import HeadcountError
from headcount.core.table import Row, Table

if TYPE_CHECKING:
    from headcount.core.image import RgbImage
    from headcount.video.measurement import Record
    from headcount.video.outputs.spool import Waiting
    from headcount.video.site import Site

Picture = Callable[[], "RgbImage"]
"""Draws the picture of a measured frame, heads hidden; called by who needs it."""


class OutputDownError(HeadcountError):
    """A receiver that takes nothing now: records wait, and it is tried again.

    ``wait_s`` is how long it is left alone at least, where it said so; ``most_s`` how long at most.
    """

    def __init__(self, message: str, *, wait_s: float = 0.0, most_s: float = 10.0) -> None:
        super().__init__(message)
        self.wait_s, self.most_s = wait_s, most_s


class RefusedRecordError(HeadcountError):
    """The first of the records that were handed over is refused, and would be every time: the next one may not be."""


class OutputGoneError(HeadcountError):
    """A receiver that wants nothing any more, in so many words."""


class Output(Protocol):
    """Anybody who is told."""

    name: str

    def close(self) -> None:
        """Let go of what is open; nothing is handed over any more."""


@runtime_checkable
class DirectOutput(Output, Protocol):
    """Takes records as they come; those that come faster than it takes them are lost, and counted."""

    def take(self, record: Record, picture: Picture | None) -> None:
        """Take one.

        Raises:
            OSError: not now; it is handed over again.
        """


@runtime_checkable
class SpooledOutput(Output, Protocol):
    """Loses nothing: what it wants waits on the disk until it was taken."""

    def wants(self, record: Record) -> bool:
        """Whether a record is kept for it."""

    def deliver(self, waiting: Sequence[Waiting]) -> int:
        """Take the first records, in order, and say how many; one that was taken before (by its id) is no news.

        Raises:
            OutputDownError: none was taken now.
            RefusedRecordError: the first one never will be.
            OutputGoneError: none ever will be.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputRow(Row):
    """An output; its name is its key under ``outputs`` in a site's file.

    Attributes:
        pictures: whether it uses pictures; others are not given any.
    """

    pictures: bool = False

    def open(self, settings: Any, site: Site, folder: Path) -> DirectOutput | SpooledOutput:
        """The output.

        Raises:
            MissingExtraError: what it needs is not installed.
            InputError: its settings are of no use.
        """
        made: DirectOutput | SpooledOutput = self.load()(settings, site, folder)
        return made


_HERE = "headcount.video.outputs"
OUTPUTS = Table(
    "outputs",
    "output",
    [
        OutputRow(
            name="database", title="A database", target=f"{_HERE}.database:Database",
            package="sqlalchemy", extra="video",
        ),
        OutputRow(name="csv", title="A CSV file", target=f"{_HERE}.files:CsvFile"),
        OutputRow(name="jsonl", title="A JSON lines file", target=f"{_HERE}.files:JsonLines"),
        OutputRow(
            name="video", title="Annotated video", target=f"{_HERE}.film:Film", package="av", extra="video",
            pictures=True,
        ),
        OutputRow(name="mqtt", title="MQTT", target=f"{_HERE}.mqtt:Mqtt", package="paho", extra="video"),
        OutputRow(name="webhooks", title="A webhook", target=f"{_HERE}.webhooks:Webhook"),
        OutputRow(
            name="metrics", title="Metrics", target=f"{_HERE}.metrics:Metrics", package="prometheus_client",
            extra="video",
        ),
    ],
    OutputRow,
)  # fmt: skip
"""Who can be told, by the key of a site's file."""
