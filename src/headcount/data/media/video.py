"""Frames out of video files: one stream that every reader of videos uses, and exact access to any frame.

A frame is known by its number, counted from 0 in the order of showing. Containers that are asked for a frame by its
number, or by its second, give a neighbour of it in many a codec; so the frames before it are always decoded, from
the start or from where an earlier call stopped. Frames in rising order cost as little as reading the video once; going
back costs a new start.

That a frame cannot be read, or that the clock steps back, is not the end of a video: it is read on behind it.
"""

from __future__ import annotations

import math
import os
import shlex
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

from headcount.core.errors import InputError
from headcount.core.files import file_size
from headcount.core.image import RgbImage, VideoFrame
from headcount.core.threads import thread_limit
from headcount.data.media.clock import Clock, Gap
from headcount.data.media.containers import SELDOM_DECODED, codec_name, kind_of_video, matroska_ends_s, mp4_facts

VIDEO_SUFFIXES = frozenset(
    {
        ".mp4", ".m4v", ".mov", ".qt", ".avi", ".divx", ".mkv", ".webm", ".mpg", ".mpeg", ".mpe", ".m1v", ".m2v",
        ".mpv", ".vob", ".mod", ".tod", ".wmv", ".asf", ".ts", ".mts", ".m2t", ".m2ts", ".tp", ".trp", ".3gp", ".3g2",
        ".ogv", ".ogm", ".flv", ".f4v", ".mxf", ".ivf", ".y4m", ".nut", ".rm", ".rmvb", ".mjpg", ".mjpeg", ".h264",
        ".264", ".h265", ".265", ".hevc", ".dv", ".dav", ".wtv", ".amv", ".lrv", ".insv",
    }
)  # fmt: skip
_OPEN_MAX = 4
# A reader that gives no frame so often is at the end of its file; each try costs microseconds.
_PATIENCE, _PATIENCE_MAX = 500, 20_000
# Behind a damaged stretch frames come out of order for a while.
_SETTLED = 16


def is_video_name(path: Path) -> bool:
    """Whether the file's suffix is one of a video."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def is_video(path: Path) -> bool:
    """Whether a file is a video, by its suffix or else by its content."""
    return is_video_name(path) or kind_of_video(path) != ""


def _quiet_cv2() -> Any:
    """OpenCV, which must not print its own and FFmpeg's complaints between ours."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # read once, when the first video is opened
    import cv2

    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    return cv2


def _open_video(path: Path) -> Any:
    cv2 = _quiet_cv2()
    if file_size(path) == 0:
        raise InputError(f'"{path}" is empty (0 bytes): copy it again from where it came.')
    if kind_of_video(path) == "playlist":
        raise InputError(f'"{path}" is a list of videos, not a video: name the files that it lists.')
    threads = min(cv2.getNumThreads(), thread_limit() or cv2.getNumThreads())
    video = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, threads])
    if not video.isOpened():
        facts = mp4_facts(path)
        if facts.codec:
            raise InputError(_undecoded(path, codec_name(facts.codec)))
        if facts.has_index:
            raise InputError(f'"{path}" holds no video track: it may be sound alone.')
        if kind_of_video(path) == "MP4":
            raise InputError(
                f'"{path}" is an MP4 video without the index of its frames, which is written last: the recording or '
                "the copy was cut off. Copy it again from where it came."
            )
        raise InputError(f'"{path}" is no video that can be read, or is damaged: copy it again from where it came.')
    return video


def _undecoded(path: Path, codec: str) -> str:
    remedy = f"convert it to H.264 (ffmpeg -i {shlex.quote(path.name)} -c:v libx264 converted.mp4)"
    if codec in SELDOM_DECODED:
        return f'"{path}" is {codec} video, which OpenCV does not decode here: {remedy}.'
    kind = f" ({codec})" if codec else ""
    return (
        f'No frame of the video "{path}"{kind} can be read: it is damaged, or of a kind that is not decoded here: copy '
        f"it again, or {remedy}."
    )


