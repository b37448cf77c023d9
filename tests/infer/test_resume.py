"""A run that was cut off goes on: what was counted stays, what is new or changed is counted, others are refused."""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from headcount.core.errors import InputError
from headcount.core.limits import DEFAULT_MAX_PIXELS
from headcount.core.prediction import Prediction
from headcount.core.region import MOST_CORNERS, Region, as_region
from headcount.core.scene import Scene
from headcount.data.media.sources import Item, SourceFile
from headcount.infer.job import Counted, Job, find_sources, open_results

SUFFIXES = (".json", ".jsonl", ".csv")


class Fake:
    """Counts the red of the first pixel; is interrupted at the images that it is told."""

    max_pixels = DEFAULT_MAX_PIXELS
    interval = 0.9

    def __init__(self, *, model: str = "m", precision: str = "f32", sha: str = "1", until: str = "") -> None:
        self.card = SimpleNamespace(name=model, sha256={"m.onnx": sha})
        self.runtime = SimpleNamespace(name="fake", device="cpu", precision=precision)
        self.until, self.seen = until, list[str]()

    def count(self, source: Scene, *, region: Region | None = None) -> Prediction:
        if self.until and self.until in source.source:
            raise KeyboardInterrupt
        self.seen.append(source.source)
        pixels = source.pixels()
        found = Prediction(
            float(pixels[0, 0, 0]), (pixels.shape[1], pixels.shape[0]), source=source.source, model=self.card.name,
            runtime=f"fake cpu {self.runtime.precision}", interval=(1.0, 2.5) if "a" in source.source else None,
        )  # fmt: skip
        return found if region is None else replace(found, region=region, interval=None)


def paint(name: str, red: int) -> None:
    Image.new("RGB", (64, 48), (red, 0, 0)).save(name)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    for number, name in enumerate(("a", "b\r\nq", "c", "d"), 1):
        paint(f"in/{name}.png", number)
    return tmp_path


def run(
    counter: Fake, output: str, *, resume: bool = False, every_s: float = 1.0, source: str = "in",
    region: Region | None = None,
) -> list[str]:  # fmt: skip
    """Count; what was counted now."""
    sources = find_sources([source])
    try:
        with open_results(Path(output), sources, overwrite=False, resume=resume) as results:
            job = Job(
                counter, sources.files, results=results, resume=resume, every_s=every_s, region=region,  # type: ignore[arg-type]
            )  # fmt: skip
            return [event.item.name for event in job.run() if isinstance(event, Counted)]
    except KeyboardInterrupt:
        return ["interrupted"]


def counts(output: str) -> dict[str, float]:
    text = Path(output).read_bytes().decode()
    if output.endswith(".csv"):
        rows = list(csv.DictReader(text.splitlines(keepends=True)))
    else:
        rows = json.loads(text) if output.endswith(".json") else [json.loads(line) for line in text.splitlines()]
    found = {row["source"].removeprefix("in/").removesuffix(".png"): float(row["count"]) for row in rows}
    assert len(found) == len(rows), "a row is there twice"
    return found


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_it_goes_on_and_ends_as_if_never_cut_off(folder: Path, suffix: str) -> None:
    output = f"out{suffix}"
    assert run(Fake(until="c.png"), output) == ["interrupted"]
    assert set(counts(output)) == {"a", "b\r\nq"}
    assert run(Fake(), output, resume=True) == ["in/c.png", "in/d.png"]
    assert counts(output) == {"a": 1, "b\r\nq": 2, "c": 3, "d": 4}
    run(Fake(), f"whole{suffix}")
    assert Path(output).read_bytes() == Path(f"whole{suffix}").read_bytes()
    assert run(Fake(), output, resume=True) == []
    assert {path.name for path in folder.iterdir()} == {"in", output, f"whole{suffix}"}


@pytest.mark.parametrize("cut", [True, False])
def test_what_is_new_or_changed_is_counted_again(folder: Path, cut: bool) -> None:
    run(Fake(until="d.png" if cut else ""), "out.csv")
    paint("in/a.png", 9)
    paint("in/e.png", 5)
    shutil.copy("in/c.png", "other.png")
    os.utime("other.png", (1, 1))
    os.replace("other.png", "in/c.png")  # another file in its place, and an older one  # noqa: PTH105
    assert run(Fake(), "out.csv", resume=True) == ["in/a.png", "in/c.png", *(["in/d.png"] if cut else []), "in/e.png"]
    assert counts("out.csv") == {"a": 9, "b\r\nq": 2, "c": 3, "d": 4, "e": 5}


def test_what_changed_behind_its_count_while_the_run_went_on_is_counted_again(folder: Path) -> None:
    class Slow(Fake):
        def count(self, source: Scene, **how: Any) -> Prediction:
            if "c.png" in source.source:
                paint("in/a.png", 7)
            return super().count(source)

    run(Slow(until="d.png"), "out.jsonl")
    assert run(Fake(), "out.jsonl", resume=True) == ["in/a.png", "in/d.png"]
    assert counts("out.jsonl")["a"] == 7


