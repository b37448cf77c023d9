"""What is known of a site now: a row a camera for a terminal, and a line for whatever changes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from headcount.cli.console import printable, shorten
from headcount.core.words import plural, whole_people, whole_range

if TYPE_CHECKING:
    from rich.console import RenderableType

    from headcount.video.measurement import (
        AlertEvent,
        Amount,
        CameraStatus,
        Measurement,
        OutputStatus,
        Record,
        ZoneMeasure,
    )

_UNITS = {"people": "people", "density": "per m²", "voronoi": "per m² (Voronoi)", "fullest": "in the fullest m²"}
_STYLES = {"online": "green", "starting": "dim", "ended": "dim", "stale": "yellow", "offline": "red"}
_LEVEL_STYLES = ("", "yellow", "bold yellow", "bold red")


_WARNED_S, _AGAIN_S, _MOST_WARNINGS = 60.0, 600.0, 50
"""How long a warning of a frame is shown, after how long without it it is news again, and how many are remembered."""


class Board:
    """The newest of everything; several threads may hand it records.

    Args:
        cameras: their names, in the order in which they are shown.
        clock: gives seconds.
    """

    def __init__(self, cameras: Iterable[str], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._warned: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()
        self._cameras = list(cameras)
        self._statuses: dict[str, CameraStatus] = {}
        self._measured: dict[str, Measurement] = {}
        self._alerts: dict[str, AlertEvent] = {}
        self._outputs: dict[str, OutputStatus] = {}
        self.news = 0
        """How many records were taken: what is shown is out of date where there are more."""
        self._stirred_s = clock()

    def take(self, record: Record) -> str:
        """Note a record; gives what to say of it where something changed, else an empty text."""
        with self._lock:
            self.news += 1
            self._stirred_s = self._clock()
            if record.kind == "measurement":
                self._measured[record.camera] = record
                return self._take_warnings(record)
            if record.kind == "camera":
                return self._take_status(record)
            if record.kind == "alert":
                if record.state == "raised":
                    self._alerts[record.id] = record
                else:
                    self._alerts.pop(record.id, None)
                return alert_line(record)
            before = self._outputs.get(record.output)
            self._outputs[record.output] = record
            if (before is None and record.state == "working") or (before and before.state == record.state):
                return ""
            return output_line(record)

    def recount(self, outputs: Iterable[OutputStatus]) -> None:
        """Note how many records wait now at outputs that fail: they tell of themselves only when that changes."""
        with self._lock:
            for status in outputs:
                before = self._outputs.get(status.output)
                if before is not None and before.state == status.state == "failing" and before != status:
                    self._outputs[status.output] = status
                    self.news += 1

    def _take_warnings(self, measured: Measurement) -> str:
        """Note what the reader of a frame's numbers should know; each is said once, not with every frame."""
        now, camera = self._clock(), measured.camera
        fresh = []
        for text in measured.warnings:
            if now - self._warned.pop((camera, text), now - 2 * _AGAIN_S) > _AGAIN_S:
                fresh.append(text)
            self._warned[camera, text] = now  # the newest are last
        while len(self._warned) > _MOST_WARNINGS:
            del self._warned[next(iter(self._warned))]
        return f"{camera}: note – {' '.join(fresh)}" if fresh else ""

    def _take_status(self, status: CameraStatus) -> str:
        before = self._statuses.get(status.camera)
        self._statuses[status.camera] = status
        if before is not None and (before.state, before.reason) == (status.state, status.reason):
            return ""
        if status.state == "starting":
            return ""
        return f"{status.camera}: {status.state}{f' – {status.reason}' if status.reason else ''}"

    @property
    def measured(self) -> set[str]:
        """The cameras of which something was measured."""
        with self._lock:
            return set(self._measured)

    @property
    def lost(self) -> set[str]:
        """The cameras that are not to be waited for: they cannot be reached, or have ended."""
        with self._lock:
            return {name for name, one in self._statuses.items() if one.state in ("offline", "stale", "ended")}

    @property
    def still_s(self) -> float:
        """For how long nothing was told, though a camera is online; 0 where none is."""
        with self._lock:
            if not any(one.state == "online" for one in self._statuses.values()):
                return 0.0
            return self._clock() - self._stirred_s

    @property
    def summary(self) -> str:
        """How many cameras are online, in a few words."""
        with self._lock:
            online = sum(one.state == "online" for one in self._statuses.values())
            alerts = f", {plural(len(self._alerts), 'alert')}" if self._alerts else ""
        return f"{online} of {plural(len(self._cameras), 'camera')} online{alerts}"

    def lines(self) -> list[str]:
        """A line a camera with its numbers, for who asked once."""
        with self._lock:
            return [line for name in self._cameras for line in self._lines_of(name)]

    def _lines_of(self, name: str) -> list[str]:
        measured, status = self._measured.get(name), self._statuses.get(name)
        if measured is None:
            why = status.reason or status.state if status is not None else "nothing came"
            return [f"{name}: not measured – {why}"]
        lines = [f"{name}: {amount_text(measured.people)} people"]
        lines += [f"  {zone.name}: {zone_text(zone)}" for zone in measured.zones]
        for line in measured.lines:
            numbers = f"{line.forward} forward, {line.backward} backward" if not line.refused else line.refused
            lines.append(f"  {line.name}: {numbers}")
        return lines

    def _seen_now(self, name: str) -> Measurement | None:
        """What was measured last of a camera, unless it is gone: old numbers are not shown as those of now."""
        status = self._statuses.get(name)
        return None if status is not None and status.state in ("stale", "offline") else self._measured.get(name)

    def table(self, width: int) -> RenderableType:
        """All of it for a terminal of a width, in columns."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        with self._lock:
            table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, expand=False)
            for title in ("camera", "state", "people", "fullest zone", "alerts"):
                table.add_column(title, header_style="dim", no_wrap=True)
            table.add_column("skipped", justify="right", header_style="dim", no_wrap=True)
            known = [(name, self._statuses.get(name), self._seen_now(name)) for name in self._cameras]
            least = max(8, (width - 62) // 2)
            wanted = max(len(_fullest(one, width)) for _, _, one in known)
            # Names have the room that zones do not need.
            room = max(least, width - 44 - max(wanted, len("fullest zone")))
            for name, status, measured in known:
                state = "starting" if status is None else status.state
                skipped = max(0 if one is None else one.skipped for one in (status, self._measured.get(name)))
                level = max((one.level for one in self._alerts.values() if one.camera == name), default=0)
                table.add_row(
                    shorten(printable(name), room),
                    Text(state, style=_STYLES.get(state, "")),
                    "–" if measured is None else amount_text(measured.people),
                    _fullest(measured, least + 18),
                    Text(f"level {level}" if level else "–", style=_LEVEL_STYLES[min(level, 3)]),
                    f"{skipped:,}",
                )
            # What is wrong stands above: of many cameras a low terminal shows the first ones alone.
            urgent = [
                Text(alert_line(one), style=_LEVEL_STYLES[min(one.level, 3)])
                for one in sorted(self._alerts.values(), key=lambda one: -one.level)
            ]
            urgent += [Text(output_line(one), style="red") for one in self._outputs.values() if one.state == "failing"]
            urgent += [
                Text(f"{printable(one.camera)}: {_since(one)}{one.reason}", style=_STYLES.get(one.state, ""))
                for one in self._statuses.values()
                if one.reason
            ]
            now = self._clock()
            notes = [
                Text(f"{camera}: {text}", style="dim")
                for (camera, text), at in self._warned.items()
                if now - at < _WARNED_S
            ]
        return Group(*urgent, table, *notes)


def amount_text(amount: Amount, *, digits: int = 0) -> str:
    """A measured number with its range: ``42 (38–47)``.

    >>> from headcount.video.measurement import Amount
    >>> amount_text(Amount(value=41.6, low=37.2, high=46.9)), amount_text(Amount(value=2.04), digits=1)
    ('42 (37–47)', '2.0')
    """
    if digits:
        low, high = amount.low, amount.high
        ends = "" if low is None or high is None else f" ({low:.{digits}f}–{high:.{digits}f})"
        return f"{amount.value:.{digits}f}{ends}"
    ends = "" if amount.low is None or amount.high is None else f" ({whole_range((amount.low, amount.high))})"
    return f"{whole_people(amount.value):,}{ends}"


def zone_text(zone: ZoneMeasure) -> str:
    """A zone's numbers."""
    people = f"{amount_text(zone.people)} people"
    return people if zone.density is None else f"{people}, {amount_text(zone.density, digits=1)} per m²"


