"""The pages of `--help`: usage, text, and a panel for arguments, options and each kind of command.

Typer's own pages take a third of the start-up time and name Python's types.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.box import ROUNDED
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from headcount.cli.console import argument_name, output_console

if TYPE_CHECKING:
    from rich.console import Console

    from headcount.cli.verbs import Verb

_WIDEST_NAME = 30


def show_help(command: Any, context: Any, verbs: Sequence[Verb] = ()) -> None:
    """Print the page of a command, or of a group of verbs."""
    console = output_console()
    parameters = [parameter for parameter in command.get_params(context) if not getattr(parameter, "hidden", False)]
    arguments = [parameter for parameter in parameters if parameter.param_type_name == "argument"]
    options = [parameter for parameter in parameters if parameter.param_type_name == "option"]
    console.print(Padding(Text(command.get_usage(context), style="bold"), 1))
    for paragraph in (command.help or "").split("\n\n"):
        console.print(Padding(Text(" ".join(paragraph.split())), (0, 1, 1, 1)))
    _panel(console, "Arguments", [(Text(argument_name(one), style="bold cyan"), _text_of(one)) for one in arguments])
    _panel(console, "Options", [(_flags(one), _text_of(one)) for one in options])
    width = max((len(verb.name) for verb in verbs), default=0)
    for panel in dict.fromkeys(verb.panel for verb in verbs):
        rows = [(Text(verb.name, style="bold cyan"), Text(verb.help)) for verb in verbs if verb.panel == panel]
        _panel(console, panel, rows, width)


def _flags(option: Any) -> Text:
    flags = Text(", ".join(sorted(option.opts, key=len)), style="bold cyan")
    if option.metavar:
        flags.append(f" {option.metavar}", style="bold yellow")
    return flags


def _text_of(parameter: Any) -> Text:
    text = Text(getattr(parameter, "help", None) or "")
    default = parameter.default
    if getattr(parameter, "show_default", False) and default not in (None, "", ()) and default is not False:
        shown = (
            f"{default:g}" if isinstance(default, float) else f"{default:,}" if isinstance(default, int) else default
        )
        text.append(f" [default: {shown}]", style="dim")
    if parameter.required and parameter.param_type_name == "option":
        text.append(" [required]", style="red")
    return text


def _panel(console: Console, title: str, rows: Sequence[tuple[Text, Text]], width: int = 0) -> None:
    if not rows:
        return
    table = Table(box=None, show_header=False, expand=True, padding=(0, 2, 0, 0), pad_edge=False)
    widest = max(len(name) for name, _ in rows)
    table.add_column(no_wrap=widest <= _WIDEST_NAME, width=width or min(widest, _WIDEST_NAME))
    table.add_column(ratio=1)
    for row in rows:
        table.add_row(*row)
    console.print(Panel(table, title=title, title_align="left", border_style="dim", box=ROUNDED))
