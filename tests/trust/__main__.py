"""The harness for trust: what was tried, what survived, and how, in one table.

    python -m tests.trust [NAME …] [--short] [--results FILE | --go-on FILE] [--keep FOLDER] [--page FILE]
    python -m tests.trust --list

Each result is written to a file as it comes; ``--go-on`` leaves out what such a file holds already in this form,
unless it is named. Runs of other names may go on with the same file at the same time. It ends with 1 where anything
that was tried did not survive, or something could not be tried. Run it from the root of a checkout.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from tests.trust.experiment import Experiment, Result, Size, kept_in
from tests.trust.report import Report, heading, shown
from tests.trust.table import experiments


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.trust", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="run these experiments alone, and again")
    parser.add_argument("--list", action="store_true", help="list the experiments and end")
    parser.add_argument("--short", action="store_true", help="the short form (minutes), as the tests run it")
    parser.add_argument("--results", type=Path, metavar="FILE", help="begin a new file of results (build/trust.json)")
    parser.add_argument("--go-on", type=Path, metavar="FILE", help="add to a file of results what it does not hold")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave what the experiments make in this folder")
    parser.add_argument("--page", type=Path, metavar="FILE", help="put the table into this page (docs/trust.md)")
    found = parser.parse_args(argv)
    if found.results and found.go_on:
        parser.error("--results begins anew, --go-on does not: give one of them.")
    return found


def outcome(experiment: Experiment, size: Size) -> tuple[Result, float]:
    """What came of an experiment, and its seconds; one that fails itself has not survived."""
    started = time.monotonic()
    try:
        result = experiment.run(size)
    except Exception as error:
        traceback.print_exc()
        result = Result(1, 0, "the experiment itself failed", (f"{type(error).__name__}: {error}",))
    return result, time.monotonic() - started


def main(argv: Sequence[str] | None = None) -> int:
    """The command; 1 where something did not survive."""
    arguments = _arguments(argv)
    try:
        chosen = experiments(arguments.names)
    except KeyError as error:
        print(f"Error: {error.args[0]}", file=sys.stderr)
        return 2
    if arguments.list:
        print("\n".join(f"{each.name:<20}{each.title}" for each in chosen))
        return 0
    size: Size = "short" if arguments.short else "long"
    path = arguments.go_on or arguments.results or Path("build/trust.json")
    report = Report.going_on(path, size) if arguments.go_on else Report(path, size)
    print(heading(), flush=True)
    with kept_in(arguments.keep):
        for experiment in chosen:
            if arguments.names or not report.has(experiment):
                report.add(experiment, *outcome(experiment, size))
            print(shown(report.lines[experiment.name]), flush=True)
    report.sort(experiments())
    if arguments.page:
        report.put_into(arguments.page)
    return 0 if report.holds else 1


if __name__ == "__main__":
    sys.exit(main())
