"""`headcount count`, as somebody at a terminal meets it."""

from __future__ import annotations

import csv
import json
import math
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from rich.cells import cell_len

from headcount.core.card import ModelCard
from headcount.core.errors import InputError
from headcount.core.interval import IntervalSpec

RunCli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder of these tests, with photos/1.png … 10.png in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for number in (1, 2, 10):
        noise = np.random.default_rng(number).integers(0, 256, (48, 64, 3), dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / "photos" / f"{number}.png")
    return tmp_path


@pytest.fixture
def count(run_cli: RunCli, tiny_model: str) -> RunCli:
    return lambda *arguments: run_cli("count", *arguments, "--model", tiny_model)


def test_one_image_is_one_line(photos: Path, count: RunCli) -> None:
    code, out, err = count("photos/1.png")
    assert (code, err) == (0, "")
    assert out.count("\n") == 1
    assert out.startswith("photos/1.png: ")
    assert out.endswith(" people\n")


def _with_range(model: str, folder: Path) -> str:
    """A copy of a model whose card knows the errors of its counts."""
    for suffix in (".onnx", ".json"):
        shutil.copy(Path(model).with_suffix(suffix), folder / f"tiny{suffix}")
    path = folder / "tiny.json"
    card = ModelCard.read(path)
    steps = tuple(np.linspace(-1, 1, 201).round(4))
    path.write_text(card.with_interval(IntervalSpec(below=-2, above=-1, quantiles=steps, images=999)).to_json())
    return str(folder / "tiny.onnx")


def test_the_range_stands_beside_the_count(photos: Path, tiny_model: str, run_cli: RunCli) -> None:
    model = _with_range(tiny_model, photos)
    code, out, err = run_cli("count", "photos/1.png", "--model", model, "-o", "a.json")
    assert (code, err) == (0, "")
    line, _ = out.splitlines()
    assert re.fullmatch(r"photos/1\.png: (\d+) people, 90 %: (\d+)–(\d+)", line)
    (saved,) = json.loads(Path("a.json").read_text())
    low, high = saved["interval"]
    assert saved["interval_level"] == 0.9
    assert line.endswith(f": {math.floor(low)}–{math.ceil(high)}")
    code, out, _ = run_cli("count", "photos", "--model", model, "--interval", "0.6", "-o", "a.csv")
    assert code == 0
    header, first, *_ = out.splitlines()
    assert "  people  range 60 %  size" in re.sub(r" {3,}", "  ", header)
    assert "–" in first
    with Path("a.csv").open(newline="", encoding="utf-8") as file:
        row = next(csv.DictReader(file))
    assert low <= float(row["low"]) <= float(row["count"]) <= float(row["high"]) <= high
    code, _, err = run_cli("count", "photos", "--model", model, "--interval", "2")
    assert code == 2
    assert "--interval" in err


def test_several_are_a_table_and_a_summary(photos: Path, count: RunCli) -> None:
    code, out, err = count("photos")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert [line.split()[0] for line in lines[1:4]] == ["1.png", "2.png", "10.png"]
    assert lines[4].startswith("3 images: ")
    assert " people in all, " in lines[4]
    assert max(map(len, lines)) <= 80


def test_long_names_are_shortened_in_the_middle(photos: Path, count: RunCli) -> None:
    for letter in "ab":
        shutil.copy("photos/1.png", f"photos/{letter}{'x' * 120}.png")
    _, out, _ = count("photos", "photos/a*.png")
    assert max(map(len, out.splitlines())) <= 80
    assert "…" in out


def test_wide_letters_do_not_hide_the_numbers(photos: Path, count: RunCli) -> None:
    for letter in "ab":
        shutil.copy("photos/1.png", f"photos/{letter}{'演唱会' * 25}.png")
    _, out, _ = count("photos")
    lines = out.splitlines()[:-1]
    assert max(map(cell_len, lines)) <= 80
    assert all(line.endswith(" 64×48") and line.split()[-2].isdecimal() for line in lines[1:])


def test_a_bad_file_in_a_folder_is_skipped(photos: Path, count: RunCli, bad_images: dict) -> None:
    for name in ("zero.jpg", "text.jpg", "cut.jpg", "huge.png"):
        shutil.copy(bad_images[name][0], photos / "photos")
    Path("photos/notes.md").write_text("no image", encoding="utf-8")
    code, out, err = count("photos")
    assert code == 1
    assert out.splitlines()[-1] == "4 files could not be counted and were skipped"
    assert err.count("Skipped: ") == len(err.splitlines()) == 4
    assert "3 images" in out


