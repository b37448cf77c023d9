"""Words with numbers, as people read them."""

from __future__ import annotations


def plural(number: int, noun: str) -> str:
    """A number with its noun.

    >>> plural(1, "file"), plural(2000, "file")
    ('1 file', '2,000 files')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
