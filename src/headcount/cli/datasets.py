"""`headcount datasets`: what data sets there are, what is wrong with a copy of one, and one format into another."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from headcount.data.audit.findings import Finding
    from headcount.data.sets.catalogue import CatalogueEntry
    from headcount.data.sets.convert import ConversionReport

app = typer.Typer(help="List the data sets that are known; check or convert a copy of one.", no_args_is_help=True)

_EXAMPLES = 3


@app.command("list")
def list_datasets(
    name: Annotated[str | None, typer.Argument(help="One data set, with splits, terms and where to ask.")] = None,
) -> None:
    """The data sets: images, heads and what is annotated; of one: its splits, terms and where to ask for it."""
    from headcount.cli.console import output_console
    from headcount.data.sets.catalogue import CATALOGUE
    from headcount.data.sets.registry import DATA_SETS

    out = output_console()
    if name is not None:
        _describe(name)
        return
    out.print(f"  {'name':<16}{'images':>8}{'heads':>11}  annotated", style="bold")
    readable = {found.name for found in map(_published, DATA_SETS) if found is not None}
    for entry in CATALOGUE.values():
        images, heads = map(_number, entry.total)
        mark = "*" if entry.name in readable else " "
        out.print(f"{mark} {entry.name:<16}{images:>8}{heads:>11}  {entry.annotated}")
    out.print()
    _wrapped('* can be read: NAME=PATH. "headcount datasets list NAME" says more; - is not published, or not sure.')
    own = ", ".join(data_set.name for data_set in DATA_SETS.values() if data_set.general)
    _wrapped(f"your own images: {own} (as in points=FILE.csv)")


def _describe(name: str) -> None:
    from headcount.cli.console import output_console
    from headcount.core.errors import InputError, nearest
    from headcount.data.sets.catalogue import CATALOGUE
    from headcount.data.sets.registry import DATA_SETS

    entry = _published(name)
    if entry is None and name not in DATA_SETS:
        known = {**CATALOGUE, **DATA_SETS}
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
        _wrapped(f"annotated: {entry.annotated}")
    readers = [one for one in DATA_SETS.values() if one.name == name or (entry and _published(one.name) is entry)]
    for data_set in readers:
        _wrapped(f"{data_set.name}=PATH: {data_set.splits.says}")
    if not readers:
        _wrapped("cannot be read yet")
    if entry is not None:
        if entry.paper:
            _wrapped(f"paper: {entry.paper}")
        _wrapped(f"terms: {entry.terms}")
        _wrapped(f"ask:   {entry.ask_at}")


def _published(name: str) -> CatalogueEntry | None:
    from headcount.data.sets.catalogue import find_entry

    return find_entry(name)


def _number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


@app.command()
def check(
    spec: Annotated[str, typer.Argument(metavar="NAME=PATH", help="As in shanghaitech-b=/data/ShanghaiTech.")],
    split: Annotated[
        str | None, typer.Option(help="An official split: train, val or test; all where not given.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Write every finding to this JSON file.")] = None,
    page: Annotated[
        Path | None, typer.Option(help="Write an HTML page of thumbnails with the findings drawn on them.")
    ] = None,
    accepted: Annotated[
        Path | None,
        typer.Option(help="The file of accepted findings; headcount-accepted.txt beside the data where not given."),
    ] = None,
    accept: Annotated[
        bool, typer.Option("--accept", help="Add what is found to that file; what stands there stays.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the output file and the page.")] = False,
) -> None:
    """Say what is wrong with a data set: pairs, images, points, boxes, splits, counts.

    Exit code: 0 clean, or all findings are accepted; 1 findings; 2 unusable.
    """
    from headcount.cli.console import output_console, plural, printable
    from headcount.cli.files import refuse_report, write_report
    from headcount.core.files import is_file
    from headcount.data.audit.accepted import accept as add_accepted
    from headcount.data.audit.accepted import beside, judge, read_accepted
    from headcount.data.sets.registry import parse_spec

    for path in (output, page):
        refuse_report(path, force=force)
    accept_file = accepted or beside(parse_spec(spec)[1])
    known = read_accepted(accept_file) if is_file(accept_file) or (accepted and not accept) else {}
    judged = judge(_with_progress(spec, split), known, accept_file.parent)
    if split is not None:
        judged = replace(judged, stale=())  # what is of the other splits was not looked for
    if output is not None:
        write_report(output, {"data": spec, "split": split, **judged.to_dict()})
    if page is not None:
        from headcount.data.audit.page import write_page

        write_page(page, spec, judged, accept_file.parent)
    out = output_console()
    problems = judged.problems
    numbers = [plural(len(problems), "finding") if problems else "nothing wrong found"]
    if judged.accepted:
        numbers.append(f"{len(judged.accepted):,} accepted")
    out.print(f"{printable(spec)}: {', '.join(numbers)}", soft_wrap=True)
    for finding in judged.notes:
        if finding.code == "count-matches":
            _wrapped(finding.message)
    exceeded = {code for code, _ in judged.exceeded}
    _show_findings(problems, output, exceeded=exceeded)
    _show_findings([note for note in judged.notes if note.code != "count-matches"], output, aside="(note)")
    if judged.stale:
        out.print()
        out.print(f"accepted, but no longer there: {len(judged.stale):,}", style="bold")
        for code, place in judged.stale[:_EXAMPLES]:
            _wrapped(printable(f"{code}  {place}"))
        if len(judged.stale) > _EXAMPLES:
            out.print(f"  … and {len(judged.stale) - _EXAMPLES} more", soft_wrap=True)
    if accept and problems:
        lines = add_accepted(accept_file, problems)
        out.print()
        _wrapped(f"accepted: {plural(lines, 'line')} added to {printable(str(accept_file))}")
    elif problems:
        raise typer.Exit(1)


def _show_findings(
    findings: Sequence[Finding], output: Path | None, *, aside: str = "", exceeded: Collection[str] = ()
) -> None:
    from headcount.cli.console import output_console, plural, printable
    from headcount.data.audit.findings import CODES

    out = output_console()
    for code in CODES:
        of_code = [finding for finding in findings if finding.code == code]
        if not of_code:
            continue
        occurrences = sum(finding.occurrences for finding in of_code)
        out.print()
        out.print(f"{code:<22}", style="bold", end="")
        out.print(f"{occurrences:>7,} in {plural(len({f.path for f in of_code}), 'file')}{aside and ' ' + aside}")
        _wrapped(CODES[code] + ("; more than were accepted" if code in exceeded else ""))
        for finding in of_code[:_EXAMPLES]:
            place = _place(finding.path)
            _wrapped(printable(f"{place}  {finding.message.replace(finding.path, place)}"))
        if len(of_code) > _EXAMPLES:
            rest = "" if output is None else f" in {output}"
            more = f"  … and {len(of_code) - _EXAMPLES} more{rest or ' (--output FILE.json lists all)'}"
            out.print(more, soft_wrap=True)


def _with_progress(spec: str, split: str | None) -> list[Finding]:
    import sys

    from rich.progress import Progress

    from headcount.cli.console import error_console
    from headcount.data.audit.check import check_dataset

    with Progress(console=error_console(), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("Checking", total=None)

        def show(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        return check_dataset(spec, split=split, progress=show)


def _place(path: str) -> str:
    """The last two parts of a path: enough to find the file below the folder that was given."""
    return "/".join(Path(path).parts[-2:])


def _wrapped(text: str) -> None:
    import textwrap

    from headcount.cli.console import output_console

    out = output_console()
    lines = textwrap.fill(text, out.width, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)
    out.print(lines, soft_wrap=True)


class Target(StrEnum):
    """Formats that can be written."""

    points = "points"
    boxes = "boxes"
    coco = "coco"
    yolo = "yolo"
    voc = "voc"
    labelme = "labelme"
    cvat = "cvat"


@app.command()
def convert(
    source: Annotated[str, typer.Argument(metavar="SRC", help="NAME=PATH, as in scut-head-a=/data/SCUT-HEAD.")],
    target: Annotated[Path, typer.Argument(metavar="DST", help="The file or folder to write.")],
    to: Annotated[
        Target,
        typer.Option(
            help="points, boxes: .csv or .json; coco: .json, or a folder with a file for each split; "
            "cvat: .xml; yolo, voc, labelme: a folder."
        ),
    ],
    split: Annotated[str | None, typer.Option(help="Only train, val, test or trainval; all where not given.")] = None,
    copy_images: Annotated[
        bool, typer.Option("--copy-images", help="Copy the images too: into DST, or to images beside a file.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite files of the same names; others in DST stay.")
    ] = False,
) -> None:
    """Write a data set in another format, and say what that format cannot hold.

    Images stay where they are: files name them by relative paths, folders of YOLO and VOC have links to them.

    Exit code: 0 all images are written, 1 some were left out, 2 nothing could be done.
    """
    import sys

    from rich.progress import Progress

    from headcount.cli.console import error_console
    from headcount.data.sets.convert import convert_dataset

    with Progress(console=error_console(), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("Reading", total=None)

        def show(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        report = convert_dataset(
            source, to.value, target, split=split, copy_images=copy_images, overwrite=force, progress=show
        )
    _show_conversion(report)
    if report.left_out:
        raise typer.Exit(1)


def _show_conversion(report: ConversionReport) -> None:
    import textwrap

    from headcount.cli.console import output_console, plural, printable
    from headcount.data.sets.convert import LOSSES

    out = output_console()
    splits = ", ".join(f"{split} {images:,}" for split, images in report.splits.items())
    text = f"wrote {printable(str(report.path))}: {plural(report.images, 'image')}, {plural(report.heads, 'head')}"
    out.print(text + (f" ({splits})" if splits else ""), soft_wrap=True)
    if report.left_out:
        out.print(f"left out: {plural(report.left_out, 'image')}")
    if report.precision_px:
        out.print(f"coordinates come back to within {report.precision_px:g} px")
    if report.losses:
        out.print("not kept:")
    for loss in report.losses:
        place = f"  {loss.occurrences:>9,} in {plural(loss.images, 'image'):<14}  "
        out.print(
            textwrap.fill(LOSSES[loss.code], out.width, initial_indent=place, subsequent_indent=" " * len(place)),
            soft_wrap=True,
        )
