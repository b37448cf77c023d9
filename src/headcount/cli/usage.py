"""What is wrong with a command line, in one sentence of plain words."""

from __future__ import annotations

import re
from typing import Any

from headcount.cli.console import argument_name
from headcount.core.errors import nearest


def in_plain_words(error: Any) -> str:
    """The sentence of typer's error of usage."""
    kind, context, parameter = type(error).__name__, error.ctx, getattr(error, "param", None)
    command = " ".join(context.command_path.split()) if context is not None else "headcount"
    look = f"see {command} --help."
    if kind == "NoSuchOption":
        known = [flag for one in context.command.get_params(context) for flag in one.opts if flag.startswith("--")]
        return f'{command} has no option "{error.option_name}".{nearest(error.option_name, known)}'
    if kind == "MissingParameter" and parameter is not None:
        called = f"the option {parameter.opts[0]}" if parameter.opts[0].startswith("-") else argument_name(parameter)
        return f"{command} needs {called}, which was not given: {look}"
    if kind == "BadOptionUsage" and "requires" in error.message:
        return f"{error.option_name} needs a value behind it."
    if parameter is not None and (expected := _expected(parameter)):
        given = f', but "{given}" was given' if (given := _given(error)) else ""
        return f"{_name(parameter)} takes {expected}{given}."
    if parameter is not None and "null byte" in error.message:
        return f"{_name(parameter)} holds a zero byte, which no path can: check it."
    if "unexpected extra argument" in error.format_message():
        extra = re.search(r"\(([^()]*)\)$", error.format_message())
        return f'{command} takes fewer arguments: "{extra[1] if extra else ""}" is too many; {look}'
    return str(error.format_message())


def _name(parameter: Any) -> str:
    flags = [flag for flag in parameter.opts if flag.startswith("--")]
    return flags[0] if flags else argument_name(parameter)


def _expected(parameter: Any) -> str:
    """What a parameter takes; empty where that is no number. Typer's versions keep it in places of their own."""
    kind = getattr(parameter, "type", parameter)
    described = getattr(getattr(parameter, "type_descriptor", None), "annotation", None)
    name = getattr(described, "__name__", "") or getattr(kind, "name", "")
    if not name.startswith(("int", "float")):
        return ""
    text = "a whole number" if name.startswith("int") else "a number"
    low, high = getattr(kind, "min", None), getattr(kind, "max", None)
    if low is not None and high is not None:
        return f"{text} from {low:,} to {high:,}"
    if low is not None:
        return f"{text} of at least {low:,}"
    return f"{text} of at most {high:,}" if high is not None else text


def _given(error: Any) -> str:
    """What was given instead; empty where typer does not tell."""
    if hasattr(error.__cause__, "errors"):
        return str(error.__cause__.errors()[0].get("input", ""))
    found = re.match(r"'?(.*?)'? is not ", error.message)
    return found[1] if found else ""
