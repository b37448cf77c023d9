"""A run over sources: everything is counted or named, and nothing of a single item ends the run."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from headcount.core.errors import InputError, ModelError
from headcount.core.limits import DEFAULT_MAX_PIXELS
from headcount.core.notes import Note, Skipped
from headcount.core.prediction import Prediction
from headcount.core.region import Region
from headcount.core.scene import Scene
from headcount.data.formats.predictions import PredictionFile
from headcount.data.media.sources import Item
from headcount.infer.job import Counted, Job, find_sources, open_overlays, open_results


class Fake:
    """Counts the red of the first pixel; fails as it is told to."""

    max_pixels = DEFAULT_MAX_PIXELS
    interval = 0.9
    card = SimpleNamespace(name="fake", sha256={})
    runtime = SimpleNamespace(name="fake", device="cpu", precision="f32")

    def __init__(self, **errors: BaseException) -> None:
        self.errors = errors

    def refuse_picture(self, kind: str) -> None:
        pass

    def count(self, source: Scene) -> Prediction:
        assert isinstance(source.image, Path)
        if source.image.stem in self.errors:
            raise self.errors[source.image.stem]
        pixels = source.pixels()
        size_wh = (pixels.shape[1], pixels.shape[0])
        warnings = ("odd",) if source.image.stem == "b" else ()
        return Prediction(float(pixels[0, 0, 0]), size_wh, source=source.source, warnings=warnings)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate("abc", 1):
        Image.new("RGB", (64, 48), (number, 0, 0)).save(f"{name}.png")
    return tmp_path


def job(counter: Fake, *arguments: str, **settings: object) -> Job:
    return Job(counter, find_sources(arguments).files, **settings)  # type: ignore[arg-type]


def test_nothing_is_no_run() -> None:
    empty = Job(Fake(), ())  # type: ignore[arg-type]
    assert list(empty.run()) == []
    assert (empty.counted, empty.skipped, empty.expected()) == (0, 0, 0)


def test_events_come_in_the_order_of_the_files(folder: Path) -> None:
    run = job(Fake(), ".")
    assert run.expected() == 3
    events = list(run.run())
    assert [event.prediction.count for event in events if isinstance(event, Counted)] == [1, 2, 3]
    assert events[1] == Note("b.png: odd")
    assert (run.counted, run.skipped) == (3, 0)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (InputError('"b.png" is damaged.'), '"b.png" is damaged.'),
        (ModelError('"m.onnx" failed on 64×48 pixels.'), '"m.onnx" failed on 64×48 pixels.'),
        (TypeError("no number"), '"b.png" (TypeError: no number)'),
        (MemoryError(), '"b.png" (MemoryError: )'),
        (OSError(5, "Input/output error"), '"b.png" (OSError: [Errno 5] Input/output error)'),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_one_item_raises_is_its_own_failure(folder: Path, error: Exception, text: str) -> None:
    run = job(Fake(b=error), ".")
    events = list(run.run())
    assert [type(event) for event in events] == [Counted, Skipped, Counted]
    skipped = events[1]
    assert isinstance(skipped, Skipped)
    assert (skipped.name, skipped.text, skipped.error) == ("b.png", text, error)
    assert (run.counted, run.skipped) == (2, 1)


def test_a_skipped_item_keeps_its_remedy(folder: Path) -> None:
    (skipped,) = job(Fake(a=InputError("too large", remedy="max_pixels")), "a.png").run()
    assert isinstance(skipped, Skipped)
    assert skipped.remedy == "max_pixels"


def test_a_part_that_could_not_be_read_is_noted_and_counted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def items(file: object, **_: object) -> Iterator[Item]:
        yield Item("a.png", Scene(folder / "a.png", source="a.png"))
        yield Item("a.png", remark="cut short", is_incomplete=True)
        yield Item("a.png", remark="odd but whole")

    monkeypatch.setattr("headcount.infer.job.read_items", items)
    run = job(Fake(), "a.png")
    assert [type(event) for event in run.run()] == [Counted, Note, Note]
    assert (run.counted, run.skipped, run.incomplete) == (1, 0, 1)


def test_a_video_that_raises_anything_is_skipped_by_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(path: Path) -> object:
        raise ValueError("odd stream")

    (folder / "a.mp4").write_bytes(b"video")
    monkeypatch.setattr("headcount.data.media.video._open_video", breaks)
    events = list(job(Fake(), "a.mp4", "a.png").run())
    assert [type(event) for event in events] == [Skipped, Counted]
    assert isinstance(events[0], Skipped)
    assert events[0].text == '"a.mp4" (ValueError: odd stream)'


def test_the_next_image_is_counted_before_this_one_is_told(folder: Path) -> None:
    both = threading.Barrier(2, timeout=20)

    class Together(Fake):
        def count(self, source: Scene) -> Prediction:
            if isinstance(source.image, Path) and source.image.stem in "ab":
                both.wait()
            return super().count(source)

    events = list(job(Together(), "a.png", "b.png", "c.png").run())
    assert [event.prediction.count for event in events if isinstance(event, Counted)] == [1, 2, 3]


def test_the_first_image_says_of_which_size_a_region_is_before_the_next_is_looked_at(folder: Path) -> None:
    Image.new("RGB", (32, 24), (9, 0, 0)).save("b.png")
    seen: list[tuple[int, int] | None] = []

    class Regional(Fake):
        def count(self, source: Scene, *, region: Region | None = None) -> Prediction:
            assert region is not None
            seen.append(region.size_wh)
            prediction = super().count(source)
            region.in_image(prediction.size_wh, str(source.source))
            return prediction

    region = Region((np.array([[1.0, 1], [20, 1], [20, 20]]),))
    events = list(job(Regional(), "a.png", "b.png", "c.png", region=region).run())
    assert seen == [None, (64, 48), (64, 48)]
    assert [type(event) for event in events] == [Counted, Skipped, Counted]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_ctrl_c_and_a_full_disk_end_the_run(folder: Path, error: BaseException) -> None:
    events = job(Fake(b=error), ".").run()
    assert isinstance(next(events), Counted)
    with pytest.raises(type(error)):
        next(events)


def test_results_and_overlays_are_written_as_they_come(folder: Path) -> None:
    sources = find_sources(["."])
    overlays = open_overlays(Path("out"), ["."], sources, overwrite=False)
    with open_results(Path("out.json"), sources, overwrite=False) as results:
        events = Job(Fake(b=InputError("no")), sources.files, results=results, overlays=overlays).run()  # type: ignore[arg-type]
        for _ in events:
            pass
    assert [one["count"] for one in json.loads(Path("out.json").read_text(encoding="utf-8"))] == [1, 3]
    assert sorted(path.name for path in Path("out").iterdir()) == ["a-counted.png", "c-counted.png"]
    with Image.open("out/a-counted.png") as picture:
        assert picture.size[0] == 64
        assert picture.size[1] >= 48  # below the strip with the number


def test_a_picture_that_cannot_be_written_ends_the_run_behind_its_count(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise InputError("no room")

    monkeypatch.setattr("headcount.infer.overlays.save_png", full)
    sources = find_sources(["."])
    events = Job(
        Fake(),  # type: ignore[arg-type]
        sources.files,
        overlays=open_overlays(Path("out"), ["."], sources, overwrite=False),
    ).run()
    assert isinstance(next(events), Counted)
    with pytest.raises(InputError, match="no room"):
        next(events)


def test_each_file_is_found_once(folder: Path) -> None:
    sources = find_sources(["a.png", ".", "*.png"])
    assert [file.path.name for file in sources.files] == ["a.png", "b.png", "c.png"]
    assert sources.events == (Note("4 files named more than once: each is counted once."),)


def test_what_is_not_found_among_others_is_an_event(folder: Path) -> None:
    sources = find_sources(["a.png", "no.png"])
    (event,) = sources.events
    assert isinstance(event, Skipped)
    assert 'no file or folder "no.png"' in event.text
    assert find_sources(["no.png", "none"]).files == ()
    with pytest.raises(InputError, match=r"no\.png"):
        find_sources(["no.png"])


@pytest.mark.parametrize(
    ("arguments", "alone"),
    [(["a.png"], True), (["."], False), (["a.*"], False), (["list.txt"], False), (["a.png", "b.png"], False)],
)
def test_one_file_is_known_as_one(folder: Path, arguments: list[str], alone: bool) -> None:
    (folder / "list.txt").write_text("a.png\n", encoding="utf-8")
    assert find_sources(arguments).is_one_file == alone


def test_a_run_that_is_refused_leaves_nothing_behind(folder: Path) -> None:
    sources = find_sources(["b.png"])
    overlays = open_overlays(Path("a.png/out"), ["b.png"], sources, overwrite=False)
    before = sorted(folder.iterdir())
    with pytest.raises(InputError, match="cannot be written"), PredictionFile("o.jsonl") as results:
        Job(Fake(), sources.files, results=results, overlays=overlays)  # type: ignore[arg-type]
    assert sorted(folder.iterdir()) == before


def test_a_folder_being_counted_takes_no_overlays(folder: Path) -> None:
    sources = find_sources(["."])
    with pytest.raises(InputError, match="is a folder being counted"):
        open_overlays(folder, ["."], sources, overwrite=True)
    shutil.copy("a.png", "a-counted.png")
    with pytest.raises(InputError, match="is a source itself"):
        open_overlays(folder, ["a.png"], find_sources(["a.png", "a-counted.png"]), overwrite=True)


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("a.png", "is a file, but the pictures need a folder"),
        ("a.png/in", "cannot be written"),
        ("x" * 300, "too long"),
    ],
)
def test_a_folder_that_cannot_be_is_refused_before_anything_is_counted(folder: Path, place: str, words: str) -> None:
    before = sorted(folder.rglob("*"))
    sources = find_sources(["b.png"])
    with pytest.raises(InputError, match=words):
        Job(Fake(), sources.files, overlays=open_overlays(Path(place), ["b.png"], sources, overwrite=False))  # type: ignore[arg-type]
    assert sorted(folder.rglob("*")) == before


def test_a_folder_closed_to_writing_is_refused_before_anything_is_counted(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, *_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    sources = find_sources(["b.png"])
    (folder / "out").mkdir()
    overlays = open_overlays(Path("out"), ["b.png"], sources, overwrite=False)
    monkeypatch.setattr(Path, "touch", refuse)
    with pytest.raises(InputError, match="Read-only file system"):
        Job(Fake(), sources.files, overlays=overlays)  # type: ignore[arg-type]


def test_no_folder_is_made_before_the_model_has_its_say(folder: Path) -> None:
    class Blind(Fake):
        def refuse_picture(self, kind: str) -> None:
            raise InputError("gives no boxes")

    sources = find_sources(["b.png"])
    overlays = open_overlays(Path("out"), ["b.png"], sources, overwrite=False)
    with pytest.raises(InputError, match="gives no boxes"):
        Job(Blind(), sources.files, overlays=overlays)  # type: ignore[arg-type]
    assert not Path("out").exists()


def test_a_picture_of_another_run_is_not_overwritten(folder: Path) -> None:
    sources = find_sources(["."])
    overlays = open_overlays(Path("out"), ["."], sources, overwrite=False)
    events = Job(Fake(), sources.files, overlays=overlays).run()  # type: ignore[arg-type]
    next(events)
    (folder / "out" / "a-counted.png").write_bytes(b"mine")
    with pytest.raises(InputError, match=r"a-counted\.png\" exists already"):
        next(events)


def test_images_of_one_name_are_refused_where_the_format_tells_them_by_it(folder: Path) -> None:
    (folder / "more").mkdir()
    shutil.copy("a.png", "more/a.jpg")
    with pytest.raises(InputError, match=r'"a\.png" and "more/a\.jpg" would both be image "a"'):
        open_results(Path("out.coco.json"), find_sources(["a.png", "more"]), overwrite=False)
    assert not Path("out.coco.json").exists()


def test_names_that_the_format_cannot_hold_are_refused_before_the_run(folder: Path) -> None:
    with pytest.raises(InputError, match="number"):
        open_results(Path("out.txt"), find_sources(["a.png"]), overwrite=False)
    shutil.copy("a.png", "0007.png")
    with open_results(Path("out.txt"), find_sources(["0007.png"]), overwrite=False) as results:
        assert isinstance(results, PredictionFile)
        results.add(Prediction(1, (64, 48), np.ones((1, 2)), "heads", source="0007.png"))
    assert Path("out.txt").read_text(encoding="utf-8").startswith("7 1 ")


def test_what_is_left_aside_is_one_note_and_counts(folder: Path) -> None:
    for name in ("clip.mp4", "other/d.jp2"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"something")
    shutil.copy("a.png", "other/a.png")
    (folder / "gone.png").symlink_to("nowhere.png")
    sources = find_sources([".", "other"])
    assert [str(file.path) for file in sources.files] == ["a.png", "b.png", "c.png", "other/a.png"]
    assert sources.left_aside == 3
    (note,) = sources.events
    assert isinstance(note, Note)
    assert note.text.startswith(
        "3 files were left aside: 1 video (clip.mp4), 1 link that leads nowhere (gone.png), 1 JP2"
    )
    assert find_sources([".", "clip.mp4"]).left_aside == 1
    assert find_sources(["a.png"]).left_aside == 0


def test_of_many_pictures_in_a_file_the_first_is_counted_and_that_is_said(folder: Path) -> None:
    pages = [Image.new("RGB", (64, 48), (number, 0, 0)) for number in (7, 8, 9)]
    for name in ("p.tif", "p.gif"):
        pages[0].save(name, save_all=True, append_images=pages[1:])
    run = job(Fake(), ".")
    events = list(run.run())
    assert run.counted == 5
    assert run.incomplete == 2
    last = events[-1]
    assert isinstance(last, Note)
    assert last.text.startswith(
        '2 files hold more than one picture, of which the first was counted: "p.gif" (3), "p.tif" (3)'
    )
    assert job(Fake(), "a.png").incomplete == 0
