"""The `headcount` command: the table of its verbs, and errors turned into one sentence and an exit code."""

from __future__ import annotations

import errno
import sys
import traceback
import warnings
from typing import Annotated, Any

import typer

from headcount import __version__
from headcount.cli.signals import INTERRUPTED, signals_stop
from headcount.cli.streams import guarded_streams, printable
from headcount.cli.verbs import Verb, verb_group
from headcount.core.errors import HeadcountError, PluginWarning
from headcount.core.table import Table

_UsageError: Any = typer.BadParameter.__base__  # it has no public name in typer
_COUNT, _MEASURE, _LABEL, _TRAIN = "Count", "Measure", "Make data", "Train (needs the train extra)"
_WATCH = "Watch a place"

VERBS = Table(
    "commands",
    "command",
    [
        Verb(
            name="count", target="headcount.cli.count:count", panel=_COUNT,
            help="Count the people in images and video.",
        ),
        Verb(
            name="serve", target="headcount.cli.serve:serve", panel=_COUNT, title="headcount serve",
            package="python_multipart", extra="serve",
            help="Serve counting over HTTP, a page to use it, and the cameras of a site.",
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
            name="doctor", target="headcount.cli.doctor:doctor", panel=_COUNT,
            help="Tell what is installed here, whether counting works, and what is missing for what.",
        ),
        Verb(
            name="watch", target="headcount.cli.watch:app", panel=_WATCH,
            help="Watch the cameras of a place: people, persons per square metre, flow, alerts.",
        ),
        Verb(
            name="evaluate", target="headcount.cli.evaluate:evaluate", panel=_MEASURE,
            help="Measure how well a model counts and locates: MAE, RMSE, NAE, bias; precision, recall, F1.",
        ),
        Verb(
            name="compare", target="headcount.cli.compare:compare", panel=_MEASURE,
            help="Compare models on the same images by density level.",
        ),
        Verb(
            name="calibrate", target="headcount.cli.calibrate:calibrate", panel=_MEASURE,
            help="Choose how a model decodes, or learn the range of its counts, on images with a known number.",
        ),
        Verb(
            name="datasets", target="headcount.cli.datasets:app", panel=_MEASURE,
            help="List the known data sets; check or convert a copy of one.",
        ),
        Verb(
            name="label", target="headcount.cli.label:app", panel=_LABEL,
            help="Label heads in the browser, or give heads that are points a box each.",
        ),
        Verb(
            name="synth", target="headcount.cli.synth:synth", panel=_LABEL, title="headcount synth",
            package="moderngl", extra="synth",
            help="Render crowds in which every head is known, as a data set to train and test on.",
        ),
        Verb(
            name="recipes", target="headcount.cli.recipes:recipes", panel=_TRAIN,
            help="List the recipes and the rows of papers they stand for; of one, tell its settings, cost and figures.",
        ),
        Verb(
            name="train", target="headcount.cli.train:train", panel=_TRAIN, title="Training", package="torch",
            extra="train", help="Train a model by a recipe.",
        ),
        Verb(
            name="tune", target="headcount.cli.tune:tune", panel=_TRAIN, title="headcount tune", package="torch",
            extra="train",
            help="Adapt a model to your own camera with a few labelled images: ten are enough to begin with.",
        ),
        Verb(
            name="quantize", target="headcount.cli.quantize:quantize", panel=_TRAIN, title="headcount quantize",
            package="nncf", extra="int8",
            help="Write a model in int8 beside it, about twice as fast, where it still counts as well.",
        ),
        Verb(
            name="cross-validate", target="headcount.cli.cross_validate:cross_validate", panel=_TRAIN,
            title="headcount cross-validate", package="torch", extra="train",
            help="Train a recipe on each fold of its data set, one after the other, and tell the mean of their errors.",
        ),
        Verb(
            name="reproduce", target="headcount.cli.reproduce:reproduce", panel=_TRAIN, title="headcount reproduce",
            package="torch", extra="train",
            help="Run a paper's comparison: one training after the other, and a table of what they reach.",
        ),
        Verb(
            name="export", target="headcount.cli.export:export", panel=_TRAIN, title="headcount export",
            package="torch", extra="train",
            help="Export a checkpoint or a model to ONNX and safetensors, or to OpenVINO's own files.",
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
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    with guarded_streams() as (out, _):
        warnings.showwarning = _show_warning
        with signals_stop() as signals:
            code = _run(arguments, debug=debug)
        if code == INTERRUPTED and signals:
            code = 128 + signals[0]
        out.flush()
        if out.failure is not None and out.is_needed and code in (0, 1):
            code = _say_unshown(out.failure)
    sys.exit(code)


def _run(arguments: list[str], *, debug: bool) -> int:
    """Run the command; returns the exit code."""
    try:
        return int(app(args=arguments, prog_name="headcount", standalone_mode=False) or 0)
    except KeyboardInterrupt:
        return INTERRUPTED
    except _UsageError as error:
        from headcount.cli.usage import in_plain_words

        # A command of commands that was given none has shown its help, and there is no more to say.
        if told := in_plain_words(error):
            _say(told, debug=debug)
        return 2
    except HeadcountError as error:
        _say(error.message, debug=debug)
        return 2
    except OSError as error:
        if error.errno == errno.ENOSPC:
            _say("There is no space left on the device to write to: make room, or write elsewhere.", debug=debug)
            return 2
        return _say_unforeseen(error, debug=debug)
    except Exception as error:
        return _say_unforeseen(error, debug=debug)


def _say_unforeseen(error: Exception, *, debug: bool) -> int:
    told = f"{type(error).__name__}: {error}"
    _say(f"Something unforeseen went wrong ({told}). Run again with --debug and report it.", debug=debug)
    return 70


def _say_unshown(failure: OSError) -> int:
    """The exit code of a run whose words nobody could read; a reader that went away (``| head``) did so on purpose."""
    if failure.errno == errno.EPIPE:
        return 1
    reason = (failure.strerror or str(failure)).lower()
    _say(f"The output cannot be written ({reason}): make room, or write it elsewhere.", debug=False)
    return 2


_libraries_show_warning = warnings.showwarning


def _show_warning(message: Warning | str, category: type[Warning], *where: object, **more: object) -> None:
    """Tell of another package's row that is left out, in our own form."""
    if issubclass(category, PluginWarning):
        print(f"Note: {printable(str(message))}", file=sys.stderr)
    else:
        _libraries_show_warning(message, category, *where, **more)  # type: ignore[arg-type]


def _say(text: str, *, debug: bool) -> None:
    if debug:
        traceback.print_exc()
    print(f"Error: {printable(text)}", file=sys.stderr)
