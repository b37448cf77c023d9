"""`headcount datasets`: what data sets there are, and what is wrong with a copy of one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from headcount.data.check import Finding

app = typer.Typer(help="List the data sets that are known; check a copy of one.", no_args_is_help=True)

_EXAMPLES = 3


@app.command("list")
def list_datasets() -> None:
    """Published counts, by release, and terms of the data sets that can be read."""
    from headcount.cli.terminal import output_console
    from headcount.data.catalogue import CATALOGUE

    out = output_console()
    for entry in CATALOGUE.values():
        out.print(entry.name, style="bold", end="")
        out.print(f"  {entry.title}")
        for release in entry.releases:
            out.print(f"  {release.name}")
            for split, (images, heads) in release.counts.items():
                out.print(f"    {split:<12}{images:>9,} images {heads:>11,} heads")
        _wrapped(f"terms: {entry.terms}")
        _wrapped(f"ask:   {entry.ask_at}")
        out.print()
    out.print("points", style="bold", end="")
    out.print("  your own images: points=FILE.csv or points=FILE.json")


@app.command()
def check(
    spec: Annotated[str, typer.Argument(metavar="NAME=PATH", help="As in shanghaitech-b=/data/ShanghaiTech.")],
    split: Annotated[str | None, typer.Option(help="An official split: train or test; both where not given.")] = None,
    output: Annotated[Path | None, typer.Option(help="Write every finding to this JSON file.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the output file.")] = False,
) -> None:
    """Say what is wrong with a data set: pairs, images, points, counts. Exit 0: clean, 1: findings, 2: unusable."""
    from headcount.cli.files import refuse_report, write_report
    from headcount.cli.terminal import output_console, plural, printable
    from headcount.data.check import CODES

    refuse_report(output, force=force)
    findings = _with_progress(spec, split)
    problems = [finding for finding in findings if finding.is_problem]
    if output is not None:
        report = {"data": spec, "split": split, "clean": not problems, "findings": [f.to_dict() for f in findings]}
        write_report(output, report)
    out = output_console()
    number = plural(len(problems), "finding") if problems else "nothing wrong found"
    out.print(f"{printable(spec)}: {number}", soft_wrap=True)
    for finding in findings:
        if not finding.is_problem:
            _wrapped(finding.message)
    for code in CODES:
        of_code = [finding for finding in problems if finding.code == code]
        if not of_code:
            continue
        occurrences = sum(finding.occurrences for finding in of_code)
        out.print()
        out.print(f"{code:<22}", style="bold", end="")
        out.print(f"{occurrences:>7,} in {plural(len(of_code), 'file')}")
        _wrapped(CODES[code])
        for finding in of_code[:_EXAMPLES]:
            place = _place(finding.path)
            _wrapped(printable(f"{place}  {finding.message.replace(finding.path, place)}"))
        if len(of_code) > _EXAMPLES:
            rest = "" if output is None else f" in {output}"
            more = f"  … and {len(of_code) - _EXAMPLES} more{rest or ' (--output FILE.json lists all)'}"
            out.print(more, soft_wrap=True)
    if problems:
        raise typer.Exit(1)


def _with_progress(spec: str, split: str | None) -> list[Finding]:
    import sys

    from rich.progress import Progress

    from headcount.cli.terminal import error_console
    from headcount.data.check import check_dataset

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

    from headcount.cli.terminal import output_console

    out = output_console()
    lines = textwrap.fill(text, out.width, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)
    out.print(lines, soft_wrap=True)
