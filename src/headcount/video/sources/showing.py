"""Which frames of an opened source are shown, and when: as they come, as they were filmed, or each that is due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from headcount.video.site import CameraSettings
from headcount.video.sources.pacing import Due, Pace, is_behind
from headcount.video.sources.readers import Decoded, Reader, Undecoded


class Showing:
    """The frames of one opening of a source.

    Args:
        reader: what gives them; it is told when it is behind.
        camera: its settings.
        begins: the time of a recording's first frame; None: now.

    Attributes:
        is_recording: frames have times of their own.
        takes_all: each frame that is due is waited for, however long it takes.
        frames: how many came.
        second: of the last one.
    """

    def __init__(self, reader: Reader, camera: CameraSettings, *, begins: datetime | None = None) -> None:
        self._reader, self._begins = reader, begins or datetime.now(UTC)
        self.is_recording = reader.is_recording
        self.takes_all = camera.replay == "all" and reader.is_recording
        self._pace, self._due = Pace(), Due(camera.frames_per_second)
        self.frames, self.second = 0, 0.0

    @property
    def _is_paced(self) -> bool:
        return self._reader.is_paced and not self.takes_all

    def note(self, undecoded: Undecoded, now: float) -> None:
        """No frame came: it may be that those passed over were enough."""
        if undecoded.second is not None and self._is_paced:
            self._reader.is_behind = is_behind(self._pace.behind_s(undecoded.second, now))

    def wants(self, decoded: Decoded) -> bool:
        """Whether a frame that came is shown at all."""
        self.frames, self.second = self.frames + 1, decoded.second
        return not self.takes_all or self._due.takes(decoded.second, self._reader.frame_s)

    def wait_s(self, now: float) -> float:
        """How long to wait before the last frame is shown."""
        return self._pace.wait_s(self.second, now) if self._is_paced else 0.0

    def shown(self, now: float) -> datetime:
        """The last frame is shown now: as of when."""
        if self._is_paced:
            self._reader.is_behind = is_behind(self._pace.behind_s(self.second, now))
        return self._begins + timedelta(seconds=self.second) if self.is_recording else datetime.now(UTC)

    def rest_s(self, now: float) -> float:
        """How long the last frame of a recording is still shown."""
        return (
            self._pace.wait_s(self.second + self._reader.frame_s, now) if self._is_paced and self.is_recording else 0.0
        )

    @property
    def goes_on_at(self) -> datetime:
        """The time of the first frame of a recording that begins again."""
        return self._begins + timedelta(seconds=self.second + self._reader.frame_s)
