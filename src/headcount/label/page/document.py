"""What is labelled on one image: the strokes of everybody, one after the other, and what they come to.

The strokes are all that is kept. Undo and redo are strokes as well, each person's own: a thing that somebody else has
changed since is left as it is. So the same strokes give the same document, however often they are read again.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from headcount.label.page.things import Changes, Thing

StrokeKind = Literal["do", "undo", "redo"]


@dataclass(frozen=True, slots=True)
class Step:
    """What a stroke changed: the things before it and after it, by the same ids."""

    before: Changes
    after: Changes


@dataclass(slots=True)
class Document:
    """The things on one image, and what each person can take back or do again.

    Attributes:
        things: by their ids, in the order in which they came.
        strokes: how many were taken in; whoever counts those that he knows of sees whether there are others.
        numbers: how many things there are of each kind.
    """

    things: dict[str, Thing] = field(default_factory=dict)
    strokes: int = 0
    numbers: Counter[str] = field(default_factory=Counter)
    _steps: dict[str, list[Step]] = field(default_factory=dict)
    _undone: dict[str, list[Step]] = field(default_factory=dict)

    def apply(self, kind: StrokeKind, person: str, changes: Changes | None = None) -> Changes:
        """Take one stroke in; returns what it changed, which is less than asked for where things are so already.

        >>> document = Document()
        >>> document.apply("do", "ann", {"a": {"t": "head", "x": 1.0, "y": 2.0}})
        {'a': {'t': 'head', 'x': 1.0, 'y': 2.0}}
        >>> document.apply("undo", "ann"), document.apply("undo", "ann")
        ({'a': None}, {})
        """
        self.strokes += 1
        steps, undone = self._steps.setdefault(person, []), self._undone.setdefault(person, [])
        if kind == "do":
            after = {key: thing for key, thing in (changes or {}).items() if self.things.get(key) != thing}
            if after:
                steps.append(Step({key: self.things.get(key) for key in after}, after))
                undone.clear()
            self._set(after)
            return after
        source, target = (steps, undone) if kind == "undo" else (undone, steps)
        if not source:
            return {}
        step = source.pop()
        target.append(step)
        was, wanted = (step.after, step.before) if kind == "undo" else (step.before, step.after)
        # Somebody else's later change stays.
        done = {key: thing for key, thing in wanted.items() if self.things.get(key) == was[key]}
        self._set(done)
        return done

    def can(self, person: str) -> tuple[int, int]:
        """How many strokes a person can undo, and how many redo."""
        return len(self._steps.get(person, ())), len(self._undone.get(person, ()))

    def of_kind(self, kind: str) -> dict[str, Thing]:
        """The things of one kind, by their ids, in order."""
        return {key: thing for key, thing in self.things.items() if thing["t"] == kind}

    def _set(self, changes: Changes) -> None:
        for key, thing in changes.items():
            old = self.things.get(key)
            if old is not None:
                self.numbers[old["t"]] -= 1
            if thing is None:
                self.things.pop(key, None)
            else:
                self.things[key] = thing
                self.numbers[thing["t"]] += 1
