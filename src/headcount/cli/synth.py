"""`headcount synth`: rendered crowds as a data set, or as videos with tracks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from headcount.core.image import RgbImage
    from headcount.core.scene import Scene

_SETTINGS, _RECORD, _QUALITY = "synth.json", "heads.jsonl", 95


def synth(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The folder to make.")],
    scenes: Annotated[int, typer.Option(metavar="NUMBER", min=0, help="How many pictures.")] = 100,
    seed: Annotated[
        int, typer.Option(metavar="NUMBER", min=0, help="The first scene; the others are those after it.")
    ] = 1,
    size: Annotated[str, typer.Option(metavar="WxH", help="The pictures' width and height in pixels.")] = "1920x1080",
    people: Annotated[
        int | None,
        typer.Option(metavar="NUMBER", min=0, show_default=False, help="The most people in a scene; else as it comes."),
    ] = None,
    empty: Annotated[
        float, typer.Option(metavar="SHARE", min=0, max=1, help="Share of pictures without people.")
    ] = 0.05,
    validation: Annotated[float, typer.Option(metavar="SHARE", min=0, max=1, help="Share for validation.")] = 0.1,
    place: Annotated[
        str | None, typer.Option(metavar="NAME", show_default=False, help="Only this place; --place list names them.")
    ] = None,
    weather: Annotated[
        str | None,
        typer.Option(metavar="NAME", show_default=False, help="Only this weather; --weather list names them."),
    ] = None,
    day: Annotated[
        str | None,
        typer.Option(metavar="NAME", show_default=False, help="Only this part of the day; --day list names them."),
    ] = None,
    min_visible: Annotated[
        float, typer.Option(metavar="SHARE", min=0, max=1, help="Label heads of which at least so much is seen.")
    ] = 0.2,
    sequences: Annotated[
        int, typer.Option(metavar="NUMBER", min=0, help="How many videos of walking people, in place of pictures.")
    ] = 0,
    frames: Annotated[int, typer.Option(metavar="NUMBER", min=1, help="Of a video: how many frames.")] = 100,
    fps: Annotated[float, typer.Option(metavar="NUMBER", min=0.1, max=240, help="Of a video: frames a second.")] = 10.0,
) -> None:
    """Render crowds in which every head is known, as a data set to train and test on.

    OUT gets the pictures in images, points and boxes as COCO in annotations (read it as coco=OUT), and heads.jsonl: a
    line a picture with its camera, the homography from the ground in metres to pixels, and of each head how much of it
    is seen and where the person stands. A run that was stopped goes on where it was if it is started again.

    With --sequences OUT gets a folder for each video in the layout of MOTChallenge (read it as gta-head=OUT), with the
    visible share in the last column of gt.txt and the camera in camera.json. Needs the synth extra.
    """
    from headcount.cli.console import output_console, printable, progress_bar
    from headcount.cli.streams import results_are_filed
    from headcount.core.words import plural
    from headcount.synth.rendered.scene import check

    if _listed(place, weather, day):
        return
    size_wh = _size(size)
    kind: dict[str, Any] = {"size_wh": size_wh, "place": place, "weather": weather, "day": day}
    kind["min_visible"] = min_visible
    check(seed, count=people, **kind)
    if sequences:
        _claim(out, {"seed": seed, "people": people, "frames": frames, "fps": fps, **kind})
        heads = 0
        with progress_bar("Rendering") as show:
            for number in range(sequences):

                def tell(done: int, before: int = number * frames) -> None:
                    show(before + done, sequences * frames)

                heads += _film(out, seed + number, frames, fps, people, kind, tell)
        results_are_filed()
        output_console().print(
            f"wrote {printable(str(out))}: {plural(sequences, 'video')} of {plural(frames, 'frame')}, "
            f"{plural(heads, 'head')}; read it as gta-head={printable(str(out))}",
            soft_wrap=True,
        )
        return
    seeds = range(seed, seed + scenes)
    _claim(out, {"seed": seed, "people": people, "empty": empty, "validation": validation, **kind})
    with progress_bar("Rendering") as show:
        made = _pictures(out, seeds, people, empty, kind, lambda done: show(done, scenes))
    splits = _annotate(out, seeds, made, validation)
    results_are_filed()
    told = ", ".join(f"{name} {splits.count(name):,}" for name in dict.fromkeys(splits))
    output_console().print(
        f"wrote {printable(str(out))}: {plural(len(made), 'picture')} ({told}), "
        f"{plural(sum(scene.count for scene in made), 'head')}; read it as coco={printable(str(out))}",
        soft_wrap=True,
    )


def _listed(place: str | None, weather: str | None, day: str | None) -> bool:
    from headcount.cli.console import output_console
    from headcount.synth.rendered.light import DAY_PARTS, WEATHERS
    from headcount.synth.rendered.places import PLACES

    asked = [names for given, names in ((place, PLACES), (weather, WEATHERS), (day, DAY_PARTS)) if given == "list"]
    for names in asked:
        output_console().print("\n".join(names))
    return bool(asked)


def _size(text: str) -> tuple[int, int]:
    from headcount.core.errors import InputError

    parts = text.lower().replace("×", "x").split("x")
    if len(parts) != 2 or not all(part.isdecimal() and len(part) < 6 for part in parts):
        raise InputError(f'--size takes a width and a height such as 1920x1080, got "{text}".')
    return int(parts[0]), int(parts[1])


def _claim(out: Path, settings: dict[str, Any]) -> None:
    """Make the folder, or find it as a run with the same settings left it."""
    import json

    from headcount.core.errors import InputError
    from headcount.core.files import write_json, writing

    settings = json.loads(json.dumps(settings))
    marker = out / _SETTINGS
    with writing(out):
        if marker.is_file():
            try:
                found = json.loads(marker.read_text(encoding="utf-8"))
            except ValueError:
                found = None
            if found == settings:
                return
            raise InputError(f'"{out}" holds crowds that were rendered with other settings: choose another folder.')
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise InputError(f'"{out}" is not empty: choose another folder, or empty this one.')
        out.mkdir(parents=True, exist_ok=True)
    write_json(marker, settings)


def _pictures(
    out: Path, seeds: range, people: int | None, empty: float, kind: dict[str, Any], show: Callable[[int], None]
) -> list[Scene]:
    """The scenes of all seeds, with their pictures as files; those that a stopped run has made are not made again."""
    import json

    import numpy as np

    from headcount.core.files import writing
    from headcount.core.scene import Provenance, Scene
    from headcount.synth.rendered.scene import drawn_empty, render_scene

    known = {record["image"]: record for record in _records(out / _RECORD)}
    made: list[Scene] = []
    annotated: Provenance = "annotated"
    with writing(out):
        (out / "images").mkdir(exist_ok=True)
    for done, seed in enumerate(seeds):
        show(done)
        name = f"images/rendered-{seed:06d}.jpg"
        record = known.get(name)
        if record is None or not (out / name).is_file():
            count = 0 if drawn_empty(seed, empty) else people
            rendered = render_scene(seed, count=count, **kind)
            scene = rendered.scene
            _save_jpeg(scene.pixels(), out / name)
            record = {
                "image": name, **rendered.record(), "points": scene.points_xy.tolist(),
                "boxes": [] if scene.boxes_xyxy is None else scene.boxes_xyxy.tolist(),
                "attributes": dict(scene.attributes),
            }  # fmt: skip
            with writing(out / _RECORD), (out / _RECORD).open("a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
        made.append(
            Scene(
                out / name, np.array(record["points"]).reshape(-1, 2), np.array(record["boxes"]).reshape(-1, 4),
                (annotated,) * len(record["points"]), name=Path(name).stem, attributes=record["attributes"],
            )
        )  # fmt: skip
    show(len(seeds))
    return made


def _records(path: Path) -> list[dict[str, Any]]:
    import json
    from contextlib import suppress

    if not path.is_file():
        return []
    records = []
    for line in path.read_text(encoding="utf-8").splitlines():
        with suppress(ValueError):  # half a line, where a run was stopped
            records.append(json.loads(line))
    return records


def _annotate(out: Path, seeds: range, scenes: list[Scene], validation: float) -> list[str]:
    from headcount.data.formats.table import FORMATS
    from headcount.synth.rendered.scene import drawn_for_validation

    splits = ["val" if drawn_for_validation(seed, validation) else "train" for seed in seeds]
    FORMATS.find("coco").write(scenes, out, splits=splits, overwrite=True)
    return splits


def _film(
    out: Path, seed: int, frames: int, fps: float, people: int | None, kind: dict[str, Any], show: Callable[[int], None]
) -> int:
    from headcount.core.files import write_json, writing
    from headcount.core.geometry import as_boxes
    from headcount.data.formats.mot import TrackedFrame, write_mot_video
    from headcount.synth.rendered import render_sequence

    folder = out / "train" / f"rendered-{seed:06d}"
    if (folder / "seqinfo.ini").is_file():  # it is written last
        return sum(1 for _ in (folder / "gt" / "gt.txt").open(encoding="utf-8"))
    with writing(folder):
        (folder / "img1").mkdir(parents=True, exist_ok=True)
    tracked: list[TrackedFrame] = []
    wanted = kind | {"min_visible": 0.0}
    camera, attributes = {}, {}
    for number, rendered in enumerate(render_sequence(seed, frames, per_second=fps, count=people, **wanted), start=1):
        show(number - 1)
        _save_jpeg(rendered.scene.pixels(), folder / "img1" / f"{number:06d}.jpg")
        boxes = as_boxes([]) if rendered.scene.boxes_xyxy is None else rendered.scene.boxes_xyxy
        tracked.append(TrackedFrame(boxes, rendered.person + 1, rendered.visible))
        camera, attributes = rendered.record()["camera"], dict(rendered.scene.attributes)
    write_json(folder / "camera.json", camera)
    write_mot_video(folder, tracked, size_wh=kind["size_wh"], per_second=fps, suffix=".jpg", attributes=attributes)
    return sum(len(frame.ids) for frame in tracked)


def _save_jpeg(pixels: RgbImage, path: Path) -> None:
    import cv2

    from headcount.core.files import replacing, writing

    encoded = cv2.imencode(".jpg", pixels[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1]
    with writing(path), replacing(path) as partial:
        partial.write_bytes(encoded.tobytes())
