"""Frames out of video files: OpenCV kept quiet, and exact access to any frame in bounded memory.

A frame is known by its number, counted from 0 in the order of showing. Containers that are asked for a frame by its
number, or by its second, give a neighbour of it in many a codec; so the frames before it are always decoded, from
the start or from where an earlier call stopped. Frames in rising order cost as little as reading the video once; going
back costs a new start.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

from headcount.core.errors import InputError
from headcount.core.files import file_size
from headcount.core.image import RgbImage, VideoFrame

VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".ts", ".mts", ".m2ts", ".3gp", ".ogv"}
)
_OPEN_MAX = 4


def is_video_name(path: Path) -> bool:
    """Whether the file's suffix is one of a video."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def quiet_cv2() -> Any:
    """OpenCV, which must not print its own and FFmpeg's complaints between ours."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # read once, when the first video is opened
    import cv2

    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    return cv2


def open_video(path: Path) -> Any:
    """OpenCV's capture of a video, before its first frame; whoever opens it releases it.

    Raises:
        InputError: there is no file, it is empty, or no video that can be read.
    """
    cv2 = quiet_cv2()
    if file_size(path) == 0:
        raise InputError(f'"{path}" is empty (0 bytes): copy it again from where it came.')
    video = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    if not video.isOpened():
        raise InputError(f'"{path}" is no video that can be read, or is damaged: copy it again from where it came.')
    return video


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
    cv2 = quiet_cv2()
    video = open_video(key[0])
    try:
        size_wh = int(video.get(cv2.CAP_PROP_FRAME_WIDTH)), int(video.get(cv2.CAP_PROP_FRAME_HEIGHT))
    finally:
        video.release()
    if min(size_wh) < 1:
        raise InputError(f'"{key[0]}" does not say how large its frames are: it is damaged, or no video.')
    return size_wh


class _Stream:
    """One opened video and the number of the frame that it gives next."""

    def __init__(self, key: _Key) -> None:
        self.key, self.next = key, 0
        self.video = open_video(key[0])

    def read(self, number: int) -> RgbImage:
        cv2 = quiet_cv2()
        path = self.key[0]
        while self.next <= number:
            if not self.video.grab():
                raise InputError(f'"{path}" has {self.next} frames, numbered from 0, so there is no frame {number}.')
            self.next += 1
        good, frame = self.video.retrieve()
        if not good or frame is None or frame.ndim != 3:
            raise InputError(f'"{path}" is damaged at frame {number}: copy it again from where it came.')
        size_wh = _size_wh(self.key)
        if frame.shape[1::-1] != size_wh:
            raise InputError(
                f'"{path}" has a frame {number} of {frame.shape[1]}×{frame.shape[0]} pixels, but says it is '
                f"{size_wh[0]}×{size_wh[1]}: encode it anew in one size."
            )
        rgb: RgbImage = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
        return rgb

    def close(self) -> None:
        self.video.release()


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
