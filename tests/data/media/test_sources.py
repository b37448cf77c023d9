"""What a user names becomes images, in order, or one sentence."""

from __future__ import annotations

import os
import shutil
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from headcount.core.errors import InputError
from headcount.core.notes import Note
from headcount.data.media.sources import (
    LeftAside,
    SourceFile,
    expand_source,
    expected_items,
    note_of,
    read_items,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("10.jpg", "2.jpg", "B.PNG", "a1.png", ".hidden.jpg", "inner/3.jpg"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (8, 8)).save(path)
    (tmp_path / "notes.md").write_text("no image", encoding="utf-8")
    (tmp_path / "broken.jpg").touch()
    return tmp_path


def write_video(path: Path, *, frames: int = 30, rate: float = 10, noisy: bool = False) -> Path:
    """A video whose frame number n is as bright as 8 n, or of noise, which no codec makes small."""
    code = cv2.VideoWriter_fourcc(*("MJPG" if path.suffix == ".avi" else "mp4v"))
    writer = cv2.VideoWriter(str(path), code, rate, (96, 64))
    assert writer.isOpened()
    for number in range(frames):
        noise = np.random.default_rng(number).integers(0, 256, (64, 96, 3), dtype=np.uint8)
        writer.write(noise if noisy else np.full_like(noise, 8 * number))
    writer.release()
    return path


def names(argument: object, root: Path) -> list[str]:
    found = expand_source(str(argument))
    assert not [each for each in found if isinstance(each, InputError)]
    return [str(each.path.relative_to(root)) for each in found if isinstance(each, SourceFile)]


def left_aside(argument: object, **options: bool) -> dict[str, str]:
    found = expand_source(str(argument), **options)
    return {each.path.name: each.kind for each in found if isinstance(each, LeftAside)}


def test_a_folder_gives_its_images_in_natural_order(folder: Path) -> None:
    assert names(folder, folder) == ["2.jpg", "10.jpg", "a1.png", "B.PNG", "broken.jpg"]


def test_patterns(folder: Path) -> None:
    assert names(folder / "*.jpg", folder) == ["2.jpg", "10.jpg", "broken.jpg"]
    assert names(folder / "**" / "[0-9]*.jpg", folder) == ["2.jpg", "10.jpg", "inner/3.jpg"]
    assert names(folder / "*", folder) == ["2.jpg", "10.jpg", "a1.png", "B.PNG", "broken.jpg"]


def test_a_file_whose_name_looks_like_a_pattern_is_a_file(folder: Path) -> None:
    (folder / "10.jpg").rename(folder / "a[1].jpg")
    assert names(folder / "a[1].jpg", folder) == ["a[1].jpg"]


def test_lists(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    Image.new("RGB", (8, 8)).save(elsewhere / "here.png")
    monkeypatch.chdir(elsewhere)
    text = "\ufeff# a comment\n\n10.jpg\n  inner/3.jpg  \r\nno.jpg\nhere.png\n" + str(folder / "2.jpg")
    (folder / "list.txt").write_text(text, encoding="utf-8")
    found = expand_source(str(folder / "list.txt"))
    paths = [file.path for file in found if isinstance(file, SourceFile)]
    assert paths == [folder / "10.jpg", folder / "inner/3.jpg", Path("here.png"), folder / "2.jpg"]
    (problem,) = [file for file in found if isinstance(file, InputError)]
    assert "line 5" in str(problem)
    assert "no.jpg" in str(problem)


@pytest.mark.parametrize(
    ("line", "encoding"), [(".\\10.jpg", "utf-8"), ("inner\\3.jpg", "utf-16"), ("C:\\x\\2.jpg", "utf-8")]
)
def test_lists_of_another_system_are_read(folder: Path, line: str, encoding: str) -> None:
    (folder / "list.txt").write_text(f"{line}\r\n", encoding=encoding, newline="")
    (found,) = expand_source(str(folder / "list.txt"))
    assert isinstance(found, SourceFile)
    assert found.path.name == line.rpartition("\\")[2]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("empty", "holds no image"),
        ("other.txt", "lists in lists are not read"),
        ("gone.jpg", "leads nowhere"),
        ("x" * 5000, "File name too long"),
        ("missing.jpg", 'There is no image "missing.jpg", beside the list or here'),
    ],
)
def test_a_line_that_fails_says_why(folder: Path, line: str, words: str) -> None:
    (folder / "empty").mkdir()
    (folder / "other.txt").touch()
    (folder / "gone.jpg").symlink_to("nowhere.jpg")
    (folder / "list.txt").write_text(f"10.jpg\n{line}\n", encoding="utf-8")
    good, problem = expand_source(str(folder / "list.txt"))
    assert isinstance(good, SourceFile)
    assert words in str(problem)
    assert "line 2" in str(problem)


