"""`headcount count`: people in images, folders, patterns, lists and video."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from headcount.cli.options import (
    DeviceOption,
    ForceOption,
    IntervalOption,
    MaxPixelsOption,
    ModelOption,
    PrecisionOption,
    RuntimeOption,
    ThreadsOption,
    choice,
    output_option,
)
from headcount.core.kinds import PICTURE_KINDS, PictureKind
from headcount.core.limits import DEFAULT_LEVEL, DEFAULT_MAX_PIXELS
from headcount.core.writers import WRITERS

if TYPE_CHECKING:
    from headcount.cli.results import CountLine
    from headcount.core.notes import Note, Skipped
    from headcount.core.region import Region
    from headcount.data.formats.predictions import OnePrediction, PredictionFile, PredictionStream
    from headcount.infer.job import Job


_written = ", ".join(row.name for row in WRITERS.rows() if row.many)


def count(
    ctx: typer.Context,
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE",
            help="Images, folders (the images in them), quoted patterns, .txt lists (a path a line) and video files; "
            "with --output OUT/ also tables, WebDataset tars and addresses (s3://).",
        ),
    ],
    recursive: Annotated[
        bool, typer.Option("--recursive", help="Count the images in folders inside folders, too, at any depth.")
    ] = False,
    model: ModelOption = None,
    device: DeviceOption = "auto",
    runtime: RuntimeOption = "auto",
    precision: PrecisionOption = "auto",
    threads: ThreadsOption = None,
    interval: IntervalOption = DEFAULT_LEVEL,
    every: Annotated[float, typer.Option(metavar="SECONDS", min=0.001, help="Time between frames of a video.")] = 1.0,
    save_dir: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write a picture (overlay) of each image to this folder.")
    ] = None,
    region: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Count inside this region alone: corners (.json, .csv), a LabelMe, COCO or VIA file, or a mask image.",
            show_default=False,
        ),
    ] = None,
    draw: Annotated[
        str, choice("What pictures of --save-dir show", PICTURE_KINDS, more="auto is points where they suffice")
    ] = "auto",
    output: Annotated[
        str | None,
        output_option(
            f"Write the results: {_written}; of one image .npy (its density) and .png, too; - is standard output, "
            "in JSON lines (-.csv in CSV); a folder (OUT/) holds a table in parts, which is gone on with."
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on with the results in FILE: count what is new or changed, keep the rest."),
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(
            metavar="NUMBER", min=1, max=1024, show_default=False, help="With OUT/: processes that count; else 1."
        ),
    ] = None,
    shards: Annotated[
        str | None,
        typer.Option(
            metavar="I/N", show_default=False, help="With OUT/: do part I of N alone; others do the other parts."
        ),
    ] = None,
    column: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            show_default=False,
            help="With OUT/: the column of a table (.csv, .jsonl, .parquet) that holds paths or addresses.",
        ),
    ] = None,
    force: ForceOption = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print only errors and what is skipped: no counts, notes or progress.")
    ] = False,
    max_pixels: MaxPixelsOption = DEFAULT_MAX_PIXELS,
) -> None:
    """Count the people in images and video.

    Of a folder the images in it are counted, not those of folders inside it (--recursive does). A run that was cut off
    goes on with --resume, where FILE is .json, .jsonl or .csv.

    A folder (--output OUT/) takes any number of images: by several processes (--workers) and machines (--shards), as
    rows of a table in Parquet; the same command goes on where it was.

    Exit code: 0 all was counted, 1 some files were skipped, left aside or not read whole, 2 nothing could be done.
    """
    from headcount.cli.batch import BatchWish, count_batch, is_batch_output, refuse_with_folder, refuse_without_folder
    from headcount.cli.console import error_console, output_console
    from headcount.cli.results import CountLine
    from headcount.cli.streams import results_are_filed, standard_output
    from headcount.core.errors import HeadcountError, InputError
    from headcount.core.notes import Skipped
    from headcount.core.words import plural
    from headcount.infer.job import Job, find_sources, open_overlays, open_results, open_stream

    if output is not None and is_batch_output(output):
        refuse_with_folder(force=force, save_dir=save_dir, draw=draw)
        settings = {
            "model": model, "device": device, "runtime": runtime, "precision": precision, "threads": threads,
            "interval": interval, "max_pixels": max_pixels, "every_s": every,
            "region": _region(region, max_pixels),
        }  # fmt: skip
        wish = BatchWish(
            sources, output, recursive, column or "", workers or 1, shards or "1/1", settings, quiet
        )  # fmt: skip
        count_batch(wish, lambda event: _show(event, ctx, quiet=quiet))
        return
    refuse_without_folder(workers=workers, shards=shards, column=column)
    streamed = "" if output is None else _streamed_suffix(output)
    if resume and (output is None or streamed):
        raise InputError("--resume goes on with the results in a file: name it with --output FILE.")
    if streamed and not standard_output().is_there:
        raise InputError("There is no standard output to write the results to: name a file with --output FILE.")
    if draw != "auto" and save_dir is None:
        raise InputError("--draw says what the pictures in a folder show: name the folder with --save-dir DIR.")
    if resume and force:
        raise InputError("--resume keeps the results in FILE, and --force overwrites them: choose one.")
    found = find_sources(sources, recursive=recursive)
    for event in found.events:
        _show(event, ctx, quiet=quiet)
    if not found.files:
        raise InputError("None of the sources can be counted.")
    where = _region(region, max_pixels)
    rows: list[CountLine] = []
    skipped = sum(isinstance(event, Skipped) for event in found.events)
    stopped: KeyboardInterrupt | HeadcountError | None = None
    # All that can be refused is refused before the model is loaded and the first image counted.
    overlays = None if save_dir is None else open_overlays(save_dir, sources, found, overwrite=force or resume)
    job: Job | None = None
    try:
        with ExitStack() as stack:
            results: PredictionFile | PredictionStream | OnePrediction | None = None
            if streamed:
                results = stack.enter_context(open_stream(streamed, _write_out, found))
            elif output is not None:
                opened = open_results(Path(output), found, overwrite=force, resume=resume)
                stack.enter_context(opened)
                results = opened

            from headcount.infer.counter import load  # brings the network's libraries: a third of a second

            counter = load(
                model,
                device=device,
                runtime=runtime,
                precision=precision,
                threads=threads,
                max_pixels=max_pixels,
                interval=interval,
            )
            job = Job(
                counter, found.files, every_s=every, results=results, overlays=overlays, draw=cast(PictureKind, draw),
                region=where, resume=resume,
            )  # fmt: skip
            rows += [CountLine.of_row(row, counter.interval) for row in job.kept]
            if rows and not quiet:
                error_console().print(
                    f"Note: {plural(len(rows), 'row')} of before {'is' if len(rows) == 1 else 'are'} kept."
                )
            _run(job, rows, ctx, raises=found.is_one_file, quiet=quiet)
            if not rows:
                raise InputError(f"Nothing was counted: {plural(skipped + job.skipped, 'file')} skipped.")
    except (KeyboardInterrupt, HeadcountError) as error:
        # What was counted until then is shown before it is said why no more is.
        if isinstance(error, HeadcountError) and not rows:
            raise
        stopped = error
    skipped += 0 if job is None else job.skipped
    if output is not None and rows and not streamed:
        results_are_filed()
    if not quiet and not streamed:
        _show_results(rows, skipped, len(found.files), "" if region is None else str(region))
        places = {"results": output, "overlays": save_dir} if rows else {}
        for what, place in places.items():
            if place is not None:
                output_console().print(f"{what} in {place}", soft_wrap=True)
    if isinstance(stopped, HeadcountError):
        raise stopped
    if stopped is not None:
        kept = f"; what was counted is in {output}" if rows and output is not None and not streamed else ""
        how = ", and --resume goes on behind it" if kept and job is not None and job.can_be_resumed else ""
        what = "the rest was not" if rows else "nothing was"
        error_console().print(f"Interrupted: {what} counted{kept}{how}.")
        raise typer.Exit(130)
    if skipped or found.left_aside or (job is not None and job.incomplete):
        raise typer.Exit(1)


def _region(file: Path | None, max_pixels: int) -> Region | None:
    """The region of interest in a file; None where there is none."""
    if file is None:
        return None
    from headcount.data.formats.regions import read_region

    return read_region(file, max_pixels=max_pixels)


def _streamed_suffix(output: str) -> str:
    """The suffix of what is written to standard output: ``-``, or ``-.csv``; empty where a file is named."""
    return ".jsonl" if output == "-" else output[1:] if output.startswith("-.") else ""


def _write_out(data: bytes) -> None:
    """Write to standard output; nothing more is counted where that takes no more."""
    from headcount.cli.streams import standard_output

    stream = standard_output()
    stream.write_bytes(data)
    if stream.failure is not None:
        raise typer.Exit(1)


def _show_results(rows: list[CountLine], skipped: int, files: int, region: str) -> None:
    """The counts, on standard output; ``region`` is the file of the region that they are of."""
    from headcount.cli.console import output_console
    from headcount.cli.results import print_one, print_summary, print_table

    console = output_console()
    if len(rows) == 1 and files == 1:
        print_one(console, rows[0], region=region)
    elif rows:
        print_table(console, rows)
    if files > 1 or len(rows) > 1 or skipped:
        print_summary(console, rows, skipped, region=region)


def _run(job: Job, rows: list[CountLine], ctx: Any, *, raises: bool, quiet: bool) -> None:
    """Run a job: its counts go to ``rows``, the rest is shown as it comes; or raised, where a single file was named."""
    from headcount.cli.console import error_console, progress_bar
    from headcount.cli.results import CountLine
    from headcount.core.notes import Skipped
    from headcount.infer.job import Counted

    with progress_bar("Counting", quiet=quiet) as show:
        total = job.expected() if error_console().is_terminal and not quiet else None
        for event in job.run():
            if isinstance(event, Counted):
                found = event.prediction
                is_frame = event.file.kind == "video"
                rows.append(
                    CountLine(
                        event.item.name, found.count, found.interval, found.size_wh, is_frame, found.interval_level
                    )
                )
            elif isinstance(event, Skipped) and raises:
                raise event.error
            else:
                _show(event, ctx, quiet=quiet)
            show(job.counted + job.skipped, total)


def _show(event: Note | Skipped, ctx: Any, *, quiet: bool) -> None:
    """A note or a skipped item, on standard error; of notes nothing where it shall be quiet."""
    from headcount.cli.console import error_console, printable
    from headcount.cli.remedies import in_flags
    from headcount.core.notes import Skipped

    if quiet and not isinstance(event, Skipped):
        return
    kind = "Skipped" if isinstance(event, Skipped) else "Note"
    error_console().print(f"{kind}: {printable(in_flags(event.text, event.remedy, ctx.command))}")