@pytest.mark.parametrize("name", ["missing.jpg", "zero.jpg", "text.jpg", "cut.jpg", "huge.png"])
def test_a_bad_file_by_itself_is_an_error(count: RunCli, bad_images: dict, name: str) -> None:
    code, out, err = count(bad_images[name][0])
    assert (code, out) == (2, "")
    assert err.startswith("Error: ")
    assert name in err
    assert err.count("\n") == 1


def test_every_odd_image_is_counted(count: RunCli, odd_images: dict) -> None:
    code, out, err = count(*(path for path, _, _ in odd_images.values()))
    assert code == 1  # an animation is not counted whole
    *small, pages = err.splitlines()
    assert small
    assert all(line.endswith(" pixels are too few to show people: the count means little.") for line in small)
    assert pages.startswith("Note: 1 file holds more than one picture, of which the first was counted: ")
    assert f"{len(odd_images)} images: " in out


def test_what_is_left_aside_is_said_and_shows_in_the_exit_code(photos: Path, count: RunCli) -> None:
    Path("photos/clip.mp4").write_bytes(b"something")
    Path("photos/scene.jp2").write_bytes(b"something")
    Path("photos/gone.jpg").symlink_to("nowhere.jpg")
    code, out, err = count("photos")
    assert code == 1
    assert "3 images: " in out
    assert err == (
        "Note: 3 files were left aside: 1 video (clip.mp4), 1 link that leads nowhere (gone.jpg), 1 JP2 (scene.jp2); "
        "convert images to JPEG or PNG, name videos one by one, fetch what the links lead to.\n"
    )
    code, out, err = count("photos/scene.jp2")
    assert (code, out) == (2, "")


def test_what_would_help_is_told_with_each_file(photos: Path, count: RunCli) -> None:
    Image.new("RGB", (20, 20)).save("photos/3.png")
    code, _, err = count("photos", "--max-pixels", "1000")
    assert code == 1
    assert err.count("shrink it, or raise the limit with --max-pixels.\n") == 3
    code, _, err = count("photos/1.png", "--max-pixels", "1000")
    assert code == 2
    assert err.endswith("shrink it, or raise the limit with --max-pixels.\n")


