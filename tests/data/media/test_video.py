"""Frames out of videos: the same pixels in whichever order they are asked for, and little held meanwhile."""

from __future__ import annotations

import importlib.util
import pickle
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headcount.core.errors import InputError, MissingFileError
from headcount.core.image import RgbImage
from headcount.core.scene import Scene
from headcount.data.augment.spatial import Window, crop
from headcount.data.media import video as module
from headcount.data.media.video import Video, is_video_name

BITS, BLOCK_PX = 6, 16
SIZE_WH = (BITS * BLOCK_PX, 48)
FRAMES = 40


def picture(number: int) -> RgbImage:
    """A frame that says its number: a block for each bit, under a strip of its own colour."""
    image = np.zeros((SIZE_WH[1], SIZE_WH[0], 3), np.uint8)
    for bit in range(BITS):
        image[16:, bit * BLOCK_PX : (bit + 1) * BLOCK_PX] = 230 if number >> bit & 1 else 20
    image[:16] = (200, 30, 30)
    return image


def said(image: RgbImage) -> int:
    """The number that a frame says."""
    centres = image[32, BLOCK_PX // 2 :: BLOCK_PX, 0]
    return sum(1 << bit for bit, value in enumerate(centres) if value > 128)


def write_video(path: Path, frames: int = FRAMES, draw: Callable[[int], RgbImage] = picture) -> Path:
    codec = {".avi": "MJPG", ".webm": "VP80"}.get(path.suffix, "mp4v")
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), 10, SIZE_WH)
    assert writer.isOpened()
    for number in range(frames):
        writer.write(np.ascontiguousarray(draw(number)[:, :, ::-1]))
    writer.release()
    return path


def write_h264(path: Path, frames: int = FRAMES) -> Path:
    """Frames that refer to later ones, keyed rarely: where seeking goes wrong most."""
    av = pytest.importorskip("av", reason="H.264 is written with PyAV (video extra)")
    with av.open(str(path), "w") as file:
        try:
            stream = file.add_stream("libx264", rate=10, options={"bf": "3", "g": "17", "crf": "12"})
        except ValueError:
            pytest.skip("this PyAV writes no H.264")
        stream.width, stream.height, stream.pix_fmt = *SIZE_WH, "yuv420p"
        for number in range(frames):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture(number), format="rgb24")))
        file.mux(stream.encode())
    return path


