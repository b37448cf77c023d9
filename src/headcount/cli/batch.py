"""`headcount count SOURCES --output OUT/`: many images by many processes and machines, the rows in parts of a table."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

import typer

from headcount.core.errors import InputError, MissingExtraError
from headcount.core.table import is_installed

if TYPE_CHECKING:
    from headcount.core.notes import Note, Skipped
    from headcount.infer.batch.plan import Plan
    from headcount.infer.batch.run import BatchRun

Show = Callable[["Note | Skipped"], None]


@dataclass(frozen=True, slots=True)
class BatchWish:
    """What the command line asks of a batch.

    ``settings`` are the arguments of ``BatchSettings``.
    """

    sources: list[str]
    output: str
    recursive: bool
    column: str
    workers: int
    shards: str
    settings: dict[str, Any]
    quiet: bool


def is_batch_output(output: str | None) -> bool:
    """Whether results go to a folder: it is one, or its name ends in a slash."""
    from pathlib import Path

    from headcount.core.files import is_folder

    return output is not None and (output.endswith(("/", "\\")) or is_folder(Path(output)))


def refuse_without_folder(*, workers: int | None, shards: str | None, column: str | None) -> None:
    """Stop where what is for a folder of results alone was given without one.

    Raises:
        InputError: it was.
    """
    for flag, value in (("--workers", workers), ("--shards", shards), ("--column", column)):
        if value is not None:
            raise InputError(
                f"{flag} is for results in a folder: name one that ends in a slash, as in --output results/."
            )


def refuse_with_folder(*, force: bool, save_dir: object, draw: str) -> None:
    """Stop where what a folder of results cannot have was given with one.

    Raises:
        InputError: it was.
    """
    if force:
        raise InputError(
            "--force is for one file of results, and a folder is gone on with: delete it, or name another one."
        )
    if save_dir is not None or draw != "auto":
        raise InputError(
            "Results in a folder have no pictures: leave --save-dir and --draw out, or write one file with --output "
            "FILE."
        )


def shard_of(text: str) -> tuple[int, int]:
    """``2/8`` as the shard's number from 0, and how many there are.

    >>> shard_of("2/8")
    (1, 8)

    Raises:
        InputError: it is none.
    """
    found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text.strip())
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise InputError(f'--shards takes one of how many, as in 2/8, got "{text}".')
    return int(found[1]) - 1, int(found[2])


def count_batch(wish: BatchWish, show: Show) -> None:
    """Count what is missing in the folder, and tell what is in it then.

    Raises:
        MissingExtraError: the batch extra is not installed.
        HeadcountError: nothing could be done, or it could not be ended.
        typer.Exit: 1 where some could not be counted, 130 where it was interrupted.
    """
    if not is_installed("pyarrow"):
        raise MissingExtraError("A folder of results", "batch")
    from headcount.cli.console import error_console
    from headcount.core.notes import Skipped
    from headcount.infer.batch.run import BatchRun
    from headcount.infer.batch.settings import BatchSettings

    shard, shards = shard_of(wish.shards)
    settings = BatchSettings(**wish.settings).resolved()
    plan = plan_of(wish, settings, show)
    run = BatchRun(plan, settings, workers=wish.workers, shard=shard, shards=shards)
    started = perf_counter()
    try:
        looked_at = _run(run, show, quiet=wish.quiet)
    except KeyboardInterrupt:
        error_console().print(
            f"Interrupted: the rest was not counted; what was is in {wish.output}, and the same command goes on."
        )
        raise typer.Exit(130) from None
    rate = looked_at / max(perf_counter() - started, 1e-9)
    skipped = sum(isinstance(each, Skipped) for each in plan.notes)
    show_results(plan, wish, skipped, f"{rate:.1f} images/s by {wish.workers}" if looked_at else "")


def plan_of(wish: BatchWish, settings: Any, show: Show) -> Plan:
    """The plan in the folder, made or added to.

    Raises:
        HeadcountError: the model cannot be opened, the folder is another's, or there is nothing to count.
    """
    from headcount.data.manifests.entries import ManifestOptions
    from headcount.data.manifests.table import read_manifests
    from headcount.infer.batch.plan import make_plan
    from headcount.infer.batch.store import open_store

    store = open_store(wish.output)
    described = settings.described(settings.open())
    options = ManifestOptions(recursive=wish.recursive, column=wish.column)
    plan = make_plan(store, described, read_manifests(wish.sources, options))
    for note in plan.notes:
        show(note)
    return plan


def _run(run: BatchRun, show: Show, *, quiet: bool) -> int:
    """Run it; returns how many images and videos were looked at."""
    from headcount.cli.console import error_console, progress_bar
    from headcount.core.notes import Note, Skipped
    from headcount.infer.batch.run import EntryDone

    done = 0
    with progress_bar("Counting", quiet=quiet) as bar:
        total = run.expected() if error_console().is_terminal and not quiet else None
        for event in run.run():
            if isinstance(event, Note):
                show(event)
            elif isinstance(event, EntryDone):
                done += 1
                if event.error is not None:
                    show(Skipped("", InputError(event.error)))
                bar(done, total)
    return done


def show_results(plan: Plan, wish: BatchWish, skipped: int, rate: str) -> None:
    """Tell what is in the folder, of this run and those before; ``skipped``: sources of which nothing was taken.

    Raises:
        InputError: none of the images could be counted.
        typer.Exit: 1 where some could not.
    """
    from headcount.cli.console import output_console, shorten
    from headcount.cli.streams import printable, results_are_filed
    from headcount.core.words import people, plural
    from headcount.infer.batch.parts import missing_chunks, summary

    found = summary(plan)
    missing = sum(1 for _ in missing_chunks(plan, check=False))
    results_are_filed()
    if not wish.quiet:
        console = output_console()
        text = f"{plural(found.images, 'image')}{plural_frames(found.frames)}"
        if found.images:
            text += f": {people(found.people)} in all, {found.people / found.images:,.1f} on average"
            text += f", at most {found.most:,}"
            name = printable(found.most_name.rpartition("/")[2])
            text += f" ({shorten(name, max(12, console.width - len(text) - 3))})"
        console.print(text, style="bold", soft_wrap=True)
        if found.errors:
            console.print(f"{plural(found.errors, 'row')} with an error, of what could not be counted")
        if rate:
            console.print(rate + (" worker" if wish.workers == 1 else " workers"))
        console.print(f"rows in {wish.output.rstrip('/')}/parts/*.parquet", soft_wrap=True)
        if wish.shards != "1/1":
            others = f"shard {wish.shards} is complete; of others missing: {plural(missing, 'part')}"
            console.print(others if missing else "all shards are complete")
    if not found.images and not found.frames:
        raise InputError(f"Nothing was counted: {plural(found.errors + skipped, 'file')} skipped.")
    if found.errors or skipped:
        raise typer.Exit(1)


def plural_frames(frames: int) -> str:
    """What is added to the number of images where there are frames of video, too."""
    from headcount.core.words import plural

    return f" and {plural(frames, 'frame')}" if frames else ""
