"""Standard output and standard error as every command uses them.

Only printable text reaches them, whoever wrote it, and none of their failures (closed, full, a reader that went away)
ends a run: what was counted is written to its files all the same, and the end tells.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from headcount.core.addresses import without_secrets
from headcount.core.words import printable as printable

_LINES = "\n\t"
_outputs: list[Stream] = []


class Stream(io.TextIOBase):
    """Standard output or standard error.

    Attributes:
        failure: why it takes no more, if it does not.
        is_needed: whether it holds what was asked for; not where that is in files (``results_are_filed``).
        is_there: whether the process was started with one.
    """

    def __init__(self, real: TextIO, *, is_there: bool = True) -> None:
        self._real = real
        self.is_there = is_there
        self.failure: OSError | None = None
        self.is_needed = True
        self.rich_proxied_file = _Styled(self)
        """Where rich writes its own colours and cursor moves; its consoles here let only printable text through."""
        if isinstance(real, io.TextIOWrapper):
            real.reconfigure(errors="backslashreplace")

    def write(self, text: str) -> int:
        """Write what is printable of a text, line ends and tabs, and the rest as Python writes it in quotes.

        Addresses lose their passwords.
        """
        self.write_styled(printable(without_secrets(text), keep=_LINES))
        return len(text)

    def write_styled(self, text: str) -> None:
        """Write a text as it is."""
        self._try(lambda: self._real.write(text))

    def write_bytes(self, data: bytes) -> None:
        """Write a file's content as it is; to a terminal what is printable of it."""
        if self.isatty() or not hasattr(self._real, "buffer"):
            self.write(data.decode("utf-8", "backslashreplace"))
            return
        self._try(self._real.flush)
        self._try(lambda: self._real.buffer.write(data))
        self._try(self._real.buffer.flush)

    def flush(self) -> None:
        """Hand over what is written."""
        self._try(self._real.flush)

    def _try(self, do: Callable[[], object]) -> None:
        if self.failure is not None:
            return
        try:
            do()
        except (OSError, ValueError) as error:  # ValueError: it was closed under way
            self.failure = error if isinstance(error, OSError) else OSError(str(error))
            # What is left in it goes nowhere when the interpreter ends.
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), self._real.fileno())

    def writable(self) -> bool:
        """It is."""
        return True

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return self._real.isatty()

    def fileno(self) -> int:
        """The descriptor of the real one."""
        return self._real.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of the real one."""
        return self._real.encoding

    @property
    def buffer(self) -> Any:
        """The bytes of the real one."""
        return self._real.buffer  # type: ignore[attr-defined,unused-ignore]


class _Styled(io.TextIOBase):
    """A ``Stream`` for who styles it: it takes all."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write_styled(text)
        return len(text)

    def flush(self) -> None:
        self._stream.flush()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._stream.encoding


@contextmanager
def guarded_streams() -> Iterator[tuple[Stream, Stream]]:
    """Put ``Stream`` in the places of standard output and standard error, as long as the block lasts."""
    _fill_descriptors()
    real = sys.stdout, sys.stderr
    out, err = (Stream(stream) if stream is not None else Stream(_nowhere(), is_there=False) for stream in real)
    sys.stdout, sys.stderr = out, err
    _outputs.append(out)
    try:
        yield out, err
    finally:
        out.flush()
        err.flush()
        sys.stdout, sys.stderr = real
        _outputs.remove(out)


def results_are_filed() -> None:
    """Say that what was asked for is in files: that standard output takes no more is no fault then."""
    for stream in _outputs:
        stream.is_needed = False


def standard_output() -> Stream:
    """Standard output, for bytes."""
    return _outputs[-1] if _outputs else Stream(sys.stdout)


def _nowhere() -> TextIO:
    return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123  (as long as the process lasts)


def _fill_descriptors() -> None:
    """Lead the standard descriptors that are closed nowhere: a file of results would be opened in their place."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            with contextlib.suppress(OSError):
                nowhere = os.open(os.devnull, os.O_RDWR)
                if nowhere != descriptor:
                    os.dup2(nowhere, descriptor)
                    os.close(nowhere)