@pytest.mark.parametrize(
    ("argument", "words"), [("", "no path"), ("x" * 5000, "File name too long"), ("*" + "x" * 5000, "meets no image")]
)
def test_what_is_no_path(argument: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        expand_source(argument)


@pytest.mark.parametrize("target", ["nowhere.jpg", "link.jpg"])
def test_links_that_lead_nowhere(tmp_path: Path, target: str) -> None:
    (tmp_path / "link.jpg").symlink_to(tmp_path / target)
    with pytest.raises(InputError, match="is a link that leads nowhere"):
        expand_source(str(tmp_path / "link.jpg"))


def test_pipes_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(InputError, match="no regular file"):
        expand_source(str(tmp_path / "pipe.mp4"))


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("missing.jpg", "no file or folder"),
        ("empty", "holds no image"),
        ("*.webp", "meets no image"),
        ("em*y", "meets folders alone: end it with /\\*"),
        ("empty.txt", "names nothing"),
        ("binary.txt", "is no UTF-8 text"),
    ],
)
def test_what_leads_nowhere_is_named(tmp_path: Path, argument: str, words: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty.txt").write_text("# nothing\n\n", encoding="utf-8")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfa\x80\x81")
    with pytest.raises(InputError, match=words) as caught:
        expand_source(str(tmp_path / argument))
    assert argument in str(caught.value)


def test_an_image_is_not_opened_yet(folder: Path) -> None:
    (item,) = read_items(SourceFile(folder / "broken.jpg"))
    assert item.scene is not None
    assert item.name == item.scene.source == str(folder / "broken.jpg")


@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".mkv"])
@pytest.mark.parametrize(
    ("every_s", "seconds"), [(1.0, ["0.0", "1.0", "2.0"]), (0.8, ["0.0", "0.8", "1.6", "2.4"]), (100.0, ["0.0"])]
)
def test_frames_of_a_video(tmp_path: Path, suffix: str, every_s: float, seconds: list[str]) -> None:
    (file,) = expand_source(str(write_video(tmp_path / f"v{suffix}")))
    assert isinstance(file, SourceFile)
    assert file.kind == "video"
    assert expected_items(file, every_s=every_s) == len(seconds)
    items = list(read_items(file, every_s=every_s))
    assert [item.name for item in items] == [f"{file.path}@{second}s" for second in seconds]
    for item, second in zip(items, seconds, strict=True):
        assert item.scene is not None
        pixels = item.scene.pixels()
        assert pixels.shape == (64, 96, 3)
        assert abs(float(pixels.mean()) - 80 * float(second)) < 8


def test_every_frame_of_a_video_has_its_own_name(tmp_path: Path) -> None:
    items = list(read_items(SourceFile(write_video(tmp_path / "v.mp4", rate=30), "video"), every_s=0.001))
    assert len({item.name for item in items}) == len(items) == 30


