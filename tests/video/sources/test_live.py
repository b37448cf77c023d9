"""A camera's newest frame, how it does, and that it comes back: real servers on this machine, real time-outs."""

from __future__ import annotations

import http.server
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from headcount.core.errors import InputError
from headcount.data.media.video import FrameStream
from headcount.video.measurement import CameraStatus
from headcount.video.site import CameraSettings
from headcount.video.sources import live as module
from headcount.video.sources import readers
from headcount.video.sources.live import LiveSource, grab
from headcount.video.sources.readers import VideoReader
from headcount.video.sources.source import read_source

from ..films import RtspServer, mute, picture, said, serving, write_film

pytest.importorskip("av", reason="cameras are read with PyAV (video extra)")
pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
SECRET = "hunter2"


class Watched:
    """A source that is watched, and all that it told."""

    def __init__(self, source: str | Path, **settings: Any) -> None:
        settings = {"timeout_s": 1.0, **settings}
        self.told: list[CameraStatus] = []
        self.camera = CameraSettings(name="gate", source=str(source), **settings)
        self.live = LiveSource(self.camera, folder=Path("/"), changed=self.told.append)

    @property
    def states(self) -> list[str]:
        return [status.state for status in self.told]

    def until(self, *states: str, within_s: float = 10, count: int = 1) -> CameraStatus:
        """Wait until one of the states was told so often; the status that told it."""
        end = time.monotonic() + within_s
        while time.monotonic() < end:
            found = [status for status in list(self.told) if status.state in states]
            if len(found) >= count:
                return found[-1]
            time.sleep(0.01)
        raise AssertionError(f"{states} was not told within {within_s} s, but {self.told}")

    def frames(self, number: int, within_s: float = 10) -> list[module.Frame]:
        """The next so many frames."""
        found: list[module.Frame] = []
        end, last = time.monotonic() + within_s, -1
        while len(found) < number and time.monotonic() < end:
            frame = self.live.newest(last, 0.2)
            if frame is not None:
                found.append(frame)
                last = frame.number
            elif self.live.is_over:
                break
        return found


@contextmanager
def watching(source: str | Path, **settings: Any) -> Iterator[Watched]:
    watched = Watched(source, **settings)
    watched.live.start()
    try:
        yield watched
    finally:
        watched.live.close()


@pytest.fixture
def no_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.Backoff, "next_s", lambda self: 0.2)


def test_an_rtsp_camera_is_online_lost_and_back_online(rtsp: Callable[..., RtspServer], no_jitter: None) -> None:
    server = rtsp()
    with watching(server.address) as watched:
        watched.until("online")
        first = watched.frames(3)
        assert [frame.number for frame in first] == sorted({frame.number for frame in first})
        assert first[0].pixels.shape == (96, 160, 3)
        assert said(first[-1].pixels) > said(first[0].pixels)
        killed = time.monotonic()
        server.kill()
        lost = watched.until("offline", "stale", within_s=2.5)
        assert time.monotonic() - killed < 2.5
        assert "127.0.0.1" in lost.reason
        server.start()
        back = watched.until("online", count=2)
        assert back.reconnects == 1
        assert back.reason == ""
        assert back.frames > first[-1].number  # numbers go on


def test_a_camera_that_freezes_is_stale_within_its_time_out(rtsp: Callable[..., RtspServer], no_jitter: None) -> None:
    server = rtsp()
    with watching(server.address) as watched:
        watched.until("online")
        assert server.process is not None
        os.kill(server.process.pid, signal.SIGSTOP)  # its connection stands, and nothing comes
        try:
            stale = watched.until("stale", within_s=3)
        finally:
            os.kill(server.process.pid, signal.SIGCONT)
        assert stale.reason.startswith("127.0.0.1")
        assert watched.until("online", count=2).reconnects == 1


def test_a_wrong_path_is_said(rtsp: Callable[..., RtspServer]) -> None:
    with watching(rtsp().address.replace("/live", "/lvie")) as watched:
        assert "nothing at this path (404)" in watched.until("offline").reason


