"""Annotated video: films that play whatever ended the process, one a camera and day, none written over."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from headcount.core.errors import InputError
from headcount.core.image import RgbImage
from headcount.video.measurement import Amount, CameraStatus, Measurement
from headcount.video.site import CameraSettings, PrivacySettings, Site

av = pytest.importorskip("av", reason="annotated video is written with PyAV (video extra)")
from headcount.video.outputs.film import Film  # noqa: E402

START = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)


def site(*, keeps: bool = True) -> Site:
    cameras = (CameraSettings(name="gate", source="rtsp://10.0.0.2/live"),)
    return Site(name="square", cameras=cameras, privacy=PrivacySettings(keep_pictures=keeps))


def record(at: datetime, camera: str = "gate") -> Measurement:
    return Measurement(camera=camera, at=at, frame=0, size_wh=(96, 64), people=Amount(value=1))


def gray(level: int, size_wh: tuple[int, int] = (96, 64)) -> Callable[[], RgbImage]:
    return lambda: np.full((size_wh[1], size_wh[0], 3), level, np.uint8)


def read(path: Path) -> list[tuple[float, float, tuple[int, int]]]:
    """Second, brightness and size of each frame of a film."""
    with av.open(str(path)) as file:
        return [
            (float(frame.time), float(frame.to_ndarray(format="gray").mean()), (frame.width, frame.height))
            for frame in file.decode(video=0)
        ]


def test_frames_are_kept_at_their_own_times(tmp_path: Path) -> None:
    film = Film(Path("films"), site(), tmp_path)
    seconds = [0, 0.2, 1.0, 1.04, 7.5, 8]
    for number, second in enumerate(seconds):
        film.take(record(START + timedelta(seconds=second)), gray(20 + 30 * number))
    film.close()
    frames = read(tmp_path / "films" / "gate-2026-11-29.mp4")
    assert [second for second, _, _ in frames] == pytest.approx(seconds, abs=0.001)
    assert [brightness for _, brightness, _ in frames] == pytest.approx([20 + 30 * n for n in range(6)], abs=4)


def test_a_new_film_begins_with_the_day_another_size_and_a_long_absence(tmp_path: Path) -> None:
    film = Film(tmp_path, site(), tmp_path)
    at = datetime(2026, 11, 29, 23, 59, 58, tzinfo=UTC)
    steps: list[tuple[float, tuple[int, int]]] = [
        (0, (96, 64)), (1, (96, 64)), (3, (96, 64)), (4, (64, 48)), (5, (64, 48)), (4000, (64, 48)),
    ]  # fmt: skip
    for second, size_wh in steps:
        film.take(record(at + timedelta(seconds=second)), gray(90, size_wh))
    film.close()
    assert {path.name: len(read(path)) for path in tmp_path.iterdir()} == {
        "gate-2026-11-29.mp4": 2, "gate-2026-11-30.mp4": 1, "gate-2026-11-30-2.mp4": 2, "gate-2026-11-30-3.mp4": 1,
    }  # fmt: skip


def test_none_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "gate-2026-11-29.mp4").write_bytes(b"somebody's")
    for _ in range(2):
        film = Film(tmp_path, site(), tmp_path)
        film.take(record(START), gray(90))
        film.close()
    assert (tmp_path / "gate-2026-11-29.mp4").read_bytes() == b"somebody's"
    assert [len(read(tmp_path / f"gate-2026-11-29-{number}.mp4")) for number in (2, 3)] == [1, 1]


def test_a_clock_that_is_set_back_begins_another_film(tmp_path: Path) -> None:
    film = Film(tmp_path, site(), tmp_path)
    for second in (100, 101, 40, 41):
        film.take(record(START + timedelta(seconds=second)), gray(90))
    film.close()
    assert sorted(len(read(path)) for path in tmp_path.iterdir()) == [2, 2]


def test_cameras_have_films_of_their_own_whatever_they_are_called(tmp_path: Path) -> None:
    film = Film(tmp_path, site(), tmp_path)
    for name in ("gate", "Tor 3: außen?", "..", "gate"):
        film.take(record(START + timedelta(seconds=len(list(tmp_path.iterdir()))), name), gray(90))
    film.close()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["..-2026-11-29.mp4", "Tor_3_außen_-2026-11-29.mp4", "gate-2026-11-29.mp4"]


def test_odd_sizes_lose_a_row_or_column(tmp_path: Path) -> None:
    film = Film(tmp_path, site(), tmp_path)
    film.take(record(START), gray(90, (97, 65)))
    film.close()
    assert read(tmp_path / "gate-2026-11-29.mp4")[0][2] == (96, 64)


def test_what_is_drawn_is_filmed_and_other_records_are_passed_over(tmp_path: Path) -> None:
    class Picture:
        def __call__(self) -> RgbImage:
            raise AssertionError("the plain picture is not asked for")

        def annotated(self) -> RgbImage:
            return gray(200)()

    film = Film(tmp_path, site(), tmp_path)
    film.take(CameraStatus(camera="gate", state="online", since=START), None)
    film.take(record(START), None)
    assert list(tmp_path.iterdir()) == []
    film.take(record(START), Picture())
    film.close()
    assert read(tmp_path / "gate-2026-11-29.mp4")[0][1] == pytest.approx(200, abs=3)


def test_a_site_that_keeps_no_pictures_has_no_film(tmp_path: Path) -> None:
    with pytest.raises(InputError, match='set "keep_pictures" of its "privacy" to true'):
        Film(tmp_path, site(keeps=False), tmp_path)


def test_a_film_that_cannot_be_written_is_told_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from headcount.video.outputs import film as module

    def full(self: module._Reel, at: datetime, pixels: RgbImage) -> None:
        raise OSError(28, "No space left on device")

    film = Film(tmp_path, site(), tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(module._Reel, "add", full)
        for _ in range(5):  # as it is tried again
            with pytest.raises(OSError, match="No space left"):
                film.take(record(START), gray(90))
    assert list(tmp_path.iterdir()) == []
    film.take(record(START), gray(90))
    film.close()
    assert len(read(tmp_path / "gate-2026-11-29.mp4")) == 1


@pytest.mark.skipif(os.name == "nt", reason="processes are killed with a signal")
def test_a_killed_process_leaves_a_film_that_plays(tmp_path: Path) -> None:
    code = f"""
        import sys
        from datetime import timedelta
        from pathlib import Path
        sys.path.insert(0, {str(Path(__file__).parents[3])!r})
        import numpy as np
        from headcount.video.outputs.film import Film
        from headcount.video.measurement import Amount, Measurement
        from headcount.video.site import CameraSettings, PrivacySettings, Site
        from datetime import UTC, datetime
        cameras = (CameraSettings(name="gate", source="rtsp://10.0.0.2/live"),)
        film = Film(Path({str(tmp_path)!r}), Site(name="s", cameras=cameras,
                    privacy=PrivacySettings(keep_pictures=True)), Path("."))
        noise = np.random.default_rng(1)
        for second in range(32):
            at = datetime(2026, 11, 29, 12, tzinfo=UTC) + timedelta(seconds=second)
            film.take(Measurement(camera="gate", at=at, frame=second, size_wh=(96, 64), people=Amount(value=1)),
                      lambda: noise.integers(0, 255, (64, 96, 3), dtype=np.uint8))
        print("written", flush=True)
        sys.stdin.read()
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdin is not None
    assert process.stdout.readline() == "written\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    process.stdin.close()
    frames = read(tmp_path / "gate-2026-11-29.mp4")
    assert len(frames) >= 25  # of 32: the last five seconds are in no fragment yet
    assert [second for second, _, _ in frames] == pytest.approx(list(range(len(frames))), abs=0.01)
