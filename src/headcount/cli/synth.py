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
_SCENES, _EMPTY, _VALIDATION, _MIN_VISIBLE = 100, 0.05, 0.1, 0.2
_FRAMES, _FPS = 100, 10.0


def _number(text: str, default: float, *, metavar: str = "NUMBER", low: float = 1, high: float | None = None) -> Any:
    """An option of pictures or of videos alone, which is None where it was not given."""
    words = f"{text} [default: {default:g}]"
    return typer.Option(metavar=metavar, min=low, max=high, show_default=False, help=words)


def _share(text: str, default: float) -> Any:
    return _number(text, default, metavar="SHARE", low=0, high=1)


def _name(text: str, option: str) -> Any:
    return typer.Option(metavar="NAME", show_default=False, help=f"{text}; {option} list names them.")


def synth(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The folder to make.")],
    scenes: Annotated[int | None, _number("How many pictures.", _SCENES)] = None,
    seed: Annotated[
        int, typer.Option(metavar="NUMBER", min=0, help="The first scene or video; the others are those after it.")
    ] = 1,
    size: Annotated[str, typer.Option(metavar="WxH", help="Width and height in pixels.")] = "1920x1080",
    people: Annotated[
        int | None,
        typer.Option(
            metavar="NUMBER", min=0, show_default=False,
            help="Place at most so many people, fewer where there is no room; else as it comes.",
        ),
    ] = None,
    place: Annotated[str | None, _name("Only this place", "--place")] = None,
    weather: Annotated[str | None, _name("Only this weather, outdoors", "--weather")] = None,
    day: Annotated[str | None, _name("Only this part of the day, outdoors", "--day")] = None,
    empty: Annotated[float | None, _share("Pictures: share of those without people.", _EMPTY)] = None,
    validation: Annotated[float | None, _share("Pictures: share of those for validation.", _VALIDATION)] = None,
    min_visible: Annotated[
        float | None, _share("Pictures: label heads of which at least so much is seen.", _MIN_VISIBLE)
    ] = None,
    sequences: Annotated[
        int, typer.Option(metavar="NUMBER", min=0, help="How many videos of people walking, in place of pictures.")
    ] = 0,
    frames: Annotated[int | None, _number("Videos: how many frames each.", _FRAMES)] = None,
    fps: Annotated[float | None, _number("Videos: frames a second.", _FPS, low=0.1, high=240)] = None,
) -> None:  # fmt: skip
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
    of_pictures = {"--scenes": scenes, "--empty": empty, "--validation": validation, "--min-visible": min_visible}
    _refuse(of_pictures if sequences else {"--frames": frames, "--fps": fps}, bool(sequences))
    kind: dict[str, Any] = {"size_wh": _size(size), "place": place, "weather": weather, "day": day}
    number = sequences or (_SCENES if scenes is None else scenes)
    for one in (seed, seed + number - 1):
        check(one, count=people, **kind)
    settings = {"seed": seed, "people": people, **kind}
    if sequences:
        length, rate = frames or _FRAMES, _FPS if fps is None else fps
        _claim(out, settings | {"frames": length, "fps": rate})
        heads = 0
        with progress_bar("Rendering") as show:
            for index in range(sequences):

                def tell(done: int, before: int = index * length) -> None:
                    show(before + done, sequences * length)

                heads += _film(out, seed + index, length, rate, people, kind, tell)
        results_are_filed()
        output_console().print(
            f"wrote {printable(str(out))}: {plural(sequences, 'video')} of {plural(length, 'frame')}, "
            f"{plural(heads, 'head')}; read it as gta-head={printable(str(out))}",
            soft_wrap=True,
        )
        return
    kind["min_visible"] = _MIN_VISIBLE if min_visible is None else min_visible
    shares = {"empty": _EMPTY if empty is None else empty}
    shares["validation"] = _VALIDATION if validation is None else validation
    _claim(out, settings | kind | shares)
    seeds = range(seed, seed + number)
    with progress_bar("Rendering") as show:
        made = _pictures(out, seeds, people, shares["empty"], kind, lambda done: show(done, number))
    splits = _annotate(out, seeds, made, shares["validation"])
    results_are_filed()
    told = ", ".join(f"{name} {splits.count(name):,}" for name in sorted(set(splits)))
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


def _refuse(options: dict[str, Any], of_videos: bool) -> None:
    """Stop where an option is given that would change nothing."""
    from headcount.core.errors import InputError

    for name, value in options.items():
        if value is not None:
            made, other = ("videos", "pictures") if of_videos else ("pictures", "videos")
            raise InputError(f"{name} is for {other}, but {made} were asked for: leave it out.")


def _size(text: str) -> tuple[int, int]:
    from headcount.core.errors import InputError

    parts = text.lower().replace("×", "x").split("x")
    if len(parts) != 2 or not all(part.isdecimal() and len(part) < 6 for part in parts):
        raise InputError(f'--size takes a width and a height such as 1920x1080, got "{text}".')
    return int(parts[0]), int(parts[1])


def _claim(out: Path, settings: dict[str, Any]) -> None:
    """Make the folder, or find it as a run with the same settings left it."""
    import json

    from headcount import __version__
    from headcount.core.errors import InputError
    from headcount.core.files import write_json, writing

    settings = json.loads(json.dumps({"headcount": __version__, **settings}))
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

    known = _records(out / _RECORD)
    made: list[Scene] = []
    annotated: Provenance = "annotated"
    with writing(out):
        (out / "images").mkdir(exist_ok=True)
    for done, seed in enumerate(seeds):
        show(done)
        name = f"images/rendered-{seed:06d}.jpg"
        record = known.get(name)
        if record is None or not (out / name).is_file():
            rendered = render_scene(seed, count=0 if drawn_empty(seed, empty) else people, **kind)
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


def _records(path: Path) -> dict[str, dict[str, Any]]:
    """What a stopped run has written, by image; half a line, at the end, is taken out of the file."""
    import json
    from contextlib import suppress

    from headcount.core.files import atomic_text

    if not path.is_file():
        return {}
    text = path.read_text(encoding="utf-8")
    records = {}
    for line in text.splitlines():
        with suppress(ValueError):
            record = json.loads(line)
            records[record["image"]] = record
    whole = "".join(json.dumps(record) + "\n" for record in records.values())
    if whole != text:
        with atomic_text(path) as file:
            file.write(whole)
    return records


def _annotate(out: Path, seeds: range, scenes: list[Scene], validation: float) -> list[str]:
    from headcount.core.files import discard
    from headcount.data.formats.table import FORMATS
    from headcount.synth.rendered.scene import drawn_for_validation

    splits = ["val" if drawn_for_validation(seed, validation) else "train" for seed in seeds]
    FORMATS.find("coco").write(scenes, out, splits=splits, overwrite=True)
    for split in {"train", "val"} - set(splits):  # a run for more scenes had some
        discard(out / "annotations" / f"{split}.json")
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
    camera, attributes = {}, {}
    for number, rendered in enumerate(render_sequence(seed, frames, per_second=fps, count=people, **kind), start=1):
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