def test_a_wrong_password_is_said_and_never_shown(
    rtsp: Callable[..., RtspServer],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = rtsp("ann", "r/ght#1@?")
    monkeypatch.setenv("GATE_PASSWORD", "r/ght#1@?")
    with caplog.at_level(logging.DEBUG), watching(server.address.replace("//", f"//ann:{SECRET}@")) as watched:
        told = watched.until("offline")
        assert "name or password (401)" in told.reason
        assert SECRET not in repr(watched.told) + repr(watched.live.source) + repr(watched.live.status())
    with watching(server.address.replace("//", "//ann:${GATE_PASSWORD}@")) as watched:
        assert watched.until("online").reason == ""
    assert capfd.readouterr() == ("", "")
    assert SECRET not in caplog.text
    assert "ght" not in caplog.text


@pytest.mark.parametrize("scheme", ["rtsp", "http"])
def test_a_camera_that_takes_the_connection_and_says_nothing_is_given_up(scheme: str) -> None:
    with mute() as port, watching(f"{scheme}://127.0.0.1:{port}/live") as watched:
        told = watched.until("offline", within_s=3)
    assert told.reason == (f"127.0.0.1:{port} sent nothing for 1 s: check the address, and whether the camera is on.")
    assert told.last_frame_at is None


def test_a_port_at_which_nothing_listens_is_said() -> None:
    with watching("rtsp://127.0.0.1:1/live") as watched:
        assert "Nothing listens at 127.0.0.1:1 (connection refused)" in watched.until("offline").reason


def test_an_unknown_name_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with watching("rtsp://ann:hunter2@no-such-host.invalid/live") as watched:
        told = watched.until("offline")
    assert told.reason.startswith('The name "no-such-host.invalid" is unknown')


def test_mjpeg_over_http_is_watched(mjpeg: int) -> None:
    with watching(f"http://127.0.0.1:{mjpeg}/live", timeout_s=3) as watched:
        watched.until("online")
        numbers = [said(frame.pixels) for frame in watched.frames(5)]
    assert numbers == sorted(set(numbers))


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("nothing", "nothing at this path (404)"),
        ("secret", "name or password (401)"),
        ("page", "no video that can be read"),
        ("picture.jpg", "sends one picture, not a video"),
    ],
)
def test_what_else_an_http_server_may_say(mjpeg: int, path: str, words: str) -> None:
    with watching(f"http://127.0.0.1:{mjpeg}/{path}", timeout_s=3) as watched:
        assert words in watched.until("offline").reason


def _in_folder(folder: Path) -> Callable[..., Any]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return partial(Quiet, directory=str(folder))


def test_hls_is_watched_at_its_own_pace_and_ends(tmp_path: Path) -> None:
    write_film(tmp_path / "list.m3u8", frames=20, form="hls", hls_time="1", hls_list_size="0")
    with serving(_in_folder(tmp_path)) as port:
        began = time.monotonic()
        with watching(f"http://127.0.0.1:{port}/list.m3u8", timeout_s=3) as watched:
            frames = watched.frames(40)
            watched.until("ended")
        assert time.monotonic() - began > 1.5
    assert [said(frame.pixels) for frame in frames] == sorted({said(frame.pixels) for frame in frames})
    assert len(frames) > 10


def test_live_hls_that_gets_no_more_segments_is_stale(tmp_path: Path) -> None:
    write_film(tmp_path / "list.m3u8", frames=20, form="hls", hls_time="1", hls_list_size="0")
    text = (tmp_path / "list.m3u8").read_text(encoding="utf-8")
    (tmp_path / "list.m3u8").write_text(text.replace("#EXT-X-ENDLIST\n", ""), encoding="utf-8")
    with serving(_in_folder(tmp_path)) as port, watching(f"http://127.0.0.1:{port}/list.m3u8", timeout_s=2) as watched:
        watched.until("online")
        assert len(watched.frames(8)) == 8
        told = watched.until("stale", "offline", within_s=15)
    assert told.state == "stale"
    assert "nothing for 2 s" in told.reason


def test_a_film_is_played_as_it_was_filmed(short_film: Path) -> None:
    began = time.monotonic()
    with watching(short_film) as watched:
        frames = watched.frames(100)
        took_s = time.monotonic() - began
        assert watched.until("ended").skipped == 20 - len(frames)
    assert 1.8 < took_s < 8  # two seconds, and what the machine else does
    assert watched.states == ["online", "ended"]
    assert frames[-1].at - frames[0].at <= (frames[-1].number - frames[0].number) * 1.001 * (
        frames[1].at - frames[0].at
    ) / max(1, frames[1].number - frames[0].number)


