"""Words with numbers, as people read them."""

from __future__ import annotations


def plural(number: int, noun: str) -> str:
    """A number with its noun.

    >>> plural(1, "file"), plural(2000, "file")
    ('1 file', '2,000 files')
    >>> plural(0, "box")
    '0 boxes'
    """
    if number == 1:
        return f"{number:,} {noun}"
    return f"{number:,} {noun}{'es' if noun.endswith('x') else 's'}"
