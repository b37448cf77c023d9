"""Words with numbers, as people read them."""

from __future__ import annotations

import math


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


def whole_people(count: float) -> int:
    """The one number that people are shown for a count: the nearest whole one, the upper of two that are as near.

    Terminal, pictures and files show it, and what adds counts up for people adds these. Files hold a count to three
    digits, so that is what is rounded: a file that is read back shows the same.

    >>> [whole_people(count) for count in (0.49, 0.4999, 0.5, 1.5, 2.5)]
    [0, 1, 1, 2, 3]
    """
    return math.floor(round(count, 3) + 0.5)


def people(number: int) -> str:
    """A whole number of people.

    >>> people(1), people(1234)
    ('1 person', '1,234 people')
    """
    return "1 person" if number == 1 else f"{number:,} people"
