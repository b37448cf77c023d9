"""Annotated video: a film a camera and day, of every measured frame, heads hidden, zones and numbers drawn on it."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np

from headcount.core.errors import InputError
from headcount.core.files import discard, writing
from headcount.core.image import RgbImage
from headcount.video.measurement import Measurement, Record
from headcount.video.site import Site

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.stream import VideoStream

_TICKS = 1000
"""A second, in the film's own time."""
_KEY_S = 5.0
"""A killed process loses no more of its film than the seconds since the last key frame."""
_LONGEST_GAP_S = 3600.0
"""A camera that was away for longer goes on in a film of its own: players show a still for as long as a gap lasts."""
_OPTIONS = {"preset": "veryfast", "crf": "27", "threads": "1", "tune": "zerolatency"}
_FRAGMENTS = {"movflags": "frag_keyframe+empty_moov+default_base_moof", "flush_packets": "1"}
_MOST_NUMBERS = 10_000
_UNUSUAL = re.compile(r"[^\w.-]+")  # in a file's name


class Film:
    """Writes ``CAMERA-2026-11-29.mp4`` into a folder, H.264, a frame for each that was measured, at its own time.

    A new film begins with each day (UTC), where frames come in another size, and where a camera was away for an hour.
    None is ever written over: where there is one, the next has a number behind its date. It is an MP4 of fragments,
    which plays as far as it was written, whatever ended the process.

    Args:
        folder: where films go; made where it is not there. Relative to the site's folder.
        site: whose cameras.
        site_folder: of the site's file.

    Raises:
        InputError: the folder cannot be made, or the site says that no pictures are kept.
    """

    name = "video"

    def __init__(self, folder: Path, site: Site, site_folder: Path) -> None:
        if not site.privacy.keep_pictures:
            raise InputError(
                f'The site "{site.name}" writes annotated video, but keeps no pictures: set "keep_pictures" of its '
                '"privacy" to true, or leave "video" out.'
            )
        self.folder = site_folder / folder
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        self._reels: dict[str, _Reel] = {}

    def take(self, record: Record, picture: Callable[[], RgbImage] | None) -> None:
        """Add a measured frame to its camera's film; other records are passed over.

        Raises:
            OSError: it cannot be written now.
        """
        if not isinstance(record, Measurement) or picture is None:
            return
        annotated: Callable[[], RgbImage] = getattr(picture, "annotated", picture)
        pixels = _even(annotated())
        reel = self._reels.get(record.camera)
        if reel is not None and not reel.fits(record.at, pixels):
            del self._reels[record.camera]
            reel.close()
            reel = None
        if reel is None:
            reel = self._reels[record.camera] = _Reel(
                self._free_path(record.camera, record.at.date()), record.at, pixels
            )
        try:
            reel.add(record.at, pixels)
        except Exception:
            self._reels.pop(record.camera, None)  # what was written plays; the next frame begins another film
            reel.give_up()
            raise

    def close(self) -> None:
        """End all films."""
        while self._reels:
            self._reels.popitem()[1].close()

    def _free_path(self, camera: str, day: date) -> Path:
        """A name that no file has, and nobody else takes meanwhile."""
        stem = f"{_UNUSUAL.sub('_', camera)}-{day:%Y-%m-%d}"
        self.folder.mkdir(parents=True, exist_ok=True)
        for number in range(1, _MOST_NUMBERS):
            path = self.folder / (f"{stem}.mp4" if number == 1 else f"{stem}-{number}.mp4")
            try:
                path.touch(exist_ok=False)
            except FileExistsError:
                continue
            return path
        raise OSError(f"there are {_MOST_NUMBERS - 1:,} films of {stem} already")


class _Reel:
    """One film that is being written."""

    def __init__(self, path: Path, at: datetime, pixels: RgbImage) -> None:
        self.path, self._start, self._size = path, at, pixels.shape[:2]
        self._last_pts, self._key_pts, self._frames = -1, 0, 0
        self._container: OutputContainer = av.open(str(path), "w", format="mp4", options=_FRAGMENTS)
        stream: VideoStream = self._container.add_stream("libx264", rate=25, options=_OPTIONS)
        stream.height, stream.width = self._size
        stream.pix_fmt = "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, _TICKS)
        self._stream = stream

    def fits(self, at: datetime, pixels: RgbImage) -> bool:
        """Whether a frame belongs to this film: not where it is no later than the last one, as of a clock set back."""
        passed_s = (at - self._start).total_seconds() - self._last_pts / _TICKS
        return pixels.shape[:2] == self._size and at.date() == self._start.date() and 0 < passed_s <= _LONGEST_GAP_S

    def add(self, at: datetime, pixels: RgbImage) -> None:
        frame: Any = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        pts = max(self._last_pts + 1, round((at - self._start).total_seconds() * _TICKS))
        frame.pts, frame.time_base = pts, Fraction(1, _TICKS)
        if self._last_pts < 0 or pts - self._key_pts >= _KEY_S * _TICKS:
            frame.pict_type, self._key_pts = av.video.frame.PictureType.I, pts
        self._last_pts = pts
        self._container.mux(self._stream.encode(frame))
        self._frames += 1

    def give_up(self) -> None:
        """End it after it could not be written; a film without a frame is taken away."""
        with suppress(Exception):
            self._container.close()
        if not self._frames:
            discard(self.path)

    def close(self) -> None:
        try:
            self._container.mux(self._stream.encode())
        finally:
            self._container.close()


def _even(pixels: RgbImage) -> RgbImage:
    """Without the last row and column where there is an odd number of them: H.264 has none."""
    height, width = pixels.shape[:2]
    return pixels[: height - height % 2, : width - width % 2]