def test_only_the_newest_frame_is_kept_and_the_others_are_counted(short_film: Path) -> None:
    with watching(short_film) as watched:
        watched.until("ended")
        frame = watched.live.newest()
        assert frame is not None
        assert (frame.number, frame.skipped, said(frame.pixels)) == (19, 19, 19)
        assert watched.live.newest(after=19) is None
        assert watched.live.newest(after=19, wait_s=5) is None  # and does not wait for what cannot come


@pytest.mark.parametrize(("per_second", "numbers"), [(1, [0, 10]), (5, list(range(0, 20, 2))), (60, list(range(20)))])
def test_each_due_frame_is_given_however_long_it_takes(short_film: Path, per_second: float, numbers: list[int]) -> None:
    with watching(short_film, replay="all", frames_per_second=per_second) as watched:
        frames = []
        while (frame := watched.live.newest(frames[-1].number if frames else -1, 2)) is not None:
            time.sleep(0.01)
            frames.append(frame)
    assert [said(frame.pixels) for frame in frames] == [frame.number for frame in frames] == numbers
    assert frames[-1].skipped == 0
    seconds = [(frame.at - frames[0].at).total_seconds() for frame in frames]
    assert seconds == pytest.approx([number / 10 for number in numbers])


def test_a_film_that_begins_again_goes_on_in_time(short_film: Path) -> None:
    with watching(short_film, replay="all", frames_per_second=5, loop=True) as watched:
        frames = watched.frames(25)
    assert len(frames) == 25
    steps = np.diff([frame.at.timestamp() for frame in frames])
    assert steps == pytest.approx(0.2, abs=0.15)
    assert (steps > 0).all()
    assert [said(frame.pixels) for frame in frames][10:12] == [0, 2]
    assert "ended" not in watched.states


def test_a_folder_of_frames_is_read_in_natural_order_and_damaged_ones_are_counted(tmp_path: Path) -> None:
    for number in range(12):
        Image.fromarray(picture(number)).save(tmp_path / f"frame{number}.png")
    (tmp_path / "frame5.png").write_bytes((tmp_path / "frame5.png").read_bytes()[:200])
    (tmp_path / "notes.txt").write_text("no frame", encoding="utf-8")
    with watching(tmp_path, replay="all", frames_per_second=60, folder_fps=20) as watched:
        frames = watched.frames(20)
        status = watched.until("ended")
    assert [said(frame.pixels) for frame in frames] == [number for number in range(12) if number != 5]
    assert status.damaged == 1
    assert (frames[-1].at - frames[0].at).total_seconds() == pytest.approx(11 / 20)


def test_a_folder_without_an_image_is_said(tmp_path: Path) -> None:
    with watching(tmp_path) as watched:
        assert "holds no image" in watched.until("offline").reason


def test_frames_of_a_phone_are_upright(tmp_path: Path) -> None:
    """As headcount's reader of videos turns them."""
    plain = write_film(tmp_path / "plain.mp4", frames=3)
    for quarter in (1, 2, 3):
        turned = _turned(plain, tmp_path / f"{quarter}.mp4", quarter)
        stream = FrameStream(turned)
        stream.grab()
        expected = stream.pixels()
        stream.close()
        assert expected is not None
        pixels = grab(str(turned), folder=tmp_path)
        assert pixels.shape == expected.shape
        assert np.abs(pixels.astype(int) - expected).mean() < 6


def _turned(plain: Path, path: Path, quarter: int) -> Path:
    """A copy of an MP4 whose track's matrix says that it is to be turned by so many quarters."""
    content = bytearray(plain.read_bytes())
    at = content.index(b"tkhd") + 4 + 40  # version 0: the matrix is 40 bytes behind the box's name
    one, minus = (1 << 16).to_bytes(4, "big"), ((1 << 32) - (1 << 16)).to_bytes(4, "big")
    cells = {1: (0, 1, -1, 0), 2: (-1, 0, 0, -1), 3: (0, -1, 1, 0)}[quarter]
    for place, cell in zip((0, 4, 12, 16), cells, strict=True):
        content[at + place : at + place + 4] = {0: bytes(4), 1: one, -1: minus}[cell]
    path.write_bytes(content)
    return path


