"""Frames out of what a camera's source leads to, one after the other: through PyAV, or from a folder of images."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from headcount.core.errors import InputError, MissingExtraError
from headcount.core.image import RgbImage, read_image
from headcount.core.table import is_installed
from headcount.data.media.clock import Clock
from headcount.video.sources.failures import SourceError, failure, nothing_sent
from headcount.video.sources.pacing import Backlog, CatchUp, Lag, is_drained
from headcount.video.sources.source import Source, frames_in, refuse_missing, webcam_address

if TYPE_CHECKING:
    from av.container import InputContainer

_FAILS_MAX, _FAILS_MAX_NETWORK = 500, 10
"""Reads of what is damaged that may fail one after the other before nothing more is hoped for."""
_LONG = 0.9
"""Of the time-out: a call that took so long was ended by it, whatever FFmpeg says."""
_USUAL_FPS = 25.0


@dataclass(frozen=True, slots=True)
class Decoded:
    """A frame: its second on the source's own clock, from 0, and what makes its pixels (h, w, 3) when asked."""

    second: float
    pixels: Callable[[], RgbImage]


@dataclass(frozen=True, slots=True)
class Undecoded:
    """No frame: how many were damaged, and how many were passed over so as to catch up; mostly none at all.

    ``second``: as of a frame, where it is known.
    """

    damaged: int = 0
    passed: int = 0
    second: float | None = None


Step = Decoded | Undecoded


class Reader(Protocol):
    """What gives frames.

    Attributes:
        is_recording: it has an end, and its frames were taken at another time.
        is_paced: frames may be read faster than they are to be shown.
        is_behind: said by who reads a paced one: frames come later than they should.
        frame_s: the time between two frames, on average.
    """

    is_recording: bool
    is_paced: bool
    is_behind: bool
    frame_s: float

    def steps(self) -> Iterator[Step]:
        """What comes, until the end; each step takes at most as long as one read may.

        Raises:
            SourceError: nothing can be read any more.
        """
        ...

    def close(self) -> None:
        """Give back what is held."""
        ...


def open_reader(source: Source, *, timeout_s: float, max_pixels: int, folder_fps: float) -> Reader:
    """Open a source.

    Raises:
        SourceError: why it gives no frames.
        MissingExtraError: PyAV is not installed.
    """
    if source.kind == "folder":
        return FolderReader(source, fps=folder_fps, max_pixels=max_pixels)
    return VideoReader(source, timeout_s=timeout_s, max_pixels=max_pixels)


def refuse_without_av() -> None:
    """Stop where videos cannot be watched.

    Raises:
        MissingExtraError: PyAV is not installed.
    """
    if not is_installed("av"):
        raise MissingExtraError("Watching cameras", "video")


class FolderReader:
    """The images of a folder, as many a second as said; a damaged one is passed over."""

    is_recording, is_paced = True, True

    def __init__(self, source: Source, *, fps: float, max_pixels: int) -> None:
        try:
            self._paths = frames_in(Path(source.address))
        except InputError as error:
            raise failure(error, source, 0) from error
        self.is_behind, self.frame_s, self._max_pixels = False, 1 / fps, max_pixels

    def steps(self) -> Iterator[Step]:
        """See ``Reader``."""
        for number, path in enumerate(self._paths):
            if self.is_behind:
                yield Undecoded(passed=1, second=number * self.frame_s)
                continue
            try:
                pixels = read_image(path, max_pixels=self._max_pixels)
            except InputError:
                yield Undecoded(damaged=1)
                continue
            yield Decoded(number * self.frame_s, lambda pixels=pixels: pixels)  # type: ignore[misc]

    def close(self) -> None:
        """See ``Reader``."""


