"""What is sent to the worker process and what comes back: plain data that goes through a pipe."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from headcount.core.kinds import Hiding, PictureKind


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """How the worker counts.

    Attributes:
        models: names or files; the first is the one where none is asked for.
        roots: the folders that files of jobs may lie in; nothing outside them is opened.
    """

    models: tuple[str | None, ...]
    device: str = "auto"
    runtime: str = "auto"
    precision: str = "auto"
    threads: int | None = None
    max_pixels: int = 200_000_000
    interval: float = 0.9
    roots: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """A model that the worker has open."""

    name: str
    terms: str
    pictures: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CountWork:
    """Count an image.

    Attributes:
        content: the image file's bytes.
        name: what the answer calls it.
        model: the model's name, empty for the first.
        picture: what the overlay shows; None for JSON.
        file_format: of the overlay, ``PNG`` or ``JPEG``.
        hide: how heads are hidden in the overlay.
        heat: whether a coarse density map is added to the JSON.
    """

    content: bytes
    name: str = ""
    model: str = ""
    picture: PictureKind | None = None
    file_format: str = "PNG"
    hide: Hiding = "off"
    heat: bool = False


@dataclass(frozen=True, slots=True)
class JobWork:
    """Count one image of a job: a file, or the ``index``-th frame of a video that is due."""

    job: str
    path: Path
    name: str
    model: str
    every_s: float
    index: int


@dataclass(frozen=True, slots=True)
class Done:
    """An answer: a file's bytes and its type, and what a log may tell."""

    content: bytes
    media_type: str
    people: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """What came of a job's work: a line for its results, or nothing where the file has no more.

    Attributes:
        line: JSON; empty at the end of the file.
        row: the CSV's, empty for what was not counted.
        is_last: whether the file is done with it.
        is_counted, is_problem: what the line tells.
    """

    line: str = ""
    row: str = ""
    is_last: bool = False
    is_counted: bool = False
    is_problem: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """What was given cannot be counted; ``status`` is HTTP's."""

    sentence: str
    status: int = 400


Answer = Done | Step | Refused


@dataclass(frozen=True, slots=True)
class Ready:
    """The worker has its models open."""

    models: tuple[ModelFacts, ...]


@dataclass(frozen=True, slots=True)
class Failed:
    """The worker cannot begin."""

    sentence: str
    is_model: bool = False
