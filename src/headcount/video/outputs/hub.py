"""All who are told: every record is handed to every output, and none of them holds up another or the caller."""

from __future__ import annotations

import re
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from headcount.core.addresses import without_secrets
from headcount.core.errors import InputError, nearest
from headcount.core.table import is_installed
from headcount.video.measurement import OutputStatus, Record
from headcount.video.outputs.lane import DirectLane, SpoolLane, Standing
from headcount.video.outputs.spool import Spool
from headcount.video.outputs.table import OUTPUTS, DirectOutput, OutputRow, Picture, SpooledOutput
from headcount.video.site import OutputSettings, Site

_OTHER_KEYS = {"spool", "spool_megabytes", "others"}


class Outputs:
    """The outputs of a site.

    Receivers that are down at the beginning hold up nothing: what they should take waits on the disk.

    Args:
        site: whose ``outputs`` are opened.
        folder: of the site's file; relative paths of outputs are below it.
        changed: told whenever an output begins to work or to fail, by one of several threads. The outputs are told by
            themselves.
        retry_s: how long a receiver that is down is left alone at first; twice as long each time, up to 10 s
            (webhooks: see there).

    Raises:
        InputError: a setting of an output is of no use, or a file or spool is held by another run.
        MissingExtraError: an output needs what is not installed.

    Attributes:
        metrics: what Prometheus reads, a ``headcount.video.outputs.metrics.Metrics``, served or not; None where its
            package is not installed.
    """

    def __init__(
        self, site: Site, folder: Path, *, changed: Callable[[OutputStatus], None] | None = None, retry_s: float = 1.0
    ) -> None:
        self._site, self._folder, self._changed, self._retry_s = site, folder, changed, retry_s
        self._standings: list[Standing] = []
        self._lanes: list[tuple[DirectLane | SpoolLane, bool]] = []  # with whether it uses pictures
        self._outputs: list[DirectOutput | SpooledOutput] = []
        self._spools: list[Path] = []
        self.metrics: Any = None
        try:
            for name, row, settings in wanted(site.outputs):
                self._add(name, row, settings)
        except BaseException:
            self.close(0)
            raise

    def take(self, record: Record, picture: Picture | None = None) -> None:
        """Hand a record to every output; this never waits. ``picture`` draws the measured frame, heads hidden.

        States of outputs are handed on by themselves, and passed over here.
        """
        if not isinstance(record, OutputStatus):
            self._hand_on(record, picture)

    def statuses(self) -> list[OutputStatus]:
        """How each output does now, with what waits and what was lost."""
        return [standing.status() for standing in self._standings]

    def exposition(self) -> str:
        """What Prometheus reads, as text; empty where its package is not installed."""
        return "" if self.metrics is None else str(self.metrics.exposition())

    def settle(self, wait_s: float = 10.0) -> bool:
        """Wait until everything that was taken was handed over or is on the disk; False where that took too long."""
        end = time.monotonic() + wait_s
        while not all(lane.is_settled() for lane, _ in self._lanes):
            if time.monotonic() > end:
                return False
            time.sleep(0.005)
        return True

    def close(self, wait_s: float = 5.0) -> None:
        """End all outputs; for up to ``wait_s`` they are handed what is left. What is not taken stays on the disk."""
        end = time.monotonic() + wait_s
        for lane, _ in self._lanes:
            lane.stop(end)
        for lane, _ in self._lanes:
            lane.join()
        for output in self._outputs:
            with suppress(Exception):  # what it had was handed over
                output.close()
        self._lanes, self._outputs = [], []

    def _hand_on(self, record: Record, picture: Picture | None) -> None:
        for lane, uses_pictures in self._lanes:
            # What takes records as they come is not told of itself: it would fail at that, too.
            is_own = isinstance(record, OutputStatus) and isinstance(lane, DirectLane) and lane.name == record.output
            if not is_own:
                lane.take(record, picture if uses_pictures else None)

    def _tell(self, status: OutputStatus) -> None:
        self._hand_on(status, None)
        if self._changed is not None:
            self._changed(status)

    def _add(self, name: str, row: OutputRow, settings: Any) -> None:
        output = row.open(settings, self._site, self._folder)
        output.name = name
        self._outputs.append(output)
        if row.name == "metrics":
            self.metrics = output
            output.statuses = self.statuses  # type: ignore[union-attr]
        standing = Standing(name, self._tell)
        if isinstance(output, SpooledOutput):
            spool = Spool(self._spool_folder(name, settings), most_megabytes=self._site.outputs.spool_megabytes)
            self._lanes.append((SpoolLane(output, standing, spool, retry_s=self._retry_s), False))
        if isinstance(output, DirectOutput):
            lane = DirectLane(output, standing, pictures=row.pictures, retry_s=self._retry_s)
            self._lanes.append((lane, row.pictures))
        self._standings.append(standing)

    def _spool_folder(self, name: str, settings: Any) -> Path:
        """A folder of its own for each receiver: another address is another receiver, which is not sent what waits for
        the first; another password is not."""
        address = without_secrets(str(getattr(settings, "url", "")))
        plain = re.sub(r"[^a-z0-9]+", "-", name.lower().split(" ")[0]) or "output"
        folder = self._folder / self._site.outputs.spool / f"{plain}-{zlib.crc32(address.encode()):08x}"
        number = self._spools.count(folder)
        self._spools.append(folder)
        return folder if not number else folder.with_name(f"{folder.name}-{number + 1}")


def wanted(settings: OutputSettings) -> Iterator[tuple[str, OutputRow, Any]]:
    """The outputs that a site asks for: a name each, its row, and its settings.

    Metrics are always kept, where their package is installed, and served where an address is given.

    Raises:
        InputError: it asks for one that there is not.
    """
    for row in OUTPUTS.rows():
        given = getattr(settings, row.name, None) if row.name not in _OTHER_KEYS else None
        if isinstance(given, tuple):
            for number, each in enumerate(given, start=1):
                yield f"webhook {number}", row, each
        elif given is not None or (row.name == "metrics" and is_installed(row.package)):
            yield row.name, row, given
    for name, given in settings.others.items():
        own = set(OutputSettings.model_fields)
        if name in own or name not in OUTPUTS:
            known = [other for other in OUTPUTS if other not in own]
            raise InputError(f'No package that is installed brings an output "{name}".{nearest(name, known)}')
        yield name, OUTPUTS.find(name), given