class FrameStream:
    """The frames of a video, one after the other: the one place where OpenCV reads videos.

    ``second`` is where the last frame lies on the container's clock (a phone's frame rate varies), or by its number
    where there is no clock; it only grows, see ``Clock``.

    Attributes:
        next: the number of the frame that ``grab`` gives next.
        gaps: stretches that could not be read, so far.

    Raises:
        InputError: there is no file, it is empty, or no video that can be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.next = 0
        self.gaps: list[Gap] = []
        self._video = _open_video(path)
        self._cv2 = _quiet_cv2()
        rate = float(self._video.get(self._cv2.CAP_PROP_FPS))
        self._clock = Clock(frame_s=1 / (rate if math.isfinite(rate) and 0.1 <= rate <= 1000 else 25.0))
        frames = float(self._video.get(self._cv2.CAP_PROP_FRAME_COUNT))
        self._declared = int(frames) if math.isfinite(frames) and frames > 0 else 0
        self._start_s = 0.0
        self._open_gap: tuple[float, int, int] | None = None  # second and number of frames before it, tries without one

    @property
    def second(self) -> float:
        """The time of the last frame."""
        return self._clock.second

    @property
    def frame_s(self) -> float:
        """The time between two frames, on average."""
        return self._clock.frame_s

    @property
    def size_wh(self) -> tuple[int, int]:
        """(width, height) of the upright frames, from the header."""
        sides = (self._cv2.CAP_PROP_FRAME_WIDTH, self._cv2.CAP_PROP_FRAME_HEIGHT)
        width, height = (int(self._video.get(side)) for side in sides)
        return width, height

    @property
    def declared_s(self) -> float:
        """How long the video says it is; 0 where it does not."""
        declared_s = self._declared * self.frame_s
        kind = kind_of_video(self.path)
        if kind == "Matroska":
            declared_s -= self._start_s  # it says when it ends
        elif kind == "MP4":
            shown_s = mp4_facts(self.path).seconds
            declared_s = min(declared_s, shown_s) if shown_s > 0 else declared_s  # an edit list shows a part of it
        return max(0.0, declared_s)

    def missing_end(self) -> str:
        """What to say of a video, read to its end, that ends before it should; empty where it does not."""
        reached_s, declared_s = self.second + self.frame_s, self.declared_s
        if self._clock.leapt or declared_s - reached_s <= max(1.0, 0.05 * declared_s):
            return ""
        kind = kind_of_video(self.path)
        ends_s = matroska_ends_s(self.path) if kind == "Matroska" else []
        if any(abs(end_s - self._start_s - reached_s) <= 1 for end_s in ends_s):
            return ""  # its sound is longer
        if kind in ("MPEG-TS", "MPEG-PS"):  # they do not say how long they are: something in it goes on so long
            return (
                f'"{self.path}" has no frames after {reached_s:.1f} s though it goes on to {declared_s:.1f} s: they '
                "are lost, or its sound alone goes on."
            )
        return (
            f'"{self.path}" ends after {reached_s:.1f} s though it says {declared_s:.1f} s: it is cut short or damaged.'
        )

    @property
    def steps_back(self) -> Sequence[float]:
        """The seconds at which the clock began anew."""
        return self._clock.steps

    @property
    def pauses(self) -> Sequence[Gap]:
        """Long stretches without a frame, so far; none where there are as many frames as the video says."""
        return [] if 0 < self._declared <= self.next else self._clock.pauses

    def refuse_undecoded(self) -> None:
        """Stop where not one frame of the whole video could be decoded.

        Raises:
            InputError: it names the codec, and what to do.
        """
        letters = int(self._video.get(self._cv2.CAP_PROP_FOURCC)).to_bytes(4, "little", signed=True).decode("latin-1")
        raise InputError(_undecoded(self.path, codec_name(letters)))

    def grab(self) -> bool:
        """Go to the next frame that can be read; False at the end of the video."""
        patience = min(max(_PATIENCE, self._declared - self.next), _PATIENCE_MAX)
        for failed in range(patience + 1):
            if self._video.grab():
                if failed and self._open_gap is None:
                    self._open_gap = (self.second, self.next, failed)
                self._count()
                return True
        self._close_gap()
        return False

    def pixels(self) -> RgbImage | None:
        """(h, w, 3) uint8 RGB of the frame that ``grab`` went to; None where it is damaged."""
        good, frame = self._video.retrieve()
        if not good or frame is None or frame.ndim != 3:
            return None
        rgb: RgbImage = self._cv2.cvtColor(frame, self._cv2.COLOR_BGR2RGB)
        return rgb

    def close(self) -> None:
        """Free what the reader holds."""
        self._video.release()

    def _count(self) -> None:
        clock_s = float(self._video.get(self._cv2.CAP_PROP_POS_MSEC)) / 1000
        if self.next == 0:
            start_s = float(self._video.get(getattr(self._cv2, "CAP_PROP_PTS", -1))) * self.frame_s
            self._start_s = start_s if math.isfinite(start_s) and start_s > 0 else 0.0
        self._clock.tick(clock_s, behind_damage=self._open_gap is not None)
        self.next += 1
        if self._open_gap is not None and self.next - self._open_gap[1] >= _SETTLED:
            self._close_gap()

    def _close_gap(self) -> None:
        if self._open_gap is not None:
            second, number, failed = self._open_gap
            by_clock = self.second - second - (self.next - number) * self.frame_s
            self.gaps.append(Gap(second, max(by_clock, failed * self.frame_s)))
            self._open_gap = None

    @property
    def lost(self) -> bool:
        """Whether frames before the last one could not be read, so that its number is not certain."""
        return bool(self.gaps) or self._open_gap is not None


@dataclass(frozen=True, slots=True)
class Video:
    """A video file whose frames are images of a data set; nothing is opened until one is asked for."""

    path: Path

    def frame(self, number: int) -> VideoFrame:
        """Frame ``number``, from 0, not decoded yet; whether the video has it is not known before."""
        return VideoFrame(self.path, number, self)

    def size_wh(self) -> tuple[int, int]:
        """(width, height) of the upright frames, from the header.

        Raises:
            InputError: there is no file, or no video that can be read.
        """
        return _size_wh(_key(self.path))

    def read(self, number: int) -> RgbImage:
        """(h, w, 3) uint8 RGB of frame ``number``; bit for bit the same in whichever order frames are asked for.

        Raises:
            InputError: as ``size_wh``; the video ends before this frame, or is damaged there.
        """
        if number < 0:
            raise InputError(f'"{self.path}" has no frame {number}: frames are counted from 0.')
        stream = _streams.take(_key(self.path), number)
        try:
            frame = stream.read(number)
        except BaseException:
            stream.close()
            raise
        _streams.give_back(stream)
        return frame


_Key = tuple[Path, int, int]


def _key(path: Path) -> _Key:
    """The file as it is now: one that has changed is another."""
    file_size(path)  # says what is wrong with the path
    status = path.stat()
    return path, status.st_mtime_ns, status.st_size


@lru_cache(maxsize=1024)
def _size_wh(key: _Key) -> tuple[int, int]:
    stream = FrameStream(key[0])
    size_wh = stream.size_wh
    stream.close()
    if min(size_wh) < 1:
        raise InputError(f'"{key[0]}" does not say how large its frames are: it is damaged, or no video.')
    return size_wh


class _Stream(FrameStream):
    """A stream of a file as it was when it was opened."""

    def __init__(self, key: _Key) -> None:
        super().__init__(key[0])
        self.key = key

    def read(self, number: int) -> RgbImage:
        """Frame ``number``, which is the last one or further on."""
        while self.next <= number:
            if not self.grab():
                if self.next == 0:
                    self.refuse_undecoded()
                raise InputError(
                    f'"{self.path}" has {self.next} frames, numbered from 0, so there is no frame {number}.'
                )
        if self.lost:
            raise InputError(
                f'"{self.path}" is damaged before frame {number}, so that it is not known which one that is: copy it '
                "again from where it came."
            )
        rgb = self.pixels()
        if rgb is None:
            raise InputError(f'"{self.path}" is damaged at frame {number}: copy it again from where it came.')
        size_wh = _size_wh(self.key)
        if rgb.shape[1::-1] != size_wh:
            raise InputError(
                f'"{self.path}" has a frame {number} of {rgb.shape[1]}×{rgb.shape[0]} pixels, but says it is '
                f"{size_wh[0]}×{size_wh[1]}: encode it anew in one size."
            )
        return rgb


@dataclass(slots=True)
class _Streams:
    """Opened videos that nobody is reading, at most ``_OPEN_MAX``, the latest used last; safe between threads.

    A stream belongs to who took it, so that threads never wait for each other's decoding, and each goes on where some
    stream stopped.
    """

    idle: list[_Stream] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def take(self, key: _Key, number: int) -> _Stream:
        """The stream that is nearest before a frame, or a new one."""
        with self.lock:
            # One that stopped behind this very frame still holds it.
            before = [each for each in self.idle if each.key == key and each.next <= number + 1]
            if before:
                nearest = max(before, key=lambda each: each.next)
                self.idle.remove(nearest)
                return nearest
        return _Stream(key)

    def give_back(self, stream: _Stream) -> None:
        """Keep a stream for later, and close the one that was used longest ago where there are too many."""
        with self.lock:
            self.idle.append(stream)
            closing, self.idle = self.idle[:-_OPEN_MAX], self.idle[-_OPEN_MAX:]
        for each in closing:
            with suppress(Exception):  # a broken capture frees what it held all the same
                each.close()


_streams = _Streams()
