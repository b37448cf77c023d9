"""The one table of plug-ins: methods, decoders, runtimes, formats, published sets, writers, commands, metrics.

Each kind is one table in one file of its room. A row names an object as ``module:object`` and says what it can do;
nothing is imported before it is used. Another package adds rows by the entry-point group ``headcount.KIND``: the entry
point's name is the row's, its value a ``module:OBJECT`` that is the row itself, an instance of the table's row type.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from headcount.core.errors import HeadcountError, InputError, MissingExtraError, PluginWarning, nearest


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One plug-in; a table's own row type adds what its kind can do.

    Attributes:
        name: what users write.
        target: ``module:object`` of what is loaded; imported when the row is used.
        title: as it is written for people, at the beginning of a sentence.
        package: an importable package that it needs beside the light install, or empty.
        extra: the extra of headcount that brings the package.
    """

    name: str
    target: str
    title: str = ""
    package: str = ""
    extra: str = ""

    @property
    def is_installed(self) -> bool:
        """Whether what it needs can be imported; nothing is."""
        return not self.package or is_installed(self.package)

    @property
    def _called(self) -> str:
        return self.title or f'"{self.name}"'

    def require(self, what: str = "") -> None:
        """Stop where what it needs is not installed; ``what`` begins the sentence, its title where empty.

        Raises:
            MissingExtraError: an extra of headcount brings the package.
            InputError: none does.
        """
        if self.is_installed:
            return
        what = what or self._called
        if self.extra:
            raise MissingExtraError(what, self.extra)
        raise InputError(f'{what} needs the package "{self.package}", which is not installed: install it.')

    def load(self, target: str = "") -> Any:
        """The object that the row names; or another of its objects, ``module:object``.

        Raises:
            MissingExtraError, InputError: as ``require``, or the object is not there.
        """
        self.require()
        return self.load_unchecked(target)

    def load_unchecked(self, target: str = "") -> Any:
        """As ``load``, whatever is installed: a command shows its help without what it needs to run.

        Raises:
            InputError: the object is not there.
        """
        target = target or self.target
        try:
            return load_object(target)
        except (ImportError, AttributeError) as error:
            raise InputError(
                f'{self._called} cannot be loaded from "{target}" ({type(error).__name__}: {error}): '
                "mend or remove the package that brings it."
            ) from error

    @contextmanager
    def blamed(self, on: str) -> Iterator[None]:
        """Name the row where its object raises what it should not; ``on`` is what it was at work on.

        Raises:
            InputError: it raised anything but an error of headcount's own or of the system.
        """
        try:
            yield
        except (HeadcountError, OSError, MemoryError):
            raise
        except Exception as error:
            raise InputError(
                f'"{self.name}", which is {self.target}, failed on {on} ({type(error).__name__}: {error}): '
                "mend or remove the package that brings it."
            ) from error


R = TypeVar("R", bound=Row)


class Table(Mapping[str, R], Generic[R]):
    """Rows by name: headcount's own first, in their order, then those of other packages, by name.

    A row of another package never takes the place of one of headcount's.

    Args:
        kind: the entry-point group is ``headcount.KIND``.
        noun: what a row is called in messages (``method``).
        rows: headcount's own.
        row_type: what an entry point must give.
        error: the exception of a name that is not there.
        in_files: files name rows (a model's card its method), so that one may be missing since its package is.

    >>> table = Table("colours", "colour", [Row(name="red", target="math:pi")], Row)
    >>> table.find("red").load() > 3
    True
    >>> table.find("rad")
    Traceback (most recent call last):
    headcount.core.errors.InputError: There is no colour "rad". Did you mean "red"?
    """

    def __init__(
        self,
        kind: str,
        noun: str,
        rows: Iterable[R],
        row_type: type[R],
        *,
        error: type[HeadcountError] = InputError,
        in_files: bool = False,
    ) -> None:
        self.kind, self.noun, self._row_type, self._error = kind, noun, row_type, error
        self._hint = " If another package brings it, install that package." if in_files else ""
        self._own = {row.name: row for row in rows}
        self._loaded: dict[str, R] = {}

    def find(self, name: str) -> R:
        """The row of a name.

        Raises:
            HeadcountError: there is none (of the type the table was made with); the nearest name is given.
        """
        try:
            return self[name]
        except KeyError:
            raise self._error(f'There is no {self.noun} "{name}".{nearest(name, self)}{self._hint}') from None

    def load(self, name: str) -> Any:
        """The object behind a name; see ``find`` and ``Row.load`` for what is raised."""
        return self.find(name).load()

    def rows(self) -> list[R]:
        """All rows, in their order; one of another package that cannot be loaded is warned of, and left out."""
        found = []
        for name in self:
            try:
                found.append(self[name])
            except HeadcountError as error:  # another package's fault must not hide the other rows
                warnings.warn(str(error), PluginWarning, stacklevel=2)
        return found

    def __getitem__(self, name: str) -> R:
        if name in self._own:
            return self._own[name]
        if name not in self._loaded:
            self._loaded[name] = self._row_of(self._others[name])
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        yield from self._own
        yield from self._others

    def __len__(self) -> int:
        return len(self._own) + len(self._others)

    def __contains__(self, name: object) -> bool:
        return name in self._own or name in self._others

    @cached_property
    def _others(self) -> dict[str, EntryPoint]:
        found = sorted(entry_points(group=f"headcount.{self.kind}"), key=lambda point: (point.name, point.value))
        return {point.name: point for point in reversed(found) if point.name not in self._own}

    def _row_of(self, point: EntryPoint) -> R:
        package = point.dist.name if point.dist is not None else "another package"
        try:
            row = point.load()
        except Exception as error:
            raise self._error(
                f'The {self.noun} "{point.name}" of the package "{package}" cannot be loaded '
                f"({type(error).__name__}: {error}): mend or remove that package."
            ) from error
        if not isinstance(row, self._row_type) or row.name != point.name:
            raise self._error(
                f'The {self.noun} "{point.name}" of the package "{package}" must be a {self._row_type.__name__} of '
                f"that name, but {point.value} is not: mend that package."
            )
        return row


def load_object(target: str) -> Any:
    """The object at ``module:object``; its module is imported now."""
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)


def is_installed(package: str) -> bool:
    """Whether a package can be imported, without importing it."""
    try:
        return importlib.util.find_spec(package) is not None
    except (ImportError, ValueError):
        return False