@pytest.fixture(params=["a.mp4", "a.avi", "a.webm", "h264.mp4"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return (write_h264 if request.param.startswith("h264") else write_video)(tmp_path / request.param)


def test_a_frame_is_the_same_read_forward_backward_and_anywhere(path: Path) -> None:
    video = Video(path)
    forward = [video.read(number) for number in range(FRAMES)]
    assert [said(image) for image in forward] == list(range(FRAMES))
    assert forward[0].shape == (*SIZE_WH[::-1], 3)
    assert forward[0][8, 8, 0] > 150 > 100 > forward[0][8, 8, 2]  # red is first
    anywhere = np.random.default_rng(5).integers(0, FRAMES, 25).tolist()
    for number in [*range(FRAMES - 1, -1, -4), *anywhere, 7, 7, 8, 7]:
        np.testing.assert_array_equal(video.read(number), forward[number])


def test_threads_get_their_own_frames(path: Path) -> None:
    order = np.random.default_rng(1).integers(0, FRAMES, 40).tolist()
    with ThreadPoolExecutor(4) as pool:
        assert [said(image) for image in pool.map(Video(path).read, order)] == order


def test_few_videos_stay_open(tmp_path: Path) -> None:
    paths = [write_video(tmp_path / f"{n}.avi", 3) for n in range(7)]
    for number in (0, 2, 1):
        for one in paths:
            assert said(Video(one).read(number)) == number
    assert len(module._streams.idle) <= 4


def test_rising_numbers_go_on_where_the_last_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_video(tmp_path / "a.mp4")
    opened: list[Path] = []
    open_video = module._open_video
    Video(path).size_wh()
    monkeypatch.setattr(module, "_streams", module._Streams())
    monkeypatch.setattr(module, "_open_video", lambda path: opened.append(path) or open_video(path))
    for number in (0, 0, 3, 3, 20, 39):
        Video(path).read(number)
    assert len(opened) == 1
    Video(path).read(5)
    assert len(opened) == 2


def test_nothing_is_opened_before_a_frame_is_asked_for(tmp_path: Path) -> None:
    frame = Video(tmp_path / "none.mp4").frame(3)
    assert str(frame) == f"{tmp_path / 'none.mp4'}#3"
    with pytest.raises(MissingFileError):
        frame.pixels()


def test_a_video_that_has_changed_is_read_anew(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.avi", 3)
    assert said(Video(path).read(2)) == 2
    write_video(path, 9)
    assert said(Video(path).read(8)) == 8


def test_a_frame_is_a_scenes_image(path: Path) -> None:
    scene = Scene(Video(path).frame(5), np.array([[3.0, 4.0]]))
    assert scene.size_wh == SIZE_WH
    assert said(scene.pixels()) == 5
    shown = crop(scene, Window(SIZE_WH, (0, 0, 48, 48), (48, 48)))
    np.testing.assert_array_equal(shown.pixels(), scene.pixels()[:, :48])
    assert pickle.loads(pickle.dumps(scene.image)) == scene.image
    with pytest.raises(InputError, match="over the limit of 10"):
        scene.pixels(max_pixels=10)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:300])


@pytest.mark.parametrize(
    ("number", "damage", "words"),
    [
        (FRAMES, None, f"has {FRAMES} frames, numbered from 0, so there is no frame {FRAMES}"),
        (-1, None, "frames are counted from 0"),
        (0, _cut, "without the index of its frames"),
        (0, lambda path: path.write_bytes(b""), "is empty"),
        (0, lambda path: path.write_text("a video"), "is no video that can be read"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, number: int, damage: object, words: str) -> None:
    path = write_video(tmp_path / "a.mp4")
    if damage is not None:
        damage(path)  # type: ignore[operator]
    for _ in range(2):
        with pytest.raises(InputError, match=words) as caught:
            Video(path).read(number)
        assert "a.mp4" in str(caught.value)
    if damage is None:
        assert said(Video(path).read(FRAMES - 1)) == FRAMES - 1


@settings(deadline=None, max_examples=25)
@given(st.binary(max_size=300), st.integers(0, 3000))
def test_a_damaged_video_is_an_input_error_or_frames(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, at: int
) -> None:
    path = write_video(tmp_path_factory.mktemp("damaged") / "a.avi", 4)
    content = bytearray(path.read_bytes())
    content[at : at + len(noise)] = noise
    path.write_bytes(bytes(content))
    for number in (0, 3):
        with suppress(InputError):
            image = Video(path).read(number)
            assert image.dtype == np.uint8
            assert image.shape[2] == 3


class Scripted:
    """A capture that gives what a list says: the clock of a frame in ms, or None where no frame can be read."""

    def __init__(self, frames: list[float | None], declared: int = 0, start_frames: int = 0) -> None:
        self.left, self.clock_ms, self.declared, self.start_frames = list(frames), 0.0, declared, start_frames

    def grab(self) -> bool:
        clock_ms = self.left.pop(0) if self.left else None
        self.clock_ms = self.clock_ms if clock_ms is None else clock_ms
        return clock_ms is not None

    def get(self, name: int) -> float:
        known = {
            cv2.CAP_PROP_FPS: 10.0, cv2.CAP_PROP_FRAME_COUNT: self.declared, cv2.CAP_PROP_POS_MSEC: self.clock_ms,
            cv2.CAP_PROP_PTS: self.start_frames,
        }  # fmt: skip
        return known[name]


def clock(*seconds: float) -> list[float | None]:
    return [1000 * second for second in seconds]


TENTHS = [100.0 * number for number in range(40)]
HOLE: list[float | None] = [None] * 12


@pytest.mark.parametrize(
    ("frames", "seconds", "gaps", "steps_back"),
    [
        ([], [], [], []),
        (clock(0, 0.1, 0.2), [0, 0.1, 0.2], [], []),
        (clock(0, 0, 0), [0, 0.1, 0.2], [], []),  # no clock
        (clock(0, 0.5, 3), [0, 0.5, 3], [], []),  # a rate that varies
        (clock(0, 0.1, 0, 0.1), [0, 0.1, 0.2, 0.3], [], [0.1]),  # joined end to end
        (clock(0, 3.9, 0.2, 4.0, 4.1), [0, 3.9, 4.0, 4.001, 4.1], [], []),  # astray for a frame
        ([*TENTHS[:3], None, *TENTHS[3:6]], [0, 0.1, 0.2, 0.3, 0.4, 0.5], [(0.2, 0.1)], []),
        ([*TENTHS[:3], *HOLE, *TENTHS[15:]], [0, 0.1, 0.2, *(0.1 * n for n in range(15, 40))], [(0.2, 1.2)], []),
    ],
)
def test_time_goes_on_whatever_the_reader_and_the_clock_say(
    monkeypatch: pytest.MonkeyPatch, frames: list[float | None], seconds: list[float], gaps: object, steps_back: object
) -> None:
    monkeypatch.setattr(module, "_open_video", lambda _: Scripted(frames))
    stream = module.FrameStream(Path("a.mp4"))
    found = []
    while stream.grab():
        found.append(stream.second)
    assert found == pytest.approx(seconds)
    assert [(round(gap.second, 3), round(gap.seconds, 3)) for gap in stream.gaps] == gaps
    assert [round(second, 3) for second in stream.steps_back] == steps_back
    assert stream.next == len(seconds)


@pytest.mark.parametrize(("declared", "frames"), [(0, 1), (900, 2)])
def test_a_long_damaged_stretch_is_passed_where_the_video_says_that_more_comes(
    monkeypatch: pytest.MonkeyPatch, declared: int, frames: int
) -> None:
    script: list[float | None] = [0.0, *[None] * 800, 80_100.0]
    monkeypatch.setattr(module, "_open_video", lambda _: Scripted(script, declared))
    stream = module.FrameStream(Path("a.mp4"))
    assert sum(iter(stream.grab, False)) == frames


def test_a_frame_behind_a_damaged_stretch_is_not_given_a_number(tmp_path: Path) -> None:
    def noise(number: int) -> RgbImage:
        return np.random.default_rng(number).integers(0, 256, (*SIZE_WH[::-1], 3), dtype=np.uint8)

    path = write_video(tmp_path / "a.mp4", draw=noise)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + len(content) // 8] = bytes(len(content) // 8)
    path.write_bytes(content)
    assert Video(path).read(3).shape == (*SIZE_WH[::-1], 3)
    with pytest.raises(InputError, match=r"a\.mp4\" (is damaged before frame|has \d+ frames)"):
        Video(path).read(FRAMES - 6)


def test_names_of_videos() -> None:
    assert is_video_name(Path("a.MP4"))
    assert not is_video_name(Path("a.jpg"))


def test_no_thread_is_left(path: Path) -> None:
    before = threading.active_count()
    Video(path).read(1)
    assert threading.active_count() == before


def test_a_matroska_that_begins_late_says_when_it_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.mkv").write_bytes(b"\x1a\x45\xdf\xa3")
    monkeypatch.setattr(module, "_open_video", lambda _: Scripted(clock(0, 0.1), declared=73 + 2, start_frames=73))
    stream = module.FrameStream(tmp_path / "a.mkv")
    assert stream.declared_s == pytest.approx(7.5)  # not known yet
    assert stream.grab()
    assert stream.declared_s == pytest.approx(0.2)


def test_pauses_are_none_where_all_the_frames_came(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = [number / 10 + 9 * (number >= 10) for number in range(20)]
    for declared, pauses in ((20, 0), (21, 1), (0, 1)):
        monkeypatch.setattr(module, "_open_video", lambda _: Scripted(clock(*seconds), declared))  # noqa: B023
        stream = module.FrameStream(Path("a.mp4"))
        assert sum(iter(stream.grab, False)) == 20
        assert len(stream.pauses) == pauses


def test_a_playlist_is_no_video(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("#EXTM3U\n#EXTINF:1,\nother.ts\n", encoding="utf-8")
    with pytest.raises(InputError, match="a list of videos, not a video"):
        Video(tmp_path / "a.mp4").read(0)


def test_a_video_that_is_not_decoded_is_named_by_its_codec(tmp_path: Path) -> None:
    content = write_video(tmp_path / "a.mp4").read_bytes()
    for letters, words in ((b"av01", "is AV1 video, .*convert it"), (b"qqqq", r"\(qqqq\) can be read.*convert it")):
        (tmp_path / "my video.mp4").write_bytes(content.replace(b"mp4v", letters).replace(b"esds", b"free"))
        with pytest.raises(InputError, match=words) as caught:
            Video(tmp_path / "my video.mp4").read(0)
        assert "ffmpeg -i 'my video.mp4' -c:v libx264" in str(caught.value)


def test_a_video_is_decoded_by_as_many_threads_as_opencv_has(tmp_path: Path) -> None:
    before = cv2.getNumThreads()
    path = write_h264(tmp_path / "a.mp4") if importlib.util.find_spec("av") else write_video(tmp_path / "a.mp4")
    cv2.setNumThreads(1)
    try:
        assert module.FrameStream(path)._video.get(cv2.CAP_PROP_N_THREADS) == 1
    finally:
        cv2.setNumThreads(before)


def test_a_matroska_whose_sound_is_longer_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(tags: bytes, content: bytes = b"\x1a\x45\xdf\xa3") -> str:
        (tmp_path / "a").write_bytes(content + tags)
        monkeypatch.setattr(module, "_open_video", lambda _: Scripted(TENTHS, declared=200))
        stream = module.FrameStream(tmp_path / "a")
        while stream.grab():
            pass
        return stream.missing_end()

    tags = b"DURATION\x44\x87\x9400:00:04.000000000\0\0DURATION\x44\x87\x9400:00:20.000000000\0\0"
    assert missing(tags) == ""
    assert "ends after 4.0 s though it says 20.0 s" in missing(tags.replace(b":04", b":19"))
    assert "ends after 4.0 s though it says 20.0 s" in missing(b"")
    assert "or its sound alone goes on" in missing(b"", b"\x00\x00\x01\xba")


def test_a_file_of_sound_alone_is_named(tmp_path: Path) -> None:
    content = write_video(tmp_path / "a.mp4").read_bytes()
    (tmp_path / "b.mp4").write_bytes(content.replace(b"vide", b"soun").replace(b"mp4v", b"mp4a"))
    with pytest.raises(InputError, match="holds no video track: it may be sound alone"):
        Video(tmp_path / "b.mp4").read(0)