def test_rows_of_other_files_stay(folder: Path) -> None:
    run(Fake(), "out.csv")
    Path("more").mkdir()
    paint("more/x.png", 8)
    assert run(Fake(), "out.csv", resume=True, source="more") == ["more/x.png"]
    assert len(counts("out.csv")) == 5


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_names_that_are_no_unicode_are_known_again(folder: Path, suffix: str) -> None:
    try:
        shutil.copy("in/c.png", os.fsdecode(b"in/\xff\xfe.png"))
    except OSError:
        pytest.skip("this system has no such names")
    assert len(run(Fake(), f"out{suffix}")) == 5
    assert run(Fake(), f"out{suffix}", resume=True) == []
    assert len(counts(f"out{suffix}")) == 5


@pytest.mark.parametrize("cut", [True, False])
def test_a_file_is_the_same_by_any_of_its_paths(folder: Path, cut: bool) -> None:
    run(Fake(until="d.png" if cut else ""), "out.csv")
    Path("link").symlink_to("in")
    left = ["d.png"] if cut else []
    assert run(Fake(), "out.csv", resume=True, source=str(folder / "in")) == [
        str(folder / "in" / name) for name in left
    ]
    assert run(Fake(), "out.csv", resume=True, source="link/../in/.") == []
    assert run(Fake(), "out.csv", resume=True, source="link") == []
    assert len(counts("out.csv")) == 4


@pytest.mark.parametrize(
    ("counter", "words"),
    [
        (Fake(model="other"), 'by the model "m" on fake cpu f32, but now it is "other"'),
        (Fake(precision="bf16"), "but now it is \"m\" on fake cpu bf16"),
        (Fake(sha="2"), "by other weights"),
    ],
    ids=["model", "precision", "weights"],
)  # fmt: skip
def test_another_model_is_refused_and_nothing_lost(folder: Path, counter: Fake, words: str) -> None:
    run(Fake(until="c.png"), "out.json")
    before = Path("out.json").read_bytes()
    with pytest.raises(InputError, match=words):
        run(counter, "out.json", resume=True)
    assert Path("out.json").read_bytes() == before
    assert run(Fake(), "out.json", resume=True) == ["in/c.png", "in/d.png"]


def three_frames(file: SourceFile, *, every_s: float, **_: object) -> Iterator[Item]:
    for number in range(3):
        pixels = np.full((8, 8, 3), number, np.uint8)
        name = f"{file.path}@{number * every_s:.1f}s"
        yield Item(name, Scene(pixels, source=name, name=name))


def test_a_video_is_counted_from_its_beginning_unless_it_was_counted_whole(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headcount.infer.job.read_items", three_frames)
    for name in ("v.mp4", "w.mp4"):
        Path(f"in/{name}").write_bytes(b"video")
    run(Fake(until="w.mp4@1"), "out.csv", source="in/*.mp4")
    assert len(counts("out.csv")) == 4
    with pytest.raises(InputError, match=r"a frame every 1\.0 s, but now it is one every 2\.0 s"):
        run(Fake(), "out.csv", source="in/*.mp4", resume=True, every_s=2.0)
    assert run(Fake(), "out.csv", source="in/*.mp4", resume=True) == [f"in/w.mp4@{second}.0s" for second in range(3)]
    assert len(counts("out.csv")) == 6


@pytest.mark.parametrize(("every_s", "new"), [(1.0, 0), (2.0, 3), (0.5, 3)])
def test_frames_of_a_run_that_had_ended_stay_where_they_are_as_far_apart(
    folder: Path, monkeypatch: pytest.MonkeyPatch, every_s: float, new: int
) -> None:
    monkeypatch.setattr("headcount.infer.job.read_items", three_frames)
    Path("in/v.mp4").write_bytes(b"video")
    run(Fake(), "out.jsonl", source="in/v.mp4")
    assert len(run(Fake(), "out.jsonl", source="in/v.mp4", resume=True, every_s=every_s)) == new
    assert set(counts("out.jsonl")) == {f"v.mp4@{number * every_s}s" for number in range(3)}


@pytest.mark.parametrize("suffix", [".txt", ".coco.json"])
def test_formats_that_do_not_tell_what_was_counted_are_refused(folder: Path, suffix: str) -> None:
    paint("in/7.png", 7)
    with pytest.raises(InputError, match=r"cannot be gone on with.*\.json, \.jsonl or \.csv"):
        open_results(Path(f"out{suffix}"), find_sources(["in/7.png"]), overwrite=False, resume=True)


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_half_a_row_of_a_power_cut_is_counted_again(folder: Path, suffix: str) -> None:
    output = f"out{suffix}"
    run(Fake(until="d.png"), output)
    Path(output).write_bytes(Path(output).read_bytes()[:-9])
    assert run(Fake(), output, resume=True) == ["in/c.png", "in/d.png"]
    assert len(counts(output)) == 4


@pytest.mark.parametrize(
    ("suffix", "content"), [(".csv", "image,x,y\na.png,1,2\n"), (".json", '{"a": 1}'), (".jsonl", "hello\n")]
)
def test_another_file_is_not_gone_on_with(folder: Path, suffix: str, content: str) -> None:
    Path(f"out{suffix}").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=f"out{suffix}"):
        run(Fake(), f"out{suffix}", resume=True)
    assert Path(f"out{suffix}").read_text(encoding="utf-8") == content


