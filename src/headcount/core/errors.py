"""The exceptions a user can meet. Each carries one sentence: what was given, what was expected, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from headcount.core.addresses import without_secrets

_IN_PYTHON = {
    "overwrite": ", or pass overwrite=True",
    "max_pixels": ", or pass a larger max_pixels=…",
    "copy_images": ", or pass copy_images=True",
    "resume": ", or pass resume=True",
    "split": " (split=…)",
    "share": " (share=…)",
    "device": " (device=…)",
    "runtime": " (runtime=…)",
    "draw": " (kind=…)",
}
"""Remedy → what is added to the sentence for who calls headcount from Python; others are told without."""


class HeadcountError(Exception):
    """Anything the user can mend. The command line prints its message and exits with 2.

    ``remedy`` names the setting that would help (``overwrite``, ``split``), which each front door says in its own
    words: a flag, a field. As text, the error says it as an argument of Python. Passwords in addresses are left out.

    >>> print(HeadcountError("There is a file already: choose another name.", remedy="overwrite"))
    There is a file already: choose another name, or pass overwrite=True.
    """

    def __init__(self, message: str = "", *, remedy: str = "") -> None:
        message = without_secrets(message)
        super().__init__(message)
        self.message, self.remedy = message, remedy

    def __str__(self) -> str:
        return with_remedy(self.message, _IN_PYTHON.get(self.remedy, ""))


class InputError(HeadcountError):
    """A file, folder, value or setting that cannot be used as it is."""


class MissingFileError(InputError):
    """Nothing lies at the path that was given."""


class FaultyFileError(InputError):
    """What is wrong is in the file, and would be wrong in any format: another one need not be thought of."""


class DanglingLinkError(InputError):
    """A link that leads nowhere lies at the path that was given."""


class ModelError(HeadcountError):
    """A model, card or checkpoint that is missing, unknown or not what it claims to be."""


class MissingExtraError(HeadcountError):
    """Something that the installed extras do not hold."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f'{what} needs the "{extra}" extra: install it from a checkout with {self.hint(extra)}.')
        self.what, self.extra = what, extra

    def __reduce__(self) -> tuple[type[MissingExtraError], tuple[str, str]]:
        """Made of its two words again where a worker process hands it back."""
        return type(self), (self.what, self.extra)

    @staticmethod
    def hint(extra: str) -> str:
        """What installs an extra, in a checkout."""
        return f'pip install ".[{extra}]"'


def with_remedy(sentence: str, words: str) -> str:
    """A sentence with what would help before its full stop."""
    if not words:
        return sentence
    return f"{sentence.removesuffix('.')}{words}{'.' if sentence.endswith('.') else ''}"


class PluginWarning(UserWarning):
    """A row of another package that is left out of a list, since it cannot be loaded."""


_COMPARED, _LONGEST, _MOST_KNOWN = 1000, 200, 40


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint for a mistyped name: ``' Did you mean "x"?'`` or the list of what there is.

    >>> nearest("headcont-s", ["headcount-s"])
    ' Did you mean "headcount-s"?'
    >>> nearest("zzz", ["a", "b"])
    ' Known: a, b.'
    """
    names = sorted(known)
    # Names may be strangers', and a million: those alone that begin alike are compared, and not too many of them.
    alike = [one for one in names if one[:2].lower() == name[:2].lower()] if len(names) > _COMPARED else names
    short = [one for one in alike[:_COMPARED] if len(one) <= _LONGEST]
    close = difflib.get_close_matches(name[:_LONGEST], short, n=1, cutoff=0.6)
    if close:
        return f' Did you mean "{close[0]}"?'
    if len(names) > _COMPARED:
        return ""
    shown = [one for one in names[:_MOST_KNOWN] if len(one) <= _LONGEST]
    more = f" and {len(names) - len(shown):,} more" if len(names) > len(shown) else ""
    return f" Known: {', '.join(shown)}{more}." if shown else ""
