"""Lists (.txt): an image, a folder, a pattern, a tar or an address a line; read as it comes, never whole."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from headcount.core.errors import InputError
from headcount.core.notes import Note, Skipped
from headcount.core.words import plural
from headcount.data.manifests.addresses import is_address, join, open_file, text_lines
from headcount.data.manifests.entries import Entry, ManifestOptions, Met
from headcount.data.manifests.files import absolute, as_met, read_files
from headcount.data.manifests.tars import read_tar
from headcount.data.media.sources import Found, read_line
from headcount.data.parse.paths import Finder

_WHAT = "a list of images"


def read_list(source: str, options: ManifestOptions) -> Iterator[Met]:
    """What the lines of a list name, by the rules of a plain count; a line that leads nowhere becomes an entry, too.

    Raises:
        InputError: it cannot be read, is no text, or names nothing.
    """
    reader = _Remote(source, options) if is_address(source) else _Local(source, options)
    comments, named = 0, False
    for number, line in numbered_lines(source, _WHAT):
        text = _unquoted(line)
        if is_address(text):
            met: Iterator[Met] | None = _address(text, options)
        elif text.lower().endswith(".tar"):
            met = reader.tar(text)
        else:
            met = reader.line(number, line)
        if met is None:
            comments += 1
            continue
        try:
            for each in met:
                named = True
                yield each
        except InputError as error:
            named = True
            yield Skipped(text, InputError(f'"{source}", line {number}: {error.message}'))
    if comments:
        yield Note(f'"{source}" has {plural(comments, "line")} of images that were taken for comments.')
    if not named:
        raise InputError(f'The list "{source}" names nothing to count: write one path a line.')


def numbered_lines(source: str, what: str) -> Iterator[tuple[int, str]]:
    """The lines of a text at a path or an address, from 1.

    Raises:
        InputError: it cannot be read, or is no text in a known encoding.
    """
    number = 0
    with open_file(source) as file:
        try:
            for number, line in enumerate(text_lines(file), start=1):
                yield number, line
        except UnicodeError as error:
            raise InputError(f'"{source}" is no text behind line {number}: {what} in UTF-8 was expected.') from error


def _unquoted(line: str) -> str:
    text = line.strip()
    return text[1:-1].strip() if len(text) > 2 and text[0] == text[-1] and text[0] in "\"'" else text


def _address(address: str, options: ManifestOptions) -> Iterator[Met]:
    if address.lower().endswith(".tar"):
        return read_tar(address, options)
    return read_files(address, options)


class _Local:
    """Lines of a list on disk: beside it, or else in the working folder."""

    def __init__(self, source: str, options: ManifestOptions) -> None:
        self._path, self._options = Path(source), options
        self._finder = Finder([self._path.parent])

    def tar(self, name: str) -> Iterator[Met]:
        beside = self._path.parent / name
        return read_tar(str(beside if beside.exists() else Path(name)), self._options)

    def line(self, number: int, line: str) -> Iterator[Met] | None:
        found = read_line(self._path, number, line, self._finder, recursive=self._options.recursive)
        if found is None:
            return None
        return iter([self._entry(each, line) for each in found])

    def _entry(self, found: Found, line: str) -> Met:
        """A line that leads nowhere is an image that cannot be read: its row says so."""
        if isinstance(found, InputError) and self._leads_nowhere(name := _unquoted(line)):
            return Entry(absolute(self._path.parent / name))
        return as_met(found)

    def _leads_nowhere(self, name: str) -> bool:
        if "\0" in name or any(sign in name for sign in "*?["):
            return False
        return not any(os.path.lexists(place) for place in (self._path.parent / name, Path(name)))


class _Remote:
    """Lines of a list at an address: relative to it."""

    def __init__(self, source: str, options: ManifestOptions) -> None:
        self._source, self._options = source, options

    def tar(self, name: str) -> Iterator[Met]:
        return read_tar(join(self._source, name), self._options)

    def line(self, number: int, line: str) -> Iterator[Met] | None:
        name = _unquoted(line)
        if not name or name.startswith("#"):
            return iter(())
        return _address(join(self._source, name), self._options)
