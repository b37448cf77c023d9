"""Whether OpenGL without a screen can be had, without making a picture."""

from __future__ import annotations

import ctypes
import sys


def has_opengl() -> bool | None:
    """Whether the library is here through which crowds are rendered without a screen; None where that is not told so.

    Whether it draws is known only when it does.
    """
    if sys.platform != "linux":
        return None
    try:
        ctypes.CDLL("libEGL.so.1")
    except OSError:
        return False
    return True
