"""`headcount count`: people in images, folders, patterns, lists and video."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from headcount.cli.options import (
    DeviceOption,
    ForceOption,
    MaxPixelsOption,
    ModelOption,
    PrecisionOption,
    RuntimeOption,
    ThreadsOption,
    choice,
)
from headcount.core.kinds import PICTURE_KINDS, PictureKind
from headcount.core.limits import DEFAULT_MAX_PIXELS
from headcount.core.writers import WRITERS
from headcount.infer import DEFAULT_MODEL

if TYPE_CHECKING:
    from headcount.cli.results import CountLine
    from headcount.core.notes import Note, Skipped
    from headcount.infer.job import Job


_written = ", ".join(row.name for row in WRITERS.rows() if row.many)


def count(
    ctx: typer.Context,
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE",
            help="Images, folders (the images in them), quoted patterns, .txt lists (a path a line) and video files.",
        ),
    ],
    model: ModelOption = DEFAULT_MODEL,
    device: DeviceOption = "auto",
    runtime: RuntimeOption = "auto",
    precision: PrecisionOption = "auto",
    threads: ThreadsOption = None,
    every: Annotated[float, typer.Option(metavar="SECONDS", min=0.001, help="Time between frames of a video.")] = 1.0,
    save_dir: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write a picture (overlay) of each image to this folder.")
    ] = None,
    draw: Annotated[
        str, choice("What pictures show", PICTURE_KINDS, more="auto is points where they suffice")
    ] = "auto",
    output: Annotated[Path | None, typer.Option(metavar="FILE", help=f"Write the results: {_written}.")] = None,
    force: ForceOption = False,
    max_pixels: MaxPixelsOption = DEFAULT_MAX_PIXELS,
) -> None:
    """Count the people in images and video.

    Exit code: 0 all was counted, 1 some files were skipped or not read whole, 2 nothing could be done.
    """
    from headcount.cli.console import error_console, output_console
    from headcount.cli.results import print_one, print_summary, print_table
    from headcount.cli.streams import results_are_filed
    from headcount.core.errors import HeadcountError, InputError
    from headcount.core.notes import Skipped
    from headcount.core.words import plural
    from headcount.infer.job import Job, find_sources, open_overlays, open_results

    found = find_sources(sources)
    for event in found.events:
        _show(event, ctx)
    if not found.files:
        raise InputError("None of the sources can be counted.")
    rows: list[CountLine] = []
    skipped = sum(isinstance(event, Skipped) for event in found.events)
    stopped: KeyboardInterrupt | HeadcountError | None = None
    # All that can be refused is refused before the model is loaded and the first image counted.
    overlays = None if save_dir is None else open_overlays(save_dir, sources, found, overwrite=force)
    job: Job | None = None
    try:
        with ExitStack() as stack:
            results = None if output is None else stack.enter_context(open_results(output, found, overwrite=force))

            from headcount.infer.counter import load  # brings the network's libraries: a third of a second

            counter = load(
                model, device=device, runtime=runtime, precision=precision, threads=threads, max_pixels=max_pixels
            )
            job = Job(
                counter, found.files, every_s=every, results=results, overlays=overlays, draw=cast(PictureKind, draw)
            )
            _run(job, rows, ctx, raises=found.is_one_file)
            if not rows:
                raise InputError(f"Nothing was counted: {plural(skipped + job.skipped, 'file')} skipped.")
    except (KeyboardInterrupt, HeadcountError) as error:
        # What was counted until then is shown before it is said why no more is.
        if isinstance(error, HeadcountError) and not rows:
            raise
        stopped = error
    skipped += 0 if job is None else job.skipped
    console = output_console()
    if len(rows) == 1 and len(found.files) == 1:
        print_one(console, rows[0])
    elif rows:
        print_table(console, rows)
    if len(found.files) > 1 or len(rows) > 1 or skipped:
        print_summary(console, rows, skipped)
    if output is not None and rows:
        results_are_filed()
        console.print(f"results in {output}", soft_wrap=True)
    if save_dir is not None and rows:
        console.print(f"overlays in {save_dir}", soft_wrap=True)
    if isinstance(stopped, HeadcountError):
        raise stopped
    if stopped is not None:
        error_console().print("Interrupted: the rest was not counted.")
        raise typer.Exit(130)
    if skipped or (job is not None and job.incomplete):
        raise typer.Exit(1)


def _run(job: Job, rows: list[CountLine], ctx: Any, *, raises: bool) -> None:
    """Run a job: its counts go to ``rows``, the rest is shown as it comes; or raised, where a single file was named."""
    from headcount.cli.console import error_console, progress_bar
    from headcount.cli.results import CountLine
    from headcount.core.notes import Skipped
    from headcount.infer.job import Counted

    with progress_bar("Counting") as show:
        total = job.expected() if error_console().is_terminal else None
        for event in job.run():
            if isinstance(event, Counted):
                found = event.prediction
                is_frame = event.file.kind == "video"
                rows.append(CountLine(event.item.name, found.count, found.interval, found.size_wh, is_frame))
            elif isinstance(event, Skipped) and raises:
                raise event.error
            else:
                _show(event, ctx)
            show(job.counted + job.skipped, total)


def _show(event: Note | Skipped, ctx: Any) -> None:
    """A note or a skipped item, on standard error."""
    from headcount.cli.console import error_console, printable
    from headcount.cli.remedies import in_flags
    from headcount.core.notes import Skipped

    kind = "Skipped" if isinstance(event, Skipped) else "Note"
    error_console().print(f"{kind}: {printable(in_flags(event.text, event.remedy, ctx.command))}")