class VideoReader:
    """A video file, a webcam or a stream, decoded by one thread of PyAV's.

    Frames keep FFmpeg's own form until their pixels are asked for: of 25 that come a second, one or two are.

    Raises:
        SourceError: it cannot be opened, holds no video, or frames of more than ``max_pixels``.
        MissingExtraError: PyAV is not installed.
    """

    def __init__(self, source: Source, *, timeout_s: float, max_pixels: int) -> None:
        refuse_without_av()
        import av

        av.logging.set_level(None)  # what FFmpeg says between our lines, addresses and all
        self._source, self._timeout_s, self._max_pixels = source, timeout_s, max_pixels
        self._container: InputContainer | None = None
        self.is_behind = False
        began = time.monotonic()
        try:
            if source.kind == "file":
                refuse_missing(source)
            self._container = _opened(av, source, timeout_s)
            self._refuse_useless()
            self._stream = self._container.streams.video[0]
            context = self._stream.codec_context
            if context is None:
                raise SourceError(
                    f"The video of {source.shown} is of a kind that is not decoded here: set the camera to H.264."
                )
            context.thread_count = 1
            context.options = {"max_pixels": str(max_pixels)}
            self._refuse_large((context.width, context.height))
        except Exception as error:
            self.close()
            raise self._failure(error, time.monotonic() - began) from error
        rate = float(self._stream.average_rate or self._stream.guessed_rate or _USUAL_FPS)
        self.frame_s = 1 / (rate if 0.1 <= rate <= 1000 else _USUAL_FPS)
        # An RTSP server may tell a length as well, and is a camera all the same.
        has_end = source.address.lower().startswith("http") and (self._container.duration or 0) > 0
        self.is_recording = source.kind == "file" or has_end
        self.is_paced = self.is_recording or self._container.format.name.startswith("hls")
        self._has_clock = self._container.format.name.startswith("rtsp")  # others' times are made up of their numbers

    def _failure(self, error: Exception, took_s: float) -> SourceError:
        if took_s >= _LONG * self._timeout_s and self._source.kind == "network" and _is_damage(error):
            return nothing_sent(self._source, self._timeout_s)
        return failure(error, self._source, self._timeout_s)

    def _refuse_useless(self) -> None:
        container = self._container
        assert container is not None
        if not container.streams.video:
            raise SourceError(
                f'"{self._source.shown}" holds no video track: it may be sound alone.'
                if self._source.is_local
                else f"{self._source.shown} sends no video: it may be sound alone."
            )
        if self._source.kind == "network" and container.format.name.endswith("_pipe"):
            raise SourceError(
                f"{self._source.shown} sends one picture, not a video: give the address of its RTSP or MJPEG stream."
            )

    def _refuse_large(self, size_wh: tuple[int, int]) -> None:
        width, height = size_wh
        if width * height > self._max_pixels:
            raise SourceError(
                f"The frames of {self._source.shown} have {width}×{height} = {width * height:,} pixels, over the limit "
                f"of {self._max_pixels:,}: have it make smaller ones."
            )

    def steps(self) -> Iterator[Step]:
        """See ``Reader``."""
        clock, catching, backlog, lag = Clock(frame_s=self.frame_s), CatchUp(), Backlog(), Lag()
        zero: float | None = None
        for packet, waited_s in self._packets():
            if packet is None:
                yield Undecoded(damaged=1)
                continue
            now = time.monotonic()
            if not self.is_paced:
                second = _second_of(packet, zero) if self._has_clock else None
                is_late = second is not None and lag.frame(second, now)
                was_behind = self.is_behind and not is_drained(waited_s)
                self.is_behind = backlog.packet(waited_s, now) or is_late or was_behind
            if packet.size and not catching.wants(is_key=packet.is_keyframe, behind=self.is_behind, now=now):
                yield Undecoded(passed=1, second=_second_of(packet, zero))
                continue
            try:
                frames = packet.decode()
            except Exception as error:
                if not _is_damage(error):
                    raise failure(error, self._source, self._timeout_s) from error
                yield Undecoded(damaged=1)
                continue
            if not frames:
                yield Undecoded()
            for frame in frames:
                if frame.is_corrupt:
                    yield Undecoded(damaged=1)
                    continue
                self._refuse_large((frame.width, frame.height))
                shown_s = frame.time
                zero = shown_s if zero is None else zero
                yield Decoded(clock.tick((shown_s or 0.0) - (zero or 0.0)), lambda frame=frame: _pixels_of(frame))  # type: ignore[misc]

    def _packets(self) -> Iterator[tuple[Any, float]]:
        """The packets of the video and the time that each was waited for; None in the place of one that is damaged."""
        assert self._container is not None
        failed, coming = 0, self._container.demux(self._stream)
        while True:
            began = time.monotonic()
            try:
                packet = next(coming, None)
            except Exception as error:
                took_s = time.monotonic() - began
                failed += 1
                most = _FAILS_MAX_NETWORK if self._source.kind == "network" else _FAILS_MAX
                if not _is_damage(error) or failed > most or took_s >= _LONG * self._timeout_s:
                    raise self._failure(error, took_s) from error
                yield None, 0.0
                coming = self._container.demux(self._stream)
                continue
            took_s = time.monotonic() - began
            if packet is None:
                return
            if not packet.size and took_s >= _LONG * self._timeout_s and self._source.kind == "network":
                raise nothing_sent(self._source, self._timeout_s)  # to FFmpeg the end of a stream
            failed = 0
            yield packet, took_s

    def close(self) -> None:
        """See ``Reader``."""
        if self._container is not None:
            self._container.close()


def _opened(av: Any, source: Source, timeout_s: float) -> InputContainer:
    address, form = source.address, None
    if source.kind == "webcam":
        address, form = webcam_address(source.address)
    container: InputContainer = av.open(
        address,
        format=form,
        options=options_of(source, timeout_s),
        timeout=(timeout_s, timeout_s),
        metadata_errors="replace",
    )
    return container


def options_of(source: Source, timeout_s: float) -> dict[str, str]:
    """What FFmpeg is told of a source.

    What is read may lead no further than its own kind of place: a list of videos on the network to no file of this
    machine, and a file to no address.

    >>> from headcount.video.sources.source import read_source
    >>> options_of(read_source("rtsp://10.0.0.2/live", Path(".")), 2)["rtsp_transport"]
    'tcp'
    """
    micro_s = str(int(1e6 * timeout_s))
    if source.kind == "file":
        return {"protocol_whitelist": "file"}
    if source.kind == "webcam":
        return {"framerate": "30"} if sys.platform == "darwin" else {}
    if source.address.lower().startswith("rtsp"):
        return {
            "rtsp_transport": "tcp",
            "allowed_media_types": "video",
            "timeout": micro_s,
            "fpsprobesize": "0",  # its frames come when they come: no second is spent on learning how often
            "protocol_whitelist": "rtsp,rtsps,rtp,tcp,tls",
        }
    return {"rw_timeout": micro_s, "protocol_whitelist": "http,https,tcp,tls,crypto,httpproxy"}


def _is_damage(error: BaseException) -> bool:
    """Whether data were wrong, and what follows may be right again."""
    return type(error).__name__ in ("InvalidDataError", "PatchWelcomeError", "BlockingIOError")


def _second_of(packet: Any, zero: float | None) -> float | None:
    at = packet.pts if packet.pts is not None else packet.dts
    return None if at is None or packet.time_base is None or zero is None else float(at * packet.time_base) - zero


def _pixels_of(frame: Any) -> RgbImage:
    pixels: RgbImage = frame.to_ndarray(format="rgb24", threads=1)
    # What a phone wrote of how it was held, counter-clockwise.
    turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(pixels, turns)) if turns else pixels