def test_a_turned_video_comes_upright(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4")
    content = path.read_bytes()
    at = content.rindex(b"tkhd") + 4 + 40  # the display matrix of a version 0 track header
    quarter_turn = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    path.write_bytes(content[:at] + quarter_turn + content[at + 36 :])
    item = next(read_items(SourceFile(path, "video")))
    assert item.scene is not None
    assert item.scene.pixels().shape == (96, 64, 3)


@pytest.mark.parametrize(
    ("name", "content"), [("zero.mp4", b""), ("text.mp4", b"hello" * 99), ("text.avi", b"RIFF"), ("cut.mp4", None)]
)
def test_no_video(tmp_path: Path, name: str, content: bytes | None) -> None:
    (tmp_path / name).write_bytes(write_video(tmp_path / "v.mp4").read_bytes()[:300] if content is None else content)
    (item,) = read_items(SourceFile(tmp_path / name, "video"))
    assert item.scene is None
    assert name in str(item.problem)
    assert expected_items(SourceFile(tmp_path / name, "video")) == 1


@pytest.mark.parametrize("suffix", [".avi", ".mkv"])
def test_a_video_cut_short_counts_as_far_as_it_goes(tmp_path: Path, suffix: str) -> None:
    path = write_video(tmp_path / f"v{suffix}", frames=60, noisy=True)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    items = list(read_items(SourceFile(path, "video")))
    assert 2 <= sum(item.scene is not None for item in items) < 6
    assert items[-1].scene is None
    assert items[-1].problem is None
    assert "cut short" in items[-1].remark
    assert items[-1].is_incomplete


def test_a_video_is_counted_on_behind_a_damaged_stretch(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4", frames=200, noisy=True)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + len(content) // 10] = bytes(len(content) // 10)
    path.write_bytes(content)
    items = list(read_items(SourceFile(path, "video")))
    seconds = [float(item.name.rpartition("@")[2].rstrip("s")) for item in items if item.scene is not None]
    assert seconds == sorted(set(seconds))
    assert seconds[-1] == 19.0
    assert 16 <= len(seconds) <= 20
    assert all(item.is_incomplete for item in items if item.remark)


def test_large_frames_are_refused(tmp_path: Path) -> None:
    (item,) = read_items(SourceFile(write_video(tmp_path / "v.mp4"), "video"), max_pixels=100)
    assert "over the limit of 100" in str(item.problem)


def test_a_pattern_through_thousands_of_folders_is_refused(folder: Path) -> None:
    with pytest.raises(InputError, match=r"too many folders|no image|too long"):
        expand_source(str(folder / ("*" + "/a" * 3000)))


def some_image(path: Path) -> Path:
    path.parent.mkdir(exist_ok=True)
    Image.new("RGB", (8, 8)).save(path, "PNG" if path.suffix in ("", ".jpg ") else None)
    return path


def test_what_is_left_aside_in_a_folder_is_told_by_its_kind(tmp_path: Path) -> None:
    some_image(tmp_path / "a.jpg")
    some_image(tmp_path / ".hidden.png")
    some_image(tmp_path / "without")
    for name in ("b.JP2", "c.jxl", "d.CR2", "e.mp4", "._a.jpg", "notes.txt", "labels.json", "Thumbs.db", ".DS_Store"):
        (tmp_path / name).write_bytes(b"something")
    (tmp_path / "inner.jp2").mkdir()
    (tmp_path / "gone.jpg").symlink_to("nowhere.jpg")
    (tmp_path / "loop.png").symlink_to("loop.png")
    (tmp_path / ".#notes").symlink_to("somebody@host.123")
    (tmp_path / "holiday").symlink_to("/not/mounted")
    (tmp_path / "notes").write_text("something", encoding="utf-8")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    assert names(tmp_path, tmp_path) == ["a.jpg"]
    assert left_aside(tmp_path) == {
        ".hidden.png": "hidden file", "without": "image without a suffix", "b.JP2": "JP2", "c.jxl": "JXL",
        "d.CR2": "camera raw", "e.mp4": "video", "gone.jpg": "link that leads nowhere",
        "loop.png": "link that leads nowhere", "holiday": "link that leads nowhere",
    }  # fmt: skip


def test_images_with_the_suffix_of_none_are_told(tmp_path: Path) -> None:
    some_image(tmp_path / "a.pbm")
    for name in ("b.jpg_large", "c.jpg.bak", "d.png ", ".e.jpg~", "f.txt"):
        shutil.copy(some_image(tmp_path / "whole"), tmp_path / name)
    (tmp_path / "whole").unlink()
    for name in ("g.db", "h.pcx"):
        (tmp_path / name).write_bytes(b"something")
    (tmp_path / "i.db").symlink_to("nowhere")
    odd = "image with another suffix"
    assert names(tmp_path, tmp_path) == ["a.pbm"]
    told = {"b.jpg_large": odd, "c.jpg.bak": odd, "d.png ": odd, "h.pcx": "PCX"}
    assert left_aside(tmp_path) == {**told, ".e.jpg~": "hidden file"}
    assert left_aside(tmp_path / "*") == told


def test_a_pattern_meets_videos_and_leaves_the_rest_aside(tmp_path: Path) -> None:
    some_image(tmp_path / "a.jpg")
    some_image(tmp_path / ".hidden.png")
    for name in ("b.jp2", "e.mp4", "notes.txt"):
        (tmp_path / name).write_bytes(b"something")
    assert names(tmp_path / "*", tmp_path) == ["a.jpg", "e.mp4"]
    assert left_aside(tmp_path / "*") == {"b.jp2": "JP2"}
    assert names(tmp_path / ".*", tmp_path) == [".hidden.png"]


def test_a_folder_of_nothing_that_is_read_says_what_is_in_it(tmp_path: Path) -> None:
    for name in ("b.jp2", "e.mp4"):
        (tmp_path / name).write_bytes(b"something")
    with pytest.raises(
        InputError, match=r"holds no image that can be read: 2 files were left aside: 1 JP2 \(b.jp2\), 1 video"
    ):
        expand_source(str(tmp_path))


def test_folders_inside_are_walked_where_that_is_asked_for(folder: Path) -> None:
    (folder / "inner" / "up").symlink_to("..")
    assert names(folder, folder)[-1] == "broken.jpg"
    found = [
        str(each.path.relative_to(folder))
        for each in expand_source(str(folder), recursive=True)
        if isinstance(each, SourceFile)
    ]
    assert found == ["2.jpg", "10.jpg", "a1.png", "B.PNG", "broken.jpg", "inner/3.jpg"]


def test_what_may_not_be_looked_at_is_one_problem(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked = os.stat

    def closed(path: object, **options: object) -> os.stat_result:
        if str(path).endswith("10.jpg"):
            raise PermissionError(13, "Permission denied")
        return looked(path, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "stat", closed)
    found = expand_source(str(folder))
    assert [str(each) for each in found if isinstance(each, InputError)] == [
        f'"{folder / "10.jpg"}" may not be read: change its permissions.'
    ]
    assert len([each for each in found if isinstance(each, SourceFile)]) == 4


def test_names_with_newlines_and_dots_are_files(tmp_path: Path) -> None:
    for name in ("a\nb.jpg", " .jpg", "...jpg.png", "-o.jpg"):
        some_image(tmp_path / name)
    assert names(tmp_path, tmp_path) == [" .jpg", "-o.jpg", "a\nb.jpg"]
    assert left_aside(tmp_path) == {"...jpg.png": "hidden file"}
    assert names(tmp_path / "a\nb.jpg", tmp_path) == ["a\nb.jpg"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_lines_are_what_people_and_programs_write(folder: Path, encoding: str) -> None:
    (folder / "10.jpg").rename(folder / "#1.jpg")
    (folder / "B.PNG").rename(folder / '"quoted".png')
    some_image(folder / " spaced.jpg ")
    lines = [
        "#1.jpg",
        '"2.jpg"',
        "'a1.png'",
        '"quoted".png',
        "# a comment",
        "#2.jpg",
        " spaced.jpg ",
        f'  "{folder / "broken.jpg"}"',
        "",
    ]
    (folder / "list.txt").write_text("\r\n".join(lines), encoding=encoding, newline="")
    found = expand_source(str(folder / "list.txt"))
    assert [each.path.name for each in found if isinstance(each, SourceFile)] == [
        "#1.jpg", "2.jpg", "a1.png", '"quoted".png', " spaced.jpg ", "broken.jpg",
    ]  # fmt: skip
    (note,) = [each for each in found if isinstance(each, Note)]
    assert '1 line of images that were taken for comments (line 6: "#2.jpg")' in note.text


def test_brackets_in_a_list_are_taken_as_they_are(tmp_path: Path) -> None:
    some_image(tmp_path / "trip [2024]" / "a.jpg")
    (tmp_path / "list.txt").write_text("trip [2024]/*.jpg\ntrip [2024]/b.jpg\n", encoding="utf-8")
    good, problem = expand_source(str(tmp_path / "list.txt"))
    assert isinstance(good, SourceFile)
    assert 'line 2: There is no image "trip [2024]/b.jpg"' in str(problem)
    with pytest.raises(InputError, match="There is no file or folder"):
        expand_source(str(tmp_path / "trip [2024]" / "b.jpg"))


def test_the_note_names_three_of_a_kind_and_what_to_do() -> None:
    left = [LeftAside(Path(f"{k}.mp4"), "video") for k in range(5)] + [LeftAside(Path("x.heic"), "HEIC")]
    note = note_of(left)
    assert note is not None
    assert note.text.startswith("6 files were left aside: 5 videos (0.mp4, 1.mp4, 2.mp4, …), 1 HEIC (x.heic); convert")
    assert "install what reads HEIC" in note.text
    assert note.text.endswith("name videos one by one.")
    assert note_of([]) is None
    left = [LeftAside(Path("a.mp4"), "video"), LeftAside(Path(".b.jpg"), "hidden file")]
    assert note_of(left).text.endswith("(.b.jpg); name videos and hidden files one by one.")  # type: ignore[union-attr]
