"""A camera that is watched: the newest of its frames, how it does, and that it is connected to again and again.

A thread for each camera reads and decodes, so that none holds up another, and keeps one frame alone: the newest. Where
a read does not come back within the camera's ``timeout_s``, though it was told to, its thread is left behind and
another one connects anew: decoders of damaged streams, and the look-up of names, can hang for good.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from headcount.core.errors import InputError
from headcount.core.image import RgbImage
from headcount.core.limits import DEFAULT_MAX_PIXELS
from headcount.core.words import plural
from headcount.video.measurement import CameraState, CameraStatus
from headcount.video.site import CameraSettings
from headcount.video.sources.backoff import Backoff
from headcount.video.sources.failures import NothingSentError, SourceError, failure, no_frame, nothing_sent
from headcount.video.sources.readers import Decoded, Reader, Step, Undecoded, open_reader, refuse_without_av
from headcount.video.sources.showing import Showing
from headcount.video.sources.source import read_source
from headcount.video.sources.watchdog import WATCHDOG

_GRACE_S = 1.0
"""How long after its time-out a read may still come back by itself."""
_LOOK_S = 0.25
_LEFT_BEHIND_MAX = 3
"""Threads of a camera that may hang at once: more would not come back either."""
CLOSE_S = 2.0
"""How long a thread is waited for at the end."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A frame of a camera.

    Attributes:
        pixels: (h, w, 3) uint8 RGB, upright.
        at: when it came, of a live camera; of a recording the film's own time, which begins when it is opened. UTC.
        came: when it came, by ``time.monotonic``.
        number: from 0, of those that came.
        skipped: frames passed over so far, since a newer one was there before they were asked for.
    """

    pixels: RgbImage
    at: datetime
    came: float
    number: int
    skipped: int


@dataclass(slots=True, eq=False)
class _Held:
    """The newest frame; its pixels are made when somebody asks."""

    decoded: Decoded
    at: datetime
    came: float
    number: int
    taken: bool = False


@dataclass(slots=True, eq=False)
class _Life:
    """A thread that reads: when its call must be back, and whether nobody waits for it any more."""

    over: threading.Event = field(default_factory=threading.Event)
    back_by: float | None = None
    thread: threading.Thread | None = None


class _OverError(Exception):
    """This thread is to end."""


class LiveSource:
    """A camera's frames, the newest alone.

    Args:
        camera: its settings.
        folder: relative paths of files are below it.
        changed: told how the camera does whenever its state, or the reason for it, changes; by a thread of this
            object's, so it should not take long.
        arrived: told that a frame came, likewise.
        max_pixels: larger frames are refused.

    Raises:
        InputError: the source is an address that is none.
    """

    def __init__(
        self,
        camera: CameraSettings,
        *,
        folder: Path,
        changed: Callable[[CameraStatus], None] = lambda status: None,
        arrived: Callable[[], None] = lambda: None,
        max_pixels: int = DEFAULT_MAX_PIXELS,
    ) -> None:
        self.camera, self.source = camera, read_source(camera.source, folder)
        self._changed, self._arrived, self._max_pixels = changed, arrived, max_pixels
        self._news, self._telling = threading.Condition(), threading.RLock()
        self._life: _Life | None = None
        self._left_behind: list[_Life] = []
        self._held: _Held | None = None
        self._backoff = Backoff()
        self._frames = self._skipped = self._damaged = self._reconnects = 0
        self._state: CameraState = "starting"
        self._since, self._reason = datetime.now(UTC), ""
        self._last_at: datetime | None = None
        self._was_lost = self._was_online = False

    def start(self) -> None:
        """Begin to read; told once."""
        with self._news:
            if self._life is not None:
                return
            self._life = self._begin()
        WATCHDOG.watch(self._look)

    def newest(self, after: int = -1, wait_s: float = 0) -> Frame | None:
        """The newest frame, where its number is above ``after``; None where none came within ``wait_s``.

        Of a recording that is replayed frame by frame (``all``), the next one is read after this one was taken.
        """
        with self._news:
            if wait_s > 0:
                self._news.wait_for(lambda: self._is_newer(after) or self.is_over, wait_s)
            held = self._held
            if held is None or held.number <= after:
                return None
            held.taken = True
            skipped = self._skipped
            self._news.notify_all()
        try:
            pixels = held.decoded.pixels()
        except Exception:  # FFmpeg's own form of it cannot be turned into pixels
            with self._news:
                self._damaged += 1
                if self._held is held:  # it is not newer than what was asked for any more, or it would be asked again
                    self._held = None
            return None
        return Frame(pixels, held.at, held.came, held.number, skipped)

    def has_newer(self, after: int) -> bool:
        """Whether a frame of a number above this one is there."""
        with self._news:
            return self._is_newer(after)

    def _is_newer(self, after: int) -> bool:
        return self._held is not None and self._held.number > after

    @property
    def is_over(self) -> bool:
        """Whether no frame will come any more: a recording has ended, or the camera was closed."""
        with self._news:  # or a thread that is just being replaced would look like the last one
            return self._state == "ended" or self._life is None or self._life.over.is_set()

    def status(self) -> CameraStatus:
        """How it does now."""
        with self._news:
            return CameraStatus(
                camera=self.camera.name,
                state=self._state,
                since=self._since,
                reason=self._reason,
                frames=self._frames,
                skipped=self._skipped,
                reconnects=self._reconnects,
                last_frame_at=self._last_at,
                damaged=self._damaged,
            )

    def stop(self) -> None:
        """Ask the reading to end, without waiting for it."""
        with self._news:
            if self._life is not None:
                self._life.over.set()
            self._news.notify_all()

    def close(self, wait_s: float = CLOSE_S) -> None:
        """End the reading, and wait so long for it. A thread that hangs in a call is left to end when that is back."""
        self.stop()
        WATCHDOG.leave(self._look)
        with self._news:
            life = self._life
        if life is not None and life.thread is not None and life.thread is not threading.current_thread():
            life.thread.join(timeout=wait_s)

    # What the watchdog's thread does.

    def _look(self, now: float) -> float:
        """Leave a thread behind that hangs, and begin anew."""
        with self._news:
            life = self._life
            if life is None or life.over.is_set() or life.back_by is None or now < life.back_by:
                return now + _LOOK_S
            self._left_behind = [one for one in self._left_behind if one.thread and one.thread.is_alive()]
            error: SourceError = nothing_sent(self.source, self.camera.timeout_s)
            can_begin = len(self._left_behind) < _LEFT_BEHIND_MAX
            if can_begin:
                self._life = self._begin(after_s=self._backoff.next_s())
                life.over.set()
                self._left_behind.append(life)
            else:
                error = SourceError(
                    f"{plural(len(self._left_behind), 'attempt')} to read {self.source.shown} hang: start this program "
                    "anew."
                )
        self._tell("stale", error.message, self._life)
        return now + _LOOK_S

    # What the reading threads do.

    def _begin(self, after_s: float = 0.0) -> _Life:
        life = _Life()
        name = f"camera {self.camera.name}"
        life.thread = threading.Thread(target=self._read_on, args=(life, after_s), name=name, daemon=True)
        life.thread.start()
        return life

    def _read_on(self, life: _Life, after_s: float) -> None:
        """Connect and read until the end, again and again."""
        begins: datetime | None = None
        with suppress(_OverError):
            self._pause(life, after_s)
            while True:
                opened = time.monotonic()
                try:
                    begins = self._read_once(life, begins)
                    if not self.camera.loop:
                        self._tell("ended", "", life)
                        return
                    continue
                except _OverError:
                    raise
                except Exception as error:  # whatever a library raises, the next try may do
                    self._pause(life, 0)
                    told = failure(error, self.source, self.camera.timeout_s)
                    self._tell("stale" if isinstance(error, NothingSentError) else "offline", told.message, life)
                begins = None
                self._backoff.worked_s(time.monotonic() - opened if self._was_online else 0.0)
                self._pause(life, self._backoff.next_s())

    def _read_once(self, life: _Life, begins: datetime | None) -> datetime:
        """Connect, and read a recording to its end; when it goes on, should it begin again.

        Raises:
            HeadcountError: why nothing more comes.
        """
        self._was_online = False
        reader = self._connect(life)
        try:
            showing = Showing(reader, self.camera, begins=begins)
            self._follow(life, reader, showing)
        finally:
            reader.close()
        if not showing.is_recording:
            raise failure(EOFError(), self.source, self.camera.timeout_s)
        return showing.goes_on_at

    def _connect(self, life: _Life) -> Reader:
        timeout_s = self.camera.timeout_s
        life.back_by = time.monotonic() + timeout_s + _GRACE_S
        try:
            reader = open_reader(
                self.source, timeout_s=timeout_s, max_pixels=self._max_pixels, folder_fps=self.camera.folder_fps
            )
        except NothingSentError as error:  # where nothing ever came, there is no connection that stands
            raise error if self._state in ("online", "stale") else SourceError(error.message) from error
        finally:
            life.back_by = None
        if life.over.is_set():
            reader.close()
            raise _OverError
        return reader

    def _follow(self, life: _Life, reader: Reader, showing: Showing) -> None:
        """Take in a reader's frames to their end."""
        last, steps = time.monotonic(), reader.steps()
        while (step := self._next_step(life, steps)) is not None:
            now = time.monotonic()
            if isinstance(step, Undecoded):
                self._count(step)
                showing.note(step, now)
                if now - last > self.camera.timeout_s:
                    raise no_frame(self.source, self.camera.timeout_s)
                continue
            last = now
            if not showing.wants(step):
                self._pass_by()
                continue
            self._pause(life, showing.wait_s(now))
            self._take_in(step, showing.shown(time.monotonic()), life)
            if showing.takes_all:
                self._await_taken(life)
            last = time.monotonic()
        if showing.is_recording and not showing.frames:
            raise SourceError(
                f'No frame of "{self.source.shown}" can be read: it is damaged, or of a kind that is not decoded here.'
            )
        self._pause(life, showing.rest_s(time.monotonic()))

    def _next_step(self, life: _Life, steps: Iterator[Step]) -> Step | None:
        """What comes next; None at the end. It is known by when this call must be back."""
        life.back_by = time.monotonic() + self.camera.timeout_s + _GRACE_S
        try:
            step = next(steps, None)
        finally:
            life.back_by = None
        if life.over.is_set():
            raise _OverError
        return step

    def _count(self, step: Undecoded) -> None:
        if step.damaged or step.passed:
            with self._news:
                self._damaged += step.damaged
                self._frames += step.passed
                self._skipped += step.passed

    def _pass_by(self) -> None:
        """A frame of a recording that is not due: it has a number, and nobody was to see it."""
        with self._news:
            self._frames += 1

    def _take_in(self, decoded: Decoded, at: datetime, life: _Life) -> None:
        with self._news:
            if life.over.is_set():
                raise _OverError
            if self._held is not None and not self._held.taken:
                self._skipped += 1
            self._held = _Held(decoded, at, time.monotonic(), self._frames)
            self._frames += 1
            self._last_at = at
            self._news.notify_all()
        self._was_online = True
        if self._state != "online":
            self._tell("online", "", life)
        self._arrived()

    def _await_taken(self, life: _Life) -> None:
        with self._news:
            self._news.wait_for(lambda: life.over.is_set() or self._held is None or self._held.taken)
        if life.over.is_set():
            raise _OverError

    def _pause(self, life: _Life, seconds: float) -> None:
        if life.over.is_set() or (seconds > 0 and life.over.wait(seconds)):
            raise _OverError

    def _tell(self, state: CameraState, reason: str, life: _Life | None) -> None:
        """Note how it does, and tell it where that is new; a thread that was left behind has nothing to tell."""
        with self._telling:
            with self._news:
                if life is not self._life or (life is not None and life.over.is_set()):
                    return
                if (state, reason) == (self._state, self._reason):
                    return
                if state != self._state:
                    self._since = datetime.now(UTC)
                if state == "online":
                    self._reconnects += self._was_lost
                    self._was_lost = False
                elif self._frames:
                    self._was_lost = True
                self._state, self._reason = state, reason
                self._news.notify_all()
            self._changed(self.status())


def grab(source: str, *, folder: Path, timeout_s: float = 10) -> RgbImage:
    """One frame of a source: (h, w, 3) uint8 RGB.

    Raises:
        InputError: why there is none, in a sentence.
        MissingExtraError: PyAV is not installed.
    """
    camera = CameraSettings(name="grab", source=source, timeout_s=max(1.0, timeout_s), replay="all")
    told: list[CameraStatus] = []

    def changed(status: CameraStatus) -> None:
        told.append(status)
        if status.state in ("offline", "stale"):
            live.stop()

    live = LiveSource(camera, folder=folder, changed=changed)
    if live.source.kind != "folder":
        refuse_without_av()
    live.start()
    try:
        frame = live.newest(wait_s=camera.timeout_s + 2 * _GRACE_S)
    finally:
        live.close()
    if frame is None:
        reasons = [status.reason for status in told if status.reason]
        raise InputError(reasons[-1] if reasons else nothing_sent(live.source, camera.timeout_s).message)
    return frame.pixels
