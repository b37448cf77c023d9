"""What would help, in flags: the library says ``overwrite``, the command line ``--force``."""

from __future__ import annotations

from typing import Any

_REMEDIES = {
    "overwrite": ("force", ", or overwrite it with {}"),
    "max_pixels": ("max_pixels", ", or raise the limit with {}"),
    "split": ("split", " ({})"),
    "copy_images": ("copy_images", ", or copy the images with {}"),
    "share": ("share", ", or share presets with {}"),
    "resume": ("resume", ", or go on with {}"),
    "accept": ("accept", ", or let {} make it"),
    "device": ("device", " ({})"),
    "runtime": ("runtime", " ({})"),
    "output": ("output", " ({})"),
    "plots": ("plots", " ({})"),
}
"""Remedy → the parameter of a command that brings it about, and what is added to the sentence."""


def in_flags(text: str, remedy: str, command: Any) -> str:
    """The sentence of an error or note, ended by the flag of the command that would help, if it has one."""
    name, words = _REMEDIES.get(remedy, ("", ""))
    flags = [flag for option in command.params if option.name == name for flag in option.opts if flag.startswith("--")]
    if not flags:
        return text
    end = "." if text.endswith(".") else ""
    return f"{text.removesuffix('.')}{words.format(flags[0])}{end}"
