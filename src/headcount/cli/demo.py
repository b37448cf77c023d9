"""`headcount demo`: a painted crowd whose number is known, or the user's own photo, counted in one command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headcount.cli.options import ThreadsOption

if TYPE_CHECKING:
    from headcount.core.scene import Scene

_MARKER = ".headcount-demo"
_FILES = ("scene.png", "truth.csv", "overlay.png", "density.png", "prediction.json")


def demo(
    photo: Annotated[Path | None, typer.Argument(metavar="PHOTO", help="Count this photo instead.")] = None,
    output_dir: Annotated[Path, typer.Option(metavar="DIR", help="Where the files go.")] = Path("demo-output"),
    seed: Annotated[int, typer.Option(metavar="NUMBER", min=0, help="Which scene is painted.")] = 7,
    threads: ThreadsOption = None,
) -> None:
    """Paint a crowd of known number, count it, and show both numbers.

    DIR is overwritten only where an earlier demo made it.
    """
    from headcount.cli.console import output_console, printable
    from headcount.cli.streams import results_are_filed
    from headcount.core.image import read_image
    from headcount.core.words import people, with_range
    from headcount.infer.counter import load
    from headcount.infer.overlays import save_png

    console = output_console()
    # All that can be refused is refused before anything is written.
    if photo is not None:
        _refuse_own(photo, output_dir)
    pixels = read_image(photo) if photo is not None else None
    counter = load(threads=threads)
    _claim(output_dir)
    truth: int | None = None
    if photo is None:
        photo = output_dir / "scene.png"
        scene = _painted(seed, photo)
        truth, pixels = scene.count, scene.pixels()
    prediction = counter.count(photo)
    range_text = with_range(prediction.interval, prediction.interval_level)
    text = f"{printable(photo.name)}: {people(prediction.people)}{range_text}"
    if truth is not None:
        text += f"; the truth is {truth:,} ({_difference(prediction.people, truth)})"
    console.print(text, soft_wrap=True, style="bold")
    timing = prediction.timing_ms
    width, height = prediction.size_wh
    console.print(
        f"{counter.card.name} on {counter.runtime.name} {counter.runtime.precision}: {width}×{height} pixels in "
        f"{timing['total']:.0f} ms, {timing['network']:.0f} of them the network"
    )
    save_png(prediction.draw(pixels), output_dir / "overlay.png")
    written = ["overlay.png"]
    if prediction.density is not None:
        save_png(prediction.draw(pixels, kind="density"), output_dir / "density.png")
        written.append("density.png")
    prediction.save(output_dir / "prediction.json", overwrite=True)
    written.append("prediction.json")
    if truth is not None:
        written += ["scene.png", "truth.csv"]
    results_are_filed()
    console.print(f"in {printable(str(output_dir))}: {', '.join(written)}", soft_wrap=True)


def _refuse_own(photo: Path, folder: Path) -> None:
    from headcount.core.errors import InputError
    from headcount.core.files import is_file

    for own in (folder / name for name in _FILES):
        if is_file(own) and is_file(photo) and own.samefile(photo):
            raise InputError(f'"{photo}" is a file of the demo, which would overwrite it: copy it elsewhere first.')


def _claim(folder: Path) -> None:
    """Make the folder, or empty an earlier demo's of its files."""
    from headcount.core.errors import InputError

    try:
        if folder.is_dir() and any(folder.iterdir()) and not (folder / _MARKER).is_file():
            raise InputError(f'"{folder}" holds files that no demo wrote: choose another folder with --output-dir.')
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _MARKER).touch()
        for path in (folder / name for name in _FILES):
            path.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f'"{folder}" cannot be written to ({error.strerror or error}): choose another.') from error


def _painted(seed: int, path: Path) -> Scene:
    """A painted scene, with its image and its points also as files, in the format for anybody's own images."""
    from headcount.core.scene import Scene
    from headcount.data.formats.head_list import write_points
    from headcount.infer.overlays import save_png
    from headcount.synth import paint_scene

    scene = paint_scene(seed)
    save_png(scene.pixels(), path)
    write_points([Scene(image=path, points_xy=scene.points_xy)], path.with_name("truth.csv"))
    return scene


def _difference(count: float, truth: int) -> str:
    if truth == 0:
        return "nobody"
    percent = round(100 * (count - truth) / truth)
    return f"{percent:+d} %" if percent else "0 %"
