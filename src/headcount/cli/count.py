"""`headcount count`: people in images, folders, patterns, lists and video."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from headcount.cli.choices import Device, Precision
from headcount.core.limits import DEFAULT_MAX_PIXELS
from headcount.infer import DEFAULT_MODEL

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

    from headcount.cli.overlays import OverlayFolder
    from headcount.cli.results import Row
    from headcount.data.formats.predictions import PredictionFile
    from headcount.data.media.sources import SourceFile
    from headcount.infer.counter import Counter


class Draw(StrEnum):
    """What overlays show."""

    auto = "auto"
    points = "points"
    density = "density"


def count(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE",
            help="Images, folders (the images in them), quoted patterns, .txt lists (a path a line) and video files.",
            show_default=False,
        ),
    ],
    model: Annotated[
        str, typer.Option(metavar="NAME|FILE", help="A shipped model, or an .onnx or .safetensors file.")
    ] = DEFAULT_MODEL,
    device: Annotated[Device, typer.Option(help="Where to compute; cuda needs the train extra.")] = Device.auto,
    runtime: Annotated[str, typer.Option(metavar="NAME", help="auto, openvino, onnxruntime or torch.")] = "auto",
    precision: Annotated[Precision, typer.Option(help="auto is the quickest one here.")] = Precision.auto,
    every: Annotated[float, typer.Option(metavar="SECONDS", min=0.001, help="Time between frames of a video.")] = 1.0,
    save_dir: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write an overlay PNG of each image there.", show_default=False)
    ] = None,
    draw: Annotated[Draw, typer.Option(help="What overlays show; auto is points where they suffice.")] = Draw.auto,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a .json, .jsonl, .csv or NWPU .txt file.", show_default=False),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the output file and overlays.")] = False,
    max_pixels: Annotated[
        int, typer.Option(metavar="NUMBER", min=1, help="Refuse larger images, undecoded.")
    ] = DEFAULT_MAX_PIXELS,
) -> None:
    """Count the people in images and video.

    Exit code: 0 all was counted, 1 some files were skipped, 2 nothing could be done.
    """
    from headcount.cli.console import error_console, output_console, plural
    from headcount.cli.overlays import OverlayFolder
    from headcount.cli.results import print_one, print_summary, print_table
    from headcount.core.errors import HeadcountError, InputError
    from headcount.data.formats.predictions import PredictionFile

    console, notes = output_console(), error_console()
    files, skipped = _expand(sources, notes)
    # All that can be refused is refused before the model is loaded and the first image counted.
    if save_dir is not None:
        _refuse_counted_folder(save_dir, sources)
    if output is not None and output.suffix.lower() == ".txt":
        from headcount.data.formats.nwpu import ids_of_names

        ids_of_names(str(file.path) for file in files)
    overlays = None if save_dir is None else OverlayFolder(save_dir, files, overwrite=force)
    tally = _Tally(skipped)
    stopped: KeyboardInterrupt | HeadcountError | None = None
    try:
        with ExitStack() as stack:
            results = None if output is None else stack.enter_context(PredictionFile(output, overwrite=force))

            from headcount.infer.counter import load  # brings the runtime: a third of a second

            counter = load(
                model, device=device.value, runtime=runtime, precision=precision.value, max_pixels=max_pixels
            )
            job = _Job(counter, notes, every, draw.value, overlays, results, tally)
            job.raises = len(sources) == 1 and len(files) == 1 and _names_a_file(sources[0])
            job.run(files)
            if not tally.rows:
                raise InputError(f"Nothing was counted: {plural(tally.skipped, 'file')} could not be read.")
    except (KeyboardInterrupt, HeadcountError) as error:
        # What was counted until then is shown before it is said why no more is.
        if isinstance(error, HeadcountError) and not tally.rows:
            raise
        stopped = error
    if len(tally.rows) == 1 and len(files) == 1:
        print_one(console, tally.rows[0])
    elif tally.rows:
        print_table(console, tally.rows)
    if len(files) > 1 or len(tally.rows) > 1 or tally.skipped:
        print_summary(console, tally.rows, tally.skipped)
    if output is not None and tally.rows and not isinstance(stopped, HeadcountError):
        console.print(f"results in {output}", soft_wrap=True)
    if save_dir is not None and tally.rows:
        console.print(f"overlays in {save_dir}", soft_wrap=True)
    if isinstance(stopped, HeadcountError):
        raise stopped
    if stopped is not None:
        notes.print("Interrupted: the rest was not counted.")
        raise typer.Exit(130)
    if tally.skipped:
        raise typer.Exit(1)


@dataclass(slots=True)
class _Tally:
    """What a run has found until now."""

    skipped: int
    rows: list[Row] = field(default_factory=list)


class _Job:
    """One run over the files: what it finds, and what it writes as it goes."""

    def __init__(
        self,
        counter: Counter,
        notes: Console,
        every_s: float,
        draw: Literal["auto", "points", "density"],
        overlays: OverlayFolder | None,
        results: PredictionFile | None,
        tally: _Tally,
    ) -> None:
        self.counter, self.notes, self.every_s, self.draw = counter, notes, every_s, draw
        self.overlays, self.results, self.tally = overlays, results, tally
        self.raises = False

    def run(self, files: Sequence[SourceFile]) -> None:
        from headcount.data.media.sources import expected_items

        with _progress(self.notes) as progress:
            total = 0 if progress.disable else sum(expected_items(file, every_s=self.every_s) for file in files)
            task = progress.add_task("counting", total=total, visible=total > 1)
            for file in files:
                self._count(file, progress, task)

    def _count(self, file: SourceFile, progress: Progress, task: object) -> None:
        from headcount.cli.console import printable
        from headcount.cli.results import Row
        from headcount.core.errors import InputError
        from headcount.data.media.sources import read_items

        for item in read_items(file, every_s=self.every_s, max_pixels=self.counter.max_pixels):
            if item.remark:
                self.notes.print(f"Note: {printable(item.remark)}")
                continue
            try:
                if item.problem is not None or item.scene is None:
                    raise item.problem or InputError(f'"{item.name}" holds no image.')
                prediction = self.counter.count(item.scene)
            except InputError as error:
                if self.raises:
                    raise
                self.notes.print(f"Skipped: {printable(str(error))}")
                self.tally.skipped += 1
                continue
            for warning in prediction.warnings:
                self.notes.print(f"Note: {printable(item.name)}: {printable(warning)}")
            is_frame = file.kind == "video"
            self.tally.rows.append(Row(item.name, prediction.count, prediction.interval, prediction.size_wh, is_frame))
            if self.results is not None:
                self.results.add(prediction)
            if self.overlays is not None:
                pixels = item.scene.pixels(max_pixels=self.counter.max_pixels)
                self.overlays.write(prediction.draw(pixels, kind=self.draw), file, item.name)
            progress.advance(task)  # type: ignore[arg-type]


def _expand(arguments: Sequence[str], notes: Console) -> tuple[list[SourceFile], int]:
    """Files of all arguments, each once, and how many could not be found."""
    from headcount.cli.console import plural, printable
    from headcount.core.errors import InputError
    from headcount.data.media.sources import expand_source

    files: dict[Path, SourceFile] = {}
    skipped = repeated = 0
    for argument in arguments:
        try:
            found = expand_source(argument)
        except InputError as error:
            if len(arguments) == 1:
                raise
            found = [error]
        for file in found:
            if isinstance(file, InputError):
                notes.print(f"Skipped: {printable(str(file))}")
                skipped += 1
            elif file.path.resolve() in files:
                repeated += 1
            else:
                files[file.path.resolve()] = file
    if repeated:
        notes.print(f"Note: {plural(repeated, 'file')} named more than once: each is counted once.")
    if not files:
        raise InputError("None of the sources can be counted.")
    return list(files.values()), skipped


def _names_a_file(argument: str) -> bool:
    from headcount.core.files import is_file

    return is_file(Path(argument)) and Path(argument).suffix.lower() != ".txt"


def _refuse_counted_folder(save_dir: Path, arguments: Sequence[str]) -> None:
    from headcount.core.errors import InputError
    from headcount.core.files import is_folder

    if any(is_folder(Path(argument)) and Path(argument).resolve() == save_dir.resolve() for argument in arguments):
        raise InputError(
            f'--save-dir "{save_dir}" is a folder being counted: choose another, or the overlays are counted next time.'
        )


def _progress(notes: Console) -> Progress:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=notes, transient=True, disable=not notes.is_terminal,
    )  # fmt: skip
