"""YAML of anybody, read without trusting it: plain values alone, no alias, no key twice, bounded in bytes and depth."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from headcount.core.errors import InputError
from headcount.data.parse.text import read_text
from headcount.data.parse.values import quoted

_DEEPEST = 32
# libyaml is twenty times as fast; it must never build what is nested deeply, which would end the process.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(path: Path, kind: str, *, max_bytes: int, such_as: str = "train: images/train") -> dict[str, Any]:
    """The mapping that a YAML file holds; ``kind`` says what was expected (``YOLO data.yaml``), ``such_as`` a line.

    Raises:
        InputError: as ``read_text``; it is malformed, no mapping of text, nested too deeply, has a key twice, or an
            alias.
    """
    text = read_text(path, kind, max_bytes=max_bytes)
    try:
        _refuse_events(yaml.parse(text, _LOADER), path, kind)
        data = yaml.load(text, _LOADER)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark is not None else ""
        raise InputError(f'"{path}"{line}: this is no valid YAML ({getattr(error, "problem", "")}).') from error
    except (ValueError, RecursionError, TypeError, AttributeError, LookupError, OverflowError) as error:
        # A date that is none, a number of thousands of digits, lists in lists, a key that is a list.
        raise InputError(f'"{path}" is no {kind} ({type(error).__name__}).') from error
    if not isinstance(data, dict) or not all(isinstance(key, str) for key in data):
        raise InputError(f'"{path}" is no {kind}: lines such as "{such_as}" were expected.')
    return data


def _refuse_events(events: Iterable[Any], path: Path, kind: str) -> None:
    """
    Raises:
        InputError: an alias, which lets a few lines stand for billions of values; a key twice, of which readers of YAML
            drop one without a word; or too many lists in lists.
    """
    open_: list[set[str] | None] = []  # the keys of mappings
    is_key: list[bool] = []  # whether the next value in one is a key
    for event in events:
        if isinstance(event, yaml.AliasEvent):
            raise InputError(f'"{path}" repeats a value by an alias (*name), which is refused: write it out.')
        if isinstance(event, yaml.CollectionEndEvent):
            open_.pop()
            is_key.pop()
        elif isinstance(event, yaml.CollectionStartEvent | yaml.ScalarEvent):
            keys = open_[-1] if open_ else None
            if keys is not None:
                if is_key[-1] and isinstance(event, yaml.ScalarEvent):
                    if event.value in keys:
                        line = getattr(event.start_mark, "line", 0) + 1
                        key = quoted(event.value)
                        raise InputError(f'"{path}", line {line}: {key} stands there twice: give it once.')
                    keys.add(event.value)
                is_key[-1] = not is_key[-1]
            if isinstance(event, yaml.CollectionStartEvent):
                open_.append(set() if isinstance(event, yaml.MappingStartEvent) else None)
                is_key.append(True)
        if len(open_) > _DEEPEST:
            raise InputError(f'"{path}" is nested too deeply to be a {kind}.')