def test_an_interruption_before_the_first_row_leaves_nothing(folder: Path) -> None:
    assert run(Fake(until="a.png"), "out.csv") == ["interrupted"]
    assert [path.name for path in folder.iterdir()] == ["in"]


GATE = as_region([[0, 0], [9, 0], [9, 9]], file="gate.json")


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("cut", [True, False])
def test_what_was_counted_in_another_region_is_not_mixed_in(folder: Path, suffix: str, cut: bool) -> None:
    output = f"out{suffix}"
    run(Fake(until="c.png" if cut else ""), output, region=GATE)
    before = Path(output).read_bytes()
    for other, words in (
        (None, "whole images"),
        (as_region([[0, 0], [9, 0], [9, 8]], file="b.json"), 'interest ."b.json".'),
    ):
        with pytest.raises(InputError, match=rf'in a region of interest \("gate.json"\), but now it is in .*{words}'):
            run(Fake(), output, resume=True, region=other)
    assert Path(output).read_bytes() == before
    edited = as_region([[0, 0], [9, 0], [9, 8]], file="gate.json")
    with pytest.raises(InputError, match=r'\("gate.json"\), but now it is in another one'):
        run(Fake(), output, resume=True, region=edited)
    renamed = replace(GATE, file="same.json")
    assert run(Fake(), output, resume=True, region=renamed) == (["in/c.png", "in/d.png"] if cut else [])
    assert len(counts(output)) == 4


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_region_of_as_many_corners_as_there_may_be_is_gone_on_with(folder: Path, suffix: str) -> None:
    turn = np.linspace(0, 2 * np.pi, MOST_CORNERS, endpoint=False)
    round_ = as_region(1e-5 * np.stack([1 + np.cos(turn), 1 + np.sin(turn)], axis=1))  # of as many digits as can be
    run(Fake(until="c.png"), f"out{suffix}", region=round_)
    assert run(Fake(), f"out{suffix}", resume=True, region=round_) == ["in/c.png", "in/d.png"]


def test_whole_images_are_not_gone_on_with_in_a_region(folder: Path) -> None:
    run(Fake(until="c.png"), "out.csv")
    with pytest.raises(InputError, match="in whole images, but now it is in a region"):
        run(Fake(), "out.csv", resume=True, region=GATE)


def test_the_size_of_the_first_image_is_that_of_the_region_also_when_it_goes_on(folder: Path) -> None:
    run(Fake(until="c.png"), "out.csv", region=GATE)
    Image.new("RGB", (80, 60)).save("in/c.png")
    sources = find_sources(["in"])

    class Checks(Fake):
        def count(self, source: Scene, *, region: Region | None = None) -> Prediction:
            assert region is not None
            region.in_image(source.size_wh, source.source)
            return super().count(source, region=region)

    with open_results(Path("out.csv"), sources, overwrite=False, resume=True) as results:
        job = Job(Checks(), sources.files, results=results, resume=True, region=GATE)  # type: ignore[arg-type]
        events = list(job.run())
    assert 'is of images of 64×48 pixels, but "in/c.png" has 80×60' in events[0].text  # type: ignore[union-attr]
    assert (job.counted, job.skipped) == (1, 1)


def test_a_csv_of_before_there_were_regions_is_gone_on_with(folder: Path) -> None:
    run(Fake(), "out.csv")
    with Path("out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    with Path("old.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(row[:-1] for row in rows[:3])
    assert run(Fake(), "old.csv", resume=True) == ["in/c.png", "in/d.png"]
    assert counts("old.csv") == counts("out.csv")
    with Path("old.csv").open(encoding="utf-8", newline="") as file:
        assert {len(row) for row in csv.reader(file)} == {len(rows[0])}


def test_a_video_that_the_region_does_not_fit_is_skipped_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headcount.infer.job.read_items", three_frames)
    Path("in/v.mp4").write_bytes(b"video")

    class Checks(Fake):
        def count(self, source: Scene, *, region: Region | None = None) -> Prediction:
            assert region is not None
            region.in_image(source.size_wh, source.source)
            return super().count(source, region=region)

    job = Job(Checks(), find_sources(["in/v.mp4"]).files, region=GATE)  # type: ignore[arg-type]
    events = list(job.run())
    assert len(events) == job.skipped == 1
    assert "v.mp4@0.0s" in events[0].text  # type: ignore[union-attr]


def test_a_region_that_cannot_be_read_in_a_csv_is_told(folder: Path) -> None:
    run(Fake(), "out.csv", region=GATE)
    text = Path("out.csv").read_bytes().replace(b'{""file""', b'{""fi')
    Path("out.csv").write_bytes(text)
    with pytest.raises(InputError, match=r"out\.csv.*no valid JSON"):
        run(Fake(), "out.csv", resume=True, region=GATE)
