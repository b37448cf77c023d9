"""Reads from a server that may never answer: what gives nothing for a minute is given up."""

from __future__ import annotations

import errno
import io
from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

Answer = TypeVar("Answer")

WAIT_S = 60.0
"""So long an address may give nothing."""


def awaited(call: Callable[[], Answer]) -> Answer:
    """What a call gives that asks a server; one that is not answered in time is left behind, in a thread of its own.

    The libraries of the protocols have limits of their own, or none, and none of them can be ended from outside.

    >>> awaited(lambda: 7)
    7

    Raises:
        TimeoutError: nothing came in ``WAIT_S`` seconds.
    """
    answer: Future[Answer] = Future()

    def ask() -> None:
        try:
            answer.set_result(call())
        except BaseException as error:  # raised where it is waited for
            answer.set_exception(error)

    Thread(target=ask, name="address", daemon=True).start()
    try:
        return answer.result(WAIT_S)
    except TimeoutError as error:
        if answer.done():
            raise
        raise TimeoutError(errno.ETIMEDOUT, f"nothing came for {WAIT_S:.0f} seconds") from error


class AwaitedFile(io.RawIOBase):
    """A file at an address, each read of which is answered in time.

    Args:
        file: as fsspec opens it.
    """

    def __init__(self, file: Any) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return bool(self._file.seekable())

    def seek(self, place: int, whence: int = io.SEEK_SET) -> int:
        return int(self._file.seek(place, whence))

    def tell(self) -> int:
        return int(self._file.tell())

    def readinto(self, buffer: WriteableBuffer) -> int:
        room = memoryview(buffer).cast("B")
        data = awaited(lambda: self._file.read(len(room)))
        room[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()