def test_a_surprise_in_one_file_does_not_end_the_run(
    photos: Path, count: RunCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    from headcount.infer.counter import Counter

    whole = Counter.count

    def surprised(self: Counter, source: object) -> object:
        if "2.png" in str(getattr(source, "source", "")):
            raise TypeError("no number")
        return whole(self, source)  # type: ignore[arg-type]

    monkeypatch.setattr(Counter, "count", surprised)
    code, out, err = count("photos", "--output", "out.json")
    assert code == 1
    assert err == 'Skipped: "photos/2.png" (TypeError: no number)\n'
    assert "2 images: " in out
    assert len(json.loads(Path("out.json").read_text(encoding="utf-8"))) == 2
    code, _, err = count("photos/2.png")
    assert code == 70
    assert "TypeError: no number" in err


def test_a_folder_of_which_nothing_is_counted_is_an_error(photos: Path, count: RunCli, bad_images: dict) -> None:
    (photos / "bad").mkdir()
    for name in ("zero.jpg", "text.jpg"):
        shutil.copy(bad_images[name][0], photos / "bad")
    code, out, err = count("bad", "--output", "out.json")
    assert (code, out) == (2, "")
    assert err.splitlines()[-1] == "Error: Nothing was counted: 2 files skipped."
    assert not Path("out.json").exists()


def test_a_missing_file_among_others_is_skipped(photos: Path, count: RunCli) -> None:
    code, out, err = count("photos/1.png", "no.png")
    assert code == 1
    assert out.startswith("photos/1.png: ")
    assert 'Skipped: There is no file or folder "no.png"' in err


@pytest.mark.parametrize("argument", ["no.png", "empty", "*.webp", "list.txt"])
def test_nothing_to_count(photos: Path, count: RunCli, argument: str) -> None:
    (photos / "empty").mkdir()
    (photos / "list.txt").touch()
    code, out, err = count(argument)
    assert (code, out) == (2, "")
    assert argument in err


def test_a_file_named_twice_counts_once(photos: Path, count: RunCli) -> None:
    code, out, err = count("photos", "photos/1.png", "photos/*.png")
    assert code == 0
    assert "3 images" in out
    assert "4 files named more than once" in err


@pytest.mark.parametrize("suffix", [".json", ".jsonl", ".csv"])
def test_output(photos: Path, count: RunCli, suffix: str) -> None:
    code, _, _ = count("photos", "--output", f"out{suffix}")
    assert code == 0
    text = Path(f"out{suffix}").read_text(encoding="utf-8")
    if suffix == ".csv":
        sources = [row["source"] for row in csv.DictReader(text.splitlines())]
    else:
        plain = json.loads(text) if suffix == ".json" else [json.loads(line) for line in text.splitlines()]
        sources = [one["source"] for one in plain]
    assert sources == ["photos/1.png", "photos/2.png", "photos/10.png"]
    code, out, err = count("photos", "--output", f"out{suffix}")
    assert (code, out) == (2, "")
    assert "--force" in err
    assert count("photos", "--output", f"out{suffix}", "--force")[0] == 0


def test_a_wrong_output_is_said_before_counting(photos: Path, count: RunCli) -> None:
    code, out, err = count("photos", "--output", "out.jsn")
    assert (code, out) == (2, "")
    assert 'Did you mean ".json"' in err


@pytest.mark.parametrize("draw", ["auto", "points", "density"])
def test_overlays(photos: Path, count: RunCli, draw: str) -> None:
    assert count("photos/1.png", "--save-dir", "new/overlays", "--draw", draw)[0] == 0
    with Image.open("new/overlays/1-counted.png") as picture:
        assert picture.size[0] == 64
        assert picture.size[1] >= 48  # below the strip with the number


def test_overlays_never_meet(photos: Path, count: RunCli) -> None:
    (photos / "more").mkdir()
    Image.open("photos/1.png").save("more/1.png")
    Image.open("photos/2.png").save("photos/1.jpg")
    code, _, _ = count("photos", "more", "--save-dir", "out")
    assert code == 0
    expected = {"1-counted.png", "1-2-counted.png", "1-3-counted.png", "2-counted.png", "10-counted.png"}
    assert {path.name for path in Path("out").iterdir()} == expected


def test_overlays_overwrite_nothing_unasked(photos: Path, count: RunCli) -> None:
    count("photos/1.png", "--save-dir", "out")
    before = Path("out/1-counted.png").read_bytes()
    code, out, err = count("photos/1.png", "--save-dir", "out")
    assert (code, out) == (2, "")
    assert "exists already" in err
    assert count("photos/1.png", "--save-dir", "out", "--force")[0] == 0
    assert Path("out/1-counted.png").read_bytes() == before
    assert count("photos", "--save-dir", "photos", "--force")[0] == 2
    Path("photos/1.png").rename("photos/1-counted.png")
    Image.new("RGB", (64, 48)).save("photos/1.png")
    code, _, err = count("photos/1.png", "photos/1-counted.png", "--save-dir", "photos", "--force")
    assert code == 2
    assert "is a source" in err


def test_a_picture_that_the_model_cannot_give_is_refused_before_counting(photos: Path, count: RunCli) -> None:
    code, out, err = count("photos", "--draw", "boxes", "--save-dir", "out", "--output", "a.json")
    assert (code, out) == (2, "")
    assert "gives no boxes to draw: choose points or density (--draw)" in err
    assert not Path("a.json").exists()
    for output in ("look.png", "a.csv"):  # --draw would be of no use, and nobody would know
        code, _, err = count("photos/1.png", "--draw", "density", "--output", output)
        assert (code, Path(output).exists()) == (2, False)
        assert "--save-dir DIR" in err
    code, _, err = count("photos", "--draw", "boxs")
    assert code == 2
    assert err.startswith('Error: There is no "boxs" for --draw.')
    assert 'Did you mean "boxes"' in err


def test_video(photos: Path, count: RunCli) -> None:
    writer = cv2.VideoWriter("v.mp4", cv2.VideoWriter_fourcc(*"mp4v"), 10, (64, 48))
    for _ in range(25):
        writer.write(np.full((48, 64, 3), 90, np.uint8))
    writer.release()
    code, out, _ = count("v.mp4", "--save-dir", "out", "--output", "v.jsonl")
    assert code == 0
    assert "v.mp4@2.0s" in out
    assert out.splitlines()[4].startswith("3 frames, ")
    assert "in all" not in out
    assert len(list(Path("out").glob("v.mp4@?.0s-counted.png"))) == 3
    assert count("v.mp4", "--save-dir", "out")[0] == 2
    assert count("v.mp4", "--save-dir", "out", "--every", "2", "--force")[0] == 0
    Path("bad.mp4").write_text("no video", encoding="utf-8")
    assert count("bad.mp4")[0] == 2
    code, out, _ = count("bad.mp4", "photos")
    assert code == 1
    assert "1 file could not be counted and was skipped" in out


def test_libraries_do_not_speak_between_our_lines(photos: Path, tiny_model: str) -> None:
    # In a process of its own: FFmpeg is told to be quiet before the first video is opened, and these tests open some.
    writer = cv2.VideoWriter("cut.avi", cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
    for _ in range(40):
        writer.write(np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8))
    writer.release()
    content = Path("cut.avi").read_bytes()
    Path("cut.avi").write_bytes(content[: len(content) // 2])
    Path("text.mp4").write_text("no video" * 99, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "headcount", "count", "cut.avi", "text.mp4", "photos/1.png", "--model", tiny_model],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == ["Note", "Skipped"]


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C comes at the image 10.png."""
    from headcount.infer.counter import Counter

    whole = Counter.count

    def until_the_tenth(self: Counter, source: object) -> object:
        if "10.png" in str(getattr(source, "source", "")):
            raise KeyboardInterrupt
        return whole(self, source)  # type: ignore[arg-type]

    monkeypatch.setattr(Counter, "count", until_the_tenth)


@pytest.mark.usefixtures("interrupted")
def test_an_interruption_keeps_what_was_counted(photos: Path, count: RunCli) -> None:
    code, out, err = count("photos", "--output", "out.json")
    assert code == 130
    assert "2 images" in out
    assert "Interrupted" in err
    assert len(json.loads(Path("out.json").read_text(encoding="utf-8"))) == 2


@pytest.mark.parametrize("writer", ["headcount.infer.overlays.save_png", "headcount.data.formats.predictions.os.fsync"])
def test_what_was_counted_is_shown_before_a_failure_to_write(
    photos: Path, count: RunCli, monkeypatch: pytest.MonkeyPatch, writer: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device") if "fsync" in writer else InputError("no room for 1-counted.png")

    monkeypatch.setattr(writer, full)
    code, out, err = count("photos", "--output", "out.json", "--save-dir", "out")
    assert code == 2
    assert "1.png " in out.splitlines()[1]
    assert "results in out.json" in out
    assert err.startswith("Error: ")
    rows = json.loads(Path("out.json").read_text(encoding="utf-8"))
    assert len(rows) == (1 if "save_png" in writer else 3)


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [(["photos/1.png"], 1), (["photos", "-o", "-"], 1), (["photos/1.png", "photos/gone.png"], 2)],
    ids=["one", "streamed", "with one skipped"],
)
def test_full_standard_output_is_one_sentence(photos: Path, tiny_model: str, arguments: list[str], lines: int) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    command = [sys.executable, "-m", "headcount", "count", *arguments, "--model", tiny_model]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == lines
    assert "no space left" in done.stderr


def test_names_too_long_for_the_system(photos: Path, count: RunCli) -> None:
    code, out, err = count("x" * 5000 + ".png")
    assert (code, out) == (2, "")
    assert "File name too long" in err
    assert count("photos/1.png", "y" * 5000, "--save-dir", "out")[0] == 1
    for option in ("--output", "--save-dir"):
        code, _, err = count("photos/1.png", option, "z" * 300 + ".json")
        assert (code, err.count("\n")) == (2, 1)
        assert "unforeseen" not in err


def test_overlays_of_long_names(photos: Path, count: RunCli) -> None:
    for letter in "ab":
        shutil.copy("photos/1.png", f"photos/{'名' * 80}{letter}.png")
    assert count("photos", "--save-dir", "out", "--output", "out.csv")[0] == 0
    assert len(list(Path("out").iterdir())) == 5


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--model", "headcount-z"], 'There is no model "headcount-z"'),
        (["--runtime", "openvin"], 'Did you mean "openvino"'),
        (["--every", "0"], "--every"),
        (["--device", "gpu"], "gpu"),
        (["--max-pixels", "100"], "over the limit of 100"),
    ],
)
def test_wrong_options(photos: Path, run_cli: RunCli, tiny_model: str, options: list[str], words: str) -> None:
    code, out, err = run_cli("count", "photos/1.png", "--model", tiny_model, *options)
    assert (code, out) == (2, "")
    assert words in err
    assert "Traceback" not in err


def test_an_error_moves_no_cursor(count: RunCli) -> None:
    code, _, err = count("\x1b[31mno.png")
    assert code == 2
    assert r'"\x1b[31mno.png"' in err


def test_a_name_that_is_no_unicode_is_printed(photos: Path, count: RunCli) -> None:
    name = b"caf\xe9\x1b[31m.png".decode("utf-8", "surrogateescape")
    try:
        shutil.copy("photos/1.png", name)
    except (OSError, UnicodeError):
        pytest.skip("this file system takes only Unicode names")
    code, out, _ = count(name)
    assert code == 0
    assert out.startswith(r"caf\udce9\x1b[31m.png: ")


@pytest.mark.usefixtures("interrupted")
def test_a_run_that_was_cut_off_goes_on(photos: Path, count: RunCli, monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, err = count("photos", "-o", "out.csv", "--save-dir", "seen")
    assert code == 130
    assert "results in out.csv" in out
    assert err == (
        "Interrupted: the rest was not counted; what was counted is in out.csv, and --resume goes on behind it.\n"
    )
    monkeypatch.undo()
    monkeypatch.chdir(photos)
    code, _, err = count("photos", "-o", "out.csv")
    assert code == 2
    assert err.endswith("of a run that was cut off: choose another name, or go on with --resume.\n")
    code, out, err = count("photos", "-o", "out.csv", "--save-dir", "seen", "--resume")
    assert (code, err) == (0, "Note: 2 rows of before are kept.\n")
    assert "3 images: " in out
    assert len(list(csv.DictReader(Path("out.csv").read_text(encoding="utf-8").splitlines()))) == 3
    assert len(list(Path("seen").iterdir())) == 3
    code, out, _ = count("photos", "-o", "out.csv", "--resume")
    assert code == 0
    assert "3 images: " in out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--resume"], "name it with --output"),
        (["--resume", "-o", "-"], "name it with --output"),
        (["--resume", "-o", "a.csv", "--force"], "choose one"),
        (["--resume", "-o", "7.txt"], "cannot be gone on with"),
    ],
)
def test_what_cannot_be_gone_on_with_is_said(photos: Path, count: RunCli, options: list[str], words: str) -> None:
    code, out, err = count("photos/1.png", *options)
    assert (code, out) == (2, "")
    assert words in err


@pytest.mark.parametrize("output", ["-", "-.jsonl", "-.json", "-.csv"])
def test_results_to_standard_output_are_nothing_else(photos: Path, count: RunCli, output: str) -> None:
    shutil.copy("photos/1.png", "photos/a\x1b\u202e.png")
    code, out, err = count("photos", "-o", output)
    assert (code, err) == (0, "")
    if output == "-.csv":
        sources = [row["source"] for row in csv.DictReader(out.splitlines())]
    else:
        plain = json.loads(out) if output == "-.json" else [json.loads(line) for line in out.splitlines()]
        sources = [one["source"] for one in plain]
    assert len(sources) == 4
    assert "photos/10.png" in sources
    assert {path.name for path in Path().iterdir()} == {"photos"}


def test_a_reader_that_goes_away_ends_the_run(photos: Path, tiny_model: str) -> None:
    command = f'"{sys.executable}" -m headcount count photos -m "{tiny_model}" -o - | true; echo "${{PIPESTATUS[0]}}"'
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_quiet_prints_what_is_wrong_alone(photos: Path, count: RunCli) -> None:
    assert count("photos", "photos/1.png", "-q", "-o", "out.csv") == (0, "", "")
    assert len(Path("out.csv").read_text(encoding="utf-8").splitlines()) == 4
    code, out, err = count("photos", "no.png", "--quiet")
    assert (code, out) == (1, "")
    assert err.startswith('Skipped: There is no file or folder "no.png"')


def test_folders_inside_folders_are_counted_where_asked_for(photos: Path, count: RunCli) -> None:
    (photos / "photos" / "day" / "hour").mkdir(parents=True)
    (photos / "photos" / ".cache").mkdir()
    for place in ("day", "day/hour", ".cache"):
        shutil.copy("photos/1.png", f"photos/{place}/5.png")
    (photos / "photos" / "day" / "up").symlink_to("..")
    assert "3 images: " in count("photos")[1]
    code, out, _ = count("photos", "--recursive", "-o", "out.csv")
    assert code == 0
    assert "5 images: " in out
    assert "photos/day/hour/5.png" in Path("out.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize("word", ["f32", "fp32", "float32"])
def test_the_numbers_have_one_word(photos: Path, count: RunCli, word: str) -> None:
    code, out, _ = count("photos/1.png", "--precision", word, "-o", "-")
    assert code == 0
    assert json.loads(out)["runtime"] == "openvino cpu f32"


def test_the_bar_keeps_its_colours_on_a_terminal_and_names_do_not(photos: Path, tiny_model: str) -> None:
    """A real terminal: the bar may move the cursor, a file's name may not."""
    pty = pytest.importorskip("pty", reason="this system has no terminals to make")
    shutil.copy("photos/1.png", "photos/a\x1b]0;title\x07.png")
    Path("photos/b\x1b[2J.png").write_bytes(b"no image")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "headcount", "count", "photos", "-m", tiny_model]
    done = subprocess.run(command, stdout=theirs, stderr=theirs, stdin=theirs, check=False)
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 65536):
            shown += part
    except OSError:  # the end, on Linux
        pass
    os.close(ours)
    assert done.returncode == 1
    assert b"Counting" in shown
    assert b"\x1b[" in shown
    assert b"\x1b]0;" not in shown
    assert b"\x1b[2J" not in shown
    assert rb"b\x1b[2J.png" in shown
    assert rb"\x1b[?25l" not in shown  # the bar's own, as it is


def test_the_density_map_of_one_image(photos: Path, count: RunCli) -> None:
    code, out, err = count("photos/1.png", "-o", "d.npy")
    assert (code, err) == (0, "")
    assert out.endswith("results in d.npy\n")
    density = np.load("d.npy", allow_pickle=False)
    code, out, _ = count("photos/1.png", "--output", "one.json")
    assert density.sum() == pytest.approx(json.loads(Path("one.json").read_text())[0]["count"], abs=0.01)
    assert "exists already" in count("photos/1.png", "-o", "d.npy")[2]
    assert count("photos/1.png", "-o", "look.png")[0] == 0
    assert '"all.npy" would hold one image, and here there may be several' in count("photos", "-o", "all.npy")[2]
    assert not Path("all.npy").exists()


def test_a_region_is_counted_alone_and_written_down(photos: Path, count: RunCli) -> None:
    Path("left.json").write_text("[[0, 0], [32, 0], [32, 48], [0, 48]]", encoding="utf-8")
    mask = np.zeros((48, 64), np.uint8)
    mask[:, :32] = 1
    Image.fromarray(mask).save("left.png")
    found = []
    for region in ("left.json", "left.png"):
        output = f"{region}.jsonl"
        code, out, err = count("photos", "--region", region, "--output", output, "--save-dir", f"over {region}")
        assert (code, err) == (0, "")
        assert f"in all inside {region}" in out
    assert "person inside left.json" in count("photos/1.png", "--region", "left.json")[1]
    for output in ("left.json.jsonl", "left.png.jsonl"):
        found.append([json.loads(line) for line in Path(output).read_text(encoding="utf-8").splitlines()])
    assert [row["count"] for row in found[0]] == [row["count"] for row in found[1]]
    assert found[0][0]["region"] == {"file": "left.json", "polygons_xy": [[[0, 0], [32, 0], [32, 48], [0, 48]]]}
    assert found[1][0]["region"]["file"] == "left.png"
    assert len(list(Path("over left.png").iterdir())) == 3
    code, _, err = count("photos", "--output", "left.png.jsonl", "--resume")
    assert code == 2
    assert "whole images" in err


def test_a_file_that_is_no_region_is_told_before_anything_is_counted(photos: Path, count: RunCli) -> None:
    Path("two.json").write_text("[[0, 0], [32, 0]]", encoding="utf-8")
    for region, words in (("two.json", "three corners"), ("none.json", "There is no"), ("photos/1.png", "many shades")):
        code, out, err = count("photos", "--region", region, "--output", "out.csv")
        assert (code, out) == (2, "")
        assert words in err
        assert len(err.splitlines()) == 1
        assert not Path("out.csv").exists()
