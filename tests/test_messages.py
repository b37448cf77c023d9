"""Library code never speaks the command line's language: its errors carry a remedy, and each front door has words."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import headcount

FLAG = re.compile(
    r"(?<![\w-])--[a-z]"
    r"|headcount (count|demo|models|evaluate|calibrate|compare|datasets|label|train|export|import|recipes)\b(?!\.)"
    r"|headcount doctor\b(?!\.)"
)
"""A flag, or a command."""
ROOT = Path(headcount.__file__).parent


def strings(path: Path) -> list[tuple[int, str]]:
    """The string constants of a module that are no docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    return [
        (node.lineno, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings
    ]


def test_no_message_below_the_command_line_names_a_flag_or_a_command() -> None:
    found = []
    for path in sorted(ROOT.rglob("*.py")):
        room = path.relative_to(ROOT).as_posix()
        if not room.startswith("cli/"):
            found += [f"{room}:{line}: {text}" for line, text in strings(path) if FLAG.search(text)]
    assert found == []


def test_flags_are_found_where_there_are_some() -> None:
    found = [text for _, text in strings(ROOT / "cli" / "remedies.py")]
    assert found
    assert FLAG.search("or pass --force.")
    assert FLAG.search('run "headcount datasets check" for the list')
    assert not FLAG.search("a–b, a -- b, x--y")
