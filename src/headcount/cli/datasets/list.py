"""`headcount datasets list`: the data sets that are known, in a table or one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from headcount.data.sets.catalogue import CatalogueEntry


def list_datasets(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Tell everything about this data set.")] = None,
) -> None:
    """List the data sets; of one, tell its splits, terms and where to ask for it."""
    from headcount.cli.console import output_console, print_wrapped
    from headcount.data.sets.catalogue import CATALOGUE
    from headcount.data.sets.registry import DATA_SETS

    out = output_console()
    if name is not None:
        _describe(name)
        return
    out.print(f"  {'name':<16}{'images':>8}{'heads':>11}  annotated", style="bold")
    for entry in CATALOGUE.values():
        images, heads = map(_number, entry.total)
        out.print(f"  {entry.name:<16}{images:>8}{heads:>11}  {entry.annotated}")
    out.print()
    print_wrapped('"headcount datasets list NAME" tells more of one; - is not published or not sure.')
    own = ", ".join(data_set.name for data_set in DATA_SETS.rows() if data_set.general)
    print_wrapped(f"your own images: {own} (as in points=FILE.csv)")


def _describe(name: str) -> None:
    from headcount.cli.console import output_console, print_wrapped
    from headcount.core.errors import InputError, nearest
    from headcount.data.sets.catalogue import CATALOGUE
    from headcount.data.sets.registry import DATA_SETS

    entry = _published(name)
    if entry is None and name not in DATA_SETS:
        known = dict.fromkeys([*CATALOGUE, *DATA_SETS])
        raise InputError(f'"{name}" is no data set that headcount knows.{nearest(name, known)}')
    out = output_console()
    out.print(name, style="bold", end="")
    out.print(f"  {entry.title if entry is not None else 'your own images'}")
    for release in () if entry is None else entry.releases:
        out.print(f"  {release.name}")
        for split, (images, heads) in release.counts.items():
            out.print(f"    {split:<15}{images:>9,} images {_number(heads):>11} heads")
    if entry is not None:
        images_all, heads_all = map(_number, entry.total)
        out.print(f"  {'stated in all':<17}{images_all:>9} images {heads_all:>11} heads")
        print_wrapped(f"annotated: {entry.annotated}")
    readers = [one for one in DATA_SETS.rows() if one.name == name or (entry and _published(one.name) is entry)]
    for data_set in readers:
        print_wrapped(f"{data_set.name}=PATH: {data_set.splits.says}")
    if not readers:
        print_wrapped("cannot be read yet")
    if entry is not None:
        if entry.paper:
            print_wrapped(f"paper: {entry.paper}")
        print_wrapped(f"terms: {entry.terms}")
        print_wrapped(f"ask:   {entry.ask_at}")


def _published(name: str) -> CatalogueEntry | None:
    from headcount.data.sets.catalogue import find_entry

    return find_entry(name)


def _number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"
