"""The renderer's other end: it draws in a process of its own, which is told what to draw and gives back pixels.

OpenGL's drivers bring a compiler (LLVM) into the process that loads them, and PyTorch's Triton brings another: both in
one process end it. A driver that fails takes nothing else with it, either.
"""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from headcount.core.errors import InputError, MissingExtraError
from headcount.core.image import RgbImage
from headcount.core.table import is_installed
from headcount.synth.rendered.camera import Camera
from headcount.synth.rendered.instances import Instances
from headcount.synth.rendered.light import Fullness, Light
from headcount.synth.rendered.pipe import receive, send

_WORKER = "import sys; sys.path[:0] = sys.argv[1:]; from headcount.synth.rendered.renderer import serve; serve()"


class Engine:
    """Draws instances as a picture, and says of each pixel whose head it is; several threads may use it.

    Raises:
        MissingExtraError: moderngl is not installed.
        InputError: no OpenGL 3.3 can be had here.
    """

    def __init__(self) -> None:
        if not is_installed("moderngl"):
            raise MissingExtraError("Rendered crowds", "synth")
        self._lock = threading.Lock()
        paths = [path for path in sys.path if path and Path(path).is_dir()]
        self._process = subprocess.Popen(
            [sys.executable, "-c", _WORKER, *paths],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.owner = os.getpid()
        atexit.register(self.close)
        self._answer()

    def draw(
        self, instances: Instances, camera: Camera, light: Light, fullness: Fullness
    ) -> tuple[RgbImage, NDArray[np.int32]]:
        """What the camera sees, (h, w, 3) uint8, and (fh, fw) int32 whose head is seen where, −1 for nobody's.

        The second is finer than the picture, by the same factor along both sides but for rounding.

        Raises:
            InputError: the driver failed; the next call begins anew.
        """
        arrays = {f"{part}/{detail}": rows for part, detail, rows in instances.groups()}
        lit = {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in _plain(light)}
        ground = {name: value for name, value in _plain(fullness) if name != "share"}
        with self._lock:
            with suppress(OSError):  # what is wrong is said below
                send(self._stdin, {"camera": asdict(camera), "light": lit, "fullness": ground},
                     {**arrays, "share": fullness.share})  # fmt: skip
            found = self._answer()
        return found["pixels"].astype(np.uint8, copy=False), found["whose"].astype(np.int32, copy=False)

    def close(self) -> None:
        """End the process."""
        if self.owner == os.getpid():
            with suppress(OSError):
                self._stdin.close()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=5)
            self._process.kill()

    @property
    def is_alive(self) -> bool:
        """Whether it still draws, for this process."""
        return self.owner == os.getpid() and self._process.poll() is None

    def _answer(self) -> dict[str, NDArray[np.generic]]:
        assert self._process.stdout is not None
        try:
            told, arrays = receive(self._process.stdout)
        except EOFError:
            code = self._process.wait()
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            raise InputError(
                f"The process that renders has ended ({how}): render a smaller picture or fewer people, or see whether "
                "the machine's OpenGL works."
            ) from None
        if "error" in told:
            raise InputError(str(told["error"]))
        return arrays

    @property
    def _stdin(self) -> IO[bytes]:
        assert self._process.stdin is not None
        return self._process.stdin


_engines: list[Engine] = []
_making = threading.Lock()


def engine() -> Engine:
    """The renderer of this process; another one where it has ended.

    Raises:
        MissingExtraError, InputError: as ``Engine``.
    """
    with _making:
        if not _engines or not _engines[0].is_alive:
            made = Engine()
            _engines[:] = [made]
        return _engines[0]


def _plain(of: Light | Fullness) -> list[tuple[str, object]]:
    return [(name, getattr(of, name)) for name in of.__dataclass_fields__]