def test_damaged_frames_are_passed_over_and_counted(tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.mkv", frames=60, gop=5)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 1500] = np.random.default_rng(3).bytes(1500)
    path.write_bytes(content)
    with watching(path, replay="all", frames_per_second=60) as watched:
        frames = watched.frames(100)
        status = watched.until("ended")
    assert status.damaged > 0
    assert said(frames[-1].pixels) == 59  # it was read on behind the damage
    assert len(frames) < 60


def test_a_frame_over_the_limit_of_pixels_is_refused(short_film: Path) -> None:
    camera = CameraSettings(name="gate", source=str(short_film))
    told: list[CameraStatus] = []
    live = LiveSource(camera, folder=Path("/"), changed=told.append, max_pixels=160 * 96 - 1)
    live.start()
    end = time.monotonic() + 5
    while not told and time.monotonic() < end:
        time.sleep(0.01)
    live.close()
    assert "160×96 = 15,360 pixels, over the limit of 15,359" in told[0].reason
    assert live.newest() is None


def test_a_thread_that_hangs_is_left_behind_and_the_camera_comes_back(
    monkeypatch: pytest.MonkeyPatch, short_film: Path, no_jitter: None
) -> None:
    monkeypatch.setattr(module, "_GRACE_S", 0.1)
    let_go, opened = threading.Event(), []
    open_reader = module.open_reader

    def hangs_once(*arguments: Any, **named: Any) -> Any:
        opened.append(threading.current_thread())
        if len(opened) == 1:
            let_go.wait(20)  # as a look-up of a name does, or a decoder
        return open_reader(*arguments, **named)

    monkeypatch.setattr(module, "open_reader", hangs_once)
    with watching(short_film) as watched:
        stale = watched.until("stale", within_s=4)
        assert "sent nothing for 1 s" in stale.reason
        watched.until("online")
        assert len({thread.ident for thread in opened}) == 2
        let_go.set()
        opened[0].join(timeout=5)
        assert not opened[0].is_alive()
        watched.until("ended")
    assert watched.states == ["stale", "online", "ended"]


def test_a_camera_that_hangs_every_time_takes_few_threads(monkeypatch: pytest.MonkeyPatch, no_jitter: None) -> None:
    monkeypatch.setattr(module, "_GRACE_S", -0.9)
    let_go = threading.Event()
    monkeypatch.setattr(module, "open_reader", lambda *_, **__: let_go.wait(20))
    with watching("rtsp://127.0.0.1/live") as watched:
        end = time.monotonic() + 6
        while "attempts to read" not in watched.live.status().reason and time.monotonic() < end:
            time.sleep(0.05)
        assert "3 attempts to read 127.0.0.1:554 hang" in watched.live.status().reason
        hanging = [thread for thread in threading.enumerate() if thread.name == "camera gate"]
        assert len(hanging) == 4
        let_go.set()
    for thread in hanging:
        thread.join(timeout=5)
        assert not thread.is_alive()


def test_a_camera_is_not_over_while_its_thread_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever watches it alone would end."""
    let_go, found = threading.Event(), list[bool]()
    monkeypatch.setattr(module, "open_reader", lambda *_, **__: let_go.wait(20))
    with watching("rtsp://127.0.0.1/live") as watched:
        live = watched.live
        begin, asking = live._begin, threading.Thread(target=lambda: found.append(live.is_over))

        def begins(*given: Any, **named: Any) -> Any:
            if asking.ident is None:
                asking.start()
                asking.join(0.2)
            return begin(*given, **named)

        monkeypatch.setattr(live, "_begin", begins)
        end = time.monotonic() + 10
        while live._life is None or live._life.back_by is None:
            assert time.monotonic() < end
        live._look(live._life.back_by)
        asking.join(10)
        let_go.set()
    assert found == [False]


def test_a_frame_without_pixels_is_damaged_and_asked_once(short_film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_pixels(frame: Any) -> Any:
        raise ValueError("Conversion to rgb24 is not implemented")

    monkeypatch.setattr(readers, "_pixels_of", no_pixels)
    with watching(short_film, replay="all", frames_per_second=60) as watched:
        end = time.monotonic() + 10
        while not (watched.live.is_over and not watched.live.has_newer(-1)) and time.monotonic() < end:
            assert watched.live.newest(-1, 0.05) is None
    assert watched.states[-1] == "ended"
    assert watched.live.status().damaged == 20


def test_one_camera_holds_up_no_other(film: Path) -> None:
    with mute() as port, watching(f"rtsp://127.0.0.1:{port}/live", timeout_s=4), watching(film) as watched:
        began = time.monotonic()
        assert len(watched.frames(5, within_s=4)) == 5
        assert time.monotonic() - began < 4


def test_no_thread_is_left_when_all_are_closed(short_film: Path) -> None:
    before = set(threading.enumerate())
    with watching(short_film), watching(short_film, loop=True) as watched:
        watched.until("online")
    assert [thread for thread in threading.enumerate() if thread not in before and "camera" in thread.name] == []


def test_a_missing_file_is_said_and_read_once_it_is_there(tmp_path: Path, short_film: Path, no_jitter: None) -> None:
    with watching(tmp_path / "later.mp4") as watched:
        assert "There is no file" in watched.until("offline").reason
        (tmp_path / "partly").write_bytes(short_film.read_bytes())
        (tmp_path / "partly").rename(tmp_path / "later.mp4")
        assert watched.until("online").reconnects == 0


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.mp4", b"", "is empty (0 bytes)"),
        ("a.mp4", b"no video at all" * 99, "no video that can be read, or is damaged"),
        ("a.m3u8", b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:1/a.ts\n", "is a list of videos"),
    ],
)
def test_a_file_of_no_use_is_said(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    with watching(tmp_path / name) as watched:
        assert words in watched.until("offline").reason


def test_a_frame_is_grabbed(short_film: Path) -> None:
    assert said(grab(short_film.name, folder=short_film.parent)) == 0


def test_nothing_can_be_grabbed_of_what_sends_nothing() -> None:
    with mute() as port:
        began = time.monotonic()
        with pytest.raises(InputError, match="sent nothing for 1 s"):
            grab(f"rtsp://ann:hunter2@127.0.0.1:{port}/live", folder=Path(), timeout_s=1)
        assert time.monotonic() - began < 4


def test_grabbing_from_no_webcam_says_so() -> None:
    with pytest.raises(InputError, match=r"There is no webcam 97|webcam 97 cannot be read"):
        grab("webcam:97", folder=Path())


def test_a_reader_that_is_behind_passes_over_what_it_can(film: Path) -> None:
    reader = VideoReader(read_source(str(film), Path()), timeout_s=5, max_pixels=10**6)
    steps = reader.steps()
    first = next(steps)
    reader.is_behind = True
    passed = [next(steps) for _ in range(3)]
    reader.is_behind = False
    rest = [next(steps) for _ in range(8)]
    reader.close()
    assert isinstance(first, module.Decoded)
    assert [step.passed for step in passed if isinstance(step, module.Undecoded)] == [1, 1, 1]
    seen = [said(step.pixels()) for step in rest if isinstance(step, module.Decoded)]
    assert seen[0] == 5  # the next key frame
    assert seen == list(range(5, 5 + len(seen)))


def test_a_reader_that_is_too_slow_shows_what_is_now_and_not_what_was(rtsp: Callable[..., RtspServer]) -> None:
    """Each frame takes it three times as long as the camera; 10 frames a second come, and 20 are read in 6 seconds."""
    camera = CameraSettings(name="gate", source=rtsp().address, timeout_s=5)
    live = LiveSource(camera, folder=Path("/"), arrived=lambda: time.sleep(0.3))
    live.start()
    first = live.newest(wait_s=10)
    assert first is not None
    time.sleep(6)
    newest = live.newest(first.number, 2)
    live.close()
    assert newest is not None
    assert said(newest.pixels) - said(first.pixels) > 32
    assert newest.number - newest.skipped < 25  # the others are counted


def test_pixels_are_as_headcounts_reader_of_videos_gives_them(short_film: Path) -> None:
    stream = FrameStream(short_film)
    stream.grab()
    expected = stream.pixels()
    stream.close()
    assert expected is not None
    pixels = grab(str(short_film), folder=Path())
    assert cv2.absdiff(pixels, expected).mean() < 2
