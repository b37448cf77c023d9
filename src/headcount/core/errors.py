"""The exceptions a user can meet. Each carries one sentence: what was given, what was expected, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class HeadcountError(Exception):
    """Anything the user can mend. The command line prints its text and exits with 2.

    ``remedy`` names the setting that would help (``overwrite``, ``split``), which each front door says in its own
    words: a flag, a field.
    """

    def __init__(self, message: str = "", *, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy


class InputError(HeadcountError):
    """A file, folder, value or setting that cannot be used as it is."""


class MissingFileError(InputError):
    """Nothing lies at the path that was given."""


class DanglingLinkError(InputError):
    """A link that leads nowhere lies at the path that was given."""


class ModelError(HeadcountError):
    """A model, card or checkpoint that is missing, unknown or not what it claims to be."""


class MissingExtraError(HeadcountError):
    """Something that the installed extras do not hold."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f'{what} needs the "{extra}" extra: install it with {self.hint(extra)}.')
        self.extra = extra

    @staticmethod
    def hint(extra: str) -> str:
        """What installs an extra."""
        return f'pip install "headcount[{extra}]"'


class PluginWarning(UserWarning):
    """A row of another package that is left out of a list, since it cannot be loaded."""


_MOST_KNOWN = 40


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint for a mistyped name: ``' Did you mean "x"?'`` or the list of what there is.

    >>> nearest("headcont-s", ["headcount-s"])
    ' Did you mean "headcount-s"?'
    >>> nearest("zzz", ["a", "b"])
    ' Known: a, b.'
    """
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f' Did you mean "{close[0]}"?'
    more = f" and {len(names) - _MOST_KNOWN:,} more" if len(names) > _MOST_KNOWN else ""
    return f" Known: {', '.join(names[:_MOST_KNOWN])}{more}." if names else ""
