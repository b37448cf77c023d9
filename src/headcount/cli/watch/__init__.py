"""`headcount watch`: a site's cameras are watched; `headcount watch init` sets one up.

The first argument is a site's file, where it is no name of a command.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any, ClassVar

from headcount.cli.verbs import Command, Verb, VerbGroup, verb_group, verbs
from headcount.core.errors import InputError
from headcount.core.table import Table

_RUN = Verb(
    name="run", target="headcount.cli.watch.run:run", title="headcount watch", package="av", extra="video",
    help="Watch the cameras of a place: people, persons per square metre, flow, alerts.",
)  # fmt: skip
WATCH_VERBS = Table(
    "commands.watch",
    "command",
    [
        Verb(
            name="init", target="headcount.cli.watch.init:init", title="headcount watch init", package="fastapi",
            extra="serve", panel="Other commands",
            help="Set a camera up in the browser: mark its ground, draw zones and lines, write the site's file.",
        ),
    ],
    Verb,
)  # fmt: skip


class WatchGroup(VerbGroup):
    """A group whose first argument may be a file that no command is called like."""

    table: ClassVar[Table[Verb]] = WATCH_VERBS

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the command in front that is meant where none is named."""
        if args and args[0] not in ("-h", "--help") and not self._names_command(args):
            args = [_RUN.name, *args]
        left: list[str] = super().parse_args(ctx, args)
        return left

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that is meant."""
        if args[0] == _RUN.name:
            return "", self._run(), args[1:]
        return super().resolve_command(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the page of ``--help``: that of watching, with the other commands below."""
        from headcount.cli.help import show_help

        show_help(_Page(self._run()), ctx, verbs(self.table))

    def _names_command(self, args: list[str]) -> bool:
        name = args[0]
        if name in self.table:
            return True
        # Of two words the first is no file that is there: a command, mistyped.
        is_lone = len(args) == 1 or args[1].startswith("-")
        if name.startswith("-") or is_lone or Path(name).exists():
            return False
        near = difflib.get_close_matches(name, list(self.table), n=1)
        if near:
            raise InputError(f'There is no command and no file "{name}". Did you mean "{near[0]}"?')
        return False

    def _run(self) -> Any:
        import typer

        single = typer.Typer(add_completion=False)
        single.command(_RUN.name, cls=Command)(_RUN.load_unchecked())
        command = typer.main.get_command(single)
        command.name, command.verb = "", _RUN  # type: ignore[attr-defined]
        return command


class _Page:
    """The help of watching, called as the group is."""

    def __init__(self, command: Any) -> None:
        self._command, self.help = command, command.help

    def get_params(self, ctx: Any) -> list[Any]:
        found: list[Any] = self._command.get_params(ctx)
        return found

    def get_usage(self, ctx: Any) -> str:
        return f"Usage: {ctx.command_path} [OPTIONS] CONFIG\n       {ctx.command_path} init [OPTIONS] CAMERA"


app = verb_group(
    WATCH_VERBS,
    "Watch the cameras of a place: people, persons per square metre, flow, alerts.",
    group=WatchGroup,
)
