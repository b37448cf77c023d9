"""`headcount watch CONFIG --check`: what is right and what is wrong, and a picture of each camera."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from headcount.cli.console import error_console, output_console, printable
from headcount.core.files import refuse_taken
from headcount.core.words import plural
from headcount.draw.figure import write_picture
from headcount.video.check import Checked, check_site

if TYPE_CHECKING:
    from rich.console import Console

    from headcount.video.site import Site

_SIGNS = {"right": ("ok", "green"), "note": ("note", "yellow"), "wrong": ("WRONG", "bold red")}


def check_site_and_show(site: Site, folder: Path, place: Path, *, overwrite: bool, quiet: bool) -> bool:
    """Check a site, print what was found, write its pictures into ``place``; whether nothing is wrong.

    Raises:
        InputError: a picture cannot be written, or is there and ``overwrite`` is False.
    """
    pictures = picture_paths(site, place)
    for path in pictures.values():
        refuse_taken(path, overwrite=overwrite, makes_folder=True)
    console = output_console()
    found = []
    for checked in check_site(site, folder):
        found.append(checked)
        _show(console, site, checked, quiet=quiet)
        if checked.picture is not None:
            write_picture(checked.picture, pictures[checked.camera])
    wrong = sum(finding.verdict == "wrong" for checked in found for finding in checked.findings)
    notes = sum(finding.verdict == "note" for checked in found for finding in checked.findings)
    written = sum(checked.picture is not None for checked in found)
    more = f", {plural(notes, 'note')}" if notes else ""
    console.print(f"{plural(wrong, 'fault')}{more}" if wrong else f"all is right{more}", style="bold")
    if written and not quiet:
        console.print(f"{plural(written, 'picture')} in {printable(str(place))}", soft_wrap=True)
    if written < len(site.cameras):
        missing = len(site.cameras) - written
        error_console().print(f"Note: {plural(missing, 'camera')} gave no picture that could be drawn on.")
    return not wrong


def show_problems(problems: list[str]) -> None:
    """Print what is wrong with the keys and values of a file, which keeps all else from being looked at."""
    console = output_console()
    _show_rows(console, [("wrong", text) for text in problems])
    console.print(plural(len(problems), "fault"), style="bold")


def picture_paths(site: Site, place: Path) -> dict[str, Path]:
    """Where each camera's picture goes, by its name; names that look alike as files are told apart.

    >>> from headcount.video.site import CameraSettings, Site
    >>> cameras = tuple(CameraSettings(name=name, source="a.mp4") for name in ("Tor: west", "Tor? west"))
    >>> [path.name for path in picture_paths(Site(name="s", cameras=cameras), Path("out")).values()]
    ['Tor-west.png', 'Tor-west-2.png']
    """
    paths: dict[str, Path] = {}
    taken: set[str] = set()
    for camera in site.cameras:
        stem = re.sub(r"[^\w.-]+", "-", camera.name).strip("-.") or "camera"
        name, number = stem, 1
        while name.lower() in taken:
            number += 1
            name = f"{stem}-{number}"
        taken.add(name.lower())
        paths[camera.name] = place / f"{name}.png"
    return paths


def _show(console: Console, site: Site, checked: Checked, *, quiet: bool) -> None:
    shown = [finding for finding in checked.findings if not quiet or finding.verdict == "wrong"]
    if not shown:
        return
    title = f"camera {checked.camera}" if checked.camera else site.name
    console.print(printable(title), style="bold")
    _show_rows(console, [(finding.verdict, finding.about, finding.text) for finding in shown])


def _show_rows(console: Console, rows: list[tuple[str, ...]]) -> None:
    """A row each: the sign of its verdict, and its texts."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False, expand=True)
    table.add_column(width=5)
    if len(rows[0]) > 2:
        table.add_column(max_width=24, overflow="fold")
    table.add_column(ratio=1, overflow="fold")
    for verdict, *texts in rows:
        word, style = _SIGNS[verdict]
        table.add_row(Text(word, style=style), *map(printable, texts))
    console.print(table)
