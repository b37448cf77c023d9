"""`headcount datasets check`: what is wrong with a copy of a data set."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headcount.cli.options import ForceOption, SpecArgument, output_option
from headcount.cli.places import claim

if TYPE_CHECKING:
    from headcount.data.audit.findings import Finding

_EXAMPLES = 3


def check(
    ctx: typer.Context,
    spec: SpecArgument,
    split: Annotated[
        str | None, typer.Option(metavar="NAME", help="Check one official split alone: train, val or test.")
    ] = None,
    output: Annotated[Path | None, output_option("Write every finding to this JSON file.")] = None,
    page: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write an HTML page of thumbnails with the findings drawn on them."),
    ] = None,
    accepted: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Read the accepted findings from this file. Default: headcount-accepted.txt beside the data.",
        ),
    ] = None,
    accept: Annotated[
        bool, typer.Option("--accept", help="Add what is found to that file; what stands there stays.")
    ] = False,
    force: ForceOption = False,
) -> None:
    """Find what is wrong with a data set: pairs, images, points, boxes, splits, counts.

    Exit code: 0 clean, or all findings are accepted; 1 findings; 2 unusable.
    """
    from headcount.cli.console import output_console, print_wrapped, printable, progress_bar
    from headcount.cli.streams import results_are_filed
    from headcount.core.files import is_file, write_json
    from headcount.core.words import plural
    from headcount.data.audit.accepted import accept as add_accepted
    from headcount.data.audit.accepted import beside, judge, read_accepted
    from headcount.data.audit.check import check_dataset
    from headcount.data.sets.registry import parse_spec

    claim(ctx, output, ".json", overwrite=force)
    claim(ctx, page, ".html", ".htm", overwrite=force)
    accept_file = accepted or beside(parse_spec(spec)[1])
    known = read_accepted(accept_file) if is_file(accept_file) or (accepted and not accept) else {}
    with progress_bar("Checking") as show:
        findings = check_dataset(spec, split=split, progress=show)
    judged = judge(findings, known, accept_file.parent)
    if split is not None:
        judged = replace(judged, stale=())  # what is of the other splits was not looked for
    if output is not None:
        write_json(output, {"data": spec, "split": split, **judged.to_dict()})
    if output is not None or page is not None:
        results_are_filed()
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
            print_wrapped(finding.message)
    exceeded = {code for code, _ in judged.exceeded}
    _show_findings(problems, output, exceeded=exceeded)
    _show_findings([note for note in judged.notes if note.code != "count-matches"], output, aside="(note)")
    if judged.stale:
        out.print()
        out.print(f"accepted, but no longer there: {len(judged.stale):,}", style="bold")
        for code, place in judged.stale[:_EXAMPLES]:
            print_wrapped(printable(f"{code}  {place}"))
        if len(judged.stale) > _EXAMPLES:
            out.print(f"  … and {len(judged.stale) - _EXAMPLES} more", soft_wrap=True)
    for path in (output, page):
        if path is not None:
            out.print()
            out.print(f"wrote {printable(str(path))}", soft_wrap=True)
    if accept and problems:
        lines = add_accepted(accept_file, problems)
        out.print()
        print_wrapped(f"accepted: {plural(lines, 'line')} added to {printable(str(accept_file))}")
    elif problems:
        raise typer.Exit(1)


def _show_findings(
    findings: Sequence[Finding], output: Path | None, *, aside: str = "", exceeded: Collection[str] = ()
) -> None:
    from headcount.cli.console import output_console, print_wrapped, printable
    from headcount.core.words import plural
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
        print_wrapped(CODES[code] + ("; more than were accepted" if code in exceeded else ""))
        for finding in of_code[:_EXAMPLES]:
            place = _place(finding.path)
            message = finding.message.replace(finding.path, place) if place else finding.message
            print_wrapped(printable(f"{place or finding.path}  {message}"))
        if len(of_code) > _EXAMPLES:
            rest = "" if output is None else f" in {output}"
            more = f"  … and {len(of_code) - _EXAMPLES} more{rest or ' (--output FILE.json lists all)'}"
            out.print(more, soft_wrap=True)


def _place(path: str) -> str:
    """The last two parts of a path: enough to find the file below the folder that was given."""
    return "/".join(Path(path).parts[-2:])
