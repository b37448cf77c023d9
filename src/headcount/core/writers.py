"""The table of writers: a file's suffix → what writes predictions as such a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from headcount.core.errors import InputError, nearest
from headcount.core.table import Row, Table

if TYPE_CHECKING:
    from headcount.core.image import RgbImage
    from headcount.core.prediction import Prediction


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterRow(Row):
    """Writes predictions: the name is the suffix, the target a ``Writer``, a ``TextWriter`` where ``many``.

    Attributes:
        many: whether a file holds many predictions, each added as it comes.
        points: whether it holds points.
        boxes: whether it holds the boxes of heads.
    """

    many: bool = False
    points: bool = False
    boxes: bool = False


class Writer(Protocol):
    """What a row names."""

    def one(self, prediction: Prediction, image: RgbImage | None) -> bytes:
        """A file of this one prediction; ``image`` is what a picture is drawn on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextWriter:
    """Predictions as text, one after the other.

    Attributes:
        row: one prediction's text; empty where it has nothing to say in this format.
        head: what opens a file.
        between: what stands between two rows.
        tail: what closes a file, on a line of its own.
        alone: the whole file of one prediction, where that is no file of one row.
        refuse: stops a run before it begins where the names of its files do not fit the format.
        rows: the rows of a file (``KeptRow``), to go on behind them; None where a file does not tell what was counted.
    """

    row: Callable[[Prediction], str]
    head: str = ""
    between: str = ""
    tail: str = ""
    alone: Callable[[Prediction], str] | None = None
    refuse: Callable[[Iterable[str]], object] | None = None
    rows: Callable[[Path], Iterable[Any]] | None = None

    def one(self, prediction: Prediction, image: RgbImage | None) -> bytes:
        """A file of this one prediction."""
        if self.alone is not None:
            return self.encode(self.alone(prediction))
        row = self.row(prediction)
        return self.encode(self.head + row + self.closing(begun=bool(row)))

    def closing(self, *, begun: bool) -> str:
        """What ends a file that has rows, or none yet after its head."""
        return "\n" + self.tail if self.tail and begun else self.tail

    @staticmethod
    def encode(text: str) -> bytes:
        """The text in UTF-8."""
        # File names that are not valid in it reach Python as lone surrogates: \udcXX, which JSON reads back.
        return text.encode("utf-8", "backslashreplace")


_CODECS, _PICTURES = "headcount.data.formats.predictions", "headcount.draw.prediction"
WRITERS = Table(
    "writers",
    "writer",
    [
        WriterRow(name=".json", target=f"{_CODECS}:JSON", many=True, points=True, boxes=True),
        WriterRow(name=".jsonl", target=f"{_CODECS}:JSON_LINES", many=True, points=True, boxes=True),
        WriterRow(name=".csv", target=f"{_CODECS}:CSV", many=True),
        WriterRow(name=".coco.json", target=f"{_CODECS}:COCO_RESULTS", many=True, boxes=True),
        WriterRow(name=".txt", target=f"{_CODECS}:NWPU", many=True, points=True),
        WriterRow(name=".npy", target=f"{_CODECS}:DENSITY"),
        WriterRow(name=".png", target=f"{_PICTURES}:PNG", points=True, boxes=True),
        WriterRow(name=".jpg", target=f"{_PICTURES}:JPEG", points=True, boxes=True),
        WriterRow(name=".jpeg", target=f"{_PICTURES}:JPEG", points=True, boxes=True),
    ],
    WriterRow,
)


def writer_row(path: Path, *, many: bool = False) -> WriterRow:
    """The row of a file's suffix, the longest that its name ends in; with ``many`` one that holds many predictions.

    Raises:
        InputError: no writer has that suffix, of which the nearest is suggested; or only one of one prediction.

    >>> writer_row(Path("run/heads.coco.json")).name
    '.coco.json'
    """
    name = path.name.lower()
    fitting = [suffix for suffix in WRITERS if name.endswith(suffix) and len(name) > len(suffix)]
    for suffix in sorted(fitting, key=len, reverse=True):
        if WRITERS[suffix].many or not many:
            return WRITERS[suffix]
    known = [row.name for row in WRITERS.rows() if row.many or not many]
    if fitting:
        raise InputError(
            f'"{path.name}" would hold one image, and here there may be several: name one image file, or write '
            f"{', '.join(known[:-1])} or {known[-1]}."
        )
    what = "Predictions cannot" if many else "A prediction cannot"
    raise InputError(f'{what} be written as "{path.name}".{nearest(path.suffix.lower(), known)}')
