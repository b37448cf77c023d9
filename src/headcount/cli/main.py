"""The `headcount` command: the table of its verbs, and errors turned into one sentence and an exit code."""

from __future__ import annotations

import errno
import os
import sys
import warnings
from typing import Annotated

import typer

from headcount import __version__
from headcount.cli.console import printable
from headcount.cli.verbs import Verb, verb_group
from headcount.core.errors import HeadcountError, PluginWarning
from headcount.core.table import Table

_COUNT, _MEASURE, _LABEL, _TRAIN = "Count", "Measure", "Label", "Train (needs the train extra)"

VERBS = Table(
    "commands",
    "command",
    [
        Verb(
            name="count", target="headcount.cli.count:count", panel=_COUNT,
            help="Count the people in images and video.",
        ),
        Verb(
            name="demo", target="headcount.cli.demo:demo", panel=_COUNT,
            help="Paint a crowd of known number, count it, and show both numbers.",
        ),
        Verb(
            name="models", target="headcount.cli.models:models", panel=_COUNT,
            help="List the shipped models: size, results, data and its terms.",
        ),
        Verb(
            name="evaluate", target="headcount.cli.evaluate:evaluate", panel=_MEASURE,
            help="Measure how well a model counts and locates: MAE, RMSE, NAE, bias; precision, recall, F1.",
        ),
        Verb(
            name="datasets", target="headcount.cli.datasets:app", panel=_MEASURE,
            help="List the known data sets; check or convert a copy of one.",
        ),
        Verb(
            name="label", target="headcount.cli.label:app", panel=_LABEL,
            help="Give heads that are points a box each.",
        ),
        Verb(
            name="train", target="headcount.cli.train:train", panel=_TRAIN, title="Training", package="torch",
            extra="train", help="Train a model by a recipe.",
        ),
        Verb(
            name="export", target="headcount.cli.export:export", panel=_TRAIN, title="headcount export",
            package="torch", extra="train",
            help="Export a checkpoint to ONNX and safetensors, with a model card.",
        ),
        Verb(
            name="import", target="headcount.cli.import_:app", panel=_TRAIN,
            help="Import weights of other projects as safetensors or ONNX.",
        ),
    ],
    Verb,
)  # fmt: skip
"""The commands of ``headcount``; other packages add theirs by the entry-point group ``headcount.commands``."""

app = verb_group(
    VERBS,
    "Count and locate people in photographs and video, from a queue to a hundred thousand.",
    name="headcount",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"headcount {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error (anywhere in a command).")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line; every error a user can mend ends in one sentence and exit code 2."""
    debug = "--debug" in sys.argv[1:]
    warnings.showwarning = _show_warning
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        try:
            app(args=arguments, prog_name="headcount")
        finally:
            sys.stdout.flush()
    except HeadcountError as error:
        if debug:
            raise
        _say(str(error))
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output went away (| head): no error.
        _close_output()
        sys.exit(1)
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            _close_output()
            _say("The output cannot be written (no space left on its device): make room, or write it elsewhere.")
            sys.exit(2)
        if debug:
            raise
        _say(
            f"Something unforeseen went wrong ({type(error).__name__}: {error}). Run again with --debug and report it."
        )
        sys.exit(70)


_libraries_show_warning = warnings.showwarning


def _show_warning(message: Warning | str, category: type[Warning], *where: object, **more: object) -> None:
    """Tell of another package's row that is left out, in our own form."""
    if issubclass(category, PluginWarning):
        print(f"Note: {printable(str(message))}", file=sys.stderr)
    else:
        _libraries_show_warning(message, category, *where, **more)  # type: ignore[arg-type]


def _close_output() -> None:
    """Let the interpreter flush into nothing when it ends, where standard output takes no more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say(text: str) -> None:
    print(f"Error: {printable(text)}", file=sys.stderr)
