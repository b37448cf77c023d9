"""What would help, in flags: the library says ``overwrite``, the command line ``--force``."""

from __future__ import annotations

from typing import Any

_WORDS = {
    "overwrite": ", or overwrite it with {}",
    "max_pixels": ", or raise the limit with {}",
    "copy_images": ", or copy the images with {}",
    "share": ", or share presets with {}",
    "resume": ", or go on with {}",
    "accept": ", or let {} make it",
}
"""Remedy → what is added to the sentence; others are added as they are, in brackets."""
_PARAMETERS = {"overwrite": "force"}
"""Remedy → the parameter of a command that brings it about, where that has another name."""


def in_flags(text: str, remedy: str, command: Any) -> str:
    """The sentence of an error or note, ended by the flag of the command that would help, if it has one."""
    name, words = _PARAMETERS.get(remedy, remedy), _WORDS.get(remedy, " ({})")
    flags = [flag for option in command.params if option.name == name for flag in option.opts if flag.startswith("--")]
    if not flags:
        return text
    end = "." if text.endswith(".") else ""
    return f"{text.removesuffix('.')}{words.format(flags[0])}{end}"
