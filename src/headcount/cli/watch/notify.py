"""What a service manager is told (systemd's notifications): that it runs, how it does, and that it still lives.

The protocol is a datagram to the socket that ``NOTIFY_SOCKET`` names (sd_notify(3)); nothing is told without it.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from types import TracebackType

_STATUS_S = 5.0


class Notifier:
    """Tells the service manager, where there is one, as long as the block lasts."""

    def __init__(self) -> None:
        address = os.environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket: socket.socket | None = None
        watchdog_us = os.environ.get("WATCHDOG_USEC", "")
        of = os.environ.get("WATCHDOG_PID", str(os.getpid()))
        is_ours = watchdog_us.isdigit() and of == str(os.getpid())
        # Half of the time it has: one that comes late is no reason to be killed.
        self._every_s = int(watchdog_us) / 2e6 if is_ours else 0.0
        self._next_s = self._next_status_s = 0.0
        self._is_ready = False

    def __enter__(self) -> Notifier:
        if self._address and hasattr(socket, "AF_UNIX"):
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._send("STOPPING=1")
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def tell(self, status: str, *, is_well: Callable[[], bool]) -> None:
        """Tell how it does, and that it lives where ``is_well`` says so when it is asked."""
        if self._socket is None:
            return
        now = time.monotonic()
        words = []
        if not self._is_ready:
            self._is_ready = True
            words.append("READY=1")
        if now >= self._next_status_s:
            self._next_status_s = now + _STATUS_S
            words.append(f"STATUS={status}")
        if self._every_s and now >= self._next_s:
            self._next_s = now + self._every_s
            words += ["WATCHDOG=1"] if is_well() else []
        if words:
            self._send("\n".join(words))

    def _send(self, text: str) -> None:
        if self._socket is None:
            return
        try:
            self._socket.sendto(text.encode(), self._address)
        except OSError:  # who does not listen need not be told
            self._socket.close()
            self._socket = None