def alert_line(alert: AlertEvent) -> str:
    """An alert in a line."""
    where = f"{alert.camera}, {alert.zone}" if alert.zone else alert.camera
    unit = _UNITS.get(alert.measure, alert.measure)
    if alert.state == "cleared":
        why = f" – {alert.reason}" if alert.reason else ""
        return f"{where}: alert of level {alert.level} cleared at {alert.value:.1f} {unit}, peak {alert.peak:.1f}{why}"
    return f"{where}: ALERT of level {alert.level}: {alert.value:.1f} {unit}, threshold {alert.threshold:g}"


def output_line(output: OutputStatus) -> str:
    """An output's state in a line."""
    numbers = [f"{output.waiting:,} waiting"] if output.waiting else []
    numbers += [f"{output.lost:,} lost"] if output.lost else []
    more = f" ({', '.join(numbers)})" if numbers else ""
    return f"output {output.output}: {output.state}{more}{f' – {output.reason}' if output.reason else ''}"


def stamped(text: str) -> str:
    """A line with the time before it, in UTC."""
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {text}"


def _since(status: CameraStatus) -> str:
    """Since when a camera is not seen: ``offline since 12:30:05 UTC. ``, with the day where that is not today."""
    if status.state not in ("stale", "offline"):
        return ""
    since = status.since.astimezone(UTC)
    day = "" if since.date() == datetime.now(UTC).date() else f"{since:%Y-%m-%d} "
    return f"{status.state} since {day}{since:%H:%M:%S} UTC. "


def _fullest(measured: Measurement | None, width: int) -> str:
    """The fullest zone with its numbers, with their ranges where there is room for them."""
    if measured is None or not measured.zones:
        return "–"
    by_density = [zone for zone in measured.zones if zone.density is not None]
    if by_density:
        zone = max(by_density, key=lambda one: one.density.value if one.density is not None else 0.0)
    else:
        zone = max(measured.zones, key=lambda one: one.people.value)
    whole = f"{printable(zone.name)}: {zone_text(zone)}"
    if len(whole) <= width or zone.density is None:
        return shorten(whole, width)
    numbers = f": {zone.density.value:.1f} per m²"
    return shorten(printable(zone.name), width - len(numbers)) + numbers
