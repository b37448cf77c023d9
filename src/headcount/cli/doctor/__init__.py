"""`headcount doctor`: what is installed here, whether it works, and what is missing for what."""

from __future__ import annotations

from typing import Annotated

import typer


def doctor(
    check: Annotated[bool, typer.Option("--check", help="Count a painted crowd too, whose number is known.")] = False,
    gpu: Annotated[bool, typer.Option("--gpu", help="Ask torch for a GPU too; loading it takes seconds.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Tell what is installed here, whether counting works, and what is missing for what.

    What it prints names no home folder and no password, and goes nowhere: paste it into a report. The exit code is 0
    where counting works, 1 where something that it needs is broken.
    """
    from headcount.cli.doctor.report import examined

    report = examined(check=check, gpu=gpu)
    if as_json:
        import json

        print(json.dumps(report.to_dict(), indent=2, ensure_ascii=False))
    else:
        from headcount.cli.doctor.text import show

        show(report)
    if report.faults:
        raise typer.Exit(1)
