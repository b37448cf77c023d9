"""Words with numbers, as people read them."""

from __future__ import annotations

import math
import unicodedata


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


def whole_range(interval: tuple[float, float]) -> str:
    """A range as people are shown it: whole numbers, and none of the people in it left out.

    >>> whole_range((108.2, 1139.01)), whole_range((0.0, 0.4)), whole_range((3.0, 7.0))
    ('108–1,140', '0–1', '3–7')
    """
    low, high = (round(end, 3) for end in interval)
    return f"{math.floor(low):,}–{math.ceil(high):,}"


def with_range(interval: tuple[float, float] | None, level: float | None) -> str:
    """What follows a count that has a range; empty for one that has none.

    >>> with_range((108.2, 138.9), 0.9), with_range((3, 7), None), with_range(None, None)
    (', 90 %: 108–139', ', 3–7', '')
    """
    if interval is None:
        return ""
    return f", {'' if level is None else f'{percent(level)}: '}{whole_range(interval)}"


def percent(share: float) -> str:
    """A share in hundredths.

    >>> percent(0.9), percent(0.975)
    ('90 %', '97.5 %')
    """
    return f"{100 * share:.4g} %"


def people(number: int) -> str:
    """A whole number of people.

    >>> people(1), people(1234)
    ('1 person', '1,234 people')
    """
    return "1 person" if number == 1 else f"{number:,} people"


_JOINERS = "\u200c\u200d"
"""Within words of Persian and Hindi, and within emoji: they move nothing."""


def printable(text: str, *, keep: str = "") -> str:
    r"""A text without what would move the cursor, turn the direction of writing or cannot be encoded.

    >>> printable("a\tb \x9b2J \u202egnp.jpg")
    'a\\tb \\x9b2J \\u202egnp.jpg'
    >>> printable("集合　写真 می\u200cروند"), printable("a\tb", keep="\t")
    ('集合\u3000写真 می\u200cروند', 'a\tb')
    """
    if text.isprintable():
        return text
    return "".join(letter if _is_shown(letter) or letter in keep else ascii(letter)[1:-1] for letter in text)


def _is_shown(letter: str) -> bool:
    return letter.isprintable() or letter in _JOINERS or unicodedata.category(letter) == "Zs"
