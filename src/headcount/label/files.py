"""From a file of points to a file of boxes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from headcount.core.errors import InputError, nearest
from headcount.core.files import refuse_taken
from headcount.core.notes import Note, Progress, Skipped, raise_first
from headcount.core.scene import Scene
from headcount.data.formats.head_list import read_boxes, write_boxes
from headcount.data.formats.table import FORMATS
from headcount.data.sets.registry import Reading, parse_spec, read_set
from headcount.infer.sizes import load_sizes
from headcount.label.interpolate import Interpolated, Interpolation, Share, interpolate_scenes


def interpolate_file(
    points: Path,
    presets: Path,
    out: Path,
    *,
    method: Interpolation = "nearest",
    k: int = 2,
    share: Share = "image",
    overwrite: bool = False,
) -> tuple[Interpolated, list[Note]]:
    """Write boxes for all heads of a points file, from the boxes of another file; see ``interpolate_scenes``.

    Returns what became of the images, and what of it was not as asked for. An image of ``points`` that cannot be used
    is left out, and named.

    Raises:
        InputError: a file or no image of ``points`` can be read, ``out`` is one of the two or cannot be written, or
            what ``interpolate_scenes`` refuses.
    """
    _refuse(out, points, presets, overwrite=overwrite)
    read = read_set(f"points={points}", "all")
    if read.skipped and not read.scenes:
        raise_first(read.skipped)
    result = interpolate_scenes(read.scenes, read_boxes(presets), method=method, k=k, share=share)
    write_boxes(result.scenes, out, overwrite=overwrite)
    notes = [Note(f"left out: {one.text}") for one in read.skipped]
    notes += result.notes(k=2 if method == "linear" else k, share=share, points=str(points))
    return replace(result, left_out=[*result.left_out, *(one.name for one in read.skipped)]), notes


def estimate_file(
    model: str,
    points: str,
    out: Path,
    *,
    split: str = "trainval",
    device: str = "auto",
    runtime: str = "auto",
    precision: str = "auto",
    threads: int | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Reading:
    """Write boxes for all heads of a points file, or of a data set's ``NAME=PATH``, as a head-scale model sizes them.

    Returns the scenes with their boxes, and the images that could not be read or measured; ``progress`` is told
    (done, all).

    Raises:
        InputError: ``out`` is the file that is read or cannot be written, the data cannot be read, or no image of it
            can be used (each may have boxes already).
        ModelError: as ``load_sizes``.
    """
    spec = points if "=" in points and not Path(points).is_file() else f"points={points}"
    _refuse(out, parse_spec(spec)[1], overwrite=overwrite)
    estimator = load_sizes(model, device=device, runtime=runtime, precision=precision, threads=threads)
    read = read_set(spec, split)
    scenes: list[Scene] = []
    skipped = list(read.skipped)
    for done, scene in enumerate(read.scenes, start=1):
        try:
            scenes.append(estimator.box(scene))
        except Exception as error:
            skipped.append(Skipped(scene.name, error))
        if progress is not None:
            progress(done, len(read.scenes))
    if skipped and not scenes:
        raise_first(skipped)
    write_boxes(scenes, out, overwrite=overwrite)
    return replace(read, scenes=tuple(scenes), skipped=tuple(skipped))


def _refuse(out: Path, *inputs: Path, overwrite: bool) -> None:
    """Said before any image is opened."""
    suffixes = FORMATS["boxes"].file_suffixes
    if out.suffix.lower() not in suffixes:
        raise InputError(
            f'Boxes are written as {" or ".join(suffixes)}, but "{out}" is neither.{nearest(out.suffix, suffixes)}'
        )
    if any(out.resolve() == path.resolve() for path in inputs):
        raise InputError(f'"{out}" is read here too: write the boxes to a file of their own.')
    refuse_taken(out, overwrite=overwrite)
