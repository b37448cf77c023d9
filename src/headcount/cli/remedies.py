"""What would help, in flags: the library says ``overwrite``, the command line ``--force``."""

from __future__ import annotations

from typing import Any

from headcount.core.errors import with_remedy

_WORDS = {
    "overwrite": ", or overwrite it with {}",
    "max_pixels": ", or raise the limit with {}",
    "copy_images": ", or copy the images with {}",
    "share": ", or share presets with {}",
    "resume": ", or go on with {}",
    "accept": ", or let {} make it",
}
"""Remedy → what is added to the sentence; others are added as they are, in brackets."""
_COMMANDS = {
    "check": ' ("headcount datasets check" does)',
    "estimate": ' ("headcount label pseudo" estimates boxes)',
    "export": ' ("headcount export" does)',
    "models": ' ("headcount models" lists the shipped ones)',
    "import": ' ("headcount import" and "headcount export" make them)',
    "import_backbone": ' ("headcount import backbone" imports it)',
    "train_sizes": ' ("headcount train head-scale-s" and "headcount export" make a head-scale network)',
}
"""Remedy → the other command that brings it about, added to the sentence."""
_PARAMETERS = {"overwrite": "force"}
"""Remedy → the parameter of a command that brings it about, where that has another name."""


def in_flags(text: str, remedy: str, command: Any) -> str:
    """The sentence of an error or note, ended by the flag of the command, or the other command, that would help."""
    if remedy in _COMMANDS:
        return with_remedy(text, _COMMANDS[remedy])
    name, words = _PARAMETERS.get(remedy, remedy), _WORDS.get(remedy, " ({})")
    flags = [flag for option in command.params if option.name == name for flag in option.opts if flag.startswith("--")]
    if not flags:
        return text
    return with_remedy(text, words.format(flags[0]))
