"""Verbs by table: one is imported when it runs or shows its help, and its errors are told in its flags."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup

from headcount.cli.console import argument_name
from headcount.cli.remedies import in_flags
from headcount.core.errors import HeadcountError
from headcount.core.table import Row, Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb(Row):
    """A command: ``target`` is the function that it calls, or a ``typer.Typer`` of more verbs.

    Attributes:
        help: one sentence, a verb first; the first of the function's docstring too.
        panel: the heading under which it is listed.
    """

    help: str
    panel: str = "Commands"


class Command(TyperCommand):
    """A verb's command."""

    verb: Verb | None = None

    def invoke(self, ctx: Any) -> Any:
        """Run it.

        Raises:
            HeadcountError: what it raised, told in its flags; or an extra that it needs is not installed.
        """
        if self.verb is not None:
            self.verb.require()
        try:
            return super().invoke(ctx)
        except HeadcountError as error:
            # Whoever shows it need not know the command.
            error.message, error.remedy = in_flags(error.message, error.remedy, self), ""
            raise
        except KeyboardInterrupt:
            print("Interrupted.", file=sys.stderr)
            raise

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """What follows the name in the line of usage."""
        arguments = [one for one in self.get_params(ctx) if one.param_type_name == "argument"]
        return ["[OPTIONS]", *map(argument_name, arguments)]

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the page of ``--help``."""
        from headcount.cli.help import show_help

        show_help(self, ctx)


class VerbGroup(TyperGroup):
    """A command of verbs, which it knows by its table."""

    table: ClassVar[Table[Verb]]

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{**settings, "commands": {}})
        self.commands = _Commands(self.table)  # type: ignore[assignment]

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of the verbs, in the order of the table."""
        return list(self.table)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The verb that the first argument names.

        Raises:
            InputError: there is none; the nearest is given.
        """
        if not args[0].startswith("-"):
            self.table.find(args[0])
        return super().resolve_command(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the page of ``--help``; no verb is imported for it."""
        from headcount.cli.help import show_help

        show_help(self, ctx, verbs(self.table))


def verb_group(table: Table[Verb], text: str, *, group: type[VerbGroup] = VerbGroup, **settings: Any) -> typer.Typer:
    """A Typer app whose commands are the verbs of a table; ``text`` is what its page of ``--help`` says first.

    ``group``: a kind of group that does more than to know its verbs.
    """
    kind = type("_Group", (group,), {"table": table})
    app = typer.Typer(cls=kind, help=text, no_args_is_help=True, add_completion=False, **settings)
    app.callback()(_nothing)
    return app


def verbs(table: Table[Verb]) -> list[Verb]:
    """The rows of a table; of one that cannot be loaded, what is wrong with it."""
    return [_row(table, name) for name in table]


def _row(table: Table[Verb], name: str) -> Verb:
    try:
        return table[name]
    except HeadcountError as error:  # another package's fault must not hide the other verbs
        return Verb(name=name, target="", help=error.message)


def _nothing() -> None:
    """What the group itself does."""


class _Commands(Mapping[str, Any]):
    """The commands of a table, each made when it is asked for."""

    def __init__(self, table: Table[Verb]) -> None:
        self._table = table

    def __getitem__(self, name: str) -> Any:
        verb = self._table[name]
        app = verb.load_unchecked()
        if not isinstance(app, typer.Typer):
            function, app = app, typer.Typer(add_completion=False)
            app.command(verb.name, cls=Command)(function)
        command = typer.main.get_command(app)
        command.name = verb.name
        if isinstance(command, Command):
            command.verb = verb
        return command

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)
