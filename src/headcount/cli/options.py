"""Options that several commands take, declared once; what can be chosen comes from the tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer

from headcount.core.errors import InputError, nearest
from headcount.core.limits import HIGHEST_LEVEL, LOWEST_LEVEL
from headcount.infer import DEFAULT_MODEL, MODEL_VARIABLE
from headcount.infer.runtimes.table import PRECISION_WORDS, PRECISIONS, device_names, runtime_names


def choice(text: str, names: Iterable[str], *, more: str = "", also: Mapping[str, str] | None = None) -> Any:
    """An option that takes one of the names; its help is ``text``, the names, and ``more`` if there is more to say.

    ``also``: other words for some of them.
    """
    known = list(names)

    def check(option: typer.CallbackParam, value: str | None) -> str | None:
        value = value if value is None or also is None else also.get(value, value)
        if value is not None and value not in known:
            raise InputError(f'There is no "{value}" for {option.opts[0]}.{nearest(value, known)}')
        return value

    words = f"{text}: {', '.join(known[:-1])} or {known[-1]}{more and '; '}{more}."
    return typer.Option(metavar="NAME", help=words, callback=check)


def output_option(text: str, *, metavar: str = "FILE") -> Any:
    """The option ``--output``, ``-o``; what it writes is told by ``text``."""
    return typer.Option("--output", "-o", metavar=metavar, help=text, show_default=False)


def data_option(text: str) -> Any:
    """The option ``--data``; how it is given, and what becomes of it, is told by ``text``."""
    return typer.Option("--data", metavar="NAME=PATH", help=text, show_default=False)


def bounds_of(levels: str | None) -> tuple[int, ...] | None:
    """What ``--levels`` says; None where it was not given.

    Raises:
        InputError: it is no list of ascending whole numbers.
    """
    if levels is None:
        return None
    try:
        bounds = tuple(int(part) for part in levels.split(","))
    except ValueError:
        bounds = (-1,)
    if min(bounds) < 0 or list(bounds) != sorted(set(bounds)):
        raise InputError(f'--levels takes ascending whole numbers such as 300,700, got "{levels}".')
    return bounds


ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        metavar="NAME|FILE",
        help=f"A shipped model, or an .onnx or .safetensors file; else {MODEL_VARIABLE}, else {DEFAULT_MODEL}.",
        show_default=False,
    ),
]
DeviceOption = Annotated[str, choice("Where to compute", device_names(), more="cuda needs the train extra")]
RuntimeOption = Annotated[str, choice("What computes", runtime_names())]
PrecisionOption = Annotated[
    str,
    choice(
        "The numbers to compute in",
        PRECISIONS,
        more="auto is what the model asks for, else the quickest one here",
        also=PRECISION_WORDS,
    ),
]
ThreadsOption = Annotated[
    int | None,
    typer.Option(
        metavar="NUMBER", min=1, show_default=False,
        help="Threads to compute with; else OMP_NUM_THREADS, else what the machine allows.",
    ),
]  # fmt: skip
IntervalOption = Annotated[
    float,
    typer.Option(
        metavar="SHARE", min=LOWEST_LEVEL, max=HIGHEST_LEVEL,
        help="Chance that the true number lies in the range of a count, where the model has one.",
    ),
]  # fmt: skip
MaxPixelsOption = Annotated[int, typer.Option(metavar="NUMBER", min=1, help="Refuse images with more pixels.")]
ForceOption = Annotated[bool, typer.Option("--force", help="Overwrite files that are there already.")]
LevelsOption = Annotated[
    str | None, typer.Option(metavar="300,700", help="Upper bounds of the density levels; else the data set's own.")
]
SplitOption = Annotated[
    str | None, typer.Option(metavar="NAME", help="Take only this split: train, val, trainval, test or all.")
]
SpecArgument = Annotated[
    str, typer.Argument(metavar="NAME=PATH", help="The data, as in shanghaitech-b=/data/ShanghaiTech.")
]
