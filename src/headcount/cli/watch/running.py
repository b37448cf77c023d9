"""A site is watched until it is stopped: the monitor in a thread of its own, what it tells on the terminal."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headcount.cli.console import output_console, printable
from headcount.cli.watch.board import Board, stamped
from headcount.cli.watch.notify import Notifier
from headcount.core.errors import InputError
from headcount.core.words import plural

if TYPE_CHECKING:
    from headcount.core.image import RgbImage
    from headcount.video.measurement import OutputStatus, Record
    from headcount.video.site import Site

_REFRESH_S = 0.25
_MORE_S = 20.0
"""With --once: how much longer than its time-out a camera is waited for."""
_STILL_S = 30.0
_CLOSE_S = 5.0
"""How long receivers are handed what is left at the end; the rest waits on the disk."""


def watch_site(site: Site, folder: Path, *, once: bool, seconds: float | None, output: Path | None, quiet: bool) -> int:
    """Watch a site until it is stopped; gives the exit code.

    Raises:
        HeadcountError: it cannot be watched, and why.
    """
    from headcount.infer.counter import load
    from headcount.video.monitor import Monitor
    from headcount.video.outputs.hub import Outputs

    site = with_output(site, output)
    screen = _Screen(site, quiet=quiet or once)
    counter = load(site.model, interval=site.interval)
    # Whatever is wrong with sources and calibrations is said before anything is opened.
    Monitor(site, folder, counter=counter).refuse_wrong()
    outputs = Outputs(site, folder, changed=lambda status: screen.seen(status, None))
    try:
        monitor = Monitor(site, folder, counter=counter, outputs=outputs, seen=screen.seen)
        _watch(site, monitor, screen, outputs.statuses, once=once, seconds=seconds)
    finally:
        outputs.close(_CLOSE_S)
    return screen.end(once=once)


def _watch(
    site: Site,
    monitor: Any,
    screen: _Screen,
    outputs: Callable[[], Iterable[OutputStatus]],
    *,
    once: bool,
    seconds: float | None,
) -> None:
    """Let the monitor work until Ctrl-C, or until the time is over, or all was measured that was asked for once."""
    names = {camera.name for camera in site.cameras}
    longest = max(camera.timeout_s for camera in site.cameras) + _MORE_S if once else float("inf")
    until = time.monotonic() + min(longest, float("inf") if seconds is None else seconds)
    work = _Work(monitor)
    # Frames come, and nothing is measured of them: it hangs, and whoever looks after it may start it anew.
    most_still_s = max(_STILL_S, 5 / max(camera.frames_per_second for camera in site.cameras))

    def is_well() -> bool:
        monitor.statuses()
        return screen.board.still_s < most_still_s

    try:
        with screen.shown() as show, Notifier() as notifier:
            work.start()
            while work.is_alive:
                screen.board.recount(outputs())
                show()
                notifier.tell(screen.board.summary, is_well=is_well)
                if time.monotonic() >= until or (once and screen.board.measured | screen.board.lost >= names):
                    break
                work.wait(_REFRESH_S)
    except KeyboardInterrupt:  # the way to end it
        pass
    finally:
        work.end()


class _Screen:
    """What is shown: a table that changes in its place on a terminal, else a line for each change."""

    def __init__(self, site: Site, *, quiet: bool) -> None:
        self.board = Board(camera.name for camera in site.cameras)
        self._site, self._console = site, output_console()
        self._is_live = self._console.is_terminal and not quiet
        self._is_told = not (quiet or self._is_live)

    def seen(self, record: Record, picture: Callable[[], RgbImage] | None) -> None:
        """Take in a record, and say it where it is news."""
        line = self.board.take(record)
        if line:
            self._say(line)

    def _say(self, line: str) -> None:
        if self._is_told:
            self._console.print(stamped(printable(line)), soft_wrap=True)

    @contextmanager
    def shown(self) -> Iterator[Callable[[], None]]:
        """Show the board as long as the block lasts, where there is a terminal; gives what draws it anew."""
        self._say(f"watching {self._site.name}: {plural(len(self._site.cameras), 'camera')}")
        if not self._is_live:
            yield lambda: None
            return
        from rich.live import Live

        settings: Any = {"redirect_stdout": False, "redirect_stderr": False}  # see ``headcount.cli.console``
        with Live(console=self._console, auto_refresh=False, vertical_overflow="crop", **settings) as live:
            shown = -1

            def draw() -> None:
                nonlocal shown
                if shown != self.board.news:  # a calm terminal: nothing is sent to it without news
                    shown = self.board.news
                    live.update(self.board.table(self._console.width), refresh=True)

            yield draw
            draw()

    def end(self, *, once: bool) -> int:
        """Say how it ended; gives the exit code."""
        if not once:
            self._say("stopped")
            return 0
        for line in self.board.lines():
            self._console.print(printable(line), soft_wrap=True)
        return 0 if self.board.measured >= {camera.name for camera in self._site.cameras} else 1


def with_output(site: Site, output: Path | None) -> Site:
    """A site of which every record is written to one more file.

    Raises:
        InputError: the file is of another kind, or its folder is not there.
    """
    if output is None:
        return site
    kind = output.suffix.lower().removeprefix(".")
    if kind not in ("jsonl", "csv"):
        raise InputError(f'--output takes a .jsonl or .csv file, but "{output.name}" was given.')
    taken = getattr(site.outputs, kind)
    if taken is not None:
        raise InputError(f'The site writes a .{kind} file already, "{taken}": leave out --output.')
    if not output.absolute().parent.is_dir():
        raise InputError(f'There is no folder "{output.parent}" to write to: make it first.')
    return site.model_copy(update={"outputs": site.outputs.model_copy(update={kind: output.absolute()})})


class _Work:
    """The monitor at work in a thread; what it raises is raised where it is waited for."""

    def __init__(self, monitor: Any) -> None:
        self._monitor, self._stop = monitor, threading.Event()
        self._raised: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def _run(self) -> None:
        try:
            self._monitor.run(self._stop)
        except BaseException as error:
            self._raised = error

    def start(self) -> None:
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def wait(self, seconds: float) -> None:
        self._thread.join(seconds)

    def end(self) -> None:
        """Ask it to stop and wait until it has; a second Ctrl-C does not wait.

        Raises:
            HeadcountError: what the monitor raised.
        """
        self._stop.set()
        with suppress(RuntimeError):  # it was never started
            self._thread.join()
        if self._raised is not None:
            raise self._raised
