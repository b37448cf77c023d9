"""The `headcount` command: wires the commands together and turns errors into one sentence and an exit code."""

from __future__ import annotations

import errno
import os
import sys
from typing import Annotated

import typer

from headcount import __version__
from headcount.cli.count import count
from headcount.cli.datasets import app as datasets_app
from headcount.cli.demo import demo
from headcount.cli.evaluate import evaluate
from headcount.cli.label import app as label_app
from headcount.cli.models import export, import_app, models
from headcount.cli.train import train
from headcount.core.errors import HeadcountError

app = typer.Typer(
    name="headcount",
    help="Count and locate people in photographs and video, from a queue to a hundred thousand.",
    no_args_is_help=True,
    add_completion=False,
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


app.command(rich_help_panel="Count")(count)
app.command(rich_help_panel="Count")(demo)
app.command(rich_help_panel="Count")(models)
app.command(rich_help_panel="Measure")(evaluate)
app.add_typer(datasets_app, name="datasets", rich_help_panel="Measure")
app.add_typer(label_app, name="label", rich_help_panel="Label")
app.command(rich_help_panel="Train (needs the train extra)")(train)
app.command(rich_help_panel="Train (needs the train extra)")(export)
app.add_typer(import_app, name="import", rich_help_panel="Train (needs the train extra)")


def main() -> None:
    """Run the command line; every error a user can mend ends in one sentence and exit code 2."""
    debug = "--debug" in sys.argv[1:]
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


def _close_output() -> None:
    """Let the interpreter flush into nothing when it ends, where standard output takes no more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say(text: str) -> None:
    print(f"Error: {text}", file=sys.stderr)
